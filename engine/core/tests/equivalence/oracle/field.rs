//! Whether a field is known, missing or invalid, and its value.

use triage_core::syntax::ast::{Field, FieldKind, LiteralKind, Number};

use super::json::{self, Json};
use super::time;

/// What a field is in one reading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    /// Present, of the declared type, plausible.
    Known(Value),
    /// Absent, `null`, `""`, or a code listed under `missing`.
    Missing,
    /// Anything else.
    Invalid,
}

impl State {
    /// The value, if it is known.
    pub(crate) fn known(&self) -> Option<&Value> {
        if let State::Known(value) = self { Some(value) } else { None }
    }
}

/// A known value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// A number, and its digits as they arrived.
    Number(f64, String),
    /// A truth value.
    Bool(bool),
    /// An enum's label, its code, and the code as declared.
    Label(String, f64, String),
    /// A text, and the JSON string to send on.
    Text(String, String),
    /// Epoch milliseconds.
    Time(i64),
}

impl Value {
    /// As a record carries it.
    pub(crate) fn json(&self) -> String {
        match self {
            Value::Number(_, digits) => digits.clone(),
            Value::Bool(truth) => truth.to_string(),
            Value::Label(_, _, code) => code.clone(),
            Value::Text(_, quoted) => quoted.clone(),
            Value::Time(ms) => ms.to_string(),
        }
    }

    /// As a message says it.
    pub(crate) fn spoken(&self) -> String {
        match self {
            Value::Number(_, digits) => digits.clone(),
            Value::Bool(truth) => truth.to_string(),
            Value::Label(label, ..) => label.clone(),
            Value::Text(text, _) => text.clone(),
            Value::Time(ms) => time::print(*ms),
        }
    }
}

/// Judges what arrived for a field that is neither the patient nor the reading's time; `raw` are its bytes.
pub(crate) fn judge(field: &Field, arrived: Option<(&Json, &str)>) -> State {
    let Some((value, raw)) = arrived else { return State::Missing };
    if is_empty(value) || is_missing_code(field, value) {
        return State::Missing;
    }
    match known(field, value, raw) {
        Some(value) => State::Known(value),
        None => State::Invalid,
    }
}

/// Whether a value says that there is none.
pub(crate) fn is_empty(value: &Json) -> bool {
    *value == Json::Null || *value == Json::Text(String::new())
}

/// Whether a value is one of the codes for "not measured".
pub(crate) fn is_missing_code(field: &Field, value: &Json) -> bool {
    field.missing.iter().any(|code| match (&code.kind, value) {
        (LiteralKind::Text(code), Json::Text(text)) => code == text,
        (LiteralKind::Number(code, _), value) => number(value).is_some_and(|(number, _)| number == parse(code)),
        _ => false,
    })
}

fn known(field: &Field, value: &Json, raw: &str) -> Option<Value> {
    match &field.kind.node {
        FieldKind::Int => measured(field, value).filter(|(number, _)| number.fract() == 0.0).map(as_number),
        FieldKind::Float => measured(field, value).map(as_number),
        FieldKind::Bool => truth(value).map(Value::Bool),
        FieldKind::Text => match value {
            Json::Text(text) => Some(Value::Text(text.clone(), raw.into())),
            _ => None,
        },
        FieldKind::Time => moment(value).filter(|ms| time::is_printable(*ms)).map(Value::Time),
        FieldKind::Enum(labels) => {
            let by_label = |name: &str| matches!(value, Json::Text(text) if text == name);
            let by_code = |code: &Number| number(value).is_some_and(|(number, _)| number == parse(code));
            let (label, code) = labels.iter().find(|(label, code)| by_label(&label.node) || by_code(&code.node))?;
            Some(Value::Label(label.node.clone(), parse(&code.node), code.node.0.clone()))
        }
    }
}

fn as_number((number, digits): (f64, &str)) -> Value {
    Value::Number(number, digits.into())
}

/// A number inside the field's range.
fn measured<'a>(field: &Field, value: &'a Json) -> Option<(f64, &'a str)> {
    let plausible = |number: f64| match &field.range {
        Some(range) => parse(&range.node.low.node) <= number && number <= parse(&range.node.high.node),
        None => true,
    };
    number(value).filter(|(number, _)| plausible(*number))
}

/// A finite number and its digits, in quotes or not.
fn number(value: &Json) -> Option<(f64, &str)> {
    let digits = match value {
        Json::Number(digits) => digits,
        Json::Text(text) if json::is_number(text) => text,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    number.is_finite().then_some((number, digits.as_str()))
}

fn truth(value: &Json) -> Option<bool> {
    if let Json::Bool(truth) = value {
        return Some(*truth);
    }
    match number(value)?.0 {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    }
}

/// A point in time in epoch milliseconds: a number of them, or RFC 3339.
pub(crate) fn moment(value: &Json) -> Option<i64> {
    if let Some((number, _)) = number(value) {
        return Some(number.floor() as i64);
    }
    match value {
        Json::Text(text) => time::parse(text),
        _ => None,
    }
}

/// A number of the rule set.
pub(crate) fn parse(number: &Number) -> f64 {
    number.0.parse().expect("a number of the rule set")
}
