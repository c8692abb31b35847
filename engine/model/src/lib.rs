//! ONNX models as scores: a row of numbers in, the probability of the class labelled 1 out.
//!
//! `graph` reads a file and holds it to what a score may be. A tree ensemble (`ensemble`) is compiled to a `forest`,
//! which has no branches to predict; `network` gives everything else to tract. Knows nothing of rules, readings or
//! fields: what a missing field is has become NaN before.

mod classes;
mod ensemble;
mod forest;
mod graph;
mod missing;
mod model;
mod network;
mod shap;
mod tree;

pub use classes::ClassesError;
pub use ensemble::EnsembleError;
pub use graph::GraphError;
pub use model::{Engine, Model, ModelError};
pub use network::NetworkError;
pub use shap::{Explanation, Scale, Unexplained};
