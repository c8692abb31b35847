//! Conditions over a whole batch: each distinct one is judged once, however many rules use it.
//!
//! A node has two rows of bits: where it is true, and where it is possible (true or unknown). Negation is pushed into
//! the predicates beforehand, so that `and` and `or` are one bit operation on either row: exactly Kleene's logic.

mod rows;
mod scores;
mod track;

pub(crate) use self::scores::{Fared, Scored, inputs};

use self::rows::{Join, Rows, Values, compare, mark_unknown, per_row, word};
use self::scores::Scores;
use self::track::Tracks;
use super::arrival::{self, History};
use crate::function::Function;
use crate::graph::{Arithmetic, Hold};
use crate::operator::CellKind;
use crate::reading::{Batch, WORD_BITS};
use crate::state::{Layout, States};
use crate::syntax::ast::{Comparison, Status};
use crate::types::{FieldId, ScoreId};

/// A node, by position in [`Nodes::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(pub(crate) u32);

/// A number, by position in [`Nodes::numbers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NumberId(pub(crate) u32);

/// A number for each reading; NaN is unknown. Made of earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Number {
    Field(FieldId),
    Score(ScoreId),
    Constant(f64),
    Negative(NumberId),
    Arithmetic(NumberId, Arithmetic, NumberId),
    Call(Function, Vec<NumberId>),
    /// What the patient's cell makes of the number.
    Cell {
        cell: u32,
        kind: CellKind,
        of: NumberId,
    },
}

/// A condition for each reading. Made of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    And(Vec<NodeId>),
    Or(Vec<NodeId>),
    Compare(NumberId, Comparison, NumberId),
    Says {
        field: FieldId,
        text: String,
        negated: bool,
    },
    SaysSame {
        left: FieldId,
        right: FieldId,
        negated: bool,
    },
    Is {
        field: FieldId,
        status: Status,
        negated: bool,
    },
    /// A score is known or not: nothing else is ever wrong with one.
    IsKnown {
        score: ScoreId,
        negated: bool,
    },
    /// The run that the patient's cell keeps of the condition has lasted.
    Held {
        cell: u32,
        of: NodeId,
        hold: Hold,
        negated: bool,
    },
    /// The second is true, and the first was before it by what the patient's cell keeps.
    Then {
        cell: u32,
        first: NodeId,
        second: NodeId,
        within: i64,
        negated: bool,
    },
}

/// All numbers and conditions of a program, parts before wholes.
#[derive(Debug, Default)]
#[expect(clippy::struct_field_names, reason = "nodes are conditions here, beside numbers and scores")]
pub(crate) struct Nodes {
    pub(crate) numbers: Vec<Number>,
    pub(crate) nodes: Vec<Node>,
    /// The scores of the rule set, asked for or not.
    pub(crate) scores: Vec<Scored>,
}

/// What the nodes came to for one batch.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    rows: usize,
    /// Words in a row of bits.
    words: usize,
    /// Per calculated number (not field, not constant), a value for each reading.
    numbers: Vec<Vec<f64>>,
    /// Per number: a row of bits where it is unknown; empty where it never is.
    unknown: Vec<Vec<u64>>,
    /// Per node: a row of bits for "true", then one for "possible", which holds only where the node is unsure.
    bits: Vec<u64>,
    /// Per node: whether it may be unknown for some reading; elsewhere "possible" is "true".
    unsure: Vec<bool>,
    tracks: Tracks,
    scores: Scores,
}

/// The readings of a batch, and their bytes.
struct Readings<'a> {
    batch: &'a Batch,
    records: &'a [&'a [u8]],
}

impl Readings<'_> {
    /// What a text says, if it is known.
    fn text(&self, field: FieldId, row: usize) -> Option<&[u8]> {
        let column = self.batch.column(field);
        (!column.values[row].is_nan()).then(|| self.batch.bytes(column.text[row], self.records[row]))
    }

    /// Where the field is of that status.
    fn is(&self, field: FieldId, status: Status, negated: bool, matches: &mut [u64]) {
        let column = self.batch.column(field);
        let words = column.missing.words().iter().zip(column.invalid.words());
        for (matches, (missing, invalid)) in matches.iter_mut().zip(words) {
            let is = match status {
                Status::Missing => *missing,
                Status::Invalid => *invalid,
                Status::Known => !(missing | invalid),
            };
            *matches = if negated { !is } else { is };
        }
    }
}

impl Judged {
    /// Works out every number and condition for the readings of `batch`; `records` are the rows' bytes. Each cell takes in
    /// every reading once, in order.
    pub(crate) fn judge(&mut self, nodes: &Nodes, batch: &Batch, records: &[&[u8]], history: &mut History<'_>) {
        self.rows = batch.rows();
        self.words = self.rows.div_ceil(WORD_BITS);
        self.scores.work_out(&nodes.scores, batch);
        self.numbers.resize_with(nodes.numbers.len(), Vec::new);
        self.unknown.resize_with(nodes.numbers.len(), Vec::new);
        for index in 0..nodes.numbers.len() {
            self.number_row(index, nodes, batch, history);
        }
        self.bits.resize(nodes.nodes.len() * 2 * self.words, 0);
        self.unsure.resize(nodes.nodes.len(), false);
        self.tracks.clear();
        let readings = Readings { batch, records };
        for (index, node) in nodes.nodes.iter().enumerate() {
            self.node(index, node, nodes, &readings, history);
        }
    }

    /// The same for one reading, as the first of its patient.
    pub(crate) fn judge_first(&mut self, nodes: &Nodes, batch: &Batch, record: &[u8], layout: &Layout) {
        let mut states = States::new(1);
        let arrivals = [arrival::first(layout, &mut states)];
        self.judge(nodes, batch, &[record], &mut History::new(&arrivals, &mut states, layout));
    }

    /// A number's values and where it is unknown.
    fn number_row(&mut self, index: usize, nodes: &Nodes, batch: &Batch, history: &mut History<'_>) {
        let mut unknown = std::mem::take(&mut self.unknown[index]);
        unknown.clear();
        match &nodes.numbers[index] {
            Number::Constant(_) => {}
            Number::Score(score) => unknown.extend(self.scores.unknown(*score)),
            Number::Field(field) => {
                let column = batch.column(*field);
                let unfit = column.missing.words().iter().zip(column.invalid.words());
                unknown.extend(unfit.take(self.words).map(|(missing, invalid)| missing | invalid));
            }
            number => {
                let mut values = std::mem::take(&mut self.numbers[index]);
                values.clear();
                self.calculate(number, nodes, batch, history, &mut values);
                unknown.extend(values.chunks(WORD_BITS).map(|chunk| word(chunk, f64::is_nan)));
                self.numbers[index] = values;
            }
        }
        if unknown.iter().all(|word| *word == 0) {
            unknown.clear();
        }
        self.unknown[index] = unknown;
    }

    /// By score, how it fared with the batch.
    pub(crate) fn fared(&self) -> &[Fared] {
        self.scores.fared()
    }

    /// A score of one reading that something asks for; `None` is unknown.
    pub(crate) fn score(&self, score: ScoreId, row: usize) -> Option<f32> {
        let value = *self.scores.values(score).get(row)?;
        // It was an `f32` before.
        (!value.is_nan()).then_some(value as f32)
    }

    /// Where the node is true.
    pub(crate) fn matches(&self, node: NodeId) -> &[u64] {
        self.all().matches(node)
    }

    /// Where the node is true or unknown.
    pub(crate) fn possible(&self, node: NodeId) -> &[u64] {
        self.all().possible(node)
    }

    /// Whether the node may be unknown for some reading.
    pub(crate) fn unsure(&self, node: NodeId) -> bool {
        self.unsure[node.0 as usize]
    }

    /// The node's truth for one reading; `None` is unknown.
    pub(crate) fn truth(&self, node: NodeId, row: usize) -> Option<bool> {
        self.all().truth(node, row)
    }

    fn all(&self) -> Rows<'_> {
        Rows { bits: &self.bits, unsure: &self.unsure, words: self.words }
    }

    /// The number for one reading; `None` is unknown.
    pub(crate) fn number(&self, id: NumberId, row: usize, nodes: &Nodes, batch: &Batch) -> Option<f64> {
        let value = self.values(id, nodes, batch).at(row);
        (!value.is_nan()).then_some(value)
    }

    fn values<'a>(&'a self, id: NumberId, nodes: &Nodes, batch: &'a Batch) -> Values<'a> {
        match &nodes.numbers[id.0 as usize] {
            Number::Field(field) => Values::Each(&batch.column(*field).values[..self.rows]),
            Number::Score(score) => Values::Each(self.scores.values(*score)),
            Number::Constant(value) => Values::Same(*value),
            _ => Values::Each(&self.numbers[id.0 as usize]),
        }
    }

    fn calculate(&self, number: &Number, nodes: &Nodes, batch: &Batch, history: &mut History<'_>, out: &mut Vec<f64>) {
        match number {
            Number::Field(_) | Number::Score(_) | Number::Constant(_) => {}
            Number::Cell { cell, kind, of } => {
                let of = self.values(*of, nodes, batch);
                out.extend((0..self.rows).map(|row| history.number(row, batch.times[row], *cell, *kind, of.at(row))));
            }
            Number::Negative(inner) => {
                let inner = self.values(*inner, nodes, batch);
                out.extend((0..self.rows).map(|row| -inner.at(row)));
            }
            Number::Arithmetic(left, operation, right) => {
                let (left, right) = (self.values(*left, nodes, batch), self.values(*right, nodes, batch));
                let operation = match operation {
                    Arithmetic::Add => |a: f64, b: f64| a + b,
                    Arithmetic::Subtract => |a: f64, b: f64| a - b,
                    Arithmetic::Multiply => |a: f64, b: f64| a * b,
                    Arithmetic::Divide => |a: f64, b: f64| a / b,
                };
                out.extend((0..self.rows).map(|row| finite(operation(left.at(row), right.at(row)))));
            }
            Number::Call(function, arguments) => {
                let arguments: Vec<Values<'_>> = arguments.iter().map(|id| self.values(*id, nodes, batch)).collect();
                out.extend((0..self.rows).map(|row| {
                    let first = function.start(arguments[0].at(row));
                    arguments[1..].iter().fold(first, |folded, next| function.fold(folded, next.at(row)))
                }));
            }
        }
    }

    /// A condition's two rows, of the nodes before it.
    fn node(&mut self, index: usize, node: &Node, nodes: &Nodes, readings: &Readings<'_>, history: &mut History<'_>) {
        self.track(node, readings.batch, history);
        let mut bits = std::mem::take(&mut self.bits);
        let (before, own) = bits.split_at_mut(index * 2 * self.words);
        let (matches, possible) = own[..2 * self.words].split_at_mut(self.words);
        let before = Rows { bits: before, unsure: &self.unsure, words: self.words };
        let unsure = match node {
            Node::And(parts) => before.join(Join::And, parts, matches, possible),
            Node::Or(parts) => before.join(Join::Or, parts, matches, possible),
            Node::Compare(left, op, right) => {
                let sides = [*left, *right];
                self.compare(sides.map(|id| self.values(id, nodes, readings.batch)), *op, sides, matches, possible)
            }
            Node::Held { of: part, .. } | Node::Then { second: part, .. } => {
                per_row(matches, possible, self.rows, |row| self.tracks.truth(node, row, before.truth(*part, row)))
            }
            Node::Is { field, status, negated } => {
                readings.is(*field, *status, *negated, matches);
                false
            }
            Node::IsKnown { score, negated } => {
                for (matches, unknown) in matches.iter_mut().zip(self.scores.unknown(*score)) {
                    *matches = if *negated { unknown } else { !unknown };
                }
                false
            }
            Node::Says { field, text, negated } => per_row(matches, possible, self.rows, |row| {
                readings.text(*field, row).map(|said| (said == text.as_bytes()) != *negated)
            }),
            Node::SaysSame { left, right, negated } => per_row(matches, possible, self.rows, |row| {
                Some((readings.text(*left, row)? == readings.text(*right, row)?) != *negated)
            }),
        };
        self.bits = bits;
        self.unsure[index] = unsure;
        self.clear_tail(index);
    }

    /// Whether a side is unknown for some reading.
    fn compare(
        &self,
        values: [Values<'_>; 2],
        op: Comparison,
        sides: [NumberId; 2],
        matches: &mut [u64],
        possible: &mut [u64],
    ) -> bool {
        let unknown = sides.map(|side| self.unknown[side.0 as usize].as_slice());
        compare(values[0], op, values[1], self.rows, matches);
        let unsure = unknown.iter().any(|unknown| !unknown.is_empty());
        if unsure {
            mark_unknown(unknown, matches, possible);
        }
        unsure
    }

    /// Lets the cell of a condition take in the readings, unless a node before has done so.
    fn track(&mut self, node: &Node, batch: &Batch, history: &mut History<'_>) {
        let (cell, of) = match node {
            Node::Held { cell, of, .. } => (*cell, *of),
            Node::Then { cell, first, .. } => (*cell, *first),
            _ => return,
        };
        let Some(mut track) = self.tracks.due(cell) else { return };
        let taken = |row: usize| history.track(row, batch.times[row], cell, self.truth(of, row));
        track.extend((0..self.rows).map(taken));
        self.tracks.put(cell, track);
    }

    /// Bits behind the last reading are clear, whatever was negated.
    fn clear_tail(&mut self, index: usize) {
        let used = self.rows % WORD_BITS;
        if used == 0 {
            return;
        }
        let mask = (1 << used) - 1;
        let start = index * 2 * self.words;
        self.bits[start + self.words - 1] &= mask;
        self.bits[start + 2 * self.words - 1] &= mask;
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}
