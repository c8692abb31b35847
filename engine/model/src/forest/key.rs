//! Inputs as whole numbers in the order of the floats that they stand for, so that every comparison of a branch, and what it
//! does with a missing input, is one question: does the key lie in a range?

use std::collections::HashMap;

use crate::tree::{Branch, Mode};

/// Below the key of every number.
const MISSING: i32 = i32::MIN;

/// An input as a branch sees it: where it is missing, it has a key of the branch's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Column {
    input: usize,
    missing: i32,
}

/// The columns that a forest's branches see, each once.
#[derive(Debug, Default)]
pub(super) struct Columns {
    places: HashMap<Column, u32>,
    all: Vec<Column>,
}

/// A range of keys, from `low` up to `low + span`. Past the largest key it goes on at the smallest, so that it can hold
/// all numbers above a cut together with the missing one, or all but one.
///
/// Kept moved by half of all keys: plain x86-64 compares with signs only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    origin: i32,
    limit: i32,
}

impl Column {
    pub(super) fn key(self, row: &[f32]) -> i32 {
        let value = row[self.input];
        if value.is_nan() { self.missing } else { key(value) }
    }
}

impl Columns {
    pub(super) fn place(&mut self, column: Column) -> u32 {
        *self.places.entry(column).or_insert_with(|| {
            self.all.push(column);
            self.all.len() as u32 - 1
        })
    }

    pub(super) fn all(self) -> Vec<Column> {
        self.all
    }
}

impl Range {
    /// All keys, for a leaf of a walk.
    pub(super) const ALL: Self = Self::between(i32::MIN, i32::MAX);

    const fn between(low: i32, high: i32) -> Self {
        let span = high.wrapping_sub(low);
        Self { origin: low.wrapping_sub(i32::MIN), limit: span.wrapping_add(i32::MIN) }
    }

    /// The column that a branch sees, and the keys for which it takes its true side.
    pub(super) fn of(branch: &Branch) -> (Column, Self) {
        let cut = key(branch.cut);
        let above = if branch.missing { MISSING } else { i32::MAX };
        let below = if branch.missing { MISSING } else { MISSING + 1 };
        let range = match branch.mode {
            Mode::Less => Self::between(below, cut - 1),
            Mode::LessOrEqual => Self::between(below, cut),
            Mode::Greater => Self::between(cut + 1, above),
            Mode::GreaterOrEqual => Self::between(cut, above),
            Mode::Equal => Self::between(cut, cut),
            Mode::NotEqual => Self::between(cut + 1, cut - 1),
        };
        let missing = if branch.mode == Mode::Equal && branch.missing { cut } else { MISSING };
        (Column { input: branch.input, missing }, range)
    }

    pub(super) fn excludes(self, key: i32) -> bool {
        key.wrapping_sub(self.origin) > self.limit
    }
}

/// The two zeros are one. A number's key is neither the smallest nor the largest `i32`.
fn key(value: f32) -> i32 {
    let bits = (value + 0.0).to_bits() as i32;
    bits ^ ((bits >> 31) as u32 >> 1) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [f32; 11] = [
        f32::NEG_INFINITY,
        f32::MIN,
        -1.0,
        -f32::MIN_POSITIVE,
        -0.0,
        0.0,
        f32::from_bits(1),
        1.0,
        1.000_000_1,
        f32::MAX,
        f32::INFINITY,
    ];

    #[test]
    fn keys_are_in_the_order_of_the_numbers() {
        for a in NUMBERS {
            for b in NUMBERS {
                assert_eq!(a.partial_cmp(&b), Some(key(a).cmp(&key(b))), "{a} {b}");
            }
        }
    }

    #[test]
    fn a_range_holds_what_the_comparison_holds_for() {
        use Mode::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        for mode in [Less, LessOrEqual, Greater, GreaterOrEqual, Equal, NotEqual] {
            for (cut, missing) in NUMBERS.iter().flat_map(|cut| [(*cut, false), (*cut, true)]) {
                let branch = Branch { input: 0, mode, cut, missing, when_true: 1, when_false: 2 };
                let (column, range) = Range::of(&branch);
                for value in NUMBERS.into_iter().chain([f32::NAN]) {
                    let held = !range.excludes(column.key(&[value]));
                    assert_eq!(branch.next(&[value]) == 1, held, "{value} {mode:?} {cut} {missing}");
                }
            }
        }
    }
}
