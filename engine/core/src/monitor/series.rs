//! One thing that is watched block by block: its past, and whether it has left it.

use super::DAY;
use super::past::{Likelihood, Past};
use super::tally::Count;

/// It is over after so many calm blocks in a row.
const CALM_BLOCKS: u32 = 2;

/// One thing that is watched.
#[derive(Debug, Clone, Default)]
pub(super) struct Series {
    pub(super) past: Past,
    /// The block in which it left its past.
    since: Option<i64>,
    calm: u32,
}

/// What a block has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    None,
    /// It has left its past.
    Left,
    /// It is as ever.
    Back,
}

impl Series {
    /// Takes in a block. What is not as ever is not learnt.
    pub(super) fn step(&mut self, block: i64, count: Count) -> Turn {
        let likelihood = self.past.likelihood(block, count);
        match (self.since, likelihood) {
            (None, Likelihood::Impossible) => {
                (self.since, self.calm) = (Some(block), 0);
                Turn::Left
            }
            (None, _) => {
                self.past.learn(block, count);
                Turn::None
            }
            (Some(_), Likelihood::Usual) => {
                self.calm += 1;
                if self.calm < CALM_BLOCKS {
                    return Turn::None;
                }
                self.since = None;
                Turn::Back
            }
            (Some(_), Likelihood::Unknown) => Turn::None,
            (Some(_), Likelihood::Rare | Likelihood::Impossible) => {
                self.calm = 0;
                Turn::None
            }
        }
    }

    /// Whether it has left its past.
    pub(super) fn has_left(&self) -> bool {
        self.since.is_some()
    }

    /// For what may change for good: after a day it is the new past.
    pub(super) fn settle(&mut self, block: i64) -> Turn {
        if self.since.is_none_or(|since| block - since < DAY) {
            return Turn::None;
        }
        *self = Self::default();
        Turn::Back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt() -> Series {
        let mut series = Series::default();
        for block in 0..DAY {
            assert_eq!(series.step(block, Count { some: 0, of: 20 }), Turn::None);
        }
        series
    }

    #[test]
    fn it_leaves_once_and_comes_back_after_two_calm_blocks() {
        let mut series = learnt();
        let turns: Vec<Turn> = [0, 20, 20, 0, 20, 0, 0, 0]
            .into_iter()
            .enumerate()
            .map(|(block, some)| series.step(DAY + block as i64, Count { some, of: 20 }))
            .collect();
        let none = Turn::None;
        assert_eq!(turns, [none, Turn::Left, none, none, none, none, Turn::Back, none]);
    }

    #[test]
    fn without_evidence_it_stays() {
        let mut series = learnt();
        assert_eq!(series.step(DAY, Count { some: 20, of: 20 }), Turn::Left);
        assert_eq!(series.step(DAY + 1, Count { some: 0, of: 0 }), Turn::None);
        assert_eq!(series.step(DAY + 2, Count { some: 0, of: 2 }), Turn::None);
        assert_eq!(series.settle(DAY + 143), Turn::None);
        assert_eq!(series.settle(DAY + 144), Turn::Back);
    }
}
