//! Rows of bits, one bit for each reading of a batch, and how they are filled and joined. Where a reading is in a row says
//! nothing here about what it is true of.

use super::NodeId;
use crate::program::Program;
use crate::reading::WORD_BITS;
use crate::syntax::ast::Comparison;

/// Words in a row of bits of a full batch.
const FULL: usize = Program::MAX_BATCH / WORD_BITS;

/// A number's values: one for each reading, or the same for all.
#[derive(Clone, Copy)]
pub(super) enum Values<'a> {
    Each(&'a [f64]),
    Same(f64),
}

impl Values<'_> {
    pub(super) fn at(self, row: usize) -> f64 {
        match self {
            Values::Each(values) => values[row],
            Values::Same(value) => value,
        }
    }
}

/// Two rows for each of some nodes.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    /// Per node: where it is true, then where it is possible, which holds only where the node is unsure.
    pub(super) bits: &'a [u64],
    pub(super) unsure: &'a [bool],
    /// Words in a row.
    pub(super) words: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn matches(self, node: NodeId) -> &'a [u64] {
        &self.bits[node.0 as usize * 2 * self.words..][..self.words]
    }

    pub(super) fn possible(self, node: NodeId) -> &'a [u64] {
        let second = usize::from(self.unsure[node.0 as usize]);
        &self.bits[(node.0 as usize * 2 + second) * self.words..][..self.words]
    }

    /// Joins both rows of nodes; whether one of them is unsure.
    pub(super) fn join(self, join: Join, parts: &[NodeId], matches: &mut [u64], possible: &mut [u64]) -> bool {
        join.fold(matches, parts.iter().map(|part| self.matches(*part)));
        let unsure = parts.iter().any(|part| self.unsure[part.0 as usize]);
        if unsure {
            join.fold(possible, parts.iter().map(|part| self.possible(*part)));
        }
        unsure
    }

    /// A node's truth for one reading; `None` is unknown.
    pub(super) fn truth(self, node: NodeId, row: usize) -> Option<bool> {
        let bit = |words: &[u64]| words[row / WORD_BITS] >> (row % WORD_BITS) & 1 == 1;
        match (bit(self.matches(node)), bit(self.possible(node))) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        }
    }
}

/// How rows of bits are joined.
#[derive(Clone, Copy)]
pub(super) enum Join {
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
pub(super) fn mark_unknown(sides: [&[u64]; 2], matches: &mut [u64], possible: &mut [u64]) {
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
pub(super) fn per_row(
    matches: &mut [u64],
    possible: &mut [u64],
    rows: usize,
    truth: impl Fn(usize) -> Option<bool>,
) -> bool {
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
pub(super) fn compare(left: Values<'_>, op: Comparison, right: Values<'_>, rows: usize, matches: &mut [u64]) {
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
pub(super) fn word(chunk: &[f64], holds: impl Fn(f64) -> bool) -> u64 {
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
