//! The records of `triage-snapshots`. Pure; the format is in `docs/state.md`. What this version does not know is refused,
//! never guessed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use triage_core::program::{Limits, Program};

/// The form that this version writes and reads. A new one is read one release before it is written.
pub(super) const FORMAT: u32 = 2;

/// Why a record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormError {
    /// It is not what this version writes.
    #[error("it is not of a form that this version knows: {0}")]
    Other(String),
    /// It is of another version.
    #[error("it is of form {0}, and this version knows form {FORMAT}")]
    Version(u32),
}

/// A place between two events of a partition: before a reading, after a journal entry. Both only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// The offset of the next reading.
    pub(crate) next: i64,
    /// The number of the last journal entry.
    pub(crate) entry: u64,
}

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    /// A patient, by id.
    Patient(String),
    /// The partition itself.
    Partition,
}

impl Key {
    /// `["group","patient","p1"]` or `["group","partition"]`.
    pub(crate) fn write(&self, group: &str) -> Vec<u8> {
        let json = match self {
            Key::Patient(id) => serde_json::json!([group, "patient", id]),
            Key::Partition => serde_json::json!([group, "partition"]),
        };
        json.to_string().into_bytes()
    }

    /// None if it is another group's.
    pub(crate) fn read(bytes: &[u8], ours: &str) -> Result<Option<Self>, FormError> {
        let parts: Vec<String> = serde_json::from_slice(bytes).map_err(|error| other(&error))?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        match parts.as_slice() {
            [group, ..] if *group != ours => Ok(None),
            [_, "patient", id] => Ok(Some(Key::Patient((*id).to_owned()))),
            [_, "partition"] => Ok(Some(Key::Partition)),
            _ => Err(FormError::Other("an unknown key".to_owned())),
        }
    }
}

/// A patient as of a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) place: Place,
    /// The core's own bytes.
    pub(crate) state: Vec<u8>,
}

impl Snapshot {
    /// One byte for the form, eight each for the place, big end first, and the core's bytes.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17 + self.state.len());
        bytes.push(FORMAT as u8);
        bytes.extend(self.place.next.to_be_bytes());
        bytes.extend(self.place.entry.to_be_bytes());
        bytes.extend(&self.state);
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        let ended = || FormError::Other("it ends too early".to_owned());
        let (form, bytes) = bytes.split_first().ok_or_else(ended)?;
        if u32::from(*form) != FORMAT {
            return Err(FormError::Version((*form).into()));
        }
        let (next, bytes) = bytes.split_first_chunk().ok_or_else(ended)?;
        let (entry, state) = bytes.split_first_chunk().ok_or_else(ended)?;
        let place = Place { next: i64::from_be_bytes(*next), entry: u64::from_be_bytes(*entry) };
        Ok(Self { place, state: state.to_vec() })
    }
}

/// By what readings are judged: what decides and is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Basis {
    pub(crate) ruleset: String,
    pub(crate) value_bytes: usize,
    pub(crate) skew_ms: i64,
}

impl Basis {
    pub(crate) fn new(program: &Program, limits: &Limits) -> Self {
        let skew_ms = limits.skew_ms.unwrap_or(i64::MAX);
        Self { ruleset: program.version().to_owned(), value_bytes: limits.value_bytes, skew_ms }
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { value_bytes: self.value_bytes, skew_ms: Some(self.skew_ms) }
    }
}

/// A place of which the state can be had from the snapshots: of each patient from a snapshot as of there or before, or from
/// one that is taken in when the readings since have come as far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    pub(crate) format: u32,
    /// Where on `triage-snapshots` this state begins: what stands before is of an earlier one, which was given up.
    pub(crate) since: i64,
    pub(crate) place: Place,
    /// The offset of the first acknowledgement that is not judged there.
    pub(crate) acknowledgement: i64,
    /// Where on `triage-journal` to look for the next entry; it may stand behind that.
    pub(crate) journal: i64,
    pub(crate) basis: Basis,
    pub(crate) own: Own,
    /// What was the partition's own when the last snapshots were taken, if that was later.
    pub(crate) latest: Option<Latest>,
}

/// What is a partition's own, as of a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Latest {
    pub(crate) place: Place,
    pub(crate) own: Own,
}

/// The core's bytes of what is a partition's own, in hex; empty if nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Own(String);

impl Own {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(hex(bytes))
    }

    pub(crate) fn read(&self) -> Result<Vec<u8>, FormError> {
        bytes(&self.0).ok_or_else(|| FormError::Other("the partition's bytes are no hex".to_owned()))
    }
}

impl Mark {
    /// The form of a new one.
    pub(crate) const FORMAT: u32 = FORMAT;

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        read(bytes)
    }
}

/// As JSON.
pub(crate) fn json(record: &impl Serialize) -> Vec<u8> {
    // Texts and numbers under fixed names: there is nothing that JSON cannot hold.
    serde_json::to_vec(record).unwrap_or_default()
}

pub(super) fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, FormError> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| other(&error))?;
    if head.format != FORMAT {
        return Err(FormError::Version(head.format));
    }
    serde_json::from_slice(bytes).map_err(|error| other(&error))
}

/// The parser's own words may quote a value, so that only its place is kept.
pub(super) fn other(error: &serde_json::Error) -> FormError {
    FormError::Other(format!("line {}, column {}", error.line(), error.column()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// None if it is no hex.
pub(crate) fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let value = |digit: u8| char::from(digit).to_digit(16);
    digits.chunks(2).map(|pair| Some((value(pair[0])? * 16 + value(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_they_are_written_and_others_are_left_alone() {
        for key in [Key::Patient("p\"1".to_owned()), Key::Partition] {
            assert_eq!(Key::read(&key.write("g"), "g"), Ok(Some(key.clone())));
            assert_eq!(Key::read(&key.write("other"), "g"), Ok(None));
        }
        for foreign in [&b""[..], b"\xff", b"{}", b"[\"g\"]", b"[\"g\",\"bed\",\"1\"]", b"[1]"] {
            assert!(Key::read(foreign, "g").is_err(), "{foreign:?}");
        }
    }

    #[test]
    fn snapshots_read_as_they_are_written() {
        for state in [vec![], vec![1, 0, 255]] {
            let snapshot = Snapshot { place: Place { next: 42, entry: u64::MAX }, state };
            assert_eq!(Snapshot::read(&snapshot.write()), Ok(snapshot));
        }
        for foreign in [&b""[..], b"\x02", b"\x02234567890123456"] {
            assert!(matches!(Snapshot::read(foreign), Err(FormError::Other(_))), "{foreign:?}");
        }
        assert_eq!(Snapshot::read(b"{}"), Err(FormError::Version(b'{'.into())));
    }
}
