//! A compiled rule set, and what it makes of readings. The hot path knows this alone.

mod output;

pub use output::{DeadLetter, Output, OutputKind, Outputs, Reason};

use crate::reading::Record;

/// A topic, by position in [`Program::topics`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicId(pub u32);

/// A topic that rules write to: the declared in their order, then the undeclared by name.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The Kafka topic.
    pub name: String,
    /// The collection for its records; alerts go to `<store>_alerts`.
    pub store: Option<String>,
    /// Whom its alerts are for.
    pub notify: Option<String>,
    /// Whether some rule of it has an alert.
    pub alerts: bool,
}

/// What a rule is called and where it writes.
#[derive(Debug, Clone)]
pub struct Rule {
    /// `stroke.crisis`, `stroke`, or `stroke#2`.
    pub name: String,
    /// Its topic.
    pub topic: TopicId,
    /// Its canonical text: equal texts decide and say the same.
    pub text: String,
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

/// Buffers of a step, reused from one to the next; also what the step counted.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What was counted since the caller last took it.
    pub counts: Counts,
}

/// What steps counted; indexes are those of [`Program::rules`], [`Program::field_names`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Records that were readings (dead letters are counted from the outputs).
    pub readings: u64,
    /// Per rule: readings it matched.
    pub matched: Vec<u64>,
    /// Per rule: readings for which its condition was unknown.
    pub not_evaluable: Vec<u64>,
    /// Per field: readings in which it was missing.
    pub missing: Vec<u64>,
    /// Per field: readings in which it was invalid.
    pub invalid: Vec<u64>,
    /// Fields that the stream does not declare.
    pub undeclared: u64,
    /// Undeclared fields left out because they bear a name of our outputs.
    pub reserved: u64,
    /// Readings whose Kafka key is another than their patient.
    pub misplaced: u64,
}

/// A compiled rule set. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct Program {}

impl Program {
    /// The rule-set version: 12 hex digits.
    pub fn version(&self) -> &str {
        todo!()
    }
    /// The Kafka topic that readings arrive on.
    pub fn stream(&self) -> &str {
        todo!()
    }
    /// The collection for readings as they arrived.
    pub fn stream_store(&self) -> Option<&str> {
        todo!()
    }
    /// The topics that rules write to or that are declared.
    pub fn topics(&self) -> &[Topic] {
        todo!()
    }
    /// The rules in rule order (path, then position).
    pub fn rules(&self) -> &[Rule] {
        todo!()
    }
    /// The declared fields' names in order.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        std::iter::empty()
    }
    /// Judges at most [`Program::MAX_BATCH`] records and appends what they send to `outputs` (which is not cleared).
    pub fn step(&self, records: &[Record<'_>], limits: &Limits, workspace: &mut Workspace, outputs: &mut Outputs) {
        todo!()
    }
    /// The most records of one step.
    pub const MAX_BATCH: usize = 1024;

    /// The stored form of a reading (the stream's `store`): its `_id` and the document, which begins with `_id`;
    /// `None` for a dead letter. `document` is cleared first.
    pub fn store_reading(
        &self,
        record: &Record<'_>,
        limits: &Limits,
        workspace: &mut Workspace,
        document: &mut Vec<u8>,
    ) -> Option<String> {
        todo!()
    }
}
