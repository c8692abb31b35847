//! The readings and journal entries since a mark, judged once more in silence: what came of them has been sent. Snapshots
//! that are later than the mark are taken in at their places. Pure.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rdkafka::message::OwnedMessage;
use triage_core::program::{Limits, Outputs, Program, StateError, States, Workspace};
use triage_core::reading::Record;

use super::entry::{Entry, Event};
use super::record::{Basis, Place, Snapshot, bytes};
use crate::kafka::records::record;

/// A part of the state as of a place.
#[derive(Debug)]
pub(super) struct Part {
    place: Place,
    of: Of,
    bytes: Vec<u8>,
}

#[derive(Debug)]
enum Of {
    Patient(String),
    Partition,
}

impl Part {
    pub(super) fn patient(id: String, Snapshot { place, state }: Snapshot) -> Self {
        Self { place, of: Of::Patient(id), bytes: state }
    }

    pub(super) fn own(place: Place, bytes: Vec<u8>) -> Self {
        Self { place, of: Of::Partition, bytes }
    }
}

/// Why it cannot be judged again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgainError {
    #[error("a snapshot cannot be read: {0}")]
    Bytes(#[from] StateError),
    #[error("a snapshot is of {}, which is past the next reading", .0.next)]
    Ahead(Place),
    #[error("the rule set {0} was judged by, and is not at hand")]
    RuleSet(String),
}

/// A partition on its way from the mark to the present.
pub(super) struct Again<'a> {
    /// By version, all that it has been judged by.
    programs: &'a BTreeMap<String, &'a Program>,
    program: &'a Program,
    basis: Basis,
    limits: Limits,
    states: States,
    partition: i32,
    entries: VecDeque<Entry>,
    /// Parts that are to be taken in yet, in order of their places.
    parts: VecDeque<Part>,
    waiting: Vec<OwnedMessage>,
    workspace: Workspace,
    outputs: Outputs,
    dirty: BTreeSet<String>,
}

/// Where it has arrived.
pub(super) struct Arrived {
    pub(super) states: States,
    pub(super) basis: Basis,
    /// Patients who are in no snapshot as they are.
    pub(super) dirty: BTreeSet<String>,
}

impl<'a> Again<'a> {
    /// The state as of `mark`, judged by `basis` there; `entries` are those after it.
    pub(super) fn begin(
        programs: &'a BTreeMap<String, &'a Program>,
        (partition, partitions): (i32, i32),
        (mark, basis): (Place, &Basis),
        mut parts: Vec<Part>,
        entries: VecDeque<Entry>,
    ) -> Result<Self, AgainError> {
        // Stable: of one place, what is the partition's own comes last, as it was given.
        parts.sort_by_key(|part| part.place);
        let mut again = Self {
            programs,
            program: programs.get(&basis.ruleset).ok_or_else(|| AgainError::RuleSet(basis.ruleset.clone()))?,
            basis: basis.clone(),
            limits: basis.limits(),
            states: States::new(partitions),
            partition,
            entries,
            parts: parts.into(),
            waiting: Vec::new(),
            workspace: Workspace::default(),
            outputs: Outputs::default(),
            dirty: BTreeSet::new(),
        };
        again.take_in(|place| place <= mark)?;
        Ok(again)
    }

    pub(super) fn reading(&mut self, message: OwnedMessage, offset: i64) -> Result<(), AgainError> {
        while self.entries.front().is_some_and(|entry| entry.before <= offset) {
            self.entry()?;
        }
        self.take_in(|place| place.next <= offset)?;
        self.waiting.push(message);
        if self.waiting.len() >= Program::MAX_BATCH {
            self.flush();
        }
        Ok(())
    }

    /// All readings have come; `next` is the one after them.
    pub(super) fn end(mut self, next: i64) -> Result<Arrived, AgainError> {
        while !self.entries.is_empty() {
            self.entry()?;
        }
        self.take_in(|place| place.next <= next)?;
        self.flush();
        if let Some(part) = self.parts.front() {
            return Err(AgainError::Ahead(part.place));
        }
        let Self { states, basis, dirty, .. } = self;
        Ok(Arrived { states, basis, dirty })
    }

    /// Takes in the parts whose places have been reached.
    fn take_in(&mut self, is_reached: impl Fn(Place) -> bool) -> Result<(), AgainError> {
        if !self.parts.front().is_some_and(|part| is_reached(part.place)) {
            return Ok(());
        }
        self.flush();
        while let Some(part) = self.parts.pop_front_if(|part| is_reached(part.place)) {
            let Self { program, states, partition, .. } = self;
            match part.of {
                Of::Partition => program.decode_partition(states, *partition, &part.bytes)?,
                Of::Patient(patient) => {
                    program.decode_patient(states, *partition, &patient, &part.bytes)?;
                    self.dirty.remove(&patient);
                }
            }
        }
        self.states.commit();
        Ok(())
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let records: Vec<Record<'_>> = waiting.iter().map(record).collect();
        self.program.step(&records, &self.limits, &mut self.states, &mut self.workspace, &mut self.outputs);
        self.done();
    }

    fn entry(&mut self) -> Result<(), AgainError> {
        let Some(entry) = self.entries.pop_front() else { return Ok(()) };
        self.take_in(|place| place.entry < entry.number && place.next <= entry.before)?;
        self.flush();
        let Self { program, limits, states, workspace, outputs, partition, .. } = self;
        match entry.event {
            Event::Advance { to } => program.advance(*partition, to, states, workspace, outputs),
            Event::Acknowledgement { offset, timestamp, key, value } => {
                let (key, value) = (key.as_deref().and_then(bytes), value.as_deref().and_then(bytes));
                let (key, value) = (key.as_deref(), value.as_deref());
                let record = Record { key, value, timestamp, partition: *partition, offset };
                program.acknowledge(&record, limits, states, workspace, outputs);
            }
            Event::Basis(basis) => self.go_on_with(basis)?,
        }
        self.done();
        Ok(())
    }

    fn go_on_with(&mut self, basis: Basis) -> Result<(), AgainError> {
        if basis.ruleset != self.basis.ruleset {
            let found = self.programs.get(&basis.ruleset);
            let program = *found.ok_or_else(|| AgainError::RuleSet(basis.ruleset.clone()))?;
            program.take_over(self.program, &mut self.states, &mut self.outputs);
            self.dirty.extend(self.states.patients(self.partition).into_iter().map(str::to_owned));
            self.workspace = Workspace::default();
            self.program = program;
        }
        self.limits = basis.limits();
        self.basis = basis;
        Ok(())
    }

    fn done(&mut self) {
        self.outputs.clear();
        self.dirty.extend(self.states.touched(self.partition).map(str::to_owned));
        self.states.commit();
    }
}
