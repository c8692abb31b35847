//! Who has been erased: what `acknowledgements` says of it, for those who read topics from their beginning. What is older than
//! an erasure is still on the topics until their retention is over, and must not come back from there.

use std::collections::BTreeMap;

use rdkafka::message::Message;
use rdkafka::topic_partition_list::Offset;
use serde_json::Value;
use triage_core::program::{Program, read_erasure};

use super::whose::is_value_of;
use crate::kafka::records::{ReadError, Records, record};
use crate::kafka::topics::ACKNOWLEDGEMENTS;
use crate::worker::LIMITS_OF_WORDS;

/// Why it cannot be told who has been erased.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErasedError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It is not shown.
    #[error(
        "the topic `{ACKNOWLEDGEMENTS}`, which says who has been erased, cannot be seen: this user needs the right `Read` on it"
    )]
    Unseen,
}

/// Patients, each with the Kafka time of the last erasure, in milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Erased(BTreeMap<String, i64>);

impl Erased {
    /// All that is said. Of a rule set that keeps no state nothing has to be there.
    pub(crate) fn read(records: &Records, program: &Program) -> Result<Self, ErasedError> {
        let (mut erased, partitions) = (Self::default(), records.partitions(ACKNOWLEDGEMENTS)?);
        if partitions == 0 && program.keeps_state() {
            return Err(ErasedError::Unseen);
        }
        for partition in 0..partitions {
            let end = records.bounds(ACKNOWLEDGEMENTS, partition)?.1;
            records.read::<ReadError>((ACKNOWLEDGEMENTS, partition), Offset::Beginning, end, &mut |message| {
                if let Some(patient) = read_erasure(&record(message), &LIMITS_OF_WORDS) {
                    erased.add(patient, message.timestamp().to_millis().unwrap_or(i64::MAX));
                }
                Ok(())
            })?;
        }
        Ok(erased)
    }

    fn add(&mut self, patient: String, time: i64) {
        let last = self.0.entry(patient).or_insert(time);
        *last = time.max(*last);
    }

    /// Whether a record of that Kafka time is of a patient who was erased afterwards; it is if the key or the member `field` names
    /// one.
    pub(crate) fn covers(&self, field: &str, key: Option<&[u8]>, value: &[u8], time: Option<i64>) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let json: Option<Value> = serde_json::from_slice(value).ok();
        let named = json.as_ref().and_then(|json| json.get(field));
        let is_of =
            |patient: &str| key == Some(patient.as_bytes()) || named.is_some_and(|named| is_value_of(named, patient));
        self.0.iter().any(|(patient, erased)| time.unwrap_or(0) <= *erased && is_of(patient))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_an_erasure_is_covered() {
        let mut erased = Erased::default();
        assert!(!erased.covers("patient", Some(b"p1"), b"{}", None));
        erased.add("p1".to_owned(), 50);
        erased.add("p1".to_owned(), 40);
        let covers = |key: Option<&[u8]>, value: &str, time| erased.covers("patient", key, value.as_bytes(), time);
        assert!(covers(Some(b"p1"), "not JSON", Some(50)));
        assert!(covers(None, r#"{"patient":"\u0070\u0031"}"#, None));
        assert!(!covers(Some(b"p1"), "{}", Some(51)));
        assert!(!covers(Some(b"p10"), r#"{"patient":"p10","bed":"p1"}"#, Some(1)));
    }
}
