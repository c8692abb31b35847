//! One tree of an ensemble, its nodes in order: the root first, each branch before all that its true side leads to, and
//! that before what its false side leads to.

/// A tree. Every branch stands before its children.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) nodes: Vec<Node>,
    /// How many patients of the training data came to each node, if the file says.
    pub(crate) covers: Option<Vec<f32>>,
}

#[derive(Debug, Clone)]
pub(crate) enum Node {
    Branch(Branch),
    /// What the leaf weighs, a number a column.
    Leaf(Vec<f32>),
}

/// A comparison of an input with a number, and the places of the nodes that it leads to.
#[derive(Debug, Clone)]
pub(crate) struct Branch {
    pub(crate) input: usize,
    pub(crate) mode: Mode,
    pub(crate) cut: f32,
    /// A missing input takes the true side.
    pub(crate) missing: bool,
    pub(crate) when_true: usize,
    pub(crate) when_false: usize,
}

/// How an input is compared with the number of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl Tree {
    /// How many leaves each node has below it, a leaf itself.
    pub(crate) fn leaves_below(&self) -> Vec<usize> {
        let mut below = vec![1; self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate().rev() {
            if let Node::Branch(branch) = node {
                below[place] = below[branch.when_true] + below[branch.when_false];
            }
        }
        below
    }

    /// The leaves' weights, from the true side to the false side.
    pub(crate) fn weights(&self) -> impl Iterator<Item = &[f32]> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Leaf(weights) => Some(weights.as_slice()),
            Node::Branch(_) => None,
        })
    }

    pub(crate) fn branches(&self) -> impl Iterator<Item = (usize, &Branch)> {
        self.nodes.iter().enumerate().filter_map(|(place, node)| match node {
            Node::Branch(branch) => Some((place, branch)),
            Node::Leaf(_) => None,
        })
    }
}

impl Branch {
    pub(crate) fn next(&self, row: &[f32]) -> usize {
        if self.holds(row[self.input]) { self.when_true } else { self.when_false }
    }

    /// A NaN is unequal to anything, also where it is not said to take the true side: so onnxruntime does.
    fn holds(&self, value: f32) -> bool {
        (self.missing && value.is_nan())
            || match self.mode {
                Mode::Less => value < self.cut,
                Mode::LessOrEqual => value <= self.cut,
                Mode::Greater => value > self.cut,
                Mode::GreaterOrEqual => value >= self.cut,
                Mode::Equal => value == self.cut,
                Mode::NotEqual => value != self.cut,
            }
    }
}
