//! How far each partition is, what of it has changed since it was last written down, and what of that is written now. What
//! a transaction did is taken over when it has committed, and not before.
//!
//! A partition is written down in sweeps: the patients that had changed when a sweep began, some with each transaction, so that
//! none becomes long. Its mark is as of its beginning, and holds once all of them are written: whatever has changed since
//! is changed again by judging the readings since the mark, or is in a later snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use triage_core::program::{Program, States};

use super::entry::{Entry, Event};
use super::record::{self, Basis, Key, Latest, Mark, Own, Place, Snapshot};

/// The most bytes of snapshots in one transaction, and one patient's more: some milliseconds of a worker, which hold up no
/// reading, and 20 MB and more a second.
const MOST_BYTES: usize = 1024 * 1024;

/// How a partition begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    pub(crate) place: Place,
    /// The offset of the next acknowledgement.
    pub(crate) acknowledgement: i64,
    /// The mark that holds.
    pub(crate) mark: Mark,
    /// By what its last readings were judged, as the journal has it.
    pub(crate) basis: Basis,
    /// Where on the journal its next entry will stand, or behind.
    pub(crate) journal: i64,
    /// Patients who are in no snapshot as they are.
    pub(crate) dirty: BTreeSet<String>,
}

/// One partition.
#[derive(Debug)]
struct Kept {
    now: Beginning,
    /// By what readings are judged from now on; the journal does not have it yet. What was taken up in between counts too.
    unsaid: Vec<Basis>,
    /// Whether anything has happened since the last sweep began.
    changed: bool,
    sweep: Option<Sweep>,
    /// When the last sweep began.
    swept: Option<Instant>,
}

/// What is being written down.
#[derive(Debug)]
struct Sweep {
    /// As of its beginning.
    mark: Mark,
    /// Patients who are to be written yet.
    left: BTreeSet<String>,
}

/// All partitions of a worker.
#[derive(Debug)]
pub(crate) struct Keeper {
    group: String,
    /// How long after a sweep has begun the next one begins.
    age: Duration,
    /// The most bytes of snapshots in one transaction.
    most_bytes: usize,
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
        }
    }
}

/// What a transaction writes of a partition.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) partition: i32,
    /// Keys, and values unless the patient is forgotten. The mark comes last.
    pub(crate) records: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    patients: Vec<String>,
    /// The mark of a sweep that begins with it.
    begun: Option<Mark>,
    /// The mark that holds with it.
    mark: Mark,
}

impl Keeper {
    pub(crate) fn new(group: &str, age: Duration) -> Self {
        Self { group: group.to_owned(), age, most_bytes: MOST_BYTES, kept: BTreeMap::new() }
    }

    /// The same with other bounds.
    #[cfg(test)]
    pub(super) fn with_most_bytes(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// A partition that has been restored, or begins. It has been taken over by the last of `bases`, and by the others before.
    pub(crate) fn begin(&mut self, partition: i32, now: Beginning, bases: impl IntoIterator<Item = Basis>) {
        let mut kept = Kept { now, unsaid: Vec::new(), changed: true, sweep: None, swept: None };
        bases.into_iter().for_each(|basis| kept.judged_by(basis));
        self.kept.insert(partition, kept);
    }

    pub(crate) fn drop_partitions(&mut self, partitions: &[i32]) {
        self.kept.retain(|partition, _| !partitions.contains(partition));
    }

    pub(crate) fn partitions(&self) -> impl Iterator<Item = i32> + '_ {
        self.kept.keys().copied()
    }

    /// Whether something is to be written now, readings or not.
    pub(crate) fn is_due(&self) -> bool {
        let mut kept = self.kept.values();
        kept.any(|kept| kept.sweep.is_some() || !kept.unsaid.is_empty() || (kept.changed && self.is_old(kept)))
    }

    fn is_old(&self, kept: &Kept) -> bool {
        kept.swept.is_none_or(|swept| swept.elapsed() >= self.age)
    }

    /// What the journal does not have yet of what partitions are judged by, in order.
    pub(crate) fn unsaid(&self) -> Vec<(i32, Basis)> {
        let kept = self.kept.iter();
        kept.flat_map(|(partition, kept)| kept.unsaid.iter().map(|basis| (*partition, basis.clone()))).collect()
    }

    /// Where a partition is.
    pub(crate) fn place(&self, partition: i32) -> Option<Place> {
        self.kept.get(&partition).map(|kept| kept.now.place)
    }

    /// Where a partition is after a transaction.
    pub(crate) fn place_after(&self, partition: i32, change: &Change) -> Option<Place> {
        self.place(partition).map(|place| change.after(partition, place))
    }

    /// The key of a partition's mark.
    pub(crate) fn mark_key(&self) -> Vec<u8> {
        Key::Partition.write(&self.group)
    }

    /// Readings are judged by another rule set from now on, which has changed all patients.
    pub(crate) fn rules_changed(&mut self, basis: &Basis, states: &States) {
        for (partition, kept) in &mut self.kept {
            kept.judged_by(basis.clone());
            kept.now.dirty.extend(states.patients(*partition).into_iter().map(str::to_owned));
            kept.changed = true;
            kept.swept = None;
        }
    }

    /// The entry of something that happens now, after `earlier` others of the same transaction.
    pub(crate) fn entry(&self, partition: i32, earlier: u64, event: Event) -> Option<Entry> {
        let place = self.place(partition)?;
        Some(Entry::after(Place { entry: place.entry + earlier, ..place }, &self.group, event))
    }

    /// What is to be written, as it is after the transaction. Partitions take turns: those of which some is written already,
    /// then the one that has waited longest. One that has just begun leaves its mark, room or not.
    pub(crate) fn write(&self, program: &Program, states: &States, change: &Change) -> Vec<Written> {
        let is_due = |partition: i32, kept: &Kept| {
            kept.sweep.is_some() || ((kept.changed || change.concerns(partition)) && self.is_old(kept))
        };
        let mut due: Vec<_> = self.kept.iter().filter(|(partition, kept)| is_due(**partition, kept)).collect();
        due.sort_by_key(|(_, kept)| (kept.sweep.is_none(), kept.swept));
        let mut room = self.most_bytes;
        let mut written = Vec::new();
        for (partition, kept) in due {
            if room == 0 && kept.swept.is_some() {
                continue;
            }
            let taking = Taking { group: &self.group, partition: *partition, kept, program, states, change };
            written.push(taking.take(&mut room));
        }
        written
    }

    /// The transaction has committed, with all that was unsaid. Call it before the states are.
    pub(crate) fn commit(&mut self, states: &States, change: &Change, written: Vec<Written>) {
        for (partition, kept) in &mut self.kept {
            kept.now.place = change.after(*partition, kept.now.place);
            if let Some(next) = change.acknowledged.get(partition) {
                kept.now.acknowledgement = *next;
            }
            if let Some(basis) = std::mem::take(&mut kept.unsaid).pop() {
                kept.now.basis = basis;
            }
            kept.now.dirty.extend(states.touched(*partition).map(str::to_owned));
            kept.changed |= change.concerns(*partition);
        }
        for written in written {
            if let Some(kept) = self.kept.get_mut(&written.partition) {
                kept.is_written(written);
            }
        }
    }

    /// Entries of a partition stand on the journal as far as before that offset.
    pub(crate) fn journaled(&mut self, partition: i32, end: i64) {
        if let Some(kept) = self.kept.get_mut(&partition) {
            kept.now.journal = kept.now.journal.max(end);
        }
    }
}

impl Kept {
    fn judged_by(&mut self, basis: Basis) {
        if *self.basis() != basis {
            self.unsaid.push(basis);
        }
    }

    fn basis(&self) -> &Basis {
        self.unsaid.last().unwrap_or(&self.now.basis)
    }

    fn is_written(&mut self, written: Written) {
        if let Some(mark) = written.begun {
            self.sweep = Some(Sweep { mark, left: std::mem::take(&mut self.now.dirty) });
            self.changed = false;
            self.swept = Some(Instant::now());
        }
        if let Some(sweep) = &mut self.sweep {
            for patient in &written.patients {
                sweep.left.remove(patient);
                // Who has changed since the sweep began is written as of now.
                self.now.dirty.remove(patient);
            }
        }
        self.sweep.take_if(|sweep| sweep.left.is_empty());
        self.now.mark = written.mark;
    }
}

/// Takes snapshots of a partition, as it is after a transaction.
struct Taking<'a> {
    group: &'a str,
    partition: i32,
    kept: &'a Kept,
    program: &'a Program,
    states: &'a States,
    change: &'a Change,
}

impl Taking<'_> {
    /// As many as there is room for.
    fn take(&self, room: &mut usize) -> Written {
        let begun = self.kept.sweep.is_none().then(|| self.mark());
        let (mut records, mut patients) = (Vec::new(), Vec::new());
        let place = self.place();
        let mut ended = true;
        for patient in self.patients() {
            if *room == 0 {
                ended = false;
                break;
            }
            // Of a forgotten patient nothing is kept, not even where: judged from any earlier mark and from nothing, its
            // last readings end in its being forgotten no later.
            let state = self.program.encode_patient(self.states, self.partition, patient);
            let value = state.map(|state| Snapshot { place, state }.write());
            let key = Key::Patient(patient.to_owned()).write(self.group);
            *room = room.saturating_sub(key.len() + value.as_ref().map_or(0, Vec::len));
            records.push((key, value));
            patients.push(patient.to_owned());
        }
        let sweeps = begun.as_ref().or(self.kept.sweep.as_ref().map(|sweep| &sweep.mark));
        let mut mark = sweeps.filter(|_| ended).unwrap_or(&self.kept.now.mark).clone();
        mark.latest = (mark.place != place).then(|| Latest { place, own: self.own() });
        records.push((Key::Partition.write(self.group), Some(record::json(&mark))));
        Written { partition: self.partition, records, patients, begun, mark }
    }

    /// Those of the sweep who are not written yet; if one begins, all who have changed.
    fn patients(&self) -> impl Iterator<Item = &str> {
        let dirty = &self.kept.now.dirty;
        let (left, touched) = match &self.kept.sweep {
            Some(sweep) => (&sweep.left, None),
            None => (dirty, Some(self.states.touched(self.partition))),
        };
        let touched = touched.into_iter().flatten().filter(|patient| !dirty.contains(*patient));
        left.iter().map(String::as_str).chain(touched)
    }

    fn place(&self) -> Place {
        self.change.after(self.partition, self.kept.now.place)
    }

    fn own(&self) -> Own {
        Own::new(&self.program.encode_partition(self.states, self.partition).unwrap_or_default())
    }

    fn mark(&self) -> Mark {
        let Self { partition, kept, change, .. } = self;
        Mark {
            format: Mark::FORMAT,
            since: kept.now.mark.since,
            place: self.place(),
            acknowledgement: change.acknowledged.get(partition).copied().unwrap_or(kept.now.acknowledgement),
            journal: kept.now.journal,
            basis: kept.basis().clone(),
            own: self.own(),
            latest: None,
        }
    }
}
