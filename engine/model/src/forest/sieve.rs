//! A tree of few leaves: each leaf is a bit, each branch that does not hold strikes out the leaves of its true side, in any
//! order, and the first bit left is the row's leaf. `QuickScorer` of Lucchese et al., SIGIR 2015.

use super::key::{Columns, Range};
use super::{Keys, LANES};
use crate::tree::Tree;

#[derive(Debug)]
pub(super) struct Sieve {
    branches: Vec<Struck>,
}

/// A branch, and the leaves of its true side.
#[derive(Debug)]
struct Struck {
    column: u32,
    holds: Range,
    leaves: u32,
}

impl Sieve {
    /// As many leaves as a word has bits.
    pub(super) const LEAVES: usize = u32::BITS as usize;

    pub(super) fn new(tree: &Tree, columns: &mut Columns) -> Self {
        let below = tree.leaves_below();
        let mut first = vec![0; tree.nodes.len()];
        let branches = tree.branches().map(|(place, branch)| {
            let left = below[branch.when_true];
            first[branch.when_true] = first[place];
            first[branch.when_false] = first[place] + left;
            let (column, holds) = Range::of(branch);
            // At least one leaf is on the other side, so that no shift is by all bits.
            let leaves = ((1_u32 << left) - 1) << first[place];
            Struck { column: columns.place(column), holds, leaves }
        });
        Self { branches: branches.collect() }
    }

    /// The leaf of each row.
    pub(super) fn leaves(&self, keys: &[Keys]) -> [u32; LANES] {
        let mut left = [u32::MAX; LANES];
        for branch in &self.branches {
            let keys = &keys[branch.column as usize];
            for (left, key) in left.iter_mut().zip(keys) {
                let strike = u32::from(branch.holds.excludes(*key)).wrapping_neg();
                *left &= !(strike & branch.leaves);
            }
        }
        left.map(u32::trailing_zeros)
    }
}
