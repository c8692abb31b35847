//! What one worker, or all of them, saw in one block: counts of patients and of readings, which add up.

use std::collections::BTreeMap;

use crate::reading::Reason;

/// Undeclared fields that are told of one block.
const NAMES: usize = 64;

/// Devices whose clock is off that are told by name.
const CLOCKS: usize = 8;

/// Some of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) some: u32,
    pub(super) of: u32,
}

impl Count {
    pub(super) fn add(&mut self, other: Count) {
        self.some += other.some;
        self.of += other.of;
    }
}

/// A block of one worker, or of several.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The rule set.
    pub(super) version: String,
    /// The number of the block: the stream's time divided by [`super::BLOCK_MS`].
    pub(super) block: i64,
    /// Per field: patients who had it within the last day and have not had it in this block.
    pub(super) gone: Vec<Count>,
    /// Per rule: patients of whom it began to match.
    pub(super) onsets: Vec<Count>,
    /// Stretches of a device's readings in which some are missing.
    pub(super) skipped: Count,
    /// At the end of a day, per rule: patients of whom it matched within the day.
    pub(super) days: Vec<Count>,
    /// And of whom it did so, of those of whom it had not the day before; nothing unless everybody was watched for two days.
    pub(super) begun: Vec<Count>,
    pub(super) clocks: Clocks,
    /// Undeclared fields, and how often they were seen.
    pub(super) names: BTreeMap<String, u32>,
    pub(super) readings: u64,
    /// Per rule: readings for which it was unknown.
    pub(super) unknown: Vec<u64>,
    /// Per field: readings in which it was missing, or invalid.
    pub(super) missing: Vec<u64>,
    pub(super) invalid: Vec<u64>,
    pub(super) refused: [u64; Reason::ALL.len()],
}

/// Devices whose clock is off.
#[derive(Debug, Clone, Default)]
pub(super) struct Clocks {
    pub(super) off: Count,
    /// Some of them: the patient, and by how many milliseconds the readings' times are behind their arrival.
    pub(super) named: BTreeMap<Box<str>, i64>,
}

impl Clocks {
    pub(super) fn name(&mut self, patient: &str, behind: i64) {
        if self.named.len() < CLOCKS {
            self.named.insert(patient.into(), behind);
        }
    }
}

impl Tally {
    pub(super) fn name(&mut self, name: &str, times: u32) {
        if self.names.len() < NAMES || self.names.contains_key(name) {
            *self.names.entry(name.to_owned()).or_default() += times;
        }
    }

    /// A patient is erased.
    pub(super) fn forget(&mut self, patient: &str) {
        self.clocks.named.remove(patient);
    }

    /// Adds what another worker saw in the same block, by the same rule set.
    pub(super) fn add(&mut self, other: &Tally) {
        add_counts(&mut self.gone, &other.gone);
        add_counts(&mut self.onsets, &other.onsets);
        add_counts(&mut self.days, &other.days);
        add_counts(&mut self.begun, &other.begun);
        self.skipped.add(other.skipped);
        self.clocks.off.add(other.clocks.off);
        other.clocks.named.iter().for_each(|(patient, behind)| self.clocks.name(patient, *behind));
        other.names.iter().for_each(|(name, times)| self.name(name, *times));
        self.readings += other.readings;
        add_numbers(&mut self.unknown, &other.unknown);
        add_numbers(&mut self.missing, &other.missing);
        add_numbers(&mut self.invalid, &other.invalid);
        add_numbers(&mut self.refused, &other.refused);
    }
}

fn add_counts(to: &mut Vec<Count>, from: &[Count]) {
    to.resize(to.len().max(from.len()), Count::default());
    to.iter_mut().zip(from).for_each(|(to, from)| to.add(*from));
}

pub(super) fn add_numbers(to: &mut [u64], from: &[u64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
