//! The operators `TreeEnsembleClassifier` and `TreeEnsembleRegressor`: what they say, as onnxruntime understands it, with
//! the columns that a score needs. What onnxruntime and the standard read differently is refused.

mod attributes;
mod nodes;

use thiserror::Error;
use tract_onnx::pb::NodeProto;

use crate::classes;
use crate::graph::{self, Graph};
use crate::model::{ModelError, ROUNDING};
use crate::tree::Tree;
use attributes::Attributes;
use nodes::Grown;

/// Trees, and how their leaves become a probability.
#[derive(Debug)]
pub(crate) struct Ensemble {
    pub(crate) trees: Vec<Tree>,
    pub(crate) aggregate: Aggregate,
    /// Added to what the trees give, a number a column.
    pub(crate) base: Vec<f32>,
    pub(crate) last: Last,
}

/// How the trees are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Sum,
    Average,
    Least,
    Largest,
}

/// What makes a probability of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// The one column is the probability.
    Nothing,
    /// The logistic function of the one column.
    Logistic,
    /// The share of this column among all, as exponents.
    Softmax(usize),
}

/// The ensemble's place among the nodes of its graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(usize);

/// Why trees are no score. Trees and nodes go by the numbers that the file gives them.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum EnsembleError {
    /// Before the trees, behind them, or beside them.
    #[error(
        "the operator `{operator}` of `{domain}` is not known beside a tree ensemble; only `Identity`, and `Sigmoid` \
         behind a regressor, are"
    )]
    Beside {
        /// The operator.
        operator: String,
        /// The set that it is of.
        domain: String,
    },
    /// Not fed by the inputs, or the label as the answer.
    #[error("the answer is not what the trees make of the inputs")]
    Chain,
    /// A newer standard, or a word of its own.
    #[error("the attribute `{attribute}` of `{operator}` is not known")]
    Attribute {
        /// The operator.
        operator: String,
        /// Its attribute.
        attribute: String,
    },
    /// A list that should be as long as another.
    #[error("the list `{0}` is longer or shorter than those that it belongs to")]
    Uneven(String),
    /// A comparison.
    #[error("node {node} of tree {tree} compares by `{mode}`, which is not known")]
    Mode {
        /// The tree.
        tree: i64,
        /// Its node.
        node: i64,
        /// The word.
        mode: String,
    },
    /// A branch that asks for what is not given.
    #[error("node {node} of tree {tree} asks for input {input}; counted from 0, there are {inputs}")]
    Input {
        /// The tree.
        tree: i64,
        /// Its node.
        node: i64,
        /// The input.
        input: i64,
        /// How many there are.
        inputs: usize,
    },
    /// A branch that nothing is less than.
    #[error("node {node} of tree {tree} compares with NaN")]
    Cut {
        /// The tree.
        tree: i64,
        /// Its node.
        node: i64,
    },
    /// Two nodes with one number.
    #[error("tree {tree} has two nodes with the number {node}")]
    Twice {
        /// The tree.
        tree: i64,
        /// Its node.
        node: i64,
    },
    /// A branch to nowhere.
    #[error("tree {tree} leads to node {node}, which is not there")]
    Child {
        /// The tree.
        tree: i64,
        /// The node.
        node: i64,
    },
    /// A circle, or two branches that join.
    #[error("tree {tree} leads to node {node} by two ways")]
    Joined {
        /// The tree.
        tree: i64,
        /// The node.
        node: i64,
    },
    /// Nodes that nothing leads to.
    #[error("tree {tree} has nodes that its first node does not lead to")]
    Unreached {
        /// The tree.
        tree: i64,
    },
    /// A weight for what is no leaf.
    #[error("a weight is for node {node} of tree {tree}, which is no leaf")]
    Weight {
        /// The tree.
        tree: i64,
        /// The node.
        node: i64,
    },
    /// A weight for a class that is not there, or the second for one leaf and class, or one that is no number.
    #[error("the weight of node {node} of tree {tree} for class {class} is not finite, a second one, or of no class")]
    Class {
        /// The tree.
        tree: i64,
        /// The leaf.
        node: i64,
        /// The class, or the target of a regressor.
        class: i64,
    },
    /// No tree.
    #[error("there is no tree")]
    NoTree,
    /// Too few classes, or a leaf without a weight.
    #[error("a leaf has no weight where it needs one, or there are fewer than two classes")]
    Unweighed,
    /// The order of the two classes.
    #[error("the leaves weigh the second of two classes, and it is the first that is labelled 1")]
    First,
    /// Several numbers for a row.
    #[error("a regressor gives {0} numbers for a row; a score is one")]
    Targets(i64),
    /// More base values than what they are added to, or one that runtimes drop.
    #[error(
        "base values ({bases} here) are not understood where leaves weigh {weights} of {classes} classes: runtimes disagree"
    )]
    Bases {
        /// Their number.
        bases: usize,
        /// Weights in a leaf.
        weights: usize,
        /// Classes.
        classes: usize,
    },
    /// A base value that is no number.
    #[error("a base value is not finite")]
    Base,
    /// `PROBIT`, `SOFTMAX_ZERO`, or something that does not fit the leaves.
    #[error("the post transform `{0}` is not known here")]
    Transform(String),
    /// A regressor with its own last step.
    #[error("runtimes do not agree on the post transform of a regressor; let `Sigmoid` follow it instead of `{0}`")]
    RegressorTransform(String),
    /// A sum or another aggregate function.
    #[error("the aggregate function `{0}` is not known")]
    Aggregate(String),
    /// Without a last step.
    #[error(
        "the trees give numbers from {low:.3} to {high:.3}, which are no probabilities; end in a logistic function"
    )]
    Range {
        /// The least that may come out.
        low: f64,
        /// The largest.
        high: f64,
    },
}

/// The node that is a tree ensemble, if one is.
pub(crate) fn place(graph: &Graph) -> Option<Place> {
    graph.nodes().position(|node| kind(node).is_some()).map(Place)
}

enum Kind {
    Classifier,
    Regressor,
}

fn kind(node: &NodeProto) -> Option<Kind> {
    match node.op_type.as_str() {
        "TreeEnsembleClassifier" => Some(Kind::Classifier),
        "TreeEnsembleRegressor" => Some(Kind::Regressor),
        _ => None,
    }
}

impl Ensemble {
    pub(crate) fn read(graph: &Graph, Place(place): Place) -> Result<Self, ModelError> {
        let sigmoid = beside(graph, place)?;
        graph.check_outputs()?;
        for node in graph.nodes() {
            match kind(node) {
                Some(Kind::Classifier) => return classifier(graph, node),
                Some(Kind::Regressor) => return Ok(regressor(graph, node, sigmoid)?),
                None => {}
            }
        }
        Err(EnsembleError::NoTree.into())
    }

    fn new(trees: Vec<Tree>, aggregate: Aggregate, base: Vec<f32>, last: Last) -> Result<Self, EnsembleError> {
        if base.iter().any(|base| !base.is_finite()) {
            return Err(EnsembleError::Base);
        }
        let ensemble = Self { trees, aggregate, base, last };
        let (low, high) = ensemble.range();
        let rounding = f64::from(ROUNDING);
        match last {
            Last::Nothing if low < -rounding || high > 1.0 + rounding => Err(EnsembleError::Range { low, high }),
            _ => Ok(ensemble),
        }
    }

    /// Between which numbers the first column ends, whatever the row. With all trees at their ends at once, which need
    /// not be a row that there is.
    fn range(&self) -> (f64, f64) {
        let ends = self.trees.iter().map(|tree| {
            let weights = || tree.weights().map(|weights| f64::from(weights[0]));
            (weights().fold(f64::INFINITY, f64::min), weights().fold(f64::NEG_INFINITY, f64::max))
        });
        let (lows, highs): (Vec<f64>, Vec<f64>) = ends.unzip();
        let together = |ends: &[f64]| match self.aggregate {
            Aggregate::Sum => ends.iter().sum::<f64>(),
            Aggregate::Average => ends.iter().sum::<f64>() / ends.len() as f64,
            Aggregate::Least => ends.iter().copied().fold(f64::INFINITY, f64::min),
            Aggregate::Largest => ends.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        };
        let base = f64::from(self.base[0]);
        (together(&lows) + base, together(&highs) + base)
    }
}

/// Whether a `Sigmoid` follows. From the inputs to the answer, each node takes what the one before it gives.
fn beside(graph: &Graph, place: usize) -> Result<bool, EnsembleError> {
    let mut sigmoid = false;
    let mut regressor = false;
    let mut value = graph.input();
    for (at, node) in graph.nodes().enumerate() {
        match node.op_type.as_str() {
            _ if at == place => regressor = matches!(kind(node), Some(Kind::Regressor)),
            "Identity" => {}
            "Sigmoid" if regressor && !sigmoid => sigmoid = true,
            _ => {
                let (operator, domain) = (node.op_type.clone(), graph::domain(node).to_owned());
                return Err(EnsembleError::Beside { operator, domain });
            }
        }
        // A classifier gives its label first.
        let gives = usize::from(at == place && !regressor);
        match (&node.input[..], node.output.get(gives)) {
            ([input], Some(output)) if input == value => value = output,
            _ => return Err(EnsembleError::Chain),
        }
    }
    if value == graph.answer() { Ok(sigmoid) } else { Err(EnsembleError::Chain) }
}

fn classifier(graph: &Graph, node: &NodeProto) -> Result<Ensemble, ModelError> {
    let attributes = Attributes::new(node)?;
    let classes = classes::classes(graph)?.filter(|classes| classes.count > 1).ok_or(EnsembleError::Unweighed)?;
    let mut grown = Grown::read(&attributes, "class", classes.count, graph.inputs())?;
    let transform = attributes.text("post_transform").unwrap_or("NONE");
    let base = attributes.floats("base_values");
    let weighed = grown.weighed.iter().filter(|weighed| **weighed).count();
    let wrong_bases = EnsembleError::Bases { bases: base.len(), weights: weighed, classes: classes.count };
    if classes.count == 2 && weighed == 1 {
        let base = match base.len() {
            _ if classes.positive == 0 => return Err(EnsembleError::First.into()),
            0 => 0.0,
            1 if grown.weighed[0] => base[0],
            _ => return Err(wrong_bases.into()),
        };
        // Called the first class or the second, a single weight is the second's.
        grown.keep(usize::from(grown.weighed[1]));
        let last = last(transform).ok_or_else(|| EnsembleError::Transform(transform.to_owned()))?;
        return Ok(Ensemble::new(grown.trees, Aggregate::Sum, vec![base], last)?);
    }
    if grown.sure.contains(&false) {
        return Err(EnsembleError::Unweighed.into());
    }
    let bases = match base.len() {
        0 => vec![0.0; classes.count],
        // onnxruntime adds that of the second class to the weights of the first.
        2 if classes.count == 2 => return Err(wrong_bases.into()),
        bases if bases == classes.count => base.to_vec(),
        _ => return Err(wrong_bases.into()),
    };
    if transform == "SOFTMAX" {
        return Ok(Ensemble::new(grown.trees, Aggregate::Sum, bases, Last::Softmax(classes.positive))?);
    }
    grown.keep(classes.positive);
    let last = last(transform).ok_or_else(|| EnsembleError::Transform(transform.to_owned()))?;
    Ok(Ensemble::new(grown.trees, Aggregate::Sum, vec![bases[classes.positive]], last)?)
}

/// The last step of a single column.
fn last(transform: &str) -> Option<Last> {
    match transform {
        "NONE" => Some(Last::Nothing),
        "LOGISTIC" => Some(Last::Logistic),
        _ => None,
    }
}

fn regressor(graph: &Graph, node: &NodeProto, sigmoid: bool) -> Result<Ensemble, EnsembleError> {
    let attributes = Attributes::new(node)?;
    match attributes.number("n_targets") {
        None | Some(1) => {}
        Some(several) => return Err(EnsembleError::Targets(several)),
    }
    match attributes.text("post_transform") {
        None | Some("NONE") => {}
        Some(other) => return Err(EnsembleError::RegressorTransform(other.to_owned())),
    }
    let aggregate = match attributes.text("aggregate_function") {
        None | Some("SUM") => Aggregate::Sum,
        Some("AVERAGE") => Aggregate::Average,
        Some("MIN") => Aggregate::Least,
        Some("MAX") => Aggregate::Largest,
        Some(other) => return Err(EnsembleError::Aggregate(other.to_owned())),
    };
    let base = match attributes.floats("base_values") {
        [] => 0.0,
        [base] => *base,
        several => return Err(EnsembleError::Bases { bases: several.len(), weights: 1, classes: 1 }),
    };
    let grown = Grown::read(&attributes, "target", 1, graph.inputs())?;
    if !grown.whole {
        return Err(EnsembleError::Unweighed);
    }
    let last = if sigmoid { Last::Logistic } else { Last::Nothing };
    Ensemble::new(grown.trees, aggregate, vec![base], last)
}
