//! A model that is no tree ensemble, run by tract.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use thiserror::Error;
use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use tract_onnx::prelude::{
    DatumType, Framework, InferenceFact, InferenceModelExt, IntoRunnable, Tensor, TractResult, TypedModel,
    TypedRunnableModel, tvec,
};

use crate::classes::{self, Classes, ClassesError, source};
use crate::graph::{self, Graph};
use crate::missing;
use crate::model::ModelError;

/// Rows per run. Always as many, the last run filled up: with another number tract may add in another order, and a row's
/// score must not depend on what stands beside it.
const BATCH: usize = 32;

/// A plan of tract's, and which number of a row's answer is the probability.
#[derive(Debug)]
pub(crate) struct Network {
    plan: Arc<TypedRunnableModel>,
    inputs: usize,
    columns: usize,
    positive: usize,
    replaced: Vec<bool>,
}

/// Why tract runs no score of a model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// Nobody here has heard of it.
    #[error("the operator `{operator}` of `{domain}` is not known")]
    Operator {
        /// The operator.
        operator: String,
        /// The set that it is of.
        domain: String,
    },
    /// Another answer every time.
    #[error("the operator `{0}` draws random numbers; the same reading must have the same score")]
    Random(String),
    /// Known, and yet not run as it stands here.
    #[error("the operator `{operator}` does not run as it stands in the model: {reason}")]
    Fails {
        /// The operator.
        operator: String,
        /// What tract says.
        reason: String,
    },
    /// Not an answer a row.
    #[error("the answer has the shape {0}; a score takes a row of probabilities for each row of inputs")]
    Shape(String),
    /// Some classes without a column, or columns without a class.
    #[error("the answer has {columns} columns for {classes} classes")]
    Columns {
        /// In the answer.
        columns: usize,
        /// That are labelled.
        classes: usize,
    },
    /// A margin, a count, anything else.
    #[error("the answer comes from the operator `{0}`, which does not give a probability; end the model in `Sigmoid`")]
    NoProbability(String),
}

impl Network {
    pub(crate) fn read(graph: &Graph) -> Result<Self, ModelError> {
        for node in graph.nodes() {
            known(node)?;
        }
        graph.check_outputs()?;
        let classes = classes::classes(graph)?;
        let inputs = graph.inputs();
        let pruned = graph.pruned();
        let plan = prepare(&pruned, inputs).map_err(|reason| culprit(&pruned, inputs, reason))?;
        let columns = columns(plan.model())?;
        let positive = positive(graph, classes, columns)?;
        Ok(Self { plan, inputs, columns, positive, replaced: missing::replaced(graph) })
    }

    /// A score for each of `out`; NaN where there is none.
    pub(crate) fn score(&self, rows: &[f32], out: &mut [f32]) {
        for (rows, out) in rows.chunks(BATCH * self.inputs).zip(out.chunks_mut(BATCH)) {
            if self.run(rows, out).is_none() {
                self.one_by_one(rows, out);
            }
            self.mark_unusable(rows, out);
        }
    }

    /// After a run has failed, so that only those rows have no score which fail by themselves.
    fn one_by_one(&self, rows: &[f32], out: &mut [f32]) {
        for (row, score) in rows.chunks(self.inputs).zip(out) {
            if self.run(row, std::slice::from_mut(score)).is_none() {
                *score = f32::NAN;
            }
        }
    }

    fn run(&self, rows: &[f32], out: &mut [f32]) -> Option<()> {
        let mut filled = rows.to_vec();
        filled.resize(BATCH * self.inputs, 0.0);
        let given = Tensor::from_shape(&[BATCH, self.inputs], &filled).ok()?;
        let given = tvec!(given.into());
        let answers = catch_unwind(AssertUnwindSafe(|| self.plan.run(given))).ok()?.ok()?;
        let answers = answers.first()?.to_plain_array_view::<f32>().ok()?;
        let answers = answers.as_slice().filter(|answers| answers.len() == BATCH * self.columns)?;
        for (score, answers) in out.iter_mut().zip(answers.chunks_exact(self.columns)) {
            *score = answers[self.positive];
        }
        Some(())
    }

    /// No score where an input is missing that the model puts nothing in the place of, or is too large for an `f32`,
    /// whatever came out.
    fn mark_unusable(&self, rows: &[f32], out: &mut [f32]) {
        for (row, score) in rows.chunks(self.inputs).zip(out) {
            let mut inputs = row.iter().zip(&self.replaced);
            if inputs.any(|(value, replaced)| value.is_infinite() || (value.is_nan() && !replaced)) {
                *score = f32::NAN;
            }
        }
    }
}

fn known(node: &NodeProto) -> Result<(), NetworkError> {
    let operator = node.op_type.clone();
    if operator.starts_with("Random") || ["Bernoulli", "Multinomial"].contains(&operator.as_str()) {
        return Err(NetworkError::Random(operator));
    }
    let domain = graph::domain(node);
    let ours = ["ai.onnx", "ai.onnx.ml"].contains(&domain);
    if ours && tract_onnx::onnx().op_register.0.contains_key(&operator) {
        return Ok(());
    }
    Err(NetworkError::Operator { operator, domain: domain.to_owned() })
}

/// The model as tract runs it, or why it does not. tract asserts much of what it reads, so that it may panic.
fn prepare(model: &ModelProto, inputs: usize) -> Result<Arc<TypedRunnableModel>, String> {
    let typed = |model: &ModelProto| -> TractResult<Arc<TypedRunnableModel>> {
        let fact = InferenceFact::dt_shape(DatumType::F32, tvec!(BATCH, inputs));
        let read = tract_onnx::onnx().model_for_proto_model(model)?.with_input_fact(0, fact)?;
        read.into_optimized()?.into_runnable()
    };
    match catch_unwind(AssertUnwindSafe(|| typed(model))) {
        Ok(Ok(plan)) => Ok(plan),
        Ok(Err(error)) => Err(one_line(&format!("{:#}", error.root_cause()))),
        Err(_) => Err("it gives up".to_owned()),
    }
}

/// tract's words in one line that is not too long.
fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(160).collect()
}

/// The first operator without which what stands before it does run.
fn culprit(model: &ModelProto, inputs: usize, reason: String) -> NetworkError {
    let nodes = model.graph.iter().flat_map(|graph| &graph.node);
    for node in nodes.clone().take(TRIED) {
        let name = node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
        let output = vec![ValueInfoProto { name, ..ValueInfoProto::default() }];
        let up_to_here = GraphProto { output, ..model.graph.clone().unwrap_or_default() };
        if let Err(reason) = prepare(&ModelProto { graph: Some(up_to_here), ..model.clone() }, inputs) {
            return NetworkError::Fails { operator: node.op_type.clone(), reason };
        }
    }
    let operator = nodes.last().map_or_else(String::new, |node| node.op_type.clone());
    NetworkError::Fails { operator, reason }
}

/// Of a longer model the last operator is named.
const TRIED: usize = 64;

/// How many numbers the answer has for each row.
fn columns(model: &TypedModel) -> Result<usize, NetworkError> {
    let fact = model.output_fact(0).map_err(|error| NetworkError::Shape(one_line(&error.to_string())))?;
    match fact.shape.as_concrete() {
        Some([BATCH]) => Ok(1),
        Some([BATCH, columns]) if *columns > 0 => Ok(*columns),
        _ => Err(NetworkError::Shape(format!("{:?}", fact.shape))),
    }
}

fn positive(graph: &Graph, classes: Option<Classes>, columns: usize) -> Result<usize, ModelError> {
    match classes {
        Some(classes) if classes.count == columns => {}
        Some(Classes { count: classes, .. }) => return Err(NetworkError::Columns { columns, classes }.into()),
        None if columns == 1 => {}
        None => return Err(ClassesError::Unlabelled(columns).into()),
    }
    let end = end(graph);
    let operator = end.map_or("", |node| node.op_type.as_str());
    let gives = match operator {
        "Sigmoid" | "Softmax" | "HardSigmoid" => true,
        "LinearClassifier" => transforms(end),
        // Of several classes a sum or a share: that is for the labels to vouch for, and for the look at each score.
        "" | "LinearRegressor" | "Gemm" | "MatMul" => false,
        _ => classes.is_some(),
    };
    if gives {
        Ok(classes.map_or(0, |classes| classes.positive))
    } else {
        Err(NetworkError::NoProbability(operator.to_owned()).into())
    }
}

/// The operator that the answer comes from, past those that take a part of what it gives.
fn end(graph: &Graph) -> Option<&NodeProto> {
    let mut end = source(graph, graph.answer())?;
    while ["Gather", "Slice"].contains(&end.op_type.as_str()) {
        end = source(graph, end.input.first()?)?;
    }
    Some(end)
}

fn transforms(node: Option<&NodeProto>) -> bool {
    let attributes = node.iter().flat_map(|node| &node.attribute);
    attributes
        .filter(|one| one.name == "post_transform")
        .any(|one| [&b"LOGISTIC"[..], b"SOFTMAX"].contains(&&one.s[..]))
}
