//! Conditions over time, from what their patients' cells say of each reading. Nodes that differ only in length or sign share
//! a cell, which takes in each reading once.

use super::Node;
use crate::graph::Hold;
use crate::program::arrival::Track;

/// Per cell of a condition: what it said of each reading of the batch, `None` where no state sees the reading. Every time
/// operator is unknown there.
#[derive(Debug, Default)]
pub(super) struct Tracks(Vec<Vec<Option<Track>>>);

impl Tracks {
    /// A batch begins.
    pub(super) fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    /// The empty row of a cell that has not taken in the readings yet.
    pub(super) fn due(&mut self, cell: u32) -> Option<Vec<Option<Track>>> {
        let cell = cell as usize;
        self.0.resize_with(self.0.len().max(cell + 1), Vec::new);
        self.0[cell].is_empty().then(|| std::mem::take(&mut self.0[cell]))
    }

    pub(super) fn put(&mut self, cell: u32, track: Vec<Option<Track>>) {
        self.0[cell as usize] = track;
    }

    /// The truth of `C for …` or `A then B within …`, where that of C or B is `part`.
    pub(super) fn truth(&self, node: &Node, row: usize, part: Option<bool>) -> Option<bool> {
        let (holds, negated) = match node {
            Node::Held { cell, hold, negated, .. } => {
                let track = self.0[*cell as usize][row]?;
                let holds = match hold {
                    Hold::Since(span) => track.elapsed.is_some_and(|elapsed| elapsed >= *span),
                    Hold::Readings(count) => track.readings >= *count,
                };
                (holds, *negated)
            }
            Node::Then { cell, within, negated, .. } => {
                let track = self.0[*cell as usize][row]?;
                (track.elapsed.is_some_and(|elapsed| elapsed <= *within), *negated)
            }
            _ => return None,
        };
        Some((part? && holds) != negated)
    }
}
