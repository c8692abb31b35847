//! Where the threads of an engine say how they are. Nobody waits here for anybody.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use triage_core::monitor::{Stuck, Tally};

/// What there is to know of patients.
#[derive(Debug)]
pub(super) enum Told {
    /// A block of that worker has ended.
    Block(usize, Box<Tally>),
    /// Other devices of that worker are stuck than before.
    Stuck(usize, Vec<Stuck>),
    /// A patient is erased.
    Erased(String),
}

/// Where the threads of an engine say how they are.
#[derive(Debug, Default)]
pub(crate) struct Board {
    told: Mutex<Vec<Told>>,
    /// By partition of `acknowledgements`, the last erasure that was heard of there.
    erasures: Mutex<BTreeMap<i32, i64>>,
    /// How often each worker has gone round: polled, and judged and committed what came.
    rounds: Vec<AtomicU64>,
    /// The partitions of each worker.
    held: Mutex<BTreeMap<usize, BTreeSet<i32>>>,
    readings: AtomicU64,
    store_lag: AtomicI64,
    store_fails: AtomicBool,
    refused_reload: Mutex<Option<String>>,
    deleted: Mutex<BTreeMap<i32, Deleted>>,
}

/// Readings of a partition that were deleted before they were judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deleted {
    /// Since the start.
    pub(super) readings: u64,
    /// When the last were missed.
    pub(super) at: Instant,
}

impl Board {
    pub(crate) fn new(workers: usize) -> Self {
        Self { rounds: (0..workers).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// A worker has gone round once more.
    pub(crate) fn went_round(&self, worker: usize) {
        if let Some(rounds) = self.rounds.get(worker) {
            rounds.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A worker has committed readings; `blocks` and `stuck` are what its observer has to tell.
    pub(crate) fn committed(&self, worker: usize, readings: u64, blocks: Vec<Tally>, stuck: Option<Vec<Stuck>>) {
        self.readings.fetch_add(readings, Ordering::Relaxed);
        if blocks.is_empty() && stuck.is_none() {
            return;
        }
        let mut told = lock(&self.told);
        told.extend(blocks.into_iter().map(|tally| Told::Block(worker, Box::new(tally))));
        told.extend(stuck.map(|stuck| Told::Stuck(worker, stuck)));
    }

    /// A patient is erased. A worker says so when its observer has told all that it knew, and knows nothing more.
    pub(crate) fn erased(&self, patient: String) {
        lock(&self.told).push(Told::Erased(patient));
    }

    /// A patient is erased by the word at that place, of whom readings may have come here once. Who reads it again, long after, is
    /// not heard: a patient who has come back since is known by right.
    pub(crate) fn heard_of_erasure(&self, (partition, offset): (i32, i64), patient: String) {
        let mut erasures = lock(&self.erasures);
        let last = erasures.entry(partition).or_insert(-1);
        if offset > *last {
            *last = offset;
            drop(erasures);
            self.erased(patient);
        }
    }

    /// Partitions are a worker's from now on.
    pub(crate) fn assigned(&self, worker: usize, partitions: &[i32]) {
        lock(&self.held).entry(worker).or_default().extend(partitions);
    }

    /// They are no longer.
    pub(crate) fn withdrawn(&self, worker: usize, partitions: &[i32]) {
        if let Some(held) = lock(&self.held).get_mut(&worker) {
            held.retain(|partition| !partitions.contains(partition));
        }
    }

    /// How many records the store has not stored yet.
    pub(crate) fn store_is_behind_by(&self, records: i64) {
        self.store_lag.store(records, Ordering::Relaxed);
    }

    /// Whether the last write to the store failed.
    pub(crate) fn store_fails(&self, fails: bool) {
        self.store_fails.store(fails, Ordering::Relaxed);
    }

    /// Why the last reload was refused, if it was.
    pub(crate) fn reload_ended(&self, refused: Option<String>) {
        *lock(&self.refused_reload) = refused;
    }

    /// So many more readings of a partition were deleted before they were judged.
    pub(crate) fn deleted(&self, partition: i32, readings: u64) {
        let mut deleted = lock(&self.deleted);
        let before = deleted.get(&partition).map_or(0, |before| before.readings);
        deleted.insert(partition, Deleted { readings: before + readings, at: Instant::now() });
    }

    pub(super) fn all_deleted(&self) -> BTreeMap<i32, Deleted> {
        lock(&self.deleted).clone()
    }

    pub(super) fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut *lock(&self.told))
    }

    pub(super) fn rounds(&self) -> Vec<u64> {
        self.rounds.iter().map(|rounds| rounds.load(Ordering::Relaxed)).collect()
    }

    pub(super) fn held(&self) -> BTreeSet<i32> {
        lock(&self.held).values().flatten().copied().collect()
    }

    pub(super) fn readings(&self) -> u64 {
        self.readings.load(Ordering::Relaxed)
    }

    pub(super) fn store_lag(&self) -> i64 {
        self.store_lag.load(Ordering::Relaxed)
    }

    pub(super) fn does_store_fail(&self) -> bool {
        self.store_fails.load(Ordering::Relaxed)
    }

    pub(super) fn refused_reload(&self) -> Option<String> {
        lock(&self.refused_reload).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_erasure_that_is_read_again_is_not_heard_again() {
        let board = Board::new(1);
        for place in [(0, 5), (1, 2), (0, 5), (0, 3)] {
            board.heard_of_erasure(place, "p1".to_owned());
        }
        assert_eq!(board.take_told().len(), 2);
        board.heard_of_erasure((0, 6), "p1".to_owned());
        assert_eq!(board.take_told().len(), 1);
    }
}
