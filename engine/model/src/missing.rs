//! Which inputs of a model of plain operators may be missing: those in whose place it puts a number, by `IsNaN` and `Where`,
//! before it does anything else with its inputs.
//!
//! It is not left to the operators to hand NaN on: tract's `Sigmoid` makes a number near 0 of it, which would read as "not
//! ill".

use std::collections::HashSet;

use tract_onnx::pb::TensorProto;
use tract_onnx::pb::tensor_proto::DataType;

use crate::graph::Graph;

/// A place for each input: whether a number stands in for it. All are false if the model does anything but ask for what is
/// missing and replace it.
pub(crate) fn replaced(graph: &Graph) -> Vec<bool> {
    let none = vec![false; graph.inputs()];
    let mut replaced = vec![true; graph.inputs()];
    let mut given = HashSet::from([graph.input()]);
    let mut asked = HashSet::new();
    for node in graph.nodes() {
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        if !inputs.iter().any(|name| given.contains(name)) {
            continue;
        }
        let outputs = node.output.iter().map(String::as_str);
        match (node.op_type.as_str(), &inputs[..]) {
            ("Identity", _) => given.extend(outputs),
            ("IsNaN", _) => asked.extend(outputs),
            ("Where", [condition, stead, _]) if asked.contains(condition) && !given.contains(stead) => {
                let Some(numbers) = constant(graph, stead).and_then(floats) else { return none };
                if numbers.len() != 1 && numbers.len() != replaced.len() {
                    return none;
                }
                for (place, replaced) in replaced.iter_mut().enumerate() {
                    *replaced &= !numbers[place % numbers.len()].is_nan();
                }
            }
            _ => return none,
        }
    }
    replaced
}

/// A constant's tensor, whether it stands in the graph's list or in a node.
fn constant<'graph>(graph: &'graph Graph, name: &str) -> Option<&'graph TensorProto> {
    let node = || graph.maker(name).filter(|node| node.op_type == "Constant");
    graph.constant(name).or_else(|| node()?.attribute.iter().find(|one| one.name == "value")?.t.as_ref())
}

/// Its numbers, if they are floats in a row.
fn floats(tensor: &TensorProto) -> Option<Vec<f32>> {
    let (_, above) = tensor.dims.split_last().unwrap_or((&1, &[]));
    if tensor.data_type != DataType::Float as i32 || above.iter().any(|side| *side != 1) {
        return None;
    }
    if tensor.raw_data.is_empty() {
        return Some(tensor.float_data.clone());
    }
    Some(tensor.raw_data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}
