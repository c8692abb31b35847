//! Which of a classifier's columns is the probability: that of the class labelled 1.

use thiserror::Error;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{NodeProto, TensorProto};

use crate::graph::Graph;

/// The classes of a classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Classes {
    pub(crate) count: usize,
    /// The place of the class labelled 1.
    pub(crate) positive: usize,
}

/// Why there is no positive class.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClassesError {
    /// Words instead of numbers.
    #[error("the classes are labelled by words; the positive class must be labelled 1")]
    Words,
    /// Numbers without a 1.
    #[error("no class is labelled 1, or several are; the classes are {0:?}")]
    NoOne(Vec<i64>),
    /// More than a model can sensibly have.
    #[error("there are {0} classes; a score may have 256")]
    Many(usize),
    /// Several columns of which the file does not say what they are.
    #[error("the answer has {0} columns, and the file does not say which class is labelled 1")]
    Unlabelled(usize),
}

/// Operators that hand on their first input as it is.
const HANDED_ON: [&str; 7] = ["Identity", "Reshape", "Cast", "Squeeze", "Unsqueeze", "Flatten", "Transpose"];

/// The classes of the answer, if the file labels any: at the operator that gives the probabilities, or at the one that
/// gives the label. Attributes are `classlabels_int64s` in one operator and `classlabels_ints` in another.
pub(crate) fn classes(graph: &Graph) -> Result<Option<Classes>, ClassesError> {
    let ends = [Some(graph.answer()), graph.label()];
    for node in ends.into_iter().flatten().filter_map(|end| source(graph, end)) {
        if let Some(labels) = attribute(node) {
            return positive(labels?).map(Some);
        }
        let picked = (node.op_type == "ArrayFeatureExtractor").then(|| graph.constant(node.input.first()?));
        if let Some(tensor) = picked.flatten() {
            return positive(whole_numbers(tensor)?).map(Some);
        }
    }
    Ok(None)
}

/// The node that makes a value, past those that hand it on.
pub(crate) fn source<'graph>(graph: &'graph Graph, value: &str) -> Option<&'graph NodeProto> {
    let mut node = graph.maker(value)?;
    for _ in 0..FARTHEST {
        if !HANDED_ON.contains(&node.op_type.as_str()) {
            return Some(node);
        }
        node = graph.maker(node.input.first()?)?;
    }
    None
}

/// The way to a label is not held to the order of the file, so that it may lead in a circle.
const FARTHEST: usize = 64;

fn attribute(node: &NodeProto) -> Option<Result<Vec<i64>, ClassesError>> {
    let labels = |name: &str| node.attribute.iter().find(|one| one.name.starts_with(name));
    if labels("classlabels_strings").is_some() {
        return Some(Err(ClassesError::Words));
    }
    labels("classlabels_int").map(|labels| Ok(labels.ints.clone()))
}

fn whole_numbers(tensor: &TensorProto) -> Result<Vec<i64>, ClassesError> {
    let raw = &tensor.raw_data;
    let (fours, _) = raw.as_chunks::<4>();
    let (eights, _) = raw.as_chunks::<8>();
    match DataType::try_from(tensor.data_type) {
        Ok(DataType::Int64) if raw.is_empty() => Ok(tensor.int64_data.clone()),
        Ok(DataType::Int64) => Ok(eights.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()),
        Ok(DataType::Int32) if raw.is_empty() => Ok(tensor.int32_data.iter().map(|label| i64::from(*label)).collect()),
        Ok(DataType::Int32) => Ok(fours.iter().map(|bytes| i64::from(i32::from_le_bytes(*bytes))).collect()),
        _ => Err(ClassesError::Words),
    }
}

fn positive(labels: Vec<i64>) -> Result<Classes, ClassesError> {
    let mut ones = labels.iter().enumerate().filter(|(_, label)| **label == 1).map(|(place, _)| place);
    match (ones.next(), ones.next()) {
        _ if labels.len() > 256 => Err(ClassesError::Many(labels.len())),
        (Some(positive), None) => Ok(Classes { count: labels.len(), positive }),
        _ => Err(ClassesError::NoOne(labels)),
    }
}
