//! The records of `triage-journal`: what changes states and is not among the readings. Pure; the format is in
//! `docs/state.md`.

use serde::{Deserialize, Serialize};

use super::record::{Basis, FORMAT, FormError, Place, other, read};

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
    /// From here on readings are judged by this.
    Basis(Basis),
}

impl Entry {
    /// The one after `place`.
    pub(crate) fn after(place: Place, group: &str, event: Event) -> Self {
        Self { format: FORMAT, group: group.to_owned(), number: place.entry + 1, before: place.next, event }
    }

    /// The offset of the acknowledgement that it is.
    pub(crate) fn acknowledgement(&self) -> Option<i64> {
        match self.event {
            Event::Acknowledgement { offset, .. } => Some(offset),
            Event::Advance { .. } | Event::Basis(_) => None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_version_writes_is_refused() {
        let newer = br#"{"format":9,"group":"g","number":1,"before":0,"event":{"advance":{"to":1}}}"#;
        let read = |bytes: &[u8]| Entry::read_after(bytes, "g", 0);
        assert_eq!(read(newer), Err(FormError::Version(9)));
        assert_eq!(Entry::read_after(newer, "another", 0), Ok(None));
        let more = br#"{"format":2,"group":"g","number":1,"before":0,"more":1,"event":{"advance":{"to":1}}}"#;
        assert!(matches!(read(more), Err(FormError::Other(_))));
        let unknown = br#"{"format":2,"group":"g","number":1,"before":0,"event":{"retreat":{"to":1}}}"#;
        assert!(matches!(read(unknown), Err(FormError::Other(_))));
        for foreign in [&b""[..], b"secret", b"[]", b"{}"] {
            assert!(matches!(read(foreign), Err(FormError::Other(_))), "{foreign:?}");
            assert!(!read(foreign).is_err_and(|error| error.to_string().contains("secret")));
        }
    }
}
