//! The attributes of a tree ensemble by name.

use tract_onnx::pb::{AttributeProto, NodeProto};

use super::EnsembleError;

/// An operator's attributes, all of them known.
pub(super) struct Attributes<'node>(&'node [AttributeProto]);

/// Those of both operators, without their prefix `class_` or `target_` where they have one. What is not among them, such as
/// the tensors of doubles of ai.onnx.ml 3, would change what the trees mean.
const KNOWN: [&str; 22] = [
    "aggregate_function",
    "base_values",
    "class_ids",
    "class_nodeids",
    "class_treeids",
    "class_weights",
    "classlabels_int64s",
    "n_targets",
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_hitrates",
    "nodes_missing_value_tracks_true",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
    "nodes_values",
    "post_transform",
    "target_ids",
    "target_nodeids",
    "target_treeids",
    "target_weights",
];

impl<'node> Attributes<'node> {
    pub(super) fn new(node: &'node NodeProto) -> Result<Self, EnsembleError> {
        let unknown = |one: &&AttributeProto| !KNOWN.contains(&one.name.as_str()) && one.name != "classlabels_strings";
        match node.attribute.iter().find(unknown) {
            Some(attribute) => {
                Err(EnsembleError::Attribute { operator: node.op_type.clone(), attribute: attribute.name.clone() })
            }
            None => Ok(Self(&node.attribute)),
        }
    }

    fn get(&self, name: &str) -> Option<&'node AttributeProto> {
        self.0.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn floats(&self, name: &str) -> &'node [f32] {
        self.get(name).map_or(&[], |attribute| &attribute.floats)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).map(|attribute| attribute.i)
    }

    /// A word that is no UTF-8 is none that is known either.
    pub(super) fn text(&self, name: &str) -> Option<&'node str> {
        self.get(name).map(|attribute| str::from_utf8(&attribute.s).unwrap_or("?"))
    }

    /// Whole numbers, so many.
    pub(super) fn ints_of(&self, name: &str, count: usize) -> Result<&'node [i64], EnsembleError> {
        let ints = self.get(name).map_or(&[][..], |attribute| &attribute.ints);
        if ints.len() == count { Ok(ints) } else { Err(EnsembleError::Uneven(name.to_owned())) }
    }

    /// Floats, so many.
    pub(super) fn floats_of(&self, name: &str, count: usize) -> Result<&'node [f32], EnsembleError> {
        let floats = self.floats(name);
        if floats.len() == count { Ok(floats) } else { Err(EnsembleError::Uneven(name.to_owned())) }
    }

    /// Words, so many.
    pub(super) fn words_of(&self, name: &str, count: usize) -> Result<&'node [Vec<u8>], EnsembleError> {
        let words = self.get(name).map_or(&[][..], |attribute| &attribute.strings);
        if words.len() == count { Ok(words) } else { Err(EnsembleError::Uneven(name.to_owned())) }
    }

    /// How many entries a list of whole numbers has.
    pub(super) fn count(&self, name: &str) -> usize {
        self.get(name).map_or(0, |attribute| attribute.ints.len())
    }

    /// Whether the list is there, and not empty.
    pub(super) fn lists(&self, name: &str) -> bool {
        self.get(name).is_some_and(|attribute| !attribute.ints.is_empty() || !attribute.floats.is_empty())
    }
}
