//! Random rule sets and records, made from a tape of choices: a shorter tape, or one of smaller numbers, makes a
//! simpler rule set, so that what proptest shrinks stays well typed.

mod condition;
mod edit;
mod model;
mod number;
mod past;
mod record;
mod rules;
mod score;
mod traffic;
mod ward;

pub(crate) use record::{Arrived, record};
pub(crate) use rules::{RuleSet, rule_set};
pub(crate) use traffic::Traffic;
pub(crate) use ward::{Ward, ward};

/// Choices, one after the other; behind its end a tape says 0 for ever, or goes on at random from a seed.
pub(crate) struct Tape {
    choices: std::vec::IntoIter<u16>,
    seed: Option<u64>,
}

impl Tape {
    /// A tape of exactly these choices.
    pub(crate) fn of(choices: Vec<u16>) -> Self {
        Self { choices: choices.into_iter(), seed: None }
    }

    /// An endless tape.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { choices: Vec::new().into_iter(), seed: Some(seed) }
    }

    /// A number below `count`; 0 is meant to be the simplest choice.
    pub(crate) fn pick(&mut self, count: usize) -> usize {
        let choice = match (self.choices.next(), &mut self.seed) {
            (Some(choice), _) => usize::from(choice),
            (None, Some(seed)) => split_mix(seed) as usize,
            (None, None) => 0,
        };
        choice % count
    }

    /// True so many times of a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.pick(100) >= 100 - percent
    }

    /// One of these.
    pub(crate) fn one<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.pick(from.len())]
    }

    /// A number from `low` to `high`, both inclusive.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.pick((high - low + 1) as usize) as i64
    }

    /// In another order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            let other = at - self.pick(at + 1);
            items.swap(at, other);
        }
    }
}

/// The next number of the generator `SplitMix64`.
fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*seed ^ (*seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) >> 1
}
