//! Random numbers and arithmetic.

use super::Tape;
use super::model::{Field, Kind, tenths, written};
use crate::oracle::convert;
use triage_core::syntax::ast::Number;

/// An expression that is a number.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    /// Its text.
    pub(crate) text: String,
    /// The field that it is, if it is nothing more.
    pub(crate) field: Option<usize>,
    /// How tightly it binds: 0 a sum, 1 a product, 2 anything tighter.
    pub(crate) binding: u8,
    /// Whether all its fields bear this unit.
    pub(crate) unit: Option<&'static str>,
    /// Whether it is a score, and nothing more.
    pub(crate) is_score: bool,
}

/// Units that convert to one another.
const FAMILIES: [&[&str]; 4] = [&["mm[Hg]", "kPa"], &["Cel", "[degF]"], &["g", "mg"], &["s", "min", "h"]];

/// A score.
pub(crate) fn of_score(name: &str) -> Value {
    Value { is_score: true, ..calculated(name.into(), None) }
}

fn calculated(text: String, unit: Option<&'static str>) -> Value {
    Value { text, field: None, binding: 2, unit, is_score: false }
}

/// Any number that some field takes part in.
pub(crate) fn value(tape: &mut Tape, fields: &[Field], lets: &[(String, Value)], depth: usize) -> Value {
    let kind = if depth == 0 { tape.pick(2) } else { tape.pick(8) };
    match kind {
        1 if !lets.is_empty() => {
            let (name, meant) = &lets[tape.pick(lets.len())];
            Value { text: name.clone(), binding: 2, ..meant.clone() }
        }
        2 | 3 => joined(tape, fields, lets, depth, 0),
        4 | 5 => joined(tape, fields, lets, depth, 1),
        6 => {
            let inner = value(tape, fields, lets, depth - 1);
            let text = format!("-{}", inside(&inner, 2));
            Value { binding: 1, ..calculated(text, inner.unit) }
        }
        7 => call(tape, fields, lets, depth),
        _ => of_field(tape, fields),
    }
}

fn of_field(tape: &mut Tape, fields: &[Field]) -> Value {
    let numbers: Vec<usize> = (0..fields.len()).filter(|at| fields[*at].is_number()).collect();
    let at = numbers[tape.pick(numbers.len())];
    Value { field: Some(at), ..calculated(written(fields[at].name), fields[at].unit) }
}

/// A sum or a product of two or three.
fn joined(tape: &mut Tape, fields: &[Field], lets: &[(String, Value)], depth: usize, binding: u8) -> Value {
    let first = value(tape, fields, lets, depth - 1);
    let mut unit = first.unit;
    let mut text = inside(&first, binding);
    for _ in 0..=tape.pick(2) {
        let operator = if binding == 0 { tape.one(&["+", "-"]) } else { tape.one(&["*", "/"]) };
        let next = if tape.chance(40) {
            tenths(tape.between(0, 60))
        } else {
            let next = value(tape, fields, lets, depth - 1);
            unit = unit.filter(|unit| next.unit == Some(unit));
            inside(&next, binding + 1)
        };
        text.push_str(&format!(" {operator} {next}"));
    }
    Value { binding, ..calculated(text, unit) }
}

fn call(tape: &mut Tape, fields: &[Field], lets: &[(String, Value)], depth: usize) -> Value {
    let name = tape.one(&["abs", "round", "min", "max"]);
    let first = value(tape, fields, lets, depth - 1);
    let mut unit = first.unit;
    let mut arguments = vec![first.text];
    if name == "min" || name == "max" {
        for _ in 0..=tape.pick(2) {
            let next = value(tape, fields, lets, depth - 1);
            unit = unit.filter(|unit| next.unit == Some(unit));
            arguments.push(next.text);
        }
    }
    calculated(format!("{name}({})", arguments.join(", ")), unit)
}

fn inside(value: &Value, binding: u8) -> String {
    if value.binding < binding { format!("({})", value.text) } else { value.text.clone() }
}

/// A literal to compare a number with; for a field it is inside the range, and becomes one of its edges.
pub(crate) fn literal(tape: &mut Tape, fields: &mut [Field], beside: &Value, whole: bool) -> String {
    if beside.is_score {
        return tape.one(&["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9", "0.55", "0.25"]).into();
    }
    let Some(at) = beside.field else {
        let unit = beside.unit.filter(|_| tape.chance(30)).map(quoted).unwrap_or_default();
        return format!("{}{unit}", tenths(tape.between(-300, 3000)));
    };
    let (low, high) = fields[at].range.unwrap_or((-1000, 4000));
    let mut number = tape.between(low + 1, high - 1);
    if fields[at].kind == Kind::Int && (whole || !tape.chance(15)) {
        number = number.div_euclid(10) * 10;
        number = if number <= low { low + 10 } else { number };
    }
    let text = tenths(number);
    let unit = match fields[at].unit {
        Some(own) if tape.chance(60) => own,
        _ => {
            fields[at].edges.push(text.clone());
            return text;
        }
    };
    let other = FAMILIES.iter().find(|family| family.contains(&unit)).map(|family| tape.one(family));
    if let Some(converted) = other.filter(|_| !whole).and_then(|other| in_other_unit(number, unit, other, (low, high)))
    {
        fields[at].edges.push(format!("{}", converted.1));
        return converted.0;
    }
    fields[at].edges.push(text.clone());
    format!("{text}{}", quoted(unit))
}

/// About `number` tenths of `unit`, written in unit `other`, and its exact value in `unit`, if that is in the range.
fn in_other_unit(number: i64, unit: &str, other: &str, (low, high): (i64, i64)) -> Option<(String, f64)> {
    let (sign, absolute) = (number < 0, Number(tenths(number.abs())));
    let there = convert(&absolute, sign, unit, other)?;
    let digits = if there.abs() < 1.0 { 5 } else { 2 };
    let text = format!("{there:.digits$}");
    let here = convert(&Number(text.trim_start_matches('-').into()), text.starts_with('-'), other, unit)?;
    let fits = here * 10.0 > low as f64 && here * 10.0 < high as f64;
    fits.then(|| (format!("{text}{}", quoted(other)), here))
}

fn quoted(unit: &str) -> String {
    format!(" '{unit}'")
}
