//! Names of expressions that do not depend on how they were written: `let`s expanded, units and labels normalised, with the
//! declarations of the fields. State is kept under them, so that another rule set finds what it shares.
//!
//! A name is a hash over the names of the parts, so that a chain of `let`s costs no more than its length.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::{Arithmetic, Condition, ConditionId, Graph, Hold, Predicate, Value, ValueId};
use crate::score::Score;
use crate::syntax::ast::{Comparison, Status};
use crate::types::{Field, FieldId, Schema, ScoreId, Subject, Type};

/// Levels of an expression that its description shows.
const SHOWN_LEVELS: u32 = 8;

/// What an expression is called: equal for equal meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct CellName(pub(crate) [u8; 16]);

impl CellName {
    /// The name of something made of these parts.
    fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let mut name = [0; 16];
        name.copy_from_slice(&hash.finalize()[..16]);
        Self(name)
    }
}

/// The names of a graph's nodes.
#[derive(Debug)]
pub(crate) struct Naming {
    fields: Vec<CellName>,
    scores: Vec<CellName>,
    values: Vec<CellName>,
    conditions: Vec<CellName>,
}

impl Naming {
    /// Names every node: parts stand before wholes.
    pub(crate) fn of(graph: &Graph, schema: &Schema, scores: &[Score]) -> Self {
        let fields: Vec<CellName> =
            (0..schema.fields.len()).map(|index| field(schema, FieldId(index as u32))).collect();
        let scores = scores.iter().map(|of| score(of, &fields)).collect();
        let mut naming = Self { fields, scores, values: Vec::new(), conditions: Vec::new() };
        for value in graph.values.all() {
            let name = naming.name_value(value);
            naming.values.push(name);
        }
        for condition in graph.conditions.all() {
            let name = naming.name_condition(condition);
            naming.conditions.push(name);
        }
        naming
    }

    pub(crate) fn value(&self, id: ValueId) -> CellName {
        self.values[id.0 as usize]
    }

    pub(crate) fn condition(&self, id: ConditionId) -> CellName {
        self.conditions[id.0 as usize]
    }

    /// The name of the run of a condition, whatever its length.
    pub(crate) fn run(&self, of: ConditionId) -> CellName {
        CellName::of("run", &[&self.condition(of).0])
    }

    /// The name of `no reading for D`, or of `no FIELD for D`.
    pub(crate) fn silence(&self, field: Option<FieldId>, hold: i64) -> CellName {
        let of = field.map_or(CellName::of("reading", &[]), |field| self.fields[field.index()]);
        CellName::of("silence", &[&of.0, &hold.to_le_bytes()])
    }

    fn name_value(&self, value: &Value) -> CellName {
        let of = |id: &ValueId| self.value(*id).0;
        match value {
            Value::Field(field) => self.fields[field.index()],
            Value::Score(score) => self.scores[score.index()],
            Value::Constant(exact) => CellName::of("constant", &[&exact.get().to_bits().to_le_bytes()]),
            Value::Negative(inner) => CellName::of("negative", &[&of(inner)]),
            Value::Arithmetic(left, operation, right) => {
                CellName::of("arithmetic", &[&of(left), arithmetic(*operation).as_bytes(), &of(right)])
            }
            Value::Call(function, arguments) => {
                CellName::of("call", &[function.name().as_bytes(), &arguments.iter().flat_map(of).collect::<Vec<u8>>()])
            }
            Value::Window(function, inner, span) => {
                CellName::of("window", &[function.name().as_bytes(), &of(inner), &span.to_le_bytes()])
            }
            Value::Previous(inner) => CellName::of("previous", &[&of(inner)]),
        }
    }

    fn name_condition(&self, condition: &Condition) -> CellName {
        let of = |id: &ConditionId| self.condition(*id).0;
        let all = |ids: &[ConditionId]| ids.iter().flat_map(of).collect::<Vec<u8>>();
        match condition {
            Condition::And(parts) => CellName::of("and", &[&all(parts)]),
            Condition::Or(parts) => CellName::of("or", &[&all(parts)]),
            Condition::Not(part) => CellName::of("not", &[&of(part)]),
            Condition::Predicate(predicate) => self.name_predicate(predicate),
            Condition::Held(part, Hold::Since(span)) => CellName::of("held", &[&of(part), &span.to_le_bytes()]),
            Condition::Held(part, Hold::Readings(count)) => {
                CellName::of("readings", &[&of(part), &count.to_le_bytes()])
            }
            Condition::Then(first, second, span) => {
                CellName::of("then", &[&of(first), &of(second), &span.to_le_bytes()])
            }
        }
    }

    fn name_predicate(&self, predicate: &Predicate) -> CellName {
        let field = |id: &FieldId| self.fields[id.index()].0;
        match predicate {
            Predicate::Compare(left, op, right) => {
                CellName::of("compare", &[&self.value(*left).0, comparison(*op).as_bytes(), &self.value(*right).0])
            }
            Predicate::Says(of, text) => CellName::of("says", &[&field(of), text.as_bytes()]),
            Predicate::SaysSame(left, right) => CellName::of("says same", &[&field(left), &field(right)]),
            Predicate::Is(of, is) => {
                let of = match of {
                    Subject::Field(of) => field(of),
                    Subject::Score(score) => self.scores[score.index()].0,
                };
                CellName::of("is", &[&of, status(*is).as_bytes()])
            }
        }
    }
}

/// A field with all of its declaration: another range or missing code makes another value of the same bytes.
fn field(schema: &Schema, id: FieldId) -> CellName {
    let Field { name, kind, range, unit, missing, missing_texts } = schema.field(id);
    let mut text = kind.describe().to_owned();
    if let Type::Enum(labels) = kind {
        for label in labels {
            let _ = write!(text, ";{}={}", label.name, label.code);
        }
    }
    if let Some(range) = range {
        let _ = write!(text, ";{}..{}", range.low, range.high);
    }
    if let Some(unit) = unit {
        let _ = write!(text, ";{}", unit.code());
    }
    for code in missing {
        let _ = write!(text, ";missing {code}");
    }
    let roles = [schema.key == Some(id), schema.event == Some(id)].map(u8::from);
    let texts: Vec<u8> = missing_texts.iter().flat_map(|text| [text.as_bytes(), b"\0"].concat()).collect();
    CellName::of("field", &[name.as_bytes(), text.as_bytes(), &roles, &texts])
}

/// A score by its model and what goes in: another of either makes another number of the same reading. What it is called,
/// and where the model lies, do not.
fn score(score: &Score, fields: &[CellName]) -> CellName {
    let names = |of: &[FieldId]| of.iter().flat_map(|field| fields[field.index()].0).collect::<Vec<u8>>();
    // In which order they are needed makes no difference.
    let mut needs = score.needs.clone();
    needs.sort_unstable();
    CellName::of("score", &[&score.scorer.hash(), &names(&score.inputs), &names(&needs)])
}

fn arithmetic(operation: Arithmetic) -> &'static str {
    match operation {
        Arithmetic::Add => "+",
        Arithmetic::Subtract => "-",
        Arithmetic::Multiply => "*",
        Arithmetic::Divide => "/",
    }
}

fn comparison(op: Comparison) -> &'static str {
    match op {
        Comparison::Equal => "=",
        Comparison::NotEqual => "!=",
        Comparison::Less => "<",
        Comparison::LessOrEqual => "<=",
        Comparison::Greater => ">",
        Comparison::GreaterOrEqual => ">=",
    }
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Known => "known",
        Status::Missing => "missing",
        Status::Invalid => "invalid",
    }
}

/// An expression as a person reads it, for reports; deep ones are cut short.
pub(crate) struct Described<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) schema: &'a Schema,
    pub(crate) scores: &'a [Score],
}

impl Described<'_> {
    pub(crate) fn value(&self, id: ValueId) -> String {
        let mut text = String::new();
        self.write_value(id, SHOWN_LEVELS, &mut text);
        text
    }

    pub(crate) fn condition(&self, id: ConditionId) -> String {
        let mut text = String::new();
        self.write_condition(id, SHOWN_LEVELS, &mut text);
        text
    }

    fn name(&self, field: FieldId) -> &str {
        &self.schema.field(field).name
    }

    fn score(&self, score: ScoreId) -> &str {
        &self.scores[score.index()].name
    }

    fn write_value(&self, id: ValueId, levels: u32, text: &mut String) {
        let Some(levels) = levels.checked_sub(1) else { return text.push('…') };
        match self.graph.values.get(id.0) {
            Value::Field(field) => text.push_str(self.name(*field)),
            Value::Score(score) => text.push_str(self.score(*score)),
            Value::Constant(exact) => text.push_str(&exact.get().to_string()),
            Value::Negative(inner) => {
                text.push('-');
                self.write_value(*inner, levels, text);
            }
            Value::Arithmetic(left, operation, right) => {
                text.push('(');
                self.write_value(*left, levels, text);
                let _ = write!(text, " {} ", arithmetic(*operation));
                self.write_value(*right, levels, text);
                text.push(')');
            }
            Value::Call(function, arguments) => {
                text.push_str(function.name());
                text.push('(');
                for (index, argument) in arguments.iter().enumerate() {
                    text.push_str(if index > 0 { ", " } else { "" });
                    self.write_value(*argument, levels, text);
                }
                text.push(')');
            }
            Value::Window(function, inner, span) => {
                text.push_str(function.name());
                text.push('(');
                self.write_value(*inner, levels, text);
                let _ = write!(text, ", {})", duration(*span));
            }
            Value::Previous(inner) => {
                text.push_str("previous(");
                self.write_value(*inner, levels, text);
                text.push(')');
            }
        }
    }

    fn write_condition(&self, id: ConditionId, levels: u32, text: &mut String) {
        let Some(levels) = levels.checked_sub(1) else { return text.push('…') };
        match self.graph.conditions.get(id.0) {
            Condition::And(parts) => self.write_joined(parts, " and ", levels, text),
            Condition::Or(parts) => self.write_joined(parts, " or ", levels, text),
            Condition::Not(part) => {
                text.push_str("not ");
                self.write_condition(*part, levels, text);
            }
            Condition::Predicate(Predicate::Compare(left, op, right)) => {
                self.write_value(*left, levels, text);
                let _ = write!(text, " {} ", comparison(*op));
                self.write_value(*right, levels, text);
            }
            Condition::Predicate(Predicate::Says(field, says)) => {
                let _ = write!(text, "{} = {says:?}", self.name(*field));
            }
            Condition::Predicate(Predicate::SaysSame(left, right)) => {
                let _ = write!(text, "{} = {}", self.name(*left), self.name(*right));
            }
            Condition::Predicate(Predicate::Is(subject, is)) => {
                let name = match subject {
                    Subject::Field(field) => self.name(*field),
                    Subject::Score(score) => self.score(*score),
                };
                let _ = write!(text, "{name} is {}", status(*is));
            }
            Condition::Held(part, hold) => {
                self.write_condition(*part, levels, text);
                let _ = match hold {
                    Hold::Since(span) => write!(text, " for {}", duration(*span)),
                    Hold::Readings(count) => write!(text, " for {count} readings"),
                };
            }
            Condition::Then(first, second, span) => {
                self.write_condition(*first, levels, text);
                text.push_str(" then ");
                self.write_condition(*second, levels, text);
                let _ = write!(text, " within {}", duration(*span));
            }
        }
    }

    fn write_joined(&self, parts: &[ConditionId], word: &str, levels: u32, text: &mut String) {
        text.push('(');
        for (index, part) in parts.iter().enumerate() {
            text.push_str(if index > 0 { word } else { "" });
            self.write_condition(*part, levels, text);
        }
        text.push(')');
    }
}

/// A duration in the largest unit that divides it.
pub(crate) fn duration(ms: i64) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    match units.iter().find(|(_, length)| ms % length == 0) {
        Some((unit, length)) => format!("{}{unit}", ms / length),
        None => format!("{ms}ms"),
    }
}
