//! Whose a record is. More is taken for the patient's rather than less: who is named in a record is in it.

use rdkafka::message::{BorrowedMessage, Message};
use serde_json::Value;
use triage_core::program::{Scope, read_erasure, read_pause};
use triage_core::reading::Record;

use crate::kafka::records::record;
use crate::state::entry::{Entry, Event};
use crate::state::record::{Key, bytes};
use crate::worker::LIMITS_OF_WORDS;

/// What the records of a topic are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Readings, and dead letters of any stage.
    Readings,
    Derived,
    Alerts,
    Acknowledgements,
    Journal,
    Snapshots,
}

/// A patient, and where records name one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) patient: &'a str,
    /// The stream's field that names the patient.
    pub(crate) field: &'a str,
    /// The consumer group of the engine, whose state it is.
    pub(crate) group: &'a str,
}

impl Whose<'_> {
    /// Whether a record of such a topic is the patient's.
    pub(crate) fn has(&self, kind: Kind, message: &BorrowedMessage<'_>) -> bool {
        let (key, value) = (message.key(), message.payload().unwrap_or_default());
        match kind {
            Kind::Readings => self.is_key(key) || self.is_named(self.field, value) || self.is_named("patient", value),
            Kind::Derived => self.is_key(key) || self.is_named("patient", value),
            Kind::Alerts => self.is_named("patient", value),
            Kind::Acknowledgements => self.is_said(&record(message)),
            Kind::Journal => self.is_journaled(value),
            Kind::Snapshots => self.is_snapshot(key.unwrap_or_default()),
        }
    }

    fn is_key(&self, key: Option<&[u8]>) -> bool {
        key == Some(self.patient.as_bytes())
    }

    fn is_named(&self, field: &str, value: &[u8]) -> bool {
        let json: Option<Value> = serde_json::from_slice(value).ok();
        json.is_some_and(|json| json.get(field).is_some_and(|named| is_value_of(named, self.patient)))
    }

    fn is_said(&self, word: &Record<'_>) -> bool {
        let paused = read_pause(word, &LIMITS_OF_WORDS).map(|pause| pause.scope);
        paused == Some(Scope::Patient(self.patient.to_owned()))
            || read_erasure(word, &LIMITS_OF_WORDS).as_deref() == Some(self.patient)
    }

    fn is_journaled(&self, value: &[u8]) -> bool {
        let Ok(Some(entry)) = Entry::read_after(value, self.group, 0) else { return false };
        let Event::Acknowledgement { offset, timestamp, value: Some(word), .. } = entry.event else { return false };
        let Some(word) = bytes(&word) else { return false };
        self.is_said(&Record { key: None, value: Some(&word), timestamp, partition: 0, offset })
    }

    fn is_snapshot(&self, key: &[u8]) -> bool {
        matches!(Key::read(key, self.group), Ok(Some(Key::Patient(patient))) if patient == self.patient)
    }
}

/// Whether a JSON value is that patient: a text, or a number as it is written.
pub(super) fn is_value_of(value: &Value, patient: &str) -> bool {
    match value {
        Value::String(text) => text == patient,
        Value::Number(number) => number.to_string() == patient,
        _ => false,
    }
}
