//! Conditions over a whole batch: each distinct one is judged once, however many rules use it.
//!
//! A node has two rows of bits: where it is true, and where it is possible (true or unknown). Negation is pushed into
//! the predicates beforehand, so that `and` and `or` are one bit operation on either row: exactly Kleene's logic.

use crate::function::Function;
use crate::graph::Arithmetic;
use crate::reading::{Batch, WORD_BITS};
use crate::syntax::ast::{Comparison, Status};
use crate::types::FieldId;

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
}

/// A condition for each reading. Made of earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Node {
    And(Vec<NodeId>),
    Or(Vec<NodeId>),
    Compare(NumberId, Comparison, NumberId),
    Says { field: FieldId, text: String, negated: bool },
    SaysSame { left: FieldId, right: FieldId, negated: bool },
    Is { field: FieldId, status: Status, negated: bool },
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
    /// Per node: a row of bits for "true", then one for "possible".
    bits: Vec<u64>,
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
    /// Works out every number and condition for the readings of `batch`; `records` are the rows' bytes.
    pub(crate) fn judge(&mut self, nodes: &Nodes, batch: &Batch, records: &[&[u8]]) {
        self.rows = batch.rows();
        self.words = self.rows.div_ceil(WORD_BITS);
        self.numbers.resize_with(nodes.numbers.len(), Vec::new);
        for (index, number) in nodes.numbers.iter().enumerate() {
            let mut values = std::mem::take(&mut self.numbers[index]);
            values.clear();
            self.calculate(number, nodes, batch, &mut values);
            self.numbers[index] = values;
        }
        self.bits.clear();
        self.bits.resize(nodes.nodes.len() * 2 * self.words, 0);
        for (index, node) in nodes.nodes.iter().enumerate() {
            self.node(index, node, nodes, batch, records);
        }
    }

    /// Where the node is true.
    pub(crate) fn matches(&self, node: NodeId) -> &[u64] {
        let start = node.0 as usize * 2 * self.words;
        &self.bits[start..start + self.words]
    }

    /// Where the node is true or unknown.
    pub(crate) fn possible(&self, node: NodeId) -> &[u64] {
        let start = (node.0 as usize * 2 + 1) * self.words;
        &self.bits[start..start + self.words]
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
        match &nodes.numbers[id.0 as usize] {
            Number::Field(field) => Values::Each(&batch.column(*field).values[..self.rows]),
            Number::Constant(value) => Values::Same(*value),
            _ => Values::Each(&self.numbers[id.0 as usize]),
        }
    }

    fn calculate(&self, number: &Number, nodes: &Nodes, batch: &Batch, out: &mut Vec<f64>) {
        match number {
            Number::Field(_) | Number::Constant(_) => {}
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

    fn node(&mut self, index: usize, node: &Node, nodes: &Nodes, batch: &Batch, records: &[&[u8]]) {
        let (before, own) = self.bits.split_at_mut(index * 2 * self.words);
        let own = &mut own[..2 * self.words];
        match node {
            Node::And(parts) => fold(before, own, parts, u64::MAX, |all, part| all & part),
            Node::Or(parts) => fold(before, own, parts, 0, |all, part| all | part),
            Node::Compare(left, op, right) => {
                let mut own = std::mem::take(&mut self.bits);
                let start = index * 2 * self.words;
                let (left, right) = (self.values(*left, nodes, batch), self.values(*right, nodes, batch));
                let (matches, possible) = own[start..start + 2 * self.words].split_at_mut(self.words);
                compare(left, *op, right, self.rows, matches, possible);
                self.bits = own;
            }
            Node::Is { field, status, negated } => {
                let column = batch.column(*field);
                let (matches, possible) = own.split_at_mut(self.words);
                for (word, matches) in matches.iter_mut().enumerate() {
                    let (missing, invalid) = (column.missing.words()[word], column.invalid.words()[word]);
                    let is = match status {
                        Status::Missing => missing,
                        Status::Invalid => invalid,
                        Status::Known => !(missing | invalid),
                    };
                    *matches = if *negated { !is } else { is };
                }
                possible.copy_from_slice(matches);
            }
            Node::Says { field, text, negated } => {
                let column = batch.column(*field);
                per_row(own, self.rows, |row| {
                    let said = batch.bytes(column.text[row], records[row]);
                    (!column.values[row].is_nan()).then(|| (said == text.as_bytes()) != *negated)
                });
            }
            Node::SaysSame { left, right, negated } => {
                let (left, right) = (batch.column(*left), batch.column(*right));
                per_row(own, self.rows, |row| {
                    let said = |column: &crate::reading::Column| batch.bytes(column.text[row], records[row]);
                    let known = !left.values[row].is_nan() && !right.values[row].is_nan();
                    known.then(|| (said(left) == said(right)) != *negated)
                });
            }
        }
        self.clear_tail(index);
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

/// Joins both rows of the parts, which stand before.
fn fold(before: &[u64], own: &mut [u64], parts: &[NodeId], start: u64, join: impl Fn(u64, u64) -> u64) {
    own.fill(start);
    for part in parts {
        let at = part.0 as usize * own.len();
        for (all, part) in own.iter_mut().zip(&before[at..]) {
            *all = join(*all, *part);
        }
    }
}

fn per_row(own: &mut [u64], rows: usize, truth: impl Fn(usize) -> Option<bool>) {
    let words = own.len() / 2;
    for row in 0..rows {
        let bit = 1 << (row % WORD_BITS);
        match truth(row) {
            Some(true) => {
                own[row / WORD_BITS] |= bit;
                own[words + row / WORD_BITS] |= bit;
            }
            None => own[words + row / WORD_BITS] |= bit,
            Some(false) => {}
        }
    }
}

/// Compares 64 readings to a word; a NaN on either side is unknown.
fn compare(
    left: Values<'_>,
    op: Comparison,
    right: Values<'_>,
    rows: usize,
    matches: &mut [u64],
    possible: &mut [u64],
) {
    match op {
        Comparison::Equal => compare_by(left, right, rows, matches, possible, |a, b| a == b),
        Comparison::NotEqual => compare_by(left, right, rows, matches, possible, |a, b| a != b),
        Comparison::Less => compare_by(left, right, rows, matches, possible, |a, b| a < b),
        Comparison::LessOrEqual => compare_by(left, right, rows, matches, possible, |a, b| a <= b),
        Comparison::Greater => compare_by(left, right, rows, matches, possible, |a, b| a > b),
        Comparison::GreaterOrEqual => compare_by(left, right, rows, matches, possible, |a, b| a >= b),
    }
}

fn compare_by(
    left: Values<'_>,
    right: Values<'_>,
    rows: usize,
    matches: &mut [u64],
    possible: &mut [u64],
    holds: impl Fn(f64, f64) -> bool + Copy,
) {
    match (left, right) {
        (Values::Each(left), Values::Same(constant)) => {
            by_word(left.chunks(WORD_BITS), matches, possible, |value| (*value, constant), holds);
        }
        (Values::Each(left), Values::Each(right)) => {
            let pairs: Vec<(f64, f64)> = left.iter().copied().zip(right.iter().copied()).collect();
            by_word(pairs.chunks(WORD_BITS), matches, possible, |pair| *pair, holds);
        }
        (Values::Same(constant), _) => {
            let pairs: Vec<(f64, f64)> = (0..rows).map(|row| (constant, right.at(row))).collect();
            by_word(pairs.chunks(WORD_BITS), matches, possible, |pair| *pair, holds);
        }
    }
}

fn by_word<'a, T: 'a>(
    chunks: impl Iterator<Item = &'a [T]>,
    matches: &mut [u64],
    possible: &mut [u64],
    sides: impl Fn(&T) -> (f64, f64),
    holds: impl Fn(f64, f64) -> bool,
) {
    for ((chunk, matches), possible) in chunks.zip(matches).zip(possible) {
        let (mut is, mut unknown) = (0, 0);
        for (bit, value) in chunk.iter().enumerate() {
            let (left, right) = sides(value);
            is |= u64::from(holds(left, right)) << bit;
            unknown |= u64::from(left.is_nan() | right.is_nan()) << bit;
        }
        *matches = is & !unknown;
        *possible = is | unknown;
    }
}

fn finite(value: f64) -> f64 {
    if value.is_finite() { value } else { f64::NAN }
}
