//! An ONNX file as a graph that has been looked through: one tensor of floats in, and the nodes that the answer needs, each
//! after those that it needs itself. Knows no operator by name.

use std::collections::HashSet;

use thiserror::Error;
use tract_onnx::pb::tensor_proto::{DataLocation, DataType};
use tract_onnx::pb::{
    GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto,
};
use tract_onnx::prelude::Framework;

/// A model's graph, with what the answer does not need still in it.
#[derive(Debug)]
pub(crate) struct Graph {
    model: ModelProto,
    input: String,
    inputs: usize,
    needed: Vec<usize>,
}

/// Why a file is no graph of one tensor of inputs and one answer.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GraphError {
    /// No byte.
    #[error("the file is empty")]
    Empty,
    /// Not in the format, or cut short.
    #[error("the file is no ONNX model, or a part of it is missing")]
    NoModel,
    /// Weights beside the file.
    #[error("the values of `{0}` stand in another file; export the model with its weights inside")]
    External(String),
    /// A tensor that says one size and has another.
    #[error("the values of `{0}` are not as many as its shape says")]
    Size(String),
    /// `If`, `Loop`, `Scan`.
    #[error("the operator `{0}` has a graph of its own, which a score may not")]
    Nested(String),
    /// No input, or several.
    #[error("the model takes {0} tensors; a score takes one, with a column for each of its inputs")]
    InputCount(usize),
    /// Something else than floats.
    #[error("the input `{name}` is of type {kind}; a score takes FLOAT")]
    InputType {
        /// The tensor.
        name: String,
        /// Its type, as ONNX calls it.
        kind: String,
    },
    /// Not rows by a fixed number.
    #[error("the input `{0}` has another shape than rows and a fixed number of inputs")]
    InputShape(String),
    /// Used before it is made, or never made.
    #[error("the value `{0}` is used, and nothing before makes it")]
    Unmade(String),
    /// Made by two nodes.
    #[error("the value `{0}` is made twice")]
    MadeTwice(String),
    /// Not an answer, or a label and an answer.
    #[error("the model gives {0} tensors; a score takes a probability, or a label followed by probabilities")]
    OutputCount(usize),
    /// No floats.
    #[error("the last output, `{0}`, is of another type than FLOAT, so that there is no probability")]
    OutputType(String),
    /// Two outputs of which the first is no label.
    #[error("the first of two outputs, `{0}`, is no label of a class")]
    LabelType(String),
}

impl Graph {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, GraphError> {
        if bytes.is_empty() {
            return Err(GraphError::Empty);
        }
        let mut unread = bytes;
        let read = tract_onnx::onnx().proto_model_for_read(&mut unread);
        let model = read.map_err(|_| GraphError::NoModel)?;
        let graph = model.graph.as_ref().filter(|graph| !graph.output.is_empty()).ok_or(GraphError::NoModel)?;
        let (input, inputs) = input(graph)?;
        let needed = needed(graph);
        for node in needed.iter().map(|place| &graph.node[*place]) {
            look_through(node)?;
        }
        for tensor in &graph.initializer {
            look_at(tensor, &tensor.name)?;
        }
        in_order(graph, &needed, input)?;
        Ok(Self { input: input.to_owned(), inputs, needed, model })
    }

    /// The number of inputs, which are the columns of the tensor.
    pub(crate) fn inputs(&self) -> usize {
        self.inputs
    }

    /// The name of the tensor of inputs.
    pub(crate) fn input(&self) -> &str {
        &self.input
    }

    /// The nodes that the answer needs, in order.
    pub(crate) fn nodes(&self) -> impl DoubleEndedIterator<Item = &NodeProto> {
        self.needed.iter().map(|place| &self.proto().node[*place])
    }

    /// The name of the answer, which is the last output.
    pub(crate) fn answer(&self) -> &str {
        self.proto().output.last().map_or("", |output| &output.name)
    }

    /// Of two outputs, the name of the first, which is the label of the most probable class.
    pub(crate) fn label(&self) -> Option<&str> {
        let outputs = &self.proto().output;
        (outputs.len() > 1).then(|| outputs[0].name.as_str())
    }

    /// The node that makes a value, among all of the graph.
    pub(crate) fn maker(&self, value: &str) -> Option<&NodeProto> {
        self.proto().node.iter().find(|node| node.output.iter().any(|output| output == value))
    }

    /// A constant of the graph.
    pub(crate) fn constant(&self, name: &str) -> Option<&TensorProto> {
        self.proto().initializer.iter().find(|tensor| tensor.name == name)
    }

    /// Holds the outputs to an answer of floats, and perhaps a label before it. Comes after the operators have been
    /// found to be known: one that is not is the better reason for an odd output.
    pub(crate) fn check_outputs(&self) -> Result<(), GraphError> {
        let outputs = &self.proto().output;
        let (answer, labels) = outputs.split_last().ok_or(GraphError::NoModel)?;
        if element(answer) != Some(DataType::Float) {
            return Err(GraphError::OutputType(answer.name.clone()));
        }
        match labels {
            [] => Ok(()),
            [label] if matches!(element(label), Some(DataType::Int64 | DataType::Int32 | DataType::String)) => Ok(()),
            [label] => Err(GraphError::LabelType(label.name.clone())),
            _ => Err(GraphError::OutputCount(outputs.len())),
        }
    }

    /// The model with nothing but what the answer needs.
    pub(crate) fn pruned(&self) -> ModelProto {
        let nodes: Vec<NodeProto> = self.nodes().cloned().collect();
        let used: HashSet<&str> = nodes.iter().flat_map(|node| &node.input).map(String::as_str).collect();
        let graph = self.proto();
        let pruned = GraphProto {
            input: graph.input.iter().filter(|input| input.name == self.input).cloned().collect(),
            output: graph.output.last().cloned().into_iter().collect(),
            initializer: graph.initializer.iter().filter(|one| used.contains(one.name.as_str())).cloned().collect(),
            name: graph.name.clone(),
            node: nodes,
            ..GraphProto::default()
        };
        ModelProto {
            ir_version: self.model.ir_version,
            opset_import: self.model.opset_import.clone(),
            graph: Some(pruned),
            ..ModelProto::default()
        }
    }

    #[expect(clippy::expect_used, reason = "`read` has found the graph there")]
    fn proto(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("a model that was read has a graph")
    }
}

/// The set of operators that a node's is of. The standard's own has two names, one of them empty.
pub(crate) fn domain(node: &NodeProto) -> &str {
    if node.domain.is_empty() { "ai.onnx" } else { &node.domain }
}

/// The one tensor that is given, and its number of columns. Old files list their constants as inputs too.
fn input(graph: &GraphProto) -> Result<(&str, usize), GraphError> {
    let constants: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    let given: Vec<&ValueInfoProto> =
        graph.input.iter().filter(|input| !constants.contains(input.name.as_str())).collect();
    let [input] = given[..] else { return Err(GraphError::InputCount(given.len())) };
    let name = || input.name.clone();
    match element(input) {
        Some(DataType::Float) => {}
        other => {
            let kind = other.map_or("UNDEFINED", |kind| kind.as_str_name()).to_owned();
            return Err(GraphError::InputType { name: name(), kind });
        }
    }
    let columns = tensor(input).and_then(|tensor| tensor.shape.as_ref()).and_then(|shape| match &shape.dim[..] {
        [_, columns] => columns.value.as_ref(),
        _ => None,
    });
    match columns {
        Some(dimension::Value::DimValue(columns @ 1..=MOST_INPUTS)) => Ok((&input.name, *columns as usize)),
        _ => Err(GraphError::InputShape(name())),
    }
}

/// No score has more; a larger number is a broken file.
const MOST_INPUTS: i64 = 65_536;

fn tensor(value: &ValueInfoProto) -> Option<&type_proto::Tensor> {
    let type_proto::Value::TensorType(tensor) = value.r#type.as_ref()?.value.as_ref()?;
    Some(tensor)
}

fn element(value: &ValueInfoProto) -> Option<DataType> {
    DataType::try_from(tensor(value)?.elem_type).ok()
}

/// The places of the nodes that the last output needs, in the file's order.
fn needed(graph: &GraphProto) -> Vec<usize> {
    let mut wanted: HashSet<&str> = graph.output.last().map(|output| output.name.as_str()).into_iter().collect();
    let mut places = Vec::new();
    for (place, node) in graph.node.iter().enumerate().rev() {
        if node.output.iter().any(|output| wanted.contains(output.as_str())) {
            wanted.extend(node.input.iter().map(String::as_str));
            places.push(place);
        }
    }
    places.reverse();
    places
}

/// Each value is made once, before it is used.
fn in_order(graph: &GraphProto, needed: &[usize], input: &str) -> Result<(), GraphError> {
    let mut made: HashSet<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    made.extend([input, ""]);
    for node in needed.iter().map(|place| &graph.node[*place]) {
        if let Some(unmade) = node.input.iter().find(|name| !made.contains(name.as_str())) {
            return Err(GraphError::Unmade(unmade.clone()));
        }
        for output in node.output.iter().filter(|name| !name.is_empty()) {
            if !made.insert(output) {
                return Err(GraphError::MadeTwice(output.clone()));
            }
        }
    }
    match graph.output.last() {
        Some(answer) if !made.contains(answer.name.as_str()) => Err(GraphError::Unmade(answer.name.clone())),
        _ => Ok(()),
    }
}

/// Attributes that are graphs, and constants among attributes.
fn look_through(node: &NodeProto) -> Result<(), GraphError> {
    for attribute in &node.attribute {
        if attribute.g.is_some() || !attribute.graphs.is_empty() {
            return Err(GraphError::Nested(node.op_type.clone()));
        }
        for tensor in attribute.t.iter().chain(&attribute.tensors) {
            look_at(tensor, node.output.first().unwrap_or(&attribute.name))?;
        }
    }
    Ok(())
}

/// A constant's values are in this file, and as many as its shape says.
fn look_at(tensor: &TensorProto, name: &str) -> Result<(), GraphError> {
    if tensor.data_location == Some(DataLocation::External as i32) || !tensor.external_data.is_empty() {
        return Err(GraphError::External(name.to_owned()));
    }
    let told = tensor.dims.iter().try_fold(1_usize, |size, side| size.checked_mul(usize::try_from(*side).ok()?));
    let held = tensor.float_data.len().max(tensor.int32_data.len()).max(tensor.int64_data.len());
    let held = held.max(tensor.double_data.len()).max(tensor.uint64_data.len()).max(tensor.string_data.len());
    let held = held.max(tensor.raw_data.len());
    // Raw bytes are a multiple of the number, so that only a shape larger than what is there can be told here.
    match told {
        Some(size) if size <= held => Ok(()),
        _ => Err(GraphError::Size(name.to_owned())),
    }
}
