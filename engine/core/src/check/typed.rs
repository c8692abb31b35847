//! What an expression turned out to be.

use crate::graph::{ConditionId, ValueId};
use crate::source::Span;
use crate::types::{FieldId, ScoreId};
use crate::unit::Unit;

/// An expression after its names are resolved.
#[derive(Debug, Clone)]
pub(crate) enum Typed {
    /// Something that is true, false or unknown.
    Condition(ConditionId),
    /// A field standing alone.
    Field(FieldId),
    /// A score standing alone.
    Score(ScoreId),
    /// A computed number.
    Number(ValueId),
    /// A number as written.
    Quantity(Quantity),
    /// A text as written.
    Text(String),
    /// `true` or `false` as written.
    Truth(bool),
    /// A label that stands without its enum.
    Label(String),
    /// Something that has been reported already.
    Unknown,
}

/// A number as written, perhaps with a unit.
#[derive(Debug, Clone)]
pub(crate) struct Quantity {
    /// Sign, digits, decimals.
    pub(crate) text: String,
    pub(crate) unit: Option<Unit>,
    pub(crate) span: Span,
}

impl Quantity {
    /// The number alone.
    pub(crate) fn value(&self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The same with the other sign.
    pub(crate) fn negated(mut self) -> Self {
        self.text = match self.text.strip_prefix('-') {
            Some(positive) => positive.to_owned(),
            None => format!("-{}", self.text),
        };
        self
    }

    /// As the author wrote it.
    pub(crate) fn written(&self) -> String {
        match self.unit {
            Some(unit) => format!("{} '{}'", self.text, unit.code()),
            None => self.text.clone(),
        }
    }
}
