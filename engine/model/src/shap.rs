//! What moved the score of one row: SHAP values that follow the paths of the trees, exact. After Lundberg et al., "From local
//! explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2, 2020, algorithm 2.

use thiserror::Error;

use crate::ensemble::{Aggregate, Ensemble, Last};
use crate::tree::{Branch, Node, Tree};

/// What moved a score: `base` and all contributions together are the score, on this scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What they count in.
    pub scale: Scale,
    /// What the model expects before it knows any input.
    pub base: f64,
    /// What each input added, in the model's order; a missing one adds too, as the trees were taught what missing means.
    pub contributions: Vec<f64>,
}

/// What the trees of a model add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The logarithm of the odds, of which the score is the logistic function.
    LogOdds,
    /// The score itself.
    Probability,
}

/// Why nothing tells what moved a score.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unexplained {
    /// What tract runs.
    #[error("the model is no tree ensemble")]
    NoTrees,
    /// The least of the trees, or the largest.
    #[error("one of its trees decides alone (`MIN` or `MAX`): it is no sum that each input has a part in")]
    NoSum,
    /// A softmax of more than two classes.
    #[error("the score is one of {0} shares (`SOFTMAX`): it is no sum that each input has a part in")]
    Shares(usize),
    /// As exporters write files.
    #[error("the file does not tell how many patients came to each node of its trees (`nodes_hitrates`)")]
    NoCovers,
    /// Nobody came to a node, or a number of patients is none.
    #[error("the file says of a node of its trees that no patient came to it (`nodes_hitrates`)")]
    Covers,
}

/// Trees with covers whose sum is the score on a scale.
#[derive(Debug)]
pub(crate) struct Explainer {
    scale: Scale,
    trees: Vec<Covered>,
    base: f64,
}

#[derive(Debug)]
struct Covered {
    tree: Tree,
    covers: Vec<f64>,
    /// What each leaf adds to the sum; nothing at a branch.
    adds: Vec<f64>,
}

/// An input that the way to a node has asked for: the share of all patients, and of this row (all or none), that go on
/// where only the other inputs are known; and the weight of all sets of inputs with so many of those asked for.
#[derive(Debug, Clone, Copy)]
struct Asked {
    input: Option<usize>,
    zero: f64,
    one: f64,
    weight: f64,
}

impl Explainer {
    /// Fails if no scale makes a sum of the ensemble, or it does not tell its covers.
    pub(crate) fn new(ensemble: &Ensemble) -> Result<Self, Unexplained> {
        let share = match ensemble.aggregate {
            Aggregate::Sum => 1.0,
            Aggregate::Average => 1.0 / ensemble.trees.len() as f64,
            Aggregate::Least | Aggregate::Largest => return Err(Unexplained::NoSum),
        };
        let (scale, column, against) = match (ensemble.last, ensemble.base.len()) {
            (Last::Nothing, _) => (Scale::Probability, 0, None),
            (Last::Logistic, _) => (Scale::LogOdds, 0, None),
            // Of two shares the logistic function of their difference.
            (Last::Softmax(positive), 2) => (Scale::LogOdds, positive, Some(1 - positive)),
            (Last::Softmax(_), classes) => return Err(Unexplained::Shares(classes)),
        };
        let sum = |columns: &[f32]| f64::from(columns[column]) - against.map_or(0.0, |other| f64::from(columns[other]));
        let covered = |tree: &Tree| Covered::new(tree, |weights| share * sum(weights));
        let trees = ensemble.trees.iter().map(covered).collect::<Result<Vec<Covered>, Unexplained>>()?;
        if !trees.iter().any(Covered::tells) {
            return Err(Unexplained::NoCovers);
        }
        let base = sum(&ensemble.base) + trees.iter().map(Covered::expected).sum::<f64>();
        Ok(Self { scale, trees, base })
    }

    pub(crate) fn explain(&self, row: &[f32]) -> Explanation {
        let mut contributions = vec![0.0; row.len()];
        for tree in &self.trees {
            tree.add(row, &mut contributions);
        }
        Explanation { scale: self.scale, base: self.base, contributions }
    }
}

impl Covered {
    fn new(tree: &Tree, leaf: impl Fn(&[f32]) -> f64) -> Result<Self, Unexplained> {
        let covers = tree.covers.as_ref().ok_or(Unexplained::NoCovers)?;
        let covers: Vec<f64> = covers.iter().map(|cover| f64::from(*cover)).collect();
        if !covers.iter().all(|cover| cover.is_finite() && *cover > 0.0) {
            return Err(Unexplained::Covers);
        }
        let adds = tree.nodes.iter().map(|node| match node {
            Node::Leaf(weights) => leaf(weights),
            Node::Branch(_) => 0.0,
        });
        Ok(Self { adds: adds.collect(), tree: tree.clone(), covers })
    }

    /// Exporters that know no covers write 1 everywhere.
    fn tells(&self) -> bool {
        self.covers.iter().any(|cover| *cover != 1.0)
    }

    /// Which share of the patients at a branch goes on to one of its sides.
    fn share(&self, branch: &Branch, side: usize) -> f64 {
        self.covers[side] / (self.covers[branch.when_true] + self.covers[branch.when_false])
    }

    /// The mean over all patients.
    fn expected(&self) -> f64 {
        let mut shares = vec![1.0; self.covers.len()];
        let mut sum = 0.0;
        for (place, node) in self.tree.nodes.iter().enumerate() {
            match node {
                Node::Leaf(_) => sum += shares[place] * self.adds[place],
                Node::Branch(branch) => {
                    for side in [branch.when_true, branch.when_false] {
                        shares[side] = shares[place] * self.share(branch, side);
                    }
                }
            }
        }
        sum
    }

    /// The paper's recursion, with the ways that are still to be gone in a list.
    fn add(&self, row: &[f32], contributions: &mut [f64]) {
        let mut waiting = vec![(0, Way::default().asking(None, 1.0, 1.0))];
        while let Some((place, way)) = waiting.pop() {
            let branch = match &self.tree.nodes[place] {
                Node::Leaf(_) => {
                    way.add(self.adds[place], contributions);
                    continue;
                }
                Node::Branch(branch) => branch,
            };
            let (way, zero, one) = way.forgetting(branch.input);
            let taken = branch.next(row);
            for side in [branch.when_true, branch.when_false] {
                let one = if side == taken { one } else { 0.0 };
                waiting.push((side, way.asking(Some(branch.input), zero * self.share(branch, side), one)));
            }
        }
    }
}

/// The inputs asked for on the way to a node, each once.
#[derive(Debug, Clone, Default)]
struct Way(Vec<Asked>);

impl Way {
    /// EXTEND: one more input.
    fn asking(&self, input: Option<usize>, zero: f64, one: f64) -> Self {
        let mut asked = self.0.clone();
        let length = asked.len();
        asked.push(Asked { input, zero, one, weight: if length == 0 { 1.0 } else { 0.0 } });
        let all = (length + 1) as f64;
        for at in (0..length).rev() {
            let weight = asked[at].weight;
            asked[at + 1].weight += one * weight * (at + 1) as f64 / all;
            asked[at].weight = zero * weight * (length - at) as f64 / all;
        }
        Self(asked)
    }

    /// UNWIND: the way as if it had not asked for this input, and what it knew of it.
    fn forgetting(mut self, input: usize) -> (Self, f64, f64) {
        let Some(place) = self.0.iter().position(|asked| asked.input == Some(input)) else { return (self, 1.0, 1.0) };
        let Asked { zero, one, .. } = self.0[place];
        let weights = self.weights_without(place);
        self.0.remove(place);
        for (asked, weight) in self.0.iter_mut().zip(weights) {
            asked.weight = weight;
        }
        (self, zero, one)
    }

    /// The weights as they were before the input at this place was asked for.
    fn weights_without(&self, place: usize) -> Vec<f64> {
        let Asked { zero, one, .. } = self.0[place];
        let last = self.0.len() - 1;
        let all = self.0.len() as f64;
        let mut weights = vec![0.0; last];
        let mut next = self.0[last].weight;
        for at in (0..last).rev() {
            let left = (last - at) as f64;
            if one == 0.0 {
                weights[at] = self.0[at].weight * all / (zero * left);
            } else {
                weights[at] = next * all / ((at + 1) as f64 * one);
                next = self.0[at].weight - weights[at] * zero * left / all;
            }
        }
        weights
    }

    /// What the leaf at the end of the way adds for each input that was asked for.
    fn add(&self, leaf: f64, contributions: &mut [f64]) {
        for (place, asked) in self.0.iter().enumerate() {
            if let Some(input) = asked.input {
                let weight: f64 = self.weights_without(place).iter().sum();
                contributions[input] += weight * (asked.one - asked.zero) * leaf;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Mode;

    #[test]
    fn a_node_that_nobody_came_to_explains_nothing() {
        let branch = Branch { input: 0, mode: Mode::Less, cut: 1.0, missing: false, when_true: 1, when_false: 2 };
        let explainer = |cover: f32| {
            let nodes = vec![Node::Branch(branch.clone()), Node::Leaf(vec![0.1]), Node::Leaf(vec![0.2])];
            let trees = vec![Tree { nodes, covers: Some(vec![5.0, 5.0, cover]) }];
            let ensemble = Ensemble { trees, aggregate: Aggregate::Sum, base: vec![0.0], last: Last::Nothing };
            Explainer::new(&ensemble).map(|explainer| explainer.scale)
        };
        assert_eq!(explainer(5.0), Ok(Scale::Probability));
        for cover in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(explainer(cover), Err(Unexplained::Covers));
        }
    }
}
