//! What a step sends, in order, in one arena.

use std::ops::Range;

use super::TopicId;
use crate::reading::DeadLetter;
use crate::syntax::ast::AlertState;

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

/// One output of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Which record of the step it comes from; for a timer, which one moved the time. 0 where there are no records.
    pub row: usize,
    /// The partition of that record, and of the output.
    pub partition: i32,
    /// The output's Kafka time: that of the record, or, where time passes without one, the time that is reached.
    pub timestamp: Option<i64>,
    /// What it is.
    pub kind: OutputKind,
    /// The state that an alert tells of.
    pub state: Option<AlertState>,
    /// The `ts` of an alert, in epoch milliseconds.
    pub time: Option<i64>,
    /// The key's place in the arena; `None` is a null key.
    key: Option<Range<usize>>,
    /// The value's place in the arena.
    value: Range<usize>,
}

/// The record that brings outputs about, or the passing of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause {
    /// Its position in the step.
    pub(super) row: usize,
    pub(super) partition: i32,
    pub(super) timestamp: Option<i64>,
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

    /// Adds an output whose key and value `write` appends to the arena; it returns the length of the key, if any.
    pub(super) fn push(&mut self, cause: Cause, kind: OutputKind, write: impl FnOnce(&mut Vec<u8>) -> Option<usize>) {
        self.push_alert(cause, kind, None, write);
    }

    /// The same for an alert in that state, at that time.
    pub(super) fn push_alert(
        &mut self,
        cause: Cause,
        kind: OutputKind,
        told: Option<(AlertState, i64)>,
        write: impl FnOnce(&mut Vec<u8>) -> Option<usize>,
    ) {
        let start = self.arena.len();
        let key = write(&mut self.arena);
        let value = start + key.unwrap_or(0)..self.arena.len();
        let Cause { row, partition, timestamp } = cause;
        let key = key.map(|length| start..start + length);
        let (state, time) = told.unzip();
        self.items.push(Output { row, partition, timestamp, kind, state, time, key, value });
    }
}
