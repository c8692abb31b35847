//! How far each partition is, what of it has changed since it was last written down, and when that is due. What a
//! transaction did is taken over when it has committed, and not before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use triage_core::program::{Limits, Program, States};

use super::record::{self, Entry, Event, Key, Mark, hex};

/// Where a partition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The offset of the next reading.
    pub(crate) next: i64,
    /// The number of the last journal entry.
    pub(crate) entry: u64,
    /// The offset of the next acknowledgement.
    pub(crate) acknowledgement: i64,
}

/// One partition.
#[derive(Debug)]
struct Kept {
    place: Place,
    /// Patients that have changed since they were written.
    dirty: BTreeSet<String>,
    changed: bool,
    written: Option<Instant>,
}

/// All partitions of a worker.
#[derive(Debug)]
pub(crate) struct Keeper {
    group: String,
    /// How long a change may be in no snapshot.
    age: Duration,
    kept: BTreeMap<i32, Kept>,
}

/// What a transaction does to partitions.
#[derive(Debug, Default)]
pub(crate) struct Change {
    /// The next reading.
    pub(crate) ends: BTreeMap<i32, i64>,
    /// How many journal entries.
    pub(crate) entries: BTreeMap<i32, u64>,
    /// The next acknowledgement.
    pub(crate) acknowledged: BTreeMap<i32, i64>,
}

impl Change {
    fn concerns(&self, partition: i32) -> bool {
        self.ends.contains_key(&partition) || self.entries.contains_key(&partition)
    }

    /// A partition's place after it.
    fn after(&self, partition: i32, before: Place) -> Place {
        Place {
            next: self.ends.get(&partition).copied().unwrap_or(before.next),
            entry: before.entry + self.entries.get(&partition).copied().unwrap_or(0),
            acknowledgement: self.acknowledged.get(&partition).copied().unwrap_or(before.acknowledgement),
        }
    }
}

/// A snapshot to send: key, and value unless the patient is forgotten.
pub(crate) type Snapshot = (Vec<u8>, Option<Vec<u8>>);

impl Keeper {
    pub(crate) fn new(group: &str, age: Duration) -> Self {
        Self { group: group.to_owned(), age, kept: BTreeMap::new() }
    }

    /// A partition that has been restored, or begins; `dirty` patients are in no snapshot as they are.
    pub(crate) fn begin(&mut self, partition: i32, place: Place, dirty: BTreeSet<String>) {
        self.kept.insert(partition, Kept { place, dirty, changed: true, written: None });
    }

    pub(crate) fn drop_partitions(&mut self, partitions: &[i32]) {
        self.kept.retain(|partition, _| !partitions.contains(partition));
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = i32> + '_ {
        self.kept.keys().copied()
    }

    /// Whether a partition is to be written down now, readings or not.
    pub(crate) fn is_due(&self) -> bool {
        self.kept.values().any(|kept| kept.changed && self.is_old(kept))
    }

    fn is_old(&self, kept: &Kept) -> bool {
        kept.written.is_none_or(|written| written.elapsed() >= self.age)
    }

    /// The next reading of a partition.
    pub(crate) fn next(&self, partition: i32) -> Option<i64> {
        self.kept.get(&partition).map(|kept| kept.place.next)
    }

    /// The key of a partition's mark.
    pub(crate) fn mark_key(&self) -> Vec<u8> {
        Key::Partition.write(&self.group)
    }

    /// The rule set has changed: everything is written with the next transaction.
    pub(crate) fn all_are_due(&mut self, states: &States) {
        for (partition, kept) in &mut self.kept {
            kept.dirty.extend(states.patients(*partition).into_iter().map(str::to_owned));
            kept.changed = true;
            kept.written = None;
        }
    }

    /// The entry of something that happens now, after `earlier` others of the same transaction.
    pub(crate) fn entry(&self, partition: i32, earlier: u64, event: Event) -> Option<Entry> {
        let place = self.kept.get(&partition)?.place;
        Some(Entry::new(&self.group, place.entry + earlier + 1, place.next, event))
    }

    /// The partitions that are due, with their snapshots, as they are after the transaction. The mark comes last.
    pub(crate) fn snapshots(
        &self,
        program: &Program,
        states: &States,
        limits: &Limits,
        change: &Change,
    ) -> Vec<(i32, Vec<Snapshot>)> {
        let is_due = |partition: i32, kept: &Kept| (kept.changed || change.concerns(partition)) && self.is_old(kept);
        let due = self.kept.iter().filter(|(partition, kept)| is_due(**partition, kept));
        let snapshots = due.map(|(partition, kept)| {
            let touched = states.touched(*partition).map(str::to_owned);
            let patients: BTreeSet<String> = kept.dirty.iter().cloned().chain(touched).collect();
            let mut snapshots: Vec<Snapshot> = Vec::with_capacity(patients.len() + 1);
            for patient in patients {
                let bytes = program.encode_patient(states, *partition, &patient);
                snapshots.push((Key::Patient(patient).write(&self.group), bytes));
            }
            let Place { next, entry, acknowledgement } = change.after(*partition, kept.place);
            let mark = Mark {
                format: Mark::FORMAT,
                next,
                entry,
                acknowledgement,
                ruleset: program.version().to_owned(),
                value_bytes: limits.value_bytes,
                skew_ms: limits.skew_ms.unwrap_or(i64::MAX),
                own: hex(&program.encode_partition(states, *partition).unwrap_or_default()),
            };
            snapshots.push((self.mark_key(), Some(record::json(&mark))));
            (*partition, snapshots)
        });
        snapshots.collect()
    }

    /// The transaction has committed, with the snapshots of the partitions `written`. Call it before the states are.
    pub(crate) fn commit(&mut self, states: &States, change: &Change, written: &[i32]) {
        for (partition, kept) in &mut self.kept {
            kept.place = change.after(*partition, kept.place);
            if written.contains(partition) {
                kept.dirty.clear();
                kept.changed = false;
                kept.written = Some(Instant::now());
            } else {
                kept.dirty.extend(states.touched(*partition).map(str::to_owned));
                kept.changed |= change.concerns(*partition);
            }
        }
    }
}
