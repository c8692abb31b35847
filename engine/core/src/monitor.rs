//! Whether the whole of it still works: what a stream's readings say of devices, fields, records and rules, held against
//! their own past. It looks at readings that have been judged, changes no byte of what comes of them, and knows nothing
//! of clocks: its time is that of the stream, in blocks of ten minutes.
//!
//! Each worker has an [`Observer`], which keeps a little of each patient and adds a block up to a [`Tally`]. One [`Monitor`]
//! takes the tallies of all workers, and says what is wrong now as [`Findings`]. `docs/technical-alerts.md` has the odds.

mod fall;
mod fields;
mod finding;
mod observer;
mod past;
mod patient;
mod records;
mod rhythm;
mod rules;
mod run_length;
mod series;
mod tally;
mod turn;

use std::collections::BTreeMap;

use crate::program::Program;
use fields::Fields;
pub use finding::{Finding, Findings};
pub use observer::{Observer, Stuck};
use records::Records;
use rules::Rules;
pub use tally::Tally;

/// The length of a block in milliseconds of the stream's time: ten minutes, 120 readings of a device that sends every 5 s.
pub const BLOCK_MS: i64 = 600_000;

/// Blocks in a day, which is what must have been seen before anything is held against its past.
const DAY: i64 = 144;

/// A block is judged without a worker that is so many blocks behind.
const BEHIND: i64 = 3;

/// What the configuration sets.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The share of an hour's readings, 0..1, for which a rule may be unknown.
    pub not_evaluable: f64,
    /// How far a patient's readings may be off their arrival, in milliseconds.
    pub clock_skew: i64,
}

/// What a process knows of its part of the stream. The same tallies in the same order bring about the same findings.
#[derive(Debug)]
pub struct Monitor {
    version: String,
    fields: Fields,
    rules: Rules,
    records: Records,
    /// The block of which each worker has told last.
    told: BTreeMap<usize, i64>,
    /// Blocks that some worker may still add to.
    open: BTreeMap<i64, Tally>,
    findings: Findings,
}

impl Monitor {
    /// A monitor without any past.
    pub fn new(program: &Program, settings: Settings) -> Self {
        Self {
            version: program.version().to_owned(),
            fields: Fields::new(program),
            rules: Rules::new(program, settings.not_evaluable),
            records: Records::new(settings.clock_skew),
            told: BTreeMap::new(),
            open: BTreeMap::new(),
            findings: Findings::default(),
        }
    }

    /// Goes on with another rule set. Fields and rules that keep their name keep their past: a rule whose rate of matches
    /// jumps with an edit is worth an alert. Blocks at hand are given up.
    pub fn take_up(&mut self, program: &Program) {
        program.version().clone_into(&mut self.version);
        self.fields.take_up(program, &mut self.findings);
        self.rules.take_up(program, &mut self.findings);
        self.open.clear();
    }

    /// Takes what a worker has told of a block, and judges the blocks that are complete. One of another rule set is ignored.
    pub fn take(&mut self, worker: usize, tally: Tally) {
        if tally.version != self.version {
            return;
        }
        self.told.insert(worker, tally.block);
        self.open.entry(tally.block).and_modify(|open| open.add(&tally)).or_insert(tally);
        let latest = self.told.values().copied().max().unwrap_or_default();
        self.told.retain(|_, block| latest - *block < BEHIND);
        // Each worker tells of its blocks in order.
        let complete = self.told.values().copied().min().unwrap_or_default();
        while let Some(first) = self.open.first_entry().filter(|first| *first.key() <= complete) {
            let tally = first.remove();
            self.fields.judge(&tally, &mut self.findings);
            self.rules.judge(&tally, &mut self.findings);
            self.records.judge(&tally, &mut self.findings);
        }
    }

    /// Takes the devices of a worker that are stuck now; those of before that are not among them are no longer.
    pub fn stuck(&mut self, worker: usize, stuck: &[Stuck]) {
        self.records.stuck(worker, stuck, &mut self.findings);
    }

    /// A patient is erased: what was found of them is gone, and not over, which would be told with their id.
    pub fn forget(&mut self, patient: &str) {
        self.open.values_mut().for_each(|tally| tally.forget(patient));
        self.records.forget(patient);
        self.findings.forget(patient);
    }

    /// What is wrong now.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }
}
