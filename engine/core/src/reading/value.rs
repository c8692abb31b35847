//! One field's value: known, missing or invalid, by the field's declaration ("Fields and their values" of the language).

use super::Reason;
use super::decode::END_OF_2100;
use super::instant::parse_rfc3339;
use crate::json::{Kind, Token, number, unescape};
use crate::types::{Field, Type};

/// What a field is in one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// Known, as the number that rules work with: an enum's code, a bool as 0 or 1, a time in epoch milliseconds, 0 for
    /// a text.
    Known(f64),
    Missing,
    Invalid,
}

/// A time as a reading's is read: epoch milliseconds or RFC 3339 text, from 1970 to 2100.
pub(crate) fn read_time(token: Token, record: &str) -> Result<i64, Reason> {
    let field = Field {
        name: String::new(),
        kind: Type::Time,
        range: None,
        unit: None,
        missing: Vec::new(),
        missing_texts: Vec::new(),
    };
    match judge(&field, token, record) {
        Value::Known(time) if (0..END_OF_2100).contains(&(time as i64)) => Ok(time as i64),
        Value::Known(_) => Err(Reason::TimeOutOfRange),
        Value::Missing | Value::Invalid => Err(Reason::UnreadableTime),
    }
}

/// Judges a token of `record` by the field's declaration. What it yields for a text field holds for the text too.
pub(crate) fn judge(field: &Field, token: Token, record: &str) -> Value {
    match token.kind {
        Kind::Null => Value::Missing,
        Kind::Compound => Value::Invalid,
        Kind::True => truth(field, 1.0),
        Kind::False => truth(field, 0.0),
        Kind::Number(value) => judge_number(field, value),
        Kind::Text => judge_text(field, &record[token.start + 1..token.end - 1]),
        Kind::Escaped => judge_text(field, &unescape(&record[token.start + 1..token.end - 1], true)),
    }
}

fn truth(field: &Field, value: f64) -> Value {
    if field.kind == Type::Bool { Value::Known(value) } else { Value::Invalid }
}

fn judge_number(field: &Field, value: f64) -> Value {
    if field.missing.contains(&value) {
        return Value::Missing;
    }
    let fits = value.is_finite()
        && match &field.kind {
            Type::Int => is_whole(value),
            Type::Float => true,
            Type::Bool => value == 0.0 || value == 1.0,
            Type::Text => false,
            Type::Time => return judge_time(value),
            Type::Enum(labels) => labels.iter().any(|label| label.code == value),
        };
    let plausible = field.range.as_ref().is_none_or(|range| range.contains(value));
    if fits && plausible { Value::Known(value) } else { Value::Invalid }
}

/// Whether a finite number is integral. From 2^53 on all are; `fract` would call into the C library on plain x86-64.
fn is_whole(value: f64) -> bool {
    value as i64 as f64 == value || value.abs() >= 9_007_199_254_740_992.0
}

/// Epoch milliseconds, the fraction cut off.
fn judge_time(value: f64) -> Value {
    if value.is_finite() { Value::Known(value.floor()) } else { Value::Invalid }
}

fn judge_text(field: &Field, text: &str) -> Value {
    if text.is_empty() || field.missing_texts.iter().any(|missing| missing == text) {
        return Value::Missing;
    }
    match &field.kind {
        Type::Text => return Value::Known(0.0),
        Type::Enum(labels) => {
            if let Some(label) = labels.iter().find(|label| label.name == text) {
                return judge_number(field, label.code);
            }
        }
        Type::Time => {
            if let Some(ms) = parse_rfc3339(text) {
                return Value::Known(ms as f64);
            }
        }
        Type::Int | Type::Float | Type::Bool => {}
    }
    match number(text.as_bytes()) {
        Some((value, length)) if length == text.len() => judge_number(field, value),
        _ => Value::Invalid,
    }
}
