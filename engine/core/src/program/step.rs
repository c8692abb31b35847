//! One step: records in; derived records, alerts and dead letters out, in order.

use super::nodes::Judged;
use super::output::{OutputKind, Outputs};
use super::{Counts, Program, TopicId};
use crate::reading::{Batch, Bits, DeadLetter, Limits, Memory, Record, Slice, Undeclared, WORD_BITS};
use crate::types::FieldId;

/// Buffers of a step, reused from one to the next, and what steps counted.
#[derive(Debug, Default)]
pub struct Workspace {
    /// What was counted since the caller last took it.
    pub counts: Counts,
    pub(crate) batch: Batch,
    pub(crate) memory: Memory,
    judged: Judged,
    /// Records that are no readings, by their position in the step.
    dead: Vec<(usize, DeadLetter)>,
    /// By rule, then reading.
    found: Vec<Match>,
    /// By reading, then rule.
    matches: Vec<Match>,
}

/// A rule that matched a reading.
#[derive(Debug, Clone, Copy)]
struct Match {
    row: u32,
    rule: u32,
}

/// A reading of the batch.
pub(super) struct Row<'a> {
    pub(super) index: usize,
    pub(super) batch: &'a Batch,
    pub(super) record: &'a Record<'a>,
    pub(super) patient: Option<&'a str>,
    pub(super) time: i64,
    pub(super) undeclared: &'a [Undeclared],
}

impl<'a> Row<'a> {
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
    /// cleared); [`Output::row`](super::Output::row) is the position in `records`.
    pub fn step(&self, records: &[Record<'_>], limits: &Limits, workspace: &mut Workspace, outputs: &mut Outputs) {
        for (index, chunk) in records.chunks(Self::MAX_BATCH).enumerate() {
            self.step_batch(index * Self::MAX_BATCH, chunk, limits, workspace, outputs);
        }
    }

    fn step_batch(
        &self,
        first: usize,
        records: &[Record<'_>],
        limits: &Limits,
        workspace: &mut Workspace,
        outputs: &mut Outputs,
    ) {
        self.decode(records, limits, workspace);
        let bytes: Vec<&[u8]> =
            workspace.batch.records.iter().map(|index| records[*index as usize].value.unwrap_or_default()).collect();
        workspace.judged.judge(&self.nodes, &workspace.batch, &bytes);
        self.collect_matches(workspace);
        self.count(workspace);
        let mut writer = Writer { program: self, workspace, records, first, undeclared: 0, matches: 0 };
        writer.write(outputs);
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
            let before = workspace.found.len();
            for (word, bits) in workspace.judged.matches(info.node).iter().enumerate() {
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
        let Workspace { counts, batch, memory, judged, .. } = workspace;
        counts.readings += batch.rows() as u64;
        for (rule, info) in self.rules.iter().enumerate() {
            if judged.unsure(info.node) {
                let both = judged.possible(info.node).iter().zip(judged.matches(info.node));
                counts.not_evaluable[rule] += both.map(|(word, is)| u64::from((word & !is).count_ones())).sum::<u64>();
            }
        }
        for (field, column) in batch.columns.iter().enumerate() {
            counts.missing[field] += Bits::count(&column.missing);
            counts.invalid[field] += Bits::count(&column.invalid);
        }
        let seen = std::mem::take(&mut memory.seen);
        counts.undeclared += seen.undeclared;
        counts.reserved += seen.reserved;
        counts.misplaced += seen.misplaced;
    }
}

/// Writes the outputs of a judged batch.
struct Writer<'a, 'r> {
    program: &'a Program,
    workspace: &'a Workspace,
    records: &'a [Record<'r>],
    /// The position of the batch's first record in the step.
    first: usize,
    /// How many undeclared fields and matches belong to readings that are written.
    undeclared: usize,
    matches: usize,
}

impl Writer<'_, '_> {
    fn write(&mut self, outputs: &mut Outputs) {
        let mut dead = self.workspace.dead.iter().peekable();
        for index in 0..self.workspace.batch.rows() {
            let record = self.workspace.batch.records[index] as usize;
            while let Some((at, letter)) = dead.next_if(|(at, _)| *at < record) {
                outputs.push(self.first + at, OutputKind::DeadLetter(letter.clone()), |_| None);
            }
            self.write_row(index, outputs);
        }
        for (at, letter) in dead {
            outputs.push(self.first + at, OutputKind::DeadLetter(letter.clone()), |_| None);
        }
    }

    fn write_row(&mut self, index: usize, outputs: &mut Outputs) {
        let undeclared = self.undeclared
            ..self.undeclared
                + run(&self.workspace.batch.undeclared[self.undeclared..], |field| field.row as usize == index);
        let matches = self.matches
            ..self.matches + run(&self.workspace.matches[self.matches..], |found| found.row as usize == index);
        (self.undeclared, self.matches) = (undeclared.end, matches.end);
        if matches.is_empty() {
            return;
        }
        let Workspace { batch, judged, .. } = self.workspace;
        let record = &self.records[batch.records[index] as usize];
        let value = record.value.unwrap_or_default();
        let patient = batch.patients[index].and_then(|slice| std::str::from_utf8(batch.bytes(slice, value)).ok());
        let row =
            Row { index, batch, record, patient, time: batch.times[index], undeclared: &batch.undeclared[undeclared] };
        let position = self.first + batch.records[index] as usize;
        let of_row = &self.workspace.matches[matches];
        self.write_derived(of_row, &row, position, outputs);
        for rule in of_row.iter().map(|found| &self.program.rules[found.rule as usize]) {
            if let Some(alert) = &rule.alert {
                outputs.push(position, OutputKind::Alert(rule.topic), |out| {
                    Some(self.program.write_alert(rule, alert, &row, judged, out))
                });
            }
        }
    }

    /// One record for each topic of the rules that matched, in order of topics.
    fn write_derived(&self, matched: &[Match], row: &Row<'_>, position: usize, outputs: &mut Outputs) {
        let rules = |topic: TopicId| {
            let all = matched.iter().map(|found| &self.program.rules[found.rule as usize]);
            all.filter(move |rule| rule.topic == topic)
        };
        let mut topics: Vec<TopicId> =
            matched.iter().map(|found| self.program.rules[found.rule as usize].topic).collect();
        topics.sort_unstable();
        topics.dedup();
        for topic in topics {
            let plan = &self.program.plans[topic.0 as usize];
            let rules: Vec<_> = rules(topic).collect();
            outputs.push(position, OutputKind::Derived(topic), |out| {
                let start = out.len();
                out.extend_from_slice(row.patient.unwrap_or_default().as_bytes());
                let key = row.patient.map(|_| out.len() - start);
                self.program.write_derived(plan, &rules, row, out);
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
