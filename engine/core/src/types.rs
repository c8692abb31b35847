//! What a stream declares: fields, their types, ranges, units and missing codes.

use crate::unit::Unit;

/// A declared field, by position in [`Schema::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FieldId(pub(crate) u32);

impl FieldId {
    /// The position.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// A score, by position among those of the rule set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ScoreId(pub(crate) u32);

impl ScoreId {
    /// The position.
    pub(crate) fn index(self) -> usize {
        self.0 as usize
    }
}

/// What conditions ask about and outputs carry: what arrives, or what a model makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Field(FieldId),
    Score(ScoreId),
}

/// The stream: where readings come from, and what they hold.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    /// The Kafka topic.
    pub(crate) stream: String,
    /// The collection for readings as they arrived.
    pub(crate) store: Option<String>,
    /// The fields in declared order.
    pub(crate) fields: Vec<Field>,
    /// The field that names the patient.
    pub(crate) key: Option<FieldId>,
    /// The field that bears the reading's time.
    pub(crate) event: Option<FieldId>,
    /// After how many milliseconds without a reading a patient is forgotten.
    pub(crate) forget: i64,
}

impl Schema {
    /// The field of that name.
    pub(crate) fn find(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|field| field.name == name).map(|index| FieldId(index as u32))
    }

    /// The field's declaration.
    pub(crate) fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }
}

/// A declared field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its name in the JSON object.
    pub(crate) name: String,
    /// Its type.
    pub(crate) kind: Type,
    /// What is plausible, inclusive.
    pub(crate) range: Option<Plausible>,
    /// Its unit.
    pub(crate) unit: Option<Unit>,
    /// Numbers that stand for "not measured".
    pub(crate) missing: Vec<f64>,
    /// Texts that stand for "not measured".
    pub(crate) missing_texts: Vec<String>,
}

/// An inclusive range of plausible values, with the bounds as the author wrote them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plausible {
    /// Lower bound.
    pub(crate) low: f64,
    /// Upper bound.
    pub(crate) high: f64,
    /// `30..300`, for diagnostics.
    pub(crate) written: String,
}

impl Plausible {
    /// Whether the value lies inside.
    pub(crate) fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A field's type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    /// An integral number.
    Int,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// A string.
    Text,
    /// A point in time, in epoch milliseconds.
    Time,
    /// One of these labels.
    Enum(Vec<Label>),
}

/// A label of an enum and its code.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Label {
    /// The label.
    pub(crate) name: String,
    /// Its code.
    pub(crate) code: f64,
    /// The code as declared, and as outputs carry it.
    pub(crate) written: String,
}

impl Type {
    /// The type in the user's words.
    pub(crate) fn describe(&self) -> &'static str {
        match self {
            Type::Int => "a whole number",
            Type::Float => "a number",
            Type::Bool => "true or false",
            Type::Text => "a text",
            Type::Time => "a time",
            Type::Enum(_) => "an enum",
        }
    }
}
