//! What one worker sees of its patients: fed with each batch after its step, it keeps a little of each patient, and ends
//! a block when the stream's time has passed it.

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};

use super::patient::{Heard, Patient};
use super::run_length::{Run, RunLengths};
use super::tally::{Count, Tally, add_numbers};
use super::turn::Turn;
use super::{BLOCK_MS, DAY};
use crate::program::{Counts, Program, Workspace};
use crate::reading::{Batch, Limits, Reason, Record, WORD_BITS};
use crate::types::{FieldId, Type};

/// More patients of one worker are not watched: what is kept of them takes some hundred bytes each.
const MOST_PATIENTS: usize = 100_000;

/// Beyond this many rules the rates of their matches are not watched.
const MOST_RULES: usize = 1_000;

/// So many undeclared fields of each batch are looked at.
const UNDECLARED: usize = 16;

/// A longer name of an undeclared field is no name.
const LONGEST_NAME: usize = 128;

/// A device that says the same again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// The patient who has it.
    pub patient: Box<str>,
    /// The field.
    pub field: String,
    /// For how many readings it had had one value when that was too many.
    pub readings: u32,
    /// How many are usual at most.
    pub longest: u32,
}

/// What one worker sees.
#[derive(Debug)]
pub struct Observer {
    clock_skew: i64,
    /// The fields whose values are compared: numbers that are measured.
    measures: Vec<(FieldId, String)>,
    /// By measure.
    lengths: Vec<RunLengths>,
    turn: Turn,
    index: HashMap<Box<str>, u32>,
    patients: Vec<Patient>,
    /// By patient, then measure.
    runs: Vec<Run>,
    /// The patients heard of in this block, by place.
    heard: Vec<u32>,
    /// The first block that was whole.
    began: Option<i64>,
    /// The first block of those since which everybody has been watched.
    everybody: Option<i64>,
    tally: Tally,
    closed: Vec<Tally>,
    /// By patient and measure, and whether that has changed since it was last told.
    stuck: BTreeMap<(Box<str>, usize), Stuck>,
    stuck_changed: bool,
    /// The fields that are unknown in the row at hand.
    unknown: Vec<u64>,
    /// The rows that are newer than the last of their patient, and whose they are.
    newer: Vec<(u32, u32)>,
    fields: usize,
    rules: usize,
}

impl Observer {
    /// One that has seen nothing. `clock_skew` is in milliseconds.
    pub fn new(program: &Program, clock_skew: i64) -> Self {
        let schema = program.decoder.schema();
        let fields = schema.fields.iter().enumerate();
        let measures = fields.filter(|(_, field)| matches!(field.kind, Type::Int | Type::Float));
        let measures = measures.map(|(index, field)| (FieldId(index as u32), field.name.clone()));
        let measures: Vec<_> = measures.filter(|(field, _)| schema.key != Some(*field)).collect();
        let mut observer = Self {
            clock_skew,
            lengths: vec![RunLengths::default(); measures.len()],
            measures,
            turn: Turn::default(),
            index: HashMap::new(),
            patients: Vec::new(),
            runs: Vec::new(),
            heard: Vec::new(),
            began: None,
            everybody: None,
            tally: Tally::default(),
            closed: Vec::new(),
            stuck: BTreeMap::new(),
            stuck_changed: false,
            unknown: vec![0; schema.fields.len().div_ceil(WORD_BITS)],
            newer: Vec::new(),
            fields: schema.fields.len(),
            rules: Some(program.rules.len()).filter(|rules| *rules <= MOST_RULES).unwrap_or_default(),
        };
        observer.tally = observer.blank(program, i64::MIN);
        observer
    }

    /// Goes on with another rule set. How long the values of fields stay is kept, where they keep their name; what is
    /// known of patients is learnt anew.
    pub fn take_up(&mut self, program: &Program) {
        let before = std::mem::replace(self, Self::new(program, self.clock_skew));
        for (place, (_, name)) in self.measures.iter().enumerate() {
            if let Some(old) = before.measures.iter().position(|(_, other)| other == name) {
                self.lengths[place] = before.lengths[old].clone();
            }
        }
        self.began = before.began;
        self.stuck_changed = !before.stuck.is_empty();
    }

    /// Partitions have gone, and with them patients. Devices of those that are still here are found stuck again at once.
    pub fn moved(&mut self) {
        self.stuck_changed |= !self.stuck.is_empty();
        self.stuck.clear();
        self.everybody = None;
    }

    /// A patient is erased: nothing is known of them from now on, and what was found is told no more. The place stays empty
    /// until the end of the day.
    pub fn forget(&mut self, patient: &str) {
        self.closed.iter_mut().for_each(|tally| tally.forget(patient));
        let stuck = self.stuck.len();
        self.stuck.retain(|(of, _), _| **of != *patient);
        self.stuck_changed |= self.stuck.len() != stuck;
        let Some(place) = self.index.remove(patient) else { return };
        self.heard.retain(|heard| *heard != place);
        let (place, measures) = (place as usize, self.measures.len());
        self.patients[place] = Patient::new("", self.fields, self.rules);
        self.runs[place * measures..(place + 1) * measures].fill(Run::default());
    }

    /// Looks at the batch that was judged last: `records` are those of that step, at most [`Program::MAX_BATCH`]. Readings that
    /// are judged again after an abort are seen twice, which changes bits and runs of values no more than once.
    pub fn observe(&mut self, program: &Program, records: &[Record<'_>], limits: &Limits, workspace: &Workspace) {
        let batch = &workspace.batch;
        self.move_on(program, batch, records, limits);
        self.turn.batch(batch.rows(), self.patients.len());
        self.newer.clear();
        let mut matches = workspace.matches.iter().peekable();
        for row in 0..batch.rows() {
            let record = &records[batch.records[row] as usize];
            let patient = self.patient_of(batch, row, record);
            while let Some(found) = matches.next_if(|found| found.row as usize == row) {
                if let Some(patient) = patient {
                    self.patients[patient].matched(found.rule as usize);
                }
            }
            let Some(patient) = patient else { continue };
            let arrived = record.timestamp.filter(|_| limits.skew_ms.is_some());
            let behind = arrived.map(|arrived| arrived - batch.times[row]);
            mark_unknown(batch, row, &mut self.unknown);
            let heard = Heard { time: batch.times[row], behind, unknown: &self.unknown, turn: self.turn.number };
            if self.patients[patient].hear(&heard) {
                self.newer.push((row as u32, patient as u32));
            }
        }
        for measure in 0..self.measures.len() {
            self.compare(measure, batch);
        }
        self.name_undeclared(batch, records);
    }

    /// Adds what a committed transaction has counted.
    pub fn committed(&mut self, counts: &Counts, refused: &[u64; Reason::ALL.len()]) {
        self.tally.readings += counts.readings;
        add_numbers(&mut self.tally.unknown, &counts.not_evaluable);
        add_numbers(&mut self.tally.missing, &counts.missing);
        add_numbers(&mut self.tally.invalid, &counts.invalid);
        add_numbers(&mut self.tally.refused, refused);
    }

    /// The blocks that have ended since this was last asked.
    pub fn blocks(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.closed)
    }

    /// The devices that are stuck, if others are than when this was last asked.
    pub fn stuck(&mut self) -> Option<Vec<Stuck>> {
        std::mem::take(&mut self.stuck_changed).then(|| self.stuck.values().cloned().collect())
    }

    fn blank(&self, program: &Program, block: i64) -> Tally {
        Tally {
            version: program.version().to_owned(),
            block,
            gone: vec![Count::default(); self.fields],
            onsets: vec![Count::default(); self.rules],
            unknown: vec![0; program.rules.len()],
            missing: vec![0; self.fields],
            invalid: vec![0; self.fields],
            ..Tally::default()
        }
    }

    /// Ends the block when the stream's time has passed it.
    fn move_on(&mut self, program: &Program, batch: &Batch, records: &[Record<'_>], limits: &Limits) {
        let reached = |(time, record): (&i64, &u32)| {
            let arrived = records[*record as usize].timestamp.filter(|_| limits.skew_ms.is_some());
            arrived.map_or(*time, |arrived| arrived.min(*time))
        };
        let Some(time) = batch.times.iter().zip(&batch.records).map(reached).max() else { return };
        let block = time.div_euclid(BLOCK_MS);
        if block <= self.tally.block {
            return;
        }
        self.turn.move_on(block);
        let next = self.blank(program, block);
        let mut tally = std::mem::replace(&mut self.tally, next);
        for place in self.heard.drain(..) {
            self.patients[place as usize].close(self.clock_skew, &mut tally);
        }
        if tally.block == i64::MIN {
            return;
        }
        if block.div_euclid(DAY) != tally.block.div_euclid(DAY) {
            self.end_day(&mut tally);
        }
        // The first block began before this did.
        if self.began.is_some() {
            self.closed.push(tally);
        }
        self.began = self.began.or(Some(block));
        self.everybody = if self.turn.is_partial() { None } else { self.everybody.or(Some(block)) };
    }

    /// Forgets whoever was not heard of for a day.
    fn end_day(&mut self, tally: &mut Tally) {
        tally.days = vec![Count::default(); self.rules];
        let mut begun = tally.days.clone();
        let heard: Vec<bool> =
            self.patients.iter_mut().map(|patient| patient.end_day(&mut tally.days, &mut begun, tally.block)).collect();
        let day_before = (tally.block.div_euclid(DAY) - 1) * DAY;
        if self.everybody.is_some_and(|since| since <= day_before) {
            tally.begun = begun;
        }
        let mut of_patient = heard.iter();
        self.patients.retain(|_| of_patient.next() == Some(&true));
        let measures = self.measures.len().max(1);
        let mut of_run = heard.iter().flat_map(|heard| std::iter::repeat_n(heard, measures));
        self.runs.retain(|_| of_run.next() == Some(&true));
        let places = self.patients.iter().enumerate();
        self.turn.adapt(self.patients.len());
        self.index = places.map(|(place, patient)| (patient.name.clone(), place as u32)).collect();
        let stuck = self.stuck.len();
        self.stuck.retain(|(patient, _), _| self.index.contains_key(patient));
        self.stuck_changed |= self.stuck.len() != stuck;
    }

    /// The place of a reading's patient, if it is watched. A misplaced one belongs to another worker.
    fn patient_of(&mut self, batch: &Batch, row: usize, record: &Record<'_>) -> Option<usize> {
        let slice = batch.patients[row].filter(|_| !batch.misplaced[row])?;
        let name = batch.bytes(slice, record.value.unwrap_or_default());
        if !self.turn.has(name) {
            return None;
        }
        let name = std::str::from_utf8(name).ok()?;
        let place = match self.index.get(name) {
            Some(place) => *place,
            None if self.patients.len() < MOST_PATIENTS => {
                let place = self.patients.len() as u32;
                self.index.insert(name.into(), place);
                self.patients.push(Patient::new(name, self.fields, self.rules));
                self.runs.resize(self.patients.len() * self.measures.len(), Run::default());
                self.turn.adapt(self.patients.len());
                place
            }
            None => return None,
        };
        if self.patients[place as usize].is_silent() {
            self.heard.push(place);
        }
        Some(place as usize)
    }

    /// Compares the values of newer readings with those of the last.
    fn compare(&mut self, measure: usize, batch: &Batch) {
        let learnt = self.began.is_some_and(|began| self.tally.block - began >= DAY);
        let values = &batch.column(self.measures[measure].0).values;
        for index in 0..self.newer.len() {
            let (row, place) = self.newer[index];
            let value = values[row as usize];
            if value.is_nan() {
                continue;
            }
            let run = &mut self.runs[place as usize * self.measures.len() + measure];
            match run.step(value) {
                Some(length) => self.ended(place as usize, measure, length),
                None if learnt && run.length > self.lengths[measure].limit() => {
                    let readings = run.length;
                    self.is_stuck(place as usize, measure, readings);
                }
                None => {}
            }
        }
    }

    fn ended(&mut self, place: usize, measure: usize, length: u32) {
        self.lengths[measure].ended(length);
        if length >= RunLengths::LEAST && !self.stuck.is_empty() {
            let key = (self.patients[place].name.clone(), measure);
            self.stuck_changed |= self.stuck.remove(&key).is_some();
        }
    }

    fn is_stuck(&mut self, place: usize, measure: usize, readings: u32) {
        let patient = &self.patients[place];
        let Entry::Vacant(entry) = self.stuck.entry((patient.name.clone(), measure)) else { return };
        entry.insert(Stuck {
            patient: patient.name.clone(),
            field: self.measures[measure].1.clone(),
            readings,
            longest: self.lengths[measure].longest(),
        });
        self.stuck_changed = true;
    }

    fn name_undeclared(&mut self, batch: &Batch, records: &[Record<'_>]) {
        for field in batch.undeclared.iter().take(UNDECLARED) {
            let record = &records[batch.records[field.row as usize] as usize];
            let name = batch.bytes(field.name, record.value.unwrap_or_default());
            let name = String::from_utf8_lossy(&name[1..name.len() - 1]);
            if name.len() <= LONGEST_NAME {
                self.tally.name(&name, 1);
            }
        }
    }
}

/// Sets the bits of the fields that are unknown in a row.
fn mark_unknown(batch: &Batch, row: usize, unknown: &mut [u64]) {
    unknown.fill(0);
    let (word, shift) = (row / WORD_BITS, row % WORD_BITS);
    for (field, column) in batch.columns.iter().enumerate() {
        let bits = column.missing.words()[word] | column.invalid.words()[word];
        unknown[field / WORD_BITS] |= (bits >> shift & 1) << (field % WORD_BITS);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::program::{Outputs, States};
    use crate::source::SourceFile;

    #[test]
    fn who_is_not_heard_of_for_a_day_is_forgotten() {
        let text = "stream s { patient: text key ts: time event v: int 0..9 }\nt when v > 3\n".to_owned();
        let program =
            crate::compile::compile(&[SourceFile { path: "a.rules".to_owned(), text }], &crate::score::NoModels)
                .unwrap()
                .0;
        let mut observer = Observer::new(&program, 60_000);
        let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
        let limits = Limits { skew_ms: None, ..Limits::default() };
        for block in 0..3 * DAY {
            let patients = if block == 0 { 10 } else { 1 };
            let ts = block * BLOCK_MS;
            let values: Vec<String> =
                (0..patients).map(|patient| format!(r#"{{"patient":"p{patient}","ts":{ts},"v":1}}"#)).collect();
            let records: Vec<Record<'_>> = values
                .iter()
                .map(|value| Record {
                    key: None,
                    value: Some(value.as_bytes()),
                    timestamp: None,
                    partition: 0,
                    offset: block,
                })
                .collect();
            program.step(&records, &limits, &mut states, &mut workspace, &mut outputs);
            observer.observe(&program, &records, &limits, &workspace);
        }
        assert_eq!((observer.patients.len(), observer.index.len()), (1, 1));
        assert_eq!(observer.index["p0"], 0);
    }
}
