//! A tree of many leaves: the rows go down abreast, those that have arrived standing still.

use super::key::{Columns, Range};
use super::{Keys, LANES};
use crate::tree::{Node, Tree};

#[derive(Debug)]
pub(super) struct Walk {
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    column: u32,
    holds: Range,
    /// Where the true side begins, and the false side. A leaf leads to itself.
    next: [u32; 2],
    /// The number of the leaf.
    leaf: u32,
}

impl Walk {
    pub(super) fn new(tree: &Tree, columns: &mut Columns) -> Self {
        let mut leaf = 0;
        let steps = tree.nodes.iter().enumerate().map(|(place, node)| match node {
            Node::Branch(branch) => {
                let (column, holds) = Range::of(branch);
                let next = [branch.when_true as u32, branch.when_false as u32];
                Step { column: columns.place(column), holds, next, leaf: 0 }
            }
            // Column 0 is there: a tree of many leaves has branches.
            Node::Leaf(_) => {
                leaf += 1;
                Step { column: 0, holds: Range::ALL, next: [place as u32; 2], leaf: leaf - 1 }
            }
        });
        Self { steps: steps.collect() }
    }

    /// The leaf of each row.
    pub(super) fn leaves(&self, keys: &[Keys]) -> [u32; LANES] {
        let mut places = [0; LANES];
        loop {
            let mut moved = 0;
            for (lane, place) in places.iter_mut().enumerate() {
                let step = &self.steps[*place as usize];
                let outside = step.holds.excludes(keys[step.column as usize][lane]);
                let next = step.next[usize::from(outside)];
                moved |= next ^ *place;
                *place = next;
            }
            if moved == 0 {
                return places.map(|place| self.steps[place as usize].leaf);
            }
        }
    }
}
