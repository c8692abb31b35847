//! The records of `triage-snapshots` and `triage-journal`. Pure; the format is in `docs/state.md`. What this version does not
//! know is refused, never guessed.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The form that this version writes and reads.
const FORMAT: u32 = 1;

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

/// Where all snapshots of a partition were taken, and what is the partition's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    pub(crate) format: u32,
    /// The offset of the first reading that is not in the snapshots.
    pub(crate) next: i64,
    /// The number of the last journal entry that is in them.
    pub(crate) entry: u64,
    /// The offset of the first acknowledgement that is not in them.
    pub(crate) acknowledgement: i64,
    /// The rule set by which they were judged.
    pub(crate) ruleset: String,
    /// The limits by which they were judged.
    pub(crate) value_bytes: usize,
    pub(crate) skew_ms: i64,
    /// The core's own bytes, in hex.
    pub(crate) own: String,
}

impl Mark {
    pub(crate) fn own(&self) -> Result<Vec<u8>, FormError> {
        bytes(&self.own).ok_or_else(|| FormError::Other("the partition's bytes are no hex".to_owned()))
    }
}

/// Something that happened between two readings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) format: u32,
    pub(crate) group: String,
    /// Counts up from 1, without gaps.
    pub(crate) number: u64,
    /// The offset of the reading before which it happened.
    pub(crate) before: i64,
    pub(crate) event: Event,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum Event {
    /// A record of the topic `acknowledgements` was judged.
    Acknowledgement {
        offset: i64,
        /// The Kafka time, in milliseconds since 1970.
        timestamp: Option<i64>,
        /// Bytes in hex.
        key: Option<String>,
        value: Option<String>,
    },
    /// The idle stream's time passed.
    Advance {
        /// Until this time, in milliseconds since 1970.
        to: i64,
    },
}

impl Mark {
    /// The form of a new one.
    pub(crate) const FORMAT: u32 = FORMAT;

    pub(crate) fn read(bytes: &[u8]) -> Result<Self, FormError> {
        read(bytes)
    }
}

impl Entry {
    pub(crate) fn new(group: &str, number: u64, before: i64, event: Event) -> Self {
        Self { format: FORMAT, group: group.to_owned(), number, before, event }
    }

    /// The offset of the acknowledgement that it is.
    pub(crate) fn acknowledgement(&self) -> Option<i64> {
        match self.event {
            Event::Acknowledgement { offset, .. } => Some(offset),
            Event::Advance { .. } => None,
        }
    }

    /// None if it is another group's, of whatever form, or not after entry `last`.
    pub(crate) fn read_after(bytes: &[u8], ours: &str, last: u64) -> Result<Option<Self>, FormError> {
        #[derive(Deserialize)]
        struct Head {
            group: String,
            number: u64,
        }
        let head: Head = serde_json::from_slice(bytes).map_err(|error| other(&error))?;
        if head.group != ours || head.number <= last { Ok(None) } else { read(bytes).map(Some) }
    }
}

/// As JSON.
pub(crate) fn json(record: &impl Serialize) -> Vec<u8> {
    // Texts and numbers under fixed names: there is nothing that JSON cannot hold.
    serde_json::to_vec(record).unwrap_or_default()
}

fn read<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, FormError> {
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
fn other(error: &serde_json::Error) -> FormError {
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
    #![allow(clippy::unwrap_used, reason = "tests")]
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
    fn marks_and_entries_read_as_they_are_written() {
        let mark = Mark {
            format: Mark::FORMAT,
            next: 42,
            entry: 7,
            acknowledgement: 3,
            ruleset: "9f2c1a".to_owned(),
            value_bytes: 1_000_000,
            skew_ms: 300_000,
            own: hex(&[1, 0, 255]),
        };
        assert_eq!(Mark::read(&json(&mark)), Ok(mark.clone()));
        assert_eq!(mark.own(), Ok(vec![1, 0, 255]));
        let value = Some(hex(b"{\"id\":1}\xff"));
        let events = [
            Event::Acknowledgement { offset: 3, timestamp: Some(5), key: None, value },
            Event::Advance { to: 1_700_000_000_123 },
        ];
        for event in events {
            let entry = Entry::new("g", 8, 42, event);
            let bytes = json(&entry);
            assert_eq!(Entry::read_after(&bytes, "g", 7), Ok(Some(entry)));
            assert_eq!((Entry::read_after(&bytes, "g", 8), Entry::read_after(&bytes, "h", 0)), (Ok(None), Ok(None)));
        }
    }

    #[test]
    fn what_another_version_writes_is_refused() {
        let newer = br#"{"format":2,"group":"g","number":1,"before":0,"event":{"advance":{"to":1}}}"#;
        let read = |bytes: &[u8]| Entry::read_after(bytes, "g", 0);
        assert_eq!(read(newer), Err(FormError::Version(2)));
        assert_eq!(Entry::read_after(newer, "another", 0), Ok(None));
        let more = br#"{"format":1,"group":"g","number":1,"before":0,"more":1,"event":{"advance":{"to":1}}}"#;
        assert!(matches!(read(more), Err(FormError::Other(_))));
        for foreign in [&b""[..], b"secret", b"[]", b"{}"] {
            let told = read(foreign).unwrap_err().to_string();
            assert!(!told.contains("secret"), "{told}");
        }
        assert_eq!((bytes("0"), bytes("0g"), bytes("")), (None, None, Some(Vec::new())));
    }
}
