//! Steps a batch through the rule set and hands the outputs to the open transaction.

use std::sync::Arc;

use triage_core::program::{DeadLetter, Limits, Output, OutputKind, Outputs, Program, Reason, TopicId, Workspace};
use triage_core::reading::Record;

use crate::config::EngineConfig;
use crate::dead_letters::Stage;
use crate::dead_letters::header::{self, Origin};
use crate::kafka::topics::{DEAD_LETTERS, alerts_of};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::shared::Current;

/// A rule set with the buffers that it needs.
pub(crate) struct Judge {
    current: Arc<Current>,
    limits: Limits,
    workspace: Workspace,
    outputs: Outputs,
    /// `alerts.<topic>`, by topic.
    alert_topics: Vec<String>,
    sent: SentCounts,
}

/// What a transaction has sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SentCounts {
    /// By topic of the program.
    pub(crate) derived: Vec<u64>,
    /// By topic of the program.
    pub(crate) alerts: Vec<u64>,
    /// By position in [`Reason::ALL`].
    pub(crate) dead_letters: [u64; Reason::ALL.len()],
}

impl Judge {
    pub(crate) fn new(current: Arc<Current>, config: &EngineConfig) -> Self {
        let skew = i64::try_from(config.max_skew.as_millis()).unwrap_or(i64::MAX);
        let alert_topics = current.program.topics().iter().map(|topic| alerts_of(&topic.name)).collect();
        let mut judge = Self {
            current,
            limits: Limits { value_bytes: config.max_record_bytes, skew_ms: Some(skew) },
            workspace: Workspace::default(),
            outputs: Outputs::default(),
            alert_topics,
            sent: SentCounts::default(),
        };
        judge.forget();
        judge
    }

    pub(crate) fn generation(&self) -> u64 {
        self.current.generation
    }

    pub(crate) fn program(&self) -> &Program {
        &self.current.program
    }

    pub(crate) fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    pub(crate) fn sent(&self) -> &SentCounts {
        &self.sent
    }

    /// Forgets what was counted: it has been published, or its transaction was aborted.
    pub(crate) fn forget(&mut self) {
        let topics = self.program().topics().len();
        self.workspace.counts = triage_core::program::Counts::default();
        self.sent = SentCounts { derived: vec![0; topics], alerts: vec![0; topics], ..SentCounts::default() };
    }

    /// Judges the records and sends what comes out, in order.
    pub(crate) fn judge(
        &mut self,
        records: &[Record<'_>],
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        for chunk in records.chunks(Program::MAX_BATCH) {
            self.outputs.clear();
            self.current.program.step(chunk, &self.limits, &mut self.workspace, &mut self.outputs);
            self.send(chunk, transactions)?;
        }
        Ok(())
    }

    fn send(&mut self, chunk: &[Record<'_>], transactions: &Transactions) -> Result<(), TransactionError> {
        for output in self.outputs.iter() {
            let Some(record) = chunk.get(output.row) else { continue };
            let sent = match &output.kind {
                OutputKind::Derived(topic) => self.derived(*topic, output, record),
                OutputKind::Alert(topic) => self.alert(*topic, output, record),
                OutputKind::DeadLetter(letter) => dead_letter(letter, self.program().stream(), record),
            };
            transactions.send(sent)?;
            self.sent.count(&output.kind);
        }
        Ok(())
    }

    fn derived<'a>(&'a self, topic: TopicId, output: &'a Output, record: &Record<'_>) -> Sent<'a> {
        self.output(&self.program().topics()[topic.0 as usize].name, output, record)
    }

    fn alert<'a>(&'a self, topic: TopicId, output: &'a Output, record: &Record<'_>) -> Sent<'a> {
        self.output(&self.alert_topics[topic.0 as usize], output, record)
    }

    /// Outputs keep the number of their reading's partition and its Kafka time.
    fn output<'a>(&'a self, topic: &'a str, output: &'a Output, record: &Record<'_>) -> Sent<'a> {
        Sent {
            topic,
            partition: record.partition,
            key: self.outputs.key(output),
            value: Some(self.outputs.value(output)),
            timestamp: record.timestamp,
            headers: None,
        }
    }
}

impl SentCounts {
    fn count(&mut self, kind: &OutputKind) {
        let counter = match kind {
            OutputKind::Derived(topic) => self.derived.get_mut(topic.0 as usize),
            OutputKind::Alert(topic) => self.alerts.get_mut(topic.0 as usize),
            OutputKind::DeadLetter(letter) => {
                let position = Reason::ALL.iter().position(|reason| *reason == letter.reason);
                position.map(|position| &mut self.dead_letters[position])
            }
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
    }
}

/// The record itself, unchanged, with what is wrong with it beside it.
fn dead_letter<'a>(letter: &DeadLetter, stream: &str, record: &Record<'a>) -> Sent<'a> {
    let Record { partition, offset, timestamp, .. } = *record;
    let origin = Origin { topic: stream, partition, offset, timestamp };
    Sent {
        topic: DEAD_LETTERS,
        partition: record.partition,
        key: record.key,
        value: record.value,
        timestamp: record.timestamp,
        headers: Some(header::of_letter(Stage::Reading, letter.reason.as_str(), &letter.sentence, &origin)),
    }
}
