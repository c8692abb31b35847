//! Conditions over a whole batch: each distinct one is judged once, however many rules use it.
//!
//! A node has two rows of bits: where it is true, and where it is possible (true or unknown). Negation is pushed into
//! the predicates beforehand, so that `and` and `or` are one bit operation on either row: exactly Kleene's logic.

mod track;

use self::track::{Tracks, Truths};
use super::Program;
use super::arrival::{self, History};
use crate::function::Function;
use crate::graph::{Arithmetic, Hold};
use crate::operator::CellKind;
use crate::reading::{Batch, WORD_BITS};
use crate::state::{Layout, States};
use crate::syntax::ast::{Comparison, Status};
use crate::types::FieldId;

/// Words in a row of bits of a full batch.
const FULL: usize = Program::MAX_BATCH / WORD_BITS;

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
pub(crate) struct Nodes {
    pub(crate) numbers: Vec<Number>,
    pub(crate) nodes: Vec<Node>,
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
}

/// A number's values: one for each reading, or the same for all.
#[derive(Clone, Copy)]
enum Values<'a> {
    Each(&'a [f64]),
    Same(f64),
}

impl Values<'_> {
    fn at(self, row: usize) -> f64 {
        match self {
            Values::Each(values) => values[row],
            Values::Same(value) => value,
        }
    }
}

impl Judged {
    /// Works out every number and condition for the readings of `batch`; `records` are the rows' bytes. Each cell takes in
    /// every reading once, in order.
    pub(crate) fn judge(&mut self, nodes: &Nodes, batch: &Batch, records: &[&[u8]], history: &mut History<'_>) {
        self.rows = batch.rows();
        self.words = self.rows.div_ceil(WORD_BITS);
        self.numbers.resize_with(nodes.numbers.len(), Vec::new);
        self.unknown.resize_with(nodes.numbers.len(), Vec::new);
        for index in 0..nodes.numbers.len() {
            self.number_row(index, nodes, batch, history);
        }
        self.bits.resize(nodes.nodes.len() * 2 * self.words, 0);
        self.unsure.resize(nodes.nodes.len(), false);
        self.tracks.clear();
        for (index, node) in nodes.nodes.iter().enumerate() {
            self.node(index, node, nodes, batch, records, history);
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

    /// Where the node is true.
    pub(crate) fn matches(&self, node: NodeId) -> &[u64] {
        let start = node.0 as usize * 2 * self.words;
        &self.bits[start..start + self.words]
    }

    /// Where the node is true or unknown.
    pub(crate) fn possible(&self, node: NodeId) -> &[u64] {
        if !self.unsure(node) {
            return self.matches(node);
        }
        let start = (node.0 as usize * 2 + 1) * self.words;
        &self.bits[start..start + self.words]
    }

    /// Whether the node may be unknown for some reading.
    pub(crate) fn unsure(&self, node: NodeId) -> bool {
        self.unsure[node.0 as usize]
    }

    /// The node's truth for one reading; `None` is unknown.
    pub(crate) fn truth(&self, node: NodeId, row: usize) -> Option<bool> {
        let bit = |words: &[u64]| words[row / WORD_BITS] >> (row % WORD_BITS) & 1 == 1;
        match (bit(self.matches(node)), bit(self.possible(node))) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }

    /// The number for one reading; `None` is unknown.
    pub(crate) fn number(&self, id: NumberId, row: usize, nodes: &Nodes, batch: &Batch) -> Option<f64> {
        let value = self.values(id, nodes, batch).at(row);
        (!value.is_nan()).then_some(value)
    }

    fn values<'a>(&'a self, id: NumberId, nodes: &Nodes, batch: &'a Batch) -> Values<'a> {
        values(id, nodes, batch, &self.numbers, self.rows)
    }

    fn calculate(&self, number: &Number, nodes: &Nodes, batch: &Batch, history: &mut History<'_>, out: &mut Vec<f64>) {
        match number {
            Number::Field(_) | Number::Constant(_) => {}
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

    fn node(
        &mut self,
        index: usize,
        node: &Node,
        nodes: &Nodes,
        batch: &Batch,
        records: &[&[u8]],
        history: &mut History<'_>,
    ) {
        self.track(node, batch, history);
        let (before, own) = self.bits.split_at_mut(index * 2 * self.words);
        let (matches, possible) = own[..2 * self.words].split_at_mut(self.words);
        let mut unsure = false;
        match node {
            Node::And(parts) | Node::Or(parts) => {
                let join = if matches!(node, Node::And(_)) { Join::And } else { Join::Or };
                unsure = parts.iter().any(|part| self.unsure[part.0 as usize]);
                let row = |part: &NodeId, second: bool| {
                    &before[(part.0 as usize * 2 + usize::from(second)) * self.words..][..self.words]
                };
                join.fold(matches, parts.iter().map(|part| row(part, false)));
                if unsure {
                    join.fold(possible, parts.iter().map(|part| row(part, self.unsure[part.0 as usize])));
                }
            }
            Node::Compare(left, op, right) => {
                let sides = [self.unknown[left.0 as usize].as_slice(), &self.unknown[right.0 as usize]];
                unsure = sides.iter().any(|unknown| !unknown.is_empty());
                let values = |id| values(id, nodes, batch, &self.numbers, self.rows);
                compare(values(*left), *op, values(*right), self.rows, matches);
                if unsure {
                    mark_unknown(sides, matches, possible);
                }
            }
            Node::Is { field, status, negated } => {
                let column = batch.column(*field);
                for (word, matches) in matches.iter_mut().enumerate() {
                    let (missing, invalid) = (column.missing.words()[word], column.invalid.words()[word]);
                    let is = match status {
                        Status::Missing => missing,
                        Status::Invalid => invalid,
                        Status::Known => !(missing | invalid),
                    };
                    *matches = if *negated { !is } else { is };
                }
            }
            Node::Held { of: part, .. } | Node::Then { second: part, .. } => {
                let part = Truths { words: self.words, before, node: *part, unsure: self.unsure[part.0 as usize] };
                let tracks = &self.tracks;
                unsure = per_row(matches, possible, self.rows, |row| tracks.truth(node, row, part.at(row)));
            }
            Node::Says { field, text, negated } => {
                let column = batch.column(*field);
                unsure = per_row(matches, possible, self.rows, |row| {
                    let said = batch.bytes(column.text[row], records[row]);
                    (!column.values[row].is_nan()).then(|| (said == text.as_bytes()) != *negated)
                });
            }
            Node::SaysSame { left, right, negated } => {
                let (left, right) = (batch.column(*left), batch.column(*right));
                unsure = per_row(matches, possible, self.rows, |row| {
                    let said = |column: &crate::reading::Column| batch.bytes(column.text[row], records[row]);
                    let known = !left.values[row].is_nan() && !right.values[row].is_nan();
                    known.then(|| (said(left) == said(right)) != *negated)
                });
            }
        }
        self.unsure[index] = unsure;
        self.clear_tail(index);
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

fn values<'a>(id: NumberId, nodes: &Nodes, batch: &'a Batch, numbers: &'a [Vec<f64>], rows: usize) -> Values<'a> {
    match &nodes.numbers[id.0 as usize] {
        Number::Field(field) => Values::Each(&batch.column(*field).values[..rows]),
        Number::Constant(value) => Values::Same(*value),
        _ => Values::Each(&numbers[id.0 as usize]),
    }
}

/// How rows of bits are joined.
#[derive(Clone, Copy)]
enum Join {
    And,
    Or,
}

impl Join {
    fn fold<'a>(self, all: &mut [u64], parts: impl Iterator<Item = &'a [u64]>) {
        match self {
            Join::And => fold(all, parts, u64::MAX, |all, part| all & part),
            Join::Or => fold(all, parts, 0, |all, part| all | part),
        }
    }
}

/// Joins rows; those of a full batch have a fixed length, so that they stay in registers.
fn fold<'a>(all: &mut [u64], parts: impl Iterator<Item = &'a [u64]>, start: u64, join: impl Fn(u64, u64) -> u64) {
    if let Ok(full) = <&mut [u64; FULL]>::try_from(&mut *all) {
        let mut joined = [start; FULL];
        for part in parts.filter_map(|part| part.first_chunk::<FULL>()) {
            joined.iter_mut().zip(part).for_each(|(all, part)| *all = join(*all, *part));
        }
        *full = joined;
        return;
    }
    all.fill(start);
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, part)| *all = join(*all, *part));
    }
}

/// Takes the readings for which either side is unknown from the one row and adds them to the other.
fn mark_unknown(sides: [&[u64]; 2], matches: &mut [u64], possible: &mut [u64]) {
    possible.fill(0);
    for unknown in sides {
        possible.iter_mut().zip(unknown).for_each(|(possible, unknown)| *possible |= unknown);
    }
    for (matches, possible) in matches.iter_mut().zip(possible) {
        *matches &= !*possible;
        *possible |= *matches;
    }
}

/// Fills both rows; whether there is an unknown.
fn per_row(matches: &mut [u64], possible: &mut [u64], rows: usize, truth: impl Fn(usize) -> Option<bool>) -> bool {
    matches.fill(0);
    possible.fill(0);
    let mut unsure = false;
    for row in 0..rows {
        let (word, bit) = (row / WORD_BITS, 1 << (row % WORD_BITS));
        let truth = truth(row);
        unsure |= truth.is_none();
        if truth == Some(true) {
            matches[word] |= bit;
        }
        if truth != Some(false) {
            possible[word] |= bit;
        }
    }
    unsure
}

/// Where the comparison holds; where a side is NaN, the bit says nothing.
fn compare(left: Values<'_>, op: Comparison, right: Values<'_>, rows: usize, matches: &mut [u64]) {
    match op {
        Comparison::Equal => compare_by(left, right, rows, matches, |a, b| a == b),
        Comparison::NotEqual => compare_by(left, right, rows, matches, |a, b| a != b),
        Comparison::Less => compare_by(left, right, rows, matches, |a, b| a < b),
        Comparison::LessOrEqual => compare_by(left, right, rows, matches, |a, b| a <= b),
        Comparison::Greater => compare_by(left, right, rows, matches, |a, b| a > b),
        Comparison::GreaterOrEqual => compare_by(left, right, rows, matches, |a, b| a >= b),
    }
}

fn compare_by(
    left: Values<'_>,
    right: Values<'_>,
    rows: usize,
    matches: &mut [u64],
    holds: impl Fn(f64, f64) -> bool + Copy,
) {
    if let (Values::Each(left), Values::Same(constant)) = (left, right) {
        for (matches, chunk) in matches.iter_mut().zip(left.chunks(WORD_BITS)) {
            *matches = word(chunk, |value| holds(value, constant));
        }
        return;
    }
    for (index, matches) in matches.iter_mut().enumerate() {
        let first = index * WORD_BITS;
        let count = WORD_BITS.min(rows - first);
        *matches =
            (0..count).fold(0, |word, bit| word | u64::from(holds(left.at(first + bit), right.at(first + bit))) << bit);
    }
}

/// A bit for each of up to 64 values. Bytes first and then eight of them to a byte: that way it vectorises.
fn word(chunk: &[f64], holds: impl Fn(f64) -> bool) -> u64 {
    let mut bytes = [0_u8; WORD_BITS];
    if let Some(full) = chunk.first_chunk::<WORD_BITS>() {
        bytes.iter_mut().zip(full).for_each(|(byte, value)| *byte = u8::from(holds(*value)));
    } else {
        bytes.iter_mut().zip(chunk).for_each(|(byte, value)| *byte = u8::from(holds(*value)));
    }
    let packed = bytes.as_chunks::<8>().0.iter().map(|eight| {
        // Each byte is 0 or 1; the product gathers the eight in its highest byte, the first lowest.
        u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56
    });
    packed.enumerate().fold(0, |word, (at, bits)| word | bits << (8 * at))
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}
