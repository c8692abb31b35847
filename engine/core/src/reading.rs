//! Records as they arrive, and the columns that a batch of them is read into. Knows fields, and nothing of rules.

mod batch;
mod bits;
mod decode;
mod instant;
mod value;

pub(crate) use batch::{Batch, Column, Slice, Undeclared};
pub(crate) use bits::{Bits, WORD_BITS};
pub(crate) use decode::{Decoder, Memory};
pub(crate) use instant::write_rfc3339;

/// A Kafka record as it arrived, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp in epoch milliseconds, if it has one.
    pub timestamp: Option<i64>,
    /// The partition it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}

/// Why a record is no reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The kind of reason.
    pub reason: Reason,
    /// One sentence for a person, without any value of the patient's.
    pub sentence: String,
}

/// The reasons for which a record is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// No value at all.
    Tombstone,
    /// Not strict JSON.
    NotJson,
    /// JSON, and not an object.
    NotAnObject,
    /// A declared name twice.
    DuplicateField,
    /// Larger than the limit.
    TooLarge,
    /// A time that cannot be read, or none at all.
    UnreadableTime,
    /// Before 1970 or after 2100.
    TimeOutOfRange,
    /// Further ahead of the Kafka timestamp than the allowed skew.
    TooFarAhead,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 8] = [
        Reason::Tombstone,
        Reason::NotJson,
        Reason::NotAnObject,
        Reason::DuplicateField,
        Reason::TooLarge,
        Reason::UnreadableTime,
        Reason::TimeOutOfRange,
        Reason::TooFarAhead,
    ];

    /// The short code in headers and metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Tombstone => "tombstone",
            Reason::NotJson => "not-json",
            Reason::NotAnObject => "not-an-object",
            Reason::DuplicateField => "duplicate-field",
            Reason::TooLarge => "too-large",
            Reason::UnreadableTime => "unreadable-time",
            Reason::TimeOutOfRange => "time-out-of-range",
            Reason::TooFarAhead => "too-far-ahead",
        }
    }
}

/// Limits that the configuration sets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest value of a record, in bytes.
    pub value_bytes: usize,
    /// How far a reading's time may be ahead of Kafka's timestamp, in milliseconds; `None` does not judge it.
    pub skew_ms: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value_bytes: 1_000_000, skew_ms: Some(300_000) }
    }
}
