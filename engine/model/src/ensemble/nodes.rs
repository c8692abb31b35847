//! The trees of an ensemble out of its lists of nodes and weights.

use std::collections::{HashMap, HashSet};

use super::EnsembleError;
use super::attributes::Attributes;
use crate::tree::{Branch, Mode, Node, Tree};

/// Trees whose leaves have a column for each class.
pub(super) struct Grown {
    pub(super) trees: Vec<Tree>,
    /// Classes that some leaf weighs.
    pub(super) weighed: Vec<bool>,
    /// Classes that all leaves of some tree weigh, so that every row comes to a weight for them.
    pub(super) sure: Vec<bool>,
    /// Every leaf weighs every class.
    pub(super) whole: bool,
}

/// The lists that have an entry for each node.
struct Lists<'node> {
    trees: &'node [i64],
    numbers: &'node [i64],
    modes: &'node [Vec<u8>],
    inputs: &'node [i64],
    cuts: &'node [f32],
    when_true: &'node [i64],
    when_false: &'node [i64],
    missing: Option<&'node [i64]>,
    covers: Option<&'node [f32]>,
}

/// A tree among the lists.
struct Listed {
    tree: i64,
    /// The first of its nodes.
    root: usize,
    nodes: usize,
}

/// A node's place in the lists, by the number of its tree and its own.
type Places = HashMap<(i64, i64), usize>;

/// The weights of leaves, by their place in the lists; None for a class that a leaf does not weigh.
type Weights = HashMap<usize, Vec<Option<f32>>>;

impl Grown {
    /// `kind` is how the lists of weights are called: after a `class` or a `target`.
    pub(super) fn read(
        attributes: &Attributes<'_>,
        kind: &str,
        classes: usize,
        inputs: usize,
    ) -> Result<Self, EnsembleError> {
        let lists = Lists::read(attributes)?;
        let places = lists.places()?;
        let weights = weights(attributes, kind, classes, &lists, &places)?;
        let none = vec![false; classes];
        let mut grown = Self { trees: Vec::new(), weighed: none.clone(), sure: none, whole: true };
        for listed in lists.listed() {
            let order = lists.order(&listed, &places)?;
            grown.count(&order, &lists, &weights);
            grown.trees.push(lists.tree(&order, &places, &weights, classes, inputs)?);
        }
        if grown.trees.is_empty() { Err(EnsembleError::NoTree) } else { Ok(grown) }
    }

    /// Leaves nothing but one class's column.
    pub(super) fn keep(&mut self, class: usize) {
        for node in self.trees.iter_mut().flat_map(|tree| &mut tree.nodes) {
            if let Node::Leaf(weights) = node {
                *weights = vec![weights[class]];
            }
        }
    }

    /// Takes down which classes the leaves of a tree weigh.
    fn count(&mut self, order: &[usize], lists: &Lists<'_>, weights: &Weights) {
        for class in 0..self.weighed.len() {
            let leaves = || order.iter().filter(|place| lists.is_leaf(**place));
            let weighs = |place: &usize| weights.get(place).is_some_and(|own| own[class].is_some());
            let sure = leaves().all(weighs);
            self.weighed[class] |= leaves().any(weighs);
            self.sure[class] |= sure;
            self.whole &= sure;
        }
    }
}

impl<'node> Lists<'node> {
    fn read(attributes: &Attributes<'node>) -> Result<Self, EnsembleError> {
        let count = attributes.count("nodes_nodeids");
        let ints = |name| attributes.ints_of(name, count);
        let missing = "nodes_missing_value_tracks_true";
        let covers = "nodes_hitrates";
        Ok(Self {
            trees: ints("nodes_treeids")?,
            numbers: ints("nodes_nodeids")?,
            modes: attributes.words_of("nodes_modes", count)?,
            inputs: ints("nodes_featureids")?,
            cuts: attributes.floats_of("nodes_values", count)?,
            when_true: ints("nodes_truenodeids")?,
            when_false: ints("nodes_falsenodeids")?,
            missing: attributes.lists(missing).then(|| ints(missing)).transpose()?,
            covers: attributes.lists(covers).then(|| attributes.floats_of(covers, count)).transpose()?,
        })
    }

    fn places(&self) -> Result<Places, EnsembleError> {
        let mut places = HashMap::new();
        for (place, (tree, node)) in self.trees.iter().zip(self.numbers).enumerate() {
            if places.insert((*tree, *node), place).is_some() {
                return Err(EnsembleError::Twice { tree: *tree, node: *node });
            }
        }
        Ok(places)
    }

    /// The trees in the order in which the file begins them.
    fn listed(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = Vec::new();
        let mut known = HashMap::new();
        for (place, tree) in self.trees.iter().enumerate() {
            let at = *known.entry(tree).or_insert_with(|| {
                listed.push(Listed { tree: *tree, root: place, nodes: 0 });
                listed.len() - 1
            });
            listed[at].nodes += 1;
        }
        listed
    }

    fn is_leaf(&self, place: usize) -> bool {
        self.modes[place] == b"LEAF"
    }

    /// A tree's nodes as `Tree` has them, each reached once.
    fn order(&self, listed: &Listed, places: &Places) -> Result<Vec<usize>, EnsembleError> {
        let tree = listed.tree;
        let mut order = Vec::with_capacity(listed.nodes);
        let mut reached = HashSet::with_capacity(listed.nodes);
        let mut waiting = vec![listed.root];
        while let Some(place) = waiting.pop() {
            if !reached.insert(place) {
                return Err(EnsembleError::Joined { tree, node: self.numbers[place] });
            }
            order.push(place);
            if self.is_leaf(place) {
                continue;
            }
            for child in [self.when_false[place], self.when_true[place]] {
                let found = places.get(&(tree, child)).ok_or(EnsembleError::Child { tree, node: child })?;
                waiting.push(*found);
            }
        }
        if order.len() == listed.nodes { Ok(order) } else { Err(EnsembleError::Unreached { tree }) }
    }

    fn tree(
        &self,
        order: &[usize],
        places: &Places,
        weights: &Weights,
        classes: usize,
        inputs: usize,
    ) -> Result<Tree, EnsembleError> {
        let ranks: HashMap<usize, usize> = order.iter().enumerate().map(|(rank, place)| (*place, rank)).collect();
        let rank = |tree: i64, child: i64| ranks[&places[&(tree, child)]];
        let mut nodes = Vec::with_capacity(order.len());
        for &place in order {
            if self.is_leaf(place) {
                let own = weights.get(&place).map(|own| own.iter().map(|weight| weight.unwrap_or(0.0)).collect());
                nodes.push(Node::Leaf(own.unwrap_or_else(|| vec![0.0; classes])));
                continue;
            }
            let (tree, node) = (self.trees[place], self.numbers[place]);
            let cut = self.cuts[place];
            if cut.is_nan() {
                return Err(EnsembleError::Cut { tree, node });
            }
            let asked = usize::try_from(self.inputs[place]).ok().filter(|input| *input < inputs);
            nodes.push(Node::Branch(Branch {
                input: asked.ok_or(EnsembleError::Input { tree, node, input: self.inputs[place], inputs })?,
                mode: self.mode(place)?,
                cut,
                missing: self.missing.is_some_and(|missing| missing[place] != 0),
                when_true: rank(tree, self.when_true[place]),
                when_false: rank(tree, self.when_false[place]),
            }));
        }
        let covers = self.covers.map(|covers| order.iter().map(|place| covers[*place]).collect());
        Ok(Tree { nodes, covers })
    }

    fn mode(&self, place: usize) -> Result<Mode, EnsembleError> {
        Ok(match self.modes[place].as_slice() {
            b"BRANCH_LT" => Mode::Less,
            b"BRANCH_LEQ" => Mode::LessOrEqual,
            b"BRANCH_GT" => Mode::Greater,
            b"BRANCH_GTE" => Mode::GreaterOrEqual,
            b"BRANCH_EQ" => Mode::Equal,
            b"BRANCH_NEQ" => Mode::NotEqual,
            other => {
                return Err(EnsembleError::Mode {
                    tree: self.trees[place],
                    node: self.numbers[place],
                    mode: String::from_utf8_lossy(other).into_owned(),
                });
            }
        })
    }
}

fn weights(
    attributes: &Attributes<'_>,
    kind: &str,
    classes: usize,
    lists: &Lists<'_>,
    places: &Places,
) -> Result<Weights, EnsembleError> {
    let list = |name: &str| format!("{kind}_{name}");
    let count = attributes.count(&list("ids"));
    let trees = attributes.ints_of(&list("treeids"), count)?;
    let numbers = attributes.ints_of(&list("nodeids"), count)?;
    let ids = attributes.ints_of(&list("ids"), count)?;
    let values = attributes.floats_of(&list("weights"), count)?;
    let mut weights = Weights::new();
    for (((&tree, &node), &class), value) in trees.iter().zip(numbers).zip(ids).zip(values) {
        let place = places.get(&(tree, node)).copied().filter(|place| lists.is_leaf(*place));
        let place = place.ok_or(EnsembleError::Weight { tree, node })?;
        let own = weights.entry(place).or_insert_with(|| vec![None; classes]);
        let column = usize::try_from(class).ok().and_then(|class| own.get_mut(class));
        match column {
            Some(column) if column.is_none() && value.is_finite() => *column = Some(*value),
            _ => return Err(EnsembleError::Class { tree, node, class }),
        }
    }
    Ok(weights)
}
