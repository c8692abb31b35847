//! One step: records in; derived records, alerts and dead letters out, in order.

use super::alert::Marks;
use super::arrival::{self, Arrival, History, Standing};
use super::nodes::Judged;
use super::output::{Cause, OutputKind, Outputs};
use super::teller::Teller;
use super::{Counts, Program, TopicId, When};
use crate::operator::episode::Place;
use crate::reading::{Batch, Bits, DeadLetter, Limits, Memory, Record, Slice, Undeclared, WORD_BITS};
use crate::state::States;
use crate::types::FieldId;

/// Buffers of a step, reused from one to the next, and what steps counted.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What was counted since the caller last took it.
    pub counts: Counts,
    pub(crate) batch: Batch,
    pub(crate) memory: Memory,
    arrivals: Vec<Arrival>,
    judged: Judged,
    /// Records that are no readings, by their position in the step.
    dead: Vec<(usize, DeadLetter)>,
    /// By rule, then reading.
    found: Vec<Match>,
    /// By reading, then rule.
    pub(crate) matches: Vec<Match>,
}

/// A rule that matched a reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match {
    pub(crate) row: u32,
    pub(crate) rule: u32,
}

/// A reading of the batch.
pub(super) struct Row<'a> {
    pub(super) index: usize,
    pub(super) batch: &'a Batch,
    pub(super) record: &'a Record<'a>,
    pub(super) patient: Option<&'a str>,
    pub(super) time: i64,
    pub(super) undeclared: &'a [Undeclared],
    /// Whether it is late or misplaced.
    pub(super) standing: Marks<'a>,
}

impl<'a> Row<'a> {
    pub(super) fn place(&self) -> Place {
        Place { offset: self.record.offset, time: self.time }
    }

    /// The number that rules work with; NaN if the field is not known.
    pub(super) fn value(&self, field: FieldId) -> f64 {
        self.batch.column(field).values[self.index]
    }

    pub(super) fn raw(&self, field: FieldId) -> &[u8] {
        self.bytes(self.batch.raw(self.index, field))
    }

    pub(super) fn text(&self, field: FieldId) -> &[u8] {
        self.bytes(self.batch.column(field).text[self.index])
    }

    pub(super) fn bytes(&self, slice: Slice) -> &'a [u8] {
        self.batch.bytes(slice, self.record.value.unwrap_or_default())
    }
}

impl Workspace {
    /// The times of the readings of the last step, in epoch milliseconds, in order; dead letters have none.
    pub fn times(&self) -> &[i64] {
        &self.batch.times
    }
}

impl Program {
    /// The most records of one step.
    pub const MAX_BATCH: usize = 1024;

    /// Judges records, at most [`Self::MAX_BATCH`] at a time, and appends what they send to `outputs` (which is not
    /// cleared); [`Output::row`](super::Output::row) is the position in `records`. `states` are this program's, and hold
    /// the state of the records' partitions; the records of each partition come in their order there.
    pub fn step(
        &self,
        records: &[Record<'_>],
        limits: &Limits,
        states: &mut States,
        workspace: &mut Workspace,
        outputs: &mut Outputs,
    ) {
        for (index, chunk) in records.chunks(Self::MAX_BATCH).enumerate() {
            self.step_batch(index * Self::MAX_BATCH, chunk, limits, states, workspace, outputs);
        }
    }

    fn step_batch(
        &self,
        first: usize,
        records: &[Record<'_>],
        limits: &Limits,
        states: &mut States,
        workspace: &mut Workspace,
        outputs: &mut Outputs,
    ) {
        workspace.memory.several = states.several();
        self.decode(records, limits, workspace);
        let bytes: Vec<&[u8]> =
            workspace.batch.records.iter().map(|index| records[*index as usize].value.unwrap_or_default()).collect();
        let Workspace { counts, batch, arrivals, judged, .. } = workspace;
        if self.layout.keeps_state {
            arrival::place(batch, records, &bytes, limits, &self.layout, states, arrivals);
            let mut history = History::new(arrivals, states, &self.layout);
            judged.judge(&self.nodes, batch, &bytes, &mut history);
            counts.windows_full += history.full;
        } else {
            judged.judge(&self.nodes, batch, &bytes, &mut History::none());
        }
        self.collect_matches(workspace);
        self.count(workspace);
        Writer::new(self, workspace, records, first, states).write(outputs);
        arrival::settle(&workspace.arrivals, states);
        workspace.arrivals.clear();
    }

    fn decode(&self, records: &[Record<'_>], limits: &Limits, workspace: &mut Workspace) {
        workspace.batch.reset(self.decoder.schema(), records.len());
        workspace.dead.clear();
        for (index, record) in records.iter().enumerate() {
            let decoded =
                self.decoder.decode(index as u32, record, limits, &mut workspace.memory, &mut workspace.batch);
            if let Err(dead) = decoded {
                workspace.dead.push((index, dead));
            }
        }
    }

    /// The matches of all rules, by reading, then rule.
    fn collect_matches(&self, workspace: &mut Workspace) {
        workspace.counts.fit(self);
        workspace.found.clear();
        for (rule, info) in self.rules.iter().enumerate() {
            let When::Reading(node) = info.when else { continue };
            let before = workspace.found.len();
            for (word, bits) in workspace.judged.matches(node).iter().enumerate() {
                let mut bits = *bits;
                while bits != 0 {
                    let row = (word * WORD_BITS) as u32 + bits.trailing_zeros();
                    workspace.found.push(Match { row, rule: rule as u32 });
                    bits &= bits - 1;
                }
            }
            workspace.counts.matched[rule] += (workspace.found.len() - before) as u64;
        }
        by_row(&workspace.found, &mut workspace.matches);
    }

    fn count(&self, workspace: &mut Workspace) {
        let Workspace { counts, batch, memory, judged, arrivals, .. } = workspace;
        counts.readings += batch.rows() as u64;
        for (rule, info) in self.rules.iter().enumerate() {
            let When::Reading(node) = info.when else { continue };
            if judged.unsure(node) {
                let both = judged.possible(node).iter().zip(judged.matches(node));
                counts.not_evaluable[rule] += both.map(|(word, is)| u64::from((word & !is).count_ones())).sum::<u64>();
            }
        }
        for (field, column) in batch.columns.iter().enumerate() {
            counts.missing[field] += Bits::count(&column.missing);
            counts.invalid[field] += Bits::count(&column.invalid);
        }
        for (score, fared) in judged.fared().iter().enumerate() {
            counts.scored[score] += fared.asked;
            counts.score_failures[score] += fared.failed;
            add(&mut counts.score_inputs[score], &fared.inputs);
            add(&mut counts.score_outside[score], &fared.outside);
        }
        let seen = std::mem::take(&mut memory.seen);
        counts.undeclared += seen.undeclared;
        counts.reserved += seen.reserved;
        counts.misplaced += seen.misplaced;
        counts.late += arrivals.iter().filter(|arrival| arrival.standing == Standing::Late).count() as u64;
    }
}

/// Adds counts to those of the steps before, if there were any.
fn add(counts: &mut Vec<u64>, more: &[u64]) {
    counts.resize(more.len(), 0);
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

/// Writes the outputs of a judged batch.
struct Writer<'a, 'r> {
    program: &'a Program,
    batch: &'a Batch,
    judged: &'a Judged,
    arrivals: &'a [Arrival],
    dead: &'a [(usize, DeadLetter)],
    matches: &'a [Match],
    records: &'a [Record<'r>],
    /// The position of the batch's first record in the step.
    first: usize,
    states: &'a mut States,
    counts: &'a mut Counts,
    /// How many undeclared fields and matches belong to readings that are written.
    undeclared: usize,
    matched: usize,
}

impl<'a, 'r> Writer<'a, 'r> {
    fn new(
        program: &'a Program,
        workspace: &'a mut Workspace,
        records: &'a [Record<'r>],
        first: usize,
        states: &'a mut States,
    ) -> Self {
        let Workspace { counts, batch, judged, arrivals, dead, matches, .. } = workspace;
        Self {
            program,
            batch,
            judged,
            arrivals,
            dead,
            matches,
            records,
            first,
            states,
            counts,
            undeclared: 0,
            matched: 0,
        }
    }

    fn write(&mut self, outputs: &mut Outputs) {
        let mut dead = self.dead.iter().peekable();
        for index in 0..self.batch.rows() {
            let record = self.batch.records[index] as usize;
            while let Some((at, letter)) = dead.next_if(|(at, _)| *at < record) {
                outputs.push(self.cause(*at), OutputKind::DeadLetter(letter.clone()), |_| None);
            }
            self.write_row(index, outputs);
        }
        for (at, letter) in dead {
            outputs.push(self.cause(*at), OutputKind::DeadLetter(letter.clone()), |_| None);
        }
    }

    /// A record of the batch as what brings outputs about.
    fn cause(&self, at: usize) -> Cause {
        let record = &self.records[at];
        Cause { row: self.first + at, partition: record.partition, timestamp: record.timestamp }
    }

    fn write_row(&mut self, index: usize, outputs: &mut Outputs) {
        let undeclared = self.undeclared
            ..self.undeclared + run(&self.batch.undeclared[self.undeclared..], |field| field.row as usize == index);
        let matched =
            self.matched..self.matched + run(&self.matches[self.matched..], |found| found.row as usize == index);
        (self.undeclared, self.matched) = (undeclared.end, matched.end);
        let arrival = self.arrivals.get(index).copied();
        if matched.is_empty() && arrival.is_none() {
            return;
        }
        let at = self.batch.records[index] as usize;
        let record = &self.records[at];
        let patient = self.batch.patients[index]
            .and_then(|slice| std::str::from_utf8(self.batch.bytes(slice, record.value.unwrap_or_default())).ok());
        let (late, misplaced) =
            arrival.map_or((false, false), |arrival| (arrival.standing == Standing::Late, self.batch.misplaced[index]));
        let row = Row {
            index,
            batch: self.batch,
            record,
            patient,
            time: self.batch.times[index],
            undeclared: &self.batch.undeclared[undeclared],
            standing: Marks { late, misplaced, ..Marks::default() },
        };
        let matched = &self.matches[matched];
        let cause = self.cause(at);
        let partition = arrival.and_then(|arrival| self.states.at(arrival.partition));
        let mut teller = Teller { program: self.program, partition, counts: self.counts, outputs, cause };
        if let Some(to) = arrival.and_then(|arrival| arrival.moves_to) {
            teller.advance(to, Some(index));
        }
        let slot = match arrival.map(|arrival| arrival.standing) {
            Some(Standing::InOrder { slot, .. }) => Some(slot),
            _ => None,
        };
        if let Some(slot) = slot {
            teller.heard(slot, &row);
        }
        self.program.write_derived_records(matched, &row, self.judged, cause, teller.outputs);
        match slot {
            Some(slot) => teller.episodes(slot, matched, &row, self.judged),
            None => teller.singles(matched, &row, self.judged),
        }
    }
}

impl Program {
    /// One record for each topic of the rules that matched, in order of topics.
    fn write_derived_records(
        &self,
        matched: &[Match],
        row: &Row<'_>,
        judged: &Judged,
        cause: Cause,
        outputs: &mut Outputs,
    ) {
        let rules = |topic: TopicId| {
            let all = matched.iter().map(|found| &self.rules[found.rule as usize]);
            all.filter(move |rule| rule.topic == topic)
        };
        let mut topics: Vec<TopicId> = matched.iter().map(|found| self.rules[found.rule as usize].topic).collect();
        topics.sort_unstable();
        topics.dedup();
        for topic in topics {
            let plan = &self.plans[topic.0 as usize];
            let rules: Vec<_> = rules(topic).collect();
            outputs.push(cause, OutputKind::Derived(topic), |out| {
                let start = out.len();
                out.extend_from_slice(row.patient.unwrap_or_default().as_bytes());
                let key = row.patient.map(|_| out.len() - start);
                self.write_derived(plan, &rules, row, judged, out);
                key
            });
        }
    }
}

/// Puts matches in order of readings and leaves their order else as it is: counts, then places.
fn by_row(found: &[Match], matches: &mut Vec<Match>) {
    let mut next = [0_usize; Program::MAX_BATCH + 1];
    for one in found {
        next[one.row as usize + 1] += 1;
    }
    for row in 1..next.len() {
        next[row] += next[row - 1];
    }
    matches.clear();
    matches.resize(found.len(), Match { row: 0, rule: 0 });
    for one in found {
        let place = &mut next[one.row as usize];
        matches[*place] = *one;
        *place += 1;
    }
}

/// How many items from the first on belong together.
fn run<T>(items: &[T], belongs: impl Fn(&T) -> bool) -> usize {
    items.iter().take_while(|item| belongs(item)).count()
}
