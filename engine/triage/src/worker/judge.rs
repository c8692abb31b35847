//! Steps readings, acknowledgements and idle time through the rule set and hands the outputs to the open transaction. The
//! state goes back with an aborted transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::message::OwnedHeaders;
use triage_core::monitor::Observer;
use triage_core::program::{
    DeadLetter, Limits, Migration, Output, OutputKind, Outputs, Program, Reason, States, TopicId, Workspace,
    read_erasure,
};
use triage_core::reading::Record;

use super::words::MOST_BYTES;
use crate::alerts::age::{AGE, DELAYED, delayed};
use crate::clock::now;
use crate::config::Config;
use crate::dead_letters::header::{self, Origin};
use crate::kafka::topics::{ACKNOWLEDGEMENTS, DEAD_LETTERS, alerts_of};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::shared::Current;
use crate::state::Orphan;
use crate::state::record::Basis;
use crate::technical;

/// A rule set with the buffers that it needs.
pub(crate) struct Judge {
    current: Arc<Current>,
    limits: Limits,
    workspace: Workspace,
    outputs: Outputs,
    /// `alerts.<topic>`, by topic.
    alert_topics: Vec<String>,
    states: States,
    observer: Observer,
    /// Patients whom the transaction at hand erases.
    erased: Vec<String>,
    /// What reloads have to say before anything else, until it is committed.
    farewells: Vec<Farewell>,
    /// The ends of alerts of which no state is kept, by partition, until they are committed.
    orphans: Vec<(i32, Orphan)>,
    /// How old an alert may be when it is sent without being marked.
    delayed_after: Duration,
    sent: SentCounts,
}

/// The ends of the episodes of rules that are gone, which go where the rule set before sent them.
struct Farewell {
    alert_topics: Vec<String>,
    outputs: Outputs,
    /// Partitions that have gone since: whoever has them says it.
    gone: Vec<i32>,
}

/// What a transaction has sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SentCounts {
    /// By topic of the program.
    pub(crate) derived: Vec<u64>,
    /// By topic of the program.
    pub(crate) alerts: Vec<u64>,
    /// Alerts that reloads and lost states have left behind, by their topic, which the program may not have any more.
    pub(crate) farewells: BTreeMap<String, u64>,
    /// By position in [`Reason::ALL`].
    pub(crate) dead_letters: [u64; Reason::ALL.len()],
}

impl Judge {
    pub(crate) fn new(current: Arc<Current>, config: &Config, partitions: i32) -> Self {
        let observer = Observer::new(&current.program, millis(config.technical.clock_skew));
        let skew = millis(config.engine.max_skew);
        let alert_topics = current.program.topics().iter().map(|topic| alerts_of(&topic.name)).collect();
        let mut judge = Self {
            current,
            limits: Limits { value_bytes: config.engine.max_record_bytes, skew_ms: Some(skew) },
            workspace: Workspace::default(),
            outputs: Outputs::default(),
            alert_topics,
            states: States::new(partitions),
            observer,
            erased: Vec::new(),
            farewells: Vec::new(),
            orphans: Vec::new(),
            delayed_after: config.alerts.delayed_after,
            sent: SentCounts::default(),
        };
        judge.forget();
        judge
    }

    /// Goes on with another rule set, between two transactions; what became of the episodes.
    pub(crate) fn take_up(&mut self, current: Arc<Current>) -> Migration {
        let mut outputs = Outputs::default();
        let migration = current.program.take_over(&self.current.program, &mut self.states, &mut outputs);
        self.alert_topics = current.program.topics().iter().map(|topic| alerts_of(&topic.name)).collect();
        self.observer.take_up(&current.program);
        let before = std::mem::replace(&mut self.current, current);
        self.bid_farewell(&before.program, outputs);
        self.workspace = Workspace::default();
        self.forget();
        migration
    }

    /// The transaction has become true.
    pub(crate) fn commit(&mut self) {
        self.states.commit();
        self.farewells.clear();
        self.orphans.clear();
    }

    /// The transaction has not.
    pub(crate) fn rollback(&mut self) {
        self.states.rollback();
        self.erased.clear();
        self.forget();
    }

    /// Forgets partitions that are ours no longer.
    pub(crate) fn drop_partitions(&mut self, partitions: &[i32]) {
        for partition in partitions {
            self.states.drop_partition(*partition);
        }
        self.observer.moved();
        self.farewells.iter_mut().for_each(|farewell| farewell.gone.extend(partitions));
        self.orphans.retain(|(partition, _)| !partitions.contains(partition));
    }

    /// Takes in a partition that was restored under `under`, and what a change of rules before has to say of it.
    pub(crate) fn adopt(&mut self, mut states: States, under: &Current, farewell: Option<(Arc<Program>, Outputs)>) {
        if let Some((before, outputs)) = farewell {
            self.bid_farewell(&before, outputs);
        }
        if under.generation != self.current.generation {
            let mut outputs = Outputs::default();
            self.current.program.take_over(&under.program, &mut states, &mut outputs);
            self.bid_farewell(&under.program, outputs);
        }
        self.states.adopt(states);
    }

    /// Alerts of a partition that begins without its state are over.
    pub(crate) fn end(&mut self, partition: i32, orphans: Vec<Orphan>) {
        if !orphans.is_empty() {
            tracing::warn!(partition, alerts = orphans.len(), "alerts whose state was lost are over");
        }
        self.orphans.extend(orphans.into_iter().map(|orphan| (partition, orphan)));
    }

    fn bid_farewell(&mut self, before: &Program, outputs: Outputs) {
        if !outputs.is_empty() {
            let alert_topics = before.topics().iter().map(|topic| alerts_of(&topic.name)).collect();
            self.farewells.push(Farewell { alert_topics, outputs, gone: Vec::new() });
        }
    }

    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// By what readings are judged.
    pub(crate) fn basis(&self) -> Basis {
        Basis::new(self.program(), &self.limits)
    }

    pub(crate) fn current(&self) -> &Arc<Current> {
        &self.current
    }

    /// Whether something is to be said of what is no more, and is not committed yet.
    pub(crate) fn has_farewells(&self) -> bool {
        !self.farewells.is_empty() || !self.orphans.is_empty()
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

    /// Says what a committed transaction has shown of devices, fields, rules and records.
    pub(crate) fn report(&mut self, worker: usize, board: &technical::Board) {
        let counts = &self.workspace.counts;
        self.observer.committed(counts, &self.sent.dead_letters);
        board.committed(worker, counts.readings, self.observer.blocks(), self.observer.stuck());
        self.erased.drain(..).for_each(|patient| board.erased(patient));
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

    /// Sends the ends of the episodes of rules that are gone, and of those whose state was lost.
    pub(crate) fn say_farewells(&mut self, transactions: &Transactions) -> Result<(), TransactionError> {
        for farewell in &self.farewells {
            for output in farewell.outputs.iter().filter(|output| !farewell.gone.contains(&output.partition)) {
                let OutputKind::Alert(topic) = output.kind else { continue };
                let topic = &farewell.alert_topics[topic.0 as usize];
                transactions.send(self.alert(topic, &farewell.outputs, output))?;
                *self.sent.farewells.entry(topic.clone()).or_default() += 1;
            }
        }
        for (partition, Orphan { topic, key, value }) in &self.orphans {
            let (key, value) = (Some(key.as_slice()), Some(value.as_slice()));
            transactions.send(Sent { topic, partition: *partition, key, value, timestamp: None, headers: None })?;
            *self.sent.farewells.entry(topic.clone()).or_default() += 1;
        }
        Ok(())
    }

    /// Judges an acknowledgement or a pause, and sends what comes out.
    pub(crate) fn acknowledge(
        &mut self,
        word: &Record<'_>,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        self.outputs.clear();
        let Self { current, limits, states, workspace, outputs, .. } = self;
        let limits = Limits { value_bytes: limits.value_bytes.min(MOST_BYTES), ..*limits };
        current.program.acknowledge(word, &limits, states, workspace, outputs);
        if let Some(patient) = read_erasure(word, &limits) {
            self.observer.forget(&patient);
            self.erased.push(patient);
        }
        self.send(std::slice::from_ref(word), ACKNOWLEDGEMENTS, transactions)
    }

    /// Lets the time of an idle partition pass, and sends what comes out.
    pub(crate) fn advance(
        &mut self,
        partition: i32,
        to: i64,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        self.outputs.clear();
        let Self { current, states, workspace, outputs, .. } = self;
        current.program.advance(partition, to, states, workspace, outputs);
        self.send(&[], ACKNOWLEDGEMENTS, transactions)
    }

    /// Judges the records and sends what comes out, in order.
    pub(crate) fn judge(
        &mut self,
        records: &[Record<'_>],
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        let stream = self.program().stream().to_owned();
        for chunk in records.chunks(Program::MAX_BATCH) {
            self.outputs.clear();
            let Self { current, limits, states, observer, workspace, outputs, .. } = self;
            current.program.step(chunk, limits, states, workspace, outputs);
            observer.observe(&current.program, chunk, limits, workspace);
            self.send(chunk, &stream, transactions)?;
        }
        Ok(())
    }

    /// `records`, of the topic `from`, are those that the outputs come of.
    fn send(
        &mut self,
        records: &[Record<'_>],
        from: &str,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        for output in self.outputs.iter() {
            let sent = match &output.kind {
                OutputKind::Derived(topic) => self.derived(*topic, output),
                OutputKind::Alert(topic) => self.alert(&self.alert_topics[topic.0 as usize], &self.outputs, output),
                OutputKind::DeadLetter(letter) => {
                    let Some(record) = records.get(output.row) else { continue };
                    dead_letter(letter, from, record)
                }
            };
            transactions.send(sent)?;
            self.sent.count(&output.kind);
        }
        Ok(())
    }

    fn derived<'a>(&'a self, topic: TopicId, output: &'a Output) -> Sent<'a> {
        sent(&self.program().topics()[topic.0 as usize].name, &self.outputs, output)
    }

    /// An alert that is old by the wall clock says so in its headers; its bytes are the same.
    fn alert<'a>(&self, topic: &'a str, outputs: &'a Outputs, output: &'a Output) -> Sent<'a> {
        let age = output.time.and_then(|time| delayed(time, now(), self.delayed_after));
        let headers = age.map(|age| {
            let headers = header::with(OwnedHeaders::new_with_capacity(2), DELAYED, "true");
            header::with(headers, AGE, &age.to_string())
        });
        Sent { headers, ..sent(topic, outputs, output) }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Outputs keep the number of the partition, and the Kafka time, of the reading that brings them about.
fn sent<'a>(topic: &'a str, outputs: &'a Outputs, output: &'a Output) -> Sent<'a> {
    Sent {
        topic,
        partition: output.partition,
        key: outputs.key(output),
        value: Some(outputs.value(output)),
        timestamp: output.timestamp,
        headers: None,
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
fn dead_letter<'a>(letter: &DeadLetter, topic: &str, record: &Record<'a>) -> Sent<'a> {
    let Record { partition, offset, timestamp, .. } = *record;
    let origin = Origin { topic, partition, offset, timestamp };
    Sent {
        topic: DEAD_LETTERS,
        partition: record.partition,
        key: record.key,
        value: record.value,
        timestamp: record.timestamp,
        headers: Some(header::of_letter(letter.stage.as_str(), letter.reason.as_str(), &letter.sentence, &origin)),
    }
}
