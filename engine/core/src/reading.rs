//! Records as they arrive, and the columns that a batch of them is read into. Knows fields, and nothing of rules.

mod batch;
mod bits;
mod decode;
mod instant;
mod value;

pub(crate) use batch::{Batch, Slice, Undeclared};
pub(crate) use bits::{Bits, WORD_BITS};
pub(crate) use decode::{Decoder, Memory};
pub(crate) use instant::write_rfc3339;
pub(crate) use value::read_time;

/// The epoch milliseconds of an RFC 3339 text, digits past the millisecond cut off; `None` if it is none.
pub fn parse_instant(text: &str) -> Option<i64> {
    instant::parse_rfc3339(text)
}

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
    /// Which stage refused the record.
    pub stage: Stage,
    /// The kind of reason.
    pub reason: Reason,
    /// One sentence for a person, without any value of the patient's.
    pub sentence: String,
}

/// What a record was taken for when it was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A reading.
    Reading,
    /// An acknowledgement or a pause.
    Acknowledgement,
}

impl Stage {
    /// The word in headers.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Reading => "reading",
            Stage::Acknowledgement => "acknowledgement",
        }
    }
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
    /// Neither an acknowledgement nor a pause, on the topic of these.
    NotAnAcknowledgement,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 9] = [
        Reason::Tombstone,
        Reason::NotJson,
        Reason::NotAnObject,
        Reason::DuplicateField,
        Reason::TooLarge,
        Reason::UnreadableTime,
        Reason::TimeOutOfRange,
        Reason::TooFarAhead,
        Reason::NotAnAcknowledgement,
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
            Reason::NotAnAcknowledgement => "not-an-acknowledgement",
        }
    }
}

/// Limits that the configuration sets.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The largest value of a record, in bytes.
    pub value_bytes: usize,
    /// How far a reading's time may be ahead of Kafka's timestamp, in milliseconds. `None`: that timestamp is no time of
    /// arrival (in `replay`, in tests), so that it is not judged and the stream's time is that of the readings alone.
    pub skew_ms: Option<i64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { value_bytes: 1_000_000, skew_ms: Some(300_000) }
    }
}
