//! A ward of simulated patients: vital signs that walk, sensors that err, and episodes that really happen, labelled in a
//! ground truth that no reading shows. Pure: the same table, number of patients, seed and interval give the same
//! readings, apart from when they begin. What it takes for granted is in `docs/gateway.md`.

mod bed;
mod episode;
mod fault;
mod random;
mod reading;
mod sign;
mod vital;

use std::time::Duration;

use super::json;
use super::table::Table;
use bed::Bed;
pub use episode::{Episode, Kind};
use fault::Fault;
pub use fault::FaultKind;
pub use reading::Reading;

/// Where time begins unless it is said: 2026-01-01, eight in the morning, UTC.
pub(super) const BEGIN: i64 = 1_767_254_400_000;

/// Readings without end, in order of time: one of each patient in every interval, evenly spread over it.
#[derive(Debug)]
pub struct Simulation {
    beds: Vec<Bed>,
    seed: u64,
    begin: i64,
    interval: Duration,
    /// The place of the next reading, those counted too that no device sends.
    next: u64,
    fault: Option<Fault>,
    /// Readings that the devices have sent.
    sent: u64,
}

impl Simulation {
    /// `patients` of them, the table's rows taken in turn; each has a reading every `interval`.
    pub fn new(table: &Table, patients: usize, seed: u64, interval: Duration) -> Self {
        let beds = (0..patients).map(|number| Bed::new(table, number, seed)).collect();
        Self { beds, seed, begin: BEGIN, interval, next: 0, fault: None, sent: 0 }
    }

    /// Says when the first reading is taken, epoch milliseconds. The ward's own clock begins at eight in the morning
    /// whenever that is, so that the readings are the same apart from their times.
    pub fn begin_at(&mut self, begin: i64) {
        self.begin = begin;
    }

    /// The same readings, with a fault from the one of that number on, counted from 0.
    #[must_use]
    pub fn with_fault(mut self, kind: FaultKind, from: u64) -> Self {
        self.fault = Some(Fault::new(kind, from, self.seed));
        self
    }

    /// The first reading's time, epoch milliseconds.
    pub fn begin(&self) -> i64 {
        self.begin
    }

    /// How many patients there are.
    pub fn patients(&self) -> usize {
        self.beds.len()
    }

    /// What has really happened so far, and what is going on, in order of beginning, then of patients.
    pub fn episodes(&self) -> Vec<Episode> {
        let mut episodes = Vec::new();
        for (number, bed) in self.beds.iter().enumerate() {
            episodes.extend(bed.episodes(self.begin + (self.phase(number) / 1_000_000) as i64));
        }
        episodes.sort_by_key(|episode| episode.start);
        episodes
    }

    /// By how much a patient's readings are later than the first patient's, in nanoseconds.
    fn phase(&self, number: usize) -> u128 {
        self.interval.as_nanos() * number as u128 / self.beds.len() as u128
    }

    /// What the next place in the order holds: nothing while a device is silent, or of what a fault has lost.
    fn step(&mut self) -> Option<Reading> {
        let patients = self.beds.len() as u64;
        let (round, number) = (self.next / patients, (self.next % patients) as usize);
        self.next += 1;
        let since = u128::from(round) * self.interval.as_nanos();
        let ts = self.begin + ((since + self.phase(number)) / 1_000_000) as i64;
        let reading = self.beds[number].read(since as f64 / 1e9, self.interval.as_secs_f64(), ts)?;
        self.sent += 1;
        match &mut self.fault {
            Some(fault) => fault.applied(reading, self.sent - 1, number == 0),
            None => Some(reading),
        }
    }
}

impl Iterator for Simulation {
    type Item = Reading;

    /// Never `None`, unless there are no patients.
    fn next(&mut self) -> Option<Reading> {
        while !self.beds.is_empty() {
            if let Some(reading) = self.step() {
                return Some(reading);
            }
        }
        None
    }
}
