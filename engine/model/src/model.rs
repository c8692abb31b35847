//! A model that is ready to score.

use std::fmt;

use thiserror::Error;

use crate::classes::ClassesError;
use crate::ensemble::{self, Ensemble, EnsembleError};
use crate::forest::Forest;
use crate::graph::{Graph, GraphError};
use crate::network::{Network, NetworkError};
use crate::shap::{Explainer, Explanation, Unexplained};

/// Sums of `f32` end this far outside 0..1 at most where the exact sum does not.
pub(crate) const ROUNDING: f32 = 1e-6;

/// A model, read and compiled. Several threads may score with one.
#[derive(Debug)]
pub struct Model {
    inputs: usize,
    runner: Runner,
}

#[derive(Debug)]
enum Runner {
    Forest { forest: Forest, explainer: Result<Explainer, Unexplained> },
    Network(Network),
}

/// What runs a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A tree ensemble, compiled.
    Forest,
    /// Any other model that tract runs.
    Tract,
}

/// Why a file is no score.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ModelError {
    /// The file, or its inputs and outputs.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Its classes.
    #[error(transparent)]
    Classes(#[from] ClassesError),
    /// Its trees.
    #[error(transparent)]
    Ensemble(#[from] EnsembleError),
    /// Its operators.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

impl Model {
    /// Reads the bytes of an ONNX file. Never panics, whatever they are.
    pub fn read(bytes: &[u8]) -> Result<Self, ModelError> {
        let graph = Graph::read(bytes)?;
        let runner = match ensemble::place(&graph) {
            Some(place) => Runner::forest(&Ensemble::read(&graph, place)?),
            None => Runner::Network(Network::read(&graph)?),
        };
        Ok(Self { inputs: graph.inputs(), runner })
    }

    /// How many numbers a row has.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// What runs it.
    pub fn engine(&self) -> Engine {
        match self.runner {
            Runner::Forest { .. } => Engine::Forest,
            Runner::Network(_) => Engine::Tract,
        }
    }

    /// Writes a score for each row: the probability of the class labelled 1. `rows` stand one after the other, NaN for an
    /// input that is missing. NaN comes out where the model fails on the row, or gives what is no probability. A row's
    /// score is the same bits whatever rows stand beside it.
    ///
    /// # Panics
    ///
    /// If `rows` does not hold [`Model::inputs`] numbers for each place of `out`.
    pub fn score(&self, rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len(), self.inputs * out.len(), "a row has {} inputs", self.inputs);
        match &self.runner {
            Runner::Forest { forest, .. } => forest.score(rows, out),
            Runner::Network(network) => network.score(rows, out),
        }
        for score in out {
            *score = probability(*score);
        }
    }

    /// What moved the score of a row.
    ///
    /// # Errors
    ///
    /// Why the file cannot say: it is no sum of trees, or its trees do not carry how many patients went which way.
    ///
    /// # Panics
    ///
    /// If `row` does not hold [`Model::inputs`] numbers.
    pub fn explain(&self, row: &[f32]) -> Result<Explanation, Unexplained> {
        assert_eq!(row.len(), self.inputs, "a row has {} inputs", self.inputs);
        match &self.runner {
            Runner::Forest { explainer, .. } => match explainer {
                Ok(explainer) => Ok(explainer.explain(row)),
                Err(why) => Err(why.clone()),
            },
            Runner::Network(_) => Err(Unexplained::NoTrees),
        }
    }
}

impl Runner {
    fn forest(ensemble: &Ensemble) -> Self {
        Self::Forest { forest: Forest::compile(ensemble), explainer: Explainer::new(ensemble) }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Forest => "forest",
            Self::Tract => "tract",
        })
    }
}

/// The number if it is a probability, apart from rounding; otherwise NaN.
fn probability(score: f32) -> f32 {
    if (-ROUNDING..=1.0 + ROUNDING).contains(&score) { score.clamp(0.0, 1.0) } else { f32::NAN }
}
