//! What a step sends, in order, in one arena.

use std::ops::Range;

use super::TopicId;

/// What happens to an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputKind {
    /// A derived record, to the Kafka topic of that name.
    Derived(TopicId),
    /// An alert, to `alerts.<topic>`.
    Alert(TopicId),
    /// The record itself, unchanged, to `dead-letters`; key and value are the record's.
    DeadLetter(DeadLetter),
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

/// One output of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Which record of the step it comes from.
    pub row: usize,
    /// What it is.
    pub kind: OutputKind,
    /// The key's place in the arena; `None` is a null key.
    key: Option<Range<usize>>,
    /// The value's place in the arena.
    value: Range<usize>,
}

/// The outputs of a step, in the order in which they are sent.
#[derive(Debug, Default)]
pub struct Outputs {
    arena: Vec<u8>,
    items: Vec<Output>,
}

impl Outputs {
    /// Forgets all outputs, keeps the memory.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.items.clear();
    }

    /// The outputs in order.
    pub fn iter(&self) -> impl Iterator<Item = &Output> {
        self.items.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The key of a derived record or alert of these outputs.
    pub fn key(&self, output: &Output) -> Option<&[u8]> {
        output.key.clone().map(|range| &self.arena[range])
    }

    /// The value of a derived record or alert of these outputs; empty for a dead letter, whose value is the record's.
    pub fn value(&self, output: &Output) -> &[u8] {
        &self.arena[output.value.clone()]
    }
}
