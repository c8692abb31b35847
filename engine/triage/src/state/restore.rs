//! Takes a partition over: snapshots and mark, then the readings and journal entries since, judged again in silence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message, OwnedMessage};
use rdkafka::topic_partition_list::Offset;
use triage_core::program::{Limits, Outputs, Program, StateError, States, Workspace};
use triage_core::reading::Record;

use super::keeper::Place;
use super::record::{Entry, Event, FormError, Key, Mark, bytes};
use crate::config::Config;
use crate::kafka::records::{ReadError, Records, record};
use crate::kafka::rights::explained;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, JOURNAL, SNAPSHOTS};
use crate::published::{self, PublishError};

/// Why a partition cannot be taken over. None of these is repaired by guessing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RestoreError {
    #[error("the state of partition {0} cannot be read: {1}")]
    Read(i32, ReadError),
    #[error("the state of partition {partition} cannot be read: {}", explained(.error))]
    Kafka { partition: i32, error: KafkaError },
    #[error("partition {partition}: a record of `{topic}` at {offset} cannot be read: {error}")]
    Form { partition: i32, topic: &'static str, offset: i64, error: FormError },
    #[error("partition {partition}: a snapshot on `{SNAPSHOTS}` cannot be read: {error}")]
    Bytes { partition: i32, error: StateError },
    #[error(
        "partition {partition}: its state is of the rule set {version}, which another process runs already, and this one does not yet"
    )]
    Behind { partition: i32, version: String },
    #[error(
        "partition {partition}: readings up to {needed} are needed to restore the state, and the stream ends at {last}: it is not \
         the one that the state was kept of; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Short { partition: i32, needed: i64, last: i64 },
    #[error(
        "partition {partition}: the state is of {mark}, which is past {next}, the next reading: the stream or the group's offsets \
         are not those that it was kept of; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Ahead { partition: i32, mark: i64, next: i64 },
    #[error(
        "partition {partition}: readings from {mark} on are needed to restore the state, and the stream begins at {first}: its \
         retention is too short; to go on without state, start once with `engine.fresh_state = true`"
    )]
    Gone { partition: i32, mark: i64, first: i64 },
    #[error(
        "partition {partition}: entry {expected} of `{JOURNAL}` is missing; to go on without state, start once with \
         `engine.fresh_state = true`"
    )]
    Gap { partition: i32, expected: u64 },
    #[error(
        "partition {partition}: the state is of rule set {version}, which is not on `rule-sets` or cannot be compiled: {reason}"
    )]
    RuleSet { partition: i32, version: String, reason: String },
}

/// A partition as it was when its last transaction committed.
pub(crate) struct Restored {
    pub(crate) states: States,
    pub(crate) place: Place,
    /// Patients who are in no snapshot as they are.
    pub(crate) dirty: BTreeSet<String>,
    /// What the change of rule set since has to say, if there was one, and the rule set before it.
    pub(crate) farewell: Option<(Arc<Program>, Outputs)>,
}

/// What to take over, and under which rule set.
pub(crate) struct Restorer<'a> {
    pub(crate) config: &'a Config,
    pub(crate) program: &'a Program,
    pub(crate) partition: i32,
    /// The stream's.
    pub(crate) partitions: i32,
    /// The offsets that the group has committed: of the stream, and of `acknowledgements`.
    pub(crate) committed: Option<i64>,
    pub(crate) acknowledged: Option<i64>,
    /// Whether to begin without the state that is kept.
    pub(crate) afresh: bool,
}

impl Restorer<'_> {
    pub(crate) fn restore(&self) -> Result<Restored, RestoreError> {
        let records = Records::new(&self.config.kafka).map_err(|error| RestoreError::Read(self.partition, error))?;
        if self.afresh {
            return self.begin(&records);
        }
        let snapshots = self.snapshots(&records)?;
        let Some(mark) = snapshots.mark.clone() else {
            // A rule set that keeps state leaves a mark with the first reading that it judges.
            if let Some(next) = self.committed {
                let partition = self.partition;
                tracing::warn!(partition, next, "no state was kept of the readings before this place; it begins here");
            }
            return self.begin(&records);
        };
        let next = self.committed.unwrap_or(0);
        if mark.next > next {
            return Err(RestoreError::Ahead { partition: self.partition, mark: mark.next, next });
        }
        self.of_snapshots(&snapshots, &mark, next, &records)
    }

    /// No state at all. Entries of the journal that are there already keep their numbers, and patients of earlier snapshots are
    /// forgotten with the next ones.
    fn begin(&self, records: &Records) -> Result<Restored, RestoreError> {
        let last = self.entries_after(0, records)?.back().map_or(0, |entry| entry.number);
        let first = self.bounds(self.program.stream(), records)?.0;
        let place = Place {
            next: self.committed.unwrap_or(first),
            entry: last,
            acknowledgement: self.acknowledgement(0, records)?,
        };
        let mut dirty = BTreeSet::new();
        self.read(SNAPSHOTS, records, |message| {
            let key = Key::read(message.key().unwrap_or_default(), &self.config.kafka.group);
            match (key, message.payload()) {
                (Ok(Some(Key::Patient(id))), Some(_)) => drop(dirty.insert(id)),
                (Ok(Some(Key::Patient(id))), None) => drop(dirty.remove(&id)),
                _ => {}
            }
            Ok(())
        })?;
        Ok(Restored { states: States::new(self.partitions), place, dirty, farewell: None })
    }

    /// Where acknowledgements go on: what the group has committed, or the state has seen, whichever is later.
    fn acknowledgement(&self, seen: i64, records: &Records) -> Result<i64, RestoreError> {
        let next = self.acknowledged.unwrap_or(0).max(seen);
        let (first, end) = self.bounds(ACKNOWLEDGEMENTS, records)?;
        if next > end {
            tracing::error!(
                partition = self.partition,
                next,
                end,
                "`acknowledgements` ends before what was judged of it: it was made anew, and is read from its beginning"
            );
            return Ok(first);
        }
        Ok(next)
    }

    fn bounds(&self, topic: &str, records: &Records) -> Result<(i64, i64), RestoreError> {
        records.bounds(topic, self.partition).map_err(|error| RestoreError::Read(self.partition, error))
    }

    fn of_snapshots(
        &self,
        snapshots: &Snapshots,
        mark: &Mark,
        next: i64,
        records: &Records,
    ) -> Result<Restored, RestoreError> {
        let before =
            (mark.ruleset != self.program.version()).then(|| self.rule_set_before(&mark.ruleset)).transpose()?;
        let program = before.as_deref().unwrap_or(self.program);
        let mut states = States::new(self.partitions);
        self.decode(snapshots, mark, program, &mut states)?;
        let limits = Limits { value_bytes: mark.value_bytes, skew_ms: Some(mark.skew_ms) };
        let entries = self.entries_after(mark.entry, records)?;
        let last = mark.entry + entries.len() as u64;
        let seen =
            entries.iter().filter_map(Entry::acknowledgement).max().map_or(mark.acknowledgement, |offset| offset + 1);
        let mut again = Again::new((program, limits), self.partition, states, entries);
        self.step(mark.next, next, &mut again, records)?;
        let Again { mut states, mut dirty, .. } = again;
        let farewell = before.as_ref().map(|before| {
            let mut outputs = Outputs::default();
            self.program.take_over(before, &mut states, &mut outputs);
            // The next mark names the new rule set, and is of all of them.
            dirty.extend(states.patients(self.partition).into_iter().map(str::to_owned));
            (Arc::clone(before), outputs)
        });
        let place = Place { next, entry: last, acknowledgement: self.acknowledgement(seen, records)? };
        Ok(Restored { states, place, dirty, farewell })
    }

    fn decode(
        &self,
        snapshots: &Snapshots,
        mark: &Mark,
        program: &Program,
        states: &mut States,
    ) -> Result<(), RestoreError> {
        let partition = self.partition;
        let bytes = |error| RestoreError::Bytes { partition, error };
        let own = mark.own().map_err(|error| self.form(SNAPSHOTS, snapshots.mark_offset, error))?;
        if !own.is_empty() {
            program.decode_partition(states, partition, &own).map_err(bytes)?;
        }
        for (patient, state) in &snapshots.patients {
            program.decode_patient(states, partition, patient, state).map_err(bytes)?;
        }
        states.commit();
        Ok(())
    }

    /// The last snapshot of each patient, and the mark.
    fn snapshots(&self, records: &Records) -> Result<Snapshots, RestoreError> {
        let mut found = Snapshots::default();
        self.read(SNAPSHOTS, records, |message| {
            let form = |error| self.form(SNAPSHOTS, message.offset(), error);
            let key = Key::read(message.key().unwrap_or_default(), &self.config.kafka.group).map_err(form)?;
            match (key, message.payload()) {
                (Some(Key::Patient(id)), Some(state)) => drop(found.patients.insert(id, state.to_vec())),
                (Some(Key::Patient(id)), None) => drop(found.patients.remove(&id)),
                (Some(Key::Partition), state) => {
                    found.mark = state.map(Mark::read).transpose().map_err(form)?;
                    found.mark_offset = message.offset();
                }
                (None, _) => {}
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The entries of our group after the one with that number.
    fn entries_after(&self, last: u64, records: &Records) -> Result<VecDeque<Entry>, RestoreError> {
        let mut entries = VecDeque::new();
        self.read(JOURNAL, records, |message| {
            let entry = Entry::read_after(message.payload().unwrap_or_default(), &self.config.kafka.group, last);
            entries.extend(entry.map_err(|error| self.form(JOURNAL, message.offset(), error))?);
            Ok(())
        })?;
        // From the first there is on: what came before may have been deleted, and nobody needs it.
        let first = if last == 0 { entries.front().map_or(1, |entry: &Entry| entry.number) } else { last + 1 };
        for (entry, expected) in entries.iter().zip(first..) {
            if entry.number != expected {
                return Err(RestoreError::Gap { partition: self.partition, expected });
            }
        }
        Ok(entries)
    }

    /// All of a state topic that is committed, once nothing of it is open.
    fn read(
        &self,
        topic: &'static str,
        records: &Records,
        mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let read = |error| RestoreError::Read(self.partition, error);
        let end = records.settled_end(topic, self.partition).map_err(read)?;
        let mut result = Ok(());
        records
            .read((topic, self.partition), Offset::Beginning, end, &mut |message| {
                if result.is_ok() {
                    result = take(message);
                }
                Ok(())
            })
            .map_err(read)?;
        result
    }

    /// Judges the readings from `from` to `to` again.
    fn step(&self, from: i64, to: i64, again: &mut Again<'_>, records: &Records) -> Result<(), RestoreError> {
        let read = |error| RestoreError::Read(self.partition, error);
        let stream = self.program.stream();
        if from < to {
            let (first, last) = self.bounds(stream, records)?;
            if first > from {
                return Err(RestoreError::Gone { partition: self.partition, mark: from, first });
            }
            if last < to {
                return Err(RestoreError::Short { partition: self.partition, needed: to, last });
            }
            records
                .read((stream, self.partition), Offset::Offset(from), to, &mut |message| {
                    again.reading(message);
                    Ok(())
                })
                .map_err(read)?;
        }
        again.end();
        Ok(())
    }

    /// The rule set of a mark, which is an earlier one than ours.
    fn rule_set_before(&self, version: &str) -> Result<Arc<Program>, RestoreError> {
        let (partition, version) = (self.partition, version.to_owned());
        let refused = |reason: String| RestoreError::RuleSet { partition, version: version.clone(), reason };
        let failed = |error: PublishError| refused(error.to_string());
        let latest = published::latest(self.config).map_err(failed)?;
        if latest.is_some_and(|latest| latest.pointer.version == version) {
            return Err(RestoreError::Behind { partition, version });
        }
        let found = published::of_version(self.config, &version).map_err(failed)?;
        let found = found.ok_or_else(|| refused("it is not there".to_owned()))?;
        let compiled = found.compile().map_err(|_| refused("it does not compile here".to_owned()))?;
        Ok(Arc::new(compiled.program))
    }

    fn form(&self, topic: &'static str, offset: i64, error: FormError) -> RestoreError {
        RestoreError::Form { partition: self.partition, topic, offset, error }
    }
}

#[derive(Default)]
struct Snapshots {
    patients: BTreeMap<String, Vec<u8>>,
    mark: Option<Mark>,
    mark_offset: i64,
}

/// Judges readings once more; what comes of them has been sent.
struct Again<'a> {
    program: &'a Program,
    limits: Limits,
    states: States,
    partition: i32,
    entries: VecDeque<Entry>,
    waiting: Vec<OwnedMessage>,
    workspace: Workspace,
    outputs: Outputs,
    dirty: BTreeSet<String>,
}

impl<'a> Again<'a> {
    fn new((program, limits): (&'a Program, Limits), partition: i32, states: States, entries: VecDeque<Entry>) -> Self {
        let (workspace, outputs) = (Workspace::default(), Outputs::default());
        Self {
            program,
            limits,
            states,
            partition,
            entries,
            waiting: Vec::new(),
            workspace,
            outputs,
            dirty: BTreeSet::new(),
        }
    }

    fn reading(&mut self, message: &BorrowedMessage<'_>) {
        while self.entries.front().is_some_and(|entry| entry.before <= message.offset()) {
            self.flush();
            self.entry();
        }
        self.waiting.push(message.detach());
        if self.waiting.len() >= Program::MAX_BATCH {
            self.flush();
        }
    }

    fn end(&mut self) {
        self.flush();
        while !self.entries.is_empty() {
            self.entry();
        }
    }

    fn flush(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        let records: Vec<Record<'_>> = waiting.iter().map(record).collect();
        self.program.step(&records, &self.limits, &mut self.states, &mut self.workspace, &mut self.outputs);
        self.done();
    }

    fn entry(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        let Self { program, limits, states, workspace, outputs, partition, .. } = self;
        match entry.event {
            Event::Advance { to } => program.advance(*partition, to, states, workspace, outputs),
            Event::Acknowledgement { offset, timestamp, key, value } => {
                let (key, value) = (key.as_deref().and_then(bytes), value.as_deref().and_then(bytes));
                let (key, value) = (key.as_deref(), value.as_deref());
                let record = Record { key, value, timestamp, partition: *partition, offset };
                program.acknowledge(&record, limits, states, workspace, outputs);
            }
        }
        self.done();
    }

    fn done(&mut self) {
        self.outputs.clear();
        self.dirty.extend(self.states.touched(self.partition).map(str::to_owned));
        self.states.commit();
    }
}
