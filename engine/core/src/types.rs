//! What a stream declares: fields, their types, ranges, units and missing codes.

use crate::unit::Unit;

/// A declared field, by position in [`Schema::fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FieldId(pub u32);

impl FieldId {
    /// The position.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The stream: where readings come from, and what they hold.
#[derive(Debug, Clone)]
pub struct Schema {
    /// The Kafka topic.
    pub stream: String,
    /// The collection for readings as they arrived.
    pub store: Option<String>,
    /// The fields in declared order.
    pub fields: Vec<Field>,
    /// The field that names the patient.
    pub key: Option<FieldId>,
    /// The field that bears the reading's time.
    pub event: Option<FieldId>,
}

impl Schema {
    /// The field of that name.
    pub fn find(&self, name: &str) -> Option<FieldId> {
        self.fields.iter().position(|field| field.name == name).map(|index| FieldId(index as u32))
    }

    /// The field's declaration.
    pub fn field(&self, id: FieldId) -> &Field {
        &self.fields[id.index()]
    }
}

/// A declared field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name in the JSON object.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// What is plausible, inclusive.
    pub range: Option<Plausible>,
    /// Its unit.
    pub unit: Option<Unit>,
    /// Numbers that stand for "not measured".
    pub missing: Vec<f64>,
    /// Texts that stand for "not measured".
    pub missing_texts: Vec<String>,
}

/// An inclusive range of plausible values, with the bounds as the author wrote them.
#[derive(Debug, Clone, PartialEq)]
pub struct Plausible {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// `30..300`, for diagnostics.
    pub written: String,
}

impl Plausible {
    /// Whether the value lies inside.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A field's type.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
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
pub struct Label {
    /// The label.
    pub name: String,
    /// Its code.
    pub code: f64,
    /// The code as declared, and as outputs carry it.
    pub written: String,
}

impl Type {
    /// The type in the user's words.
    pub fn describe(&self) -> &'static str {
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
