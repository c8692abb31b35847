//! Test blocks: what is given, as the record it makes, and what is expected of it.

use super::expr::Lowering;
use crate::diagnostic::{Code, Diagnostic};
use crate::json::quoted;
use crate::source::Span;
use crate::syntax::ast::{self, AlertState, Event, Expected, Given, LiteralKind, Name, RuleRef};
use crate::types::FieldId;

/// A test of a checked rule set.
#[derive(Debug, Clone)]
pub(crate) struct CheckedTest {
    /// What it shows.
    pub(crate) name: String,
    /// Its name's place.
    pub(crate) span: Span,
    pub(crate) steps: Vec<CheckedStep>,
}

/// One reading and what is expected of it.
#[derive(Debug, Clone)]
pub(crate) struct CheckedStep {
    /// The reading, as JSON.
    pub(crate) record: Vec<u8>,
    pub(crate) expectations: Vec<CheckedExpectation>,
}

/// One expectation.
#[derive(Debug, Clone)]
pub(crate) struct CheckedExpectation {
    pub(crate) absent: bool,
    pub(crate) what: CheckedExpected,
    pub(crate) span: Span,
}

/// What is expected to be sent, or not.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum CheckedExpected {
    /// A record to this topic.
    Topic(String),
    /// A match of this rule.
    Rule(String),
    /// An alert in this state.
    Alert(AlertState),
}

/// The names that tests may mention.
pub(super) struct Targets<'a> {
    pub(super) topics: Vec<&'a str>,
    pub(super) rules: Vec<&'a str>,
}

/// Checks a test block.
pub(super) fn check(test: &ast::Test, targets: &Targets<'_>, lowering: &mut Lowering) -> CheckedTest {
    let mut steps = Vec::new();
    for step in &test.steps {
        let record = match &step.event {
            Event::Given(given) => record(given, lowering),
            later => {
                later_event(later, targets, lowering);
                lowering.not_yet("a step with `at`", step.span);
                Vec::new()
            }
        };
        let mut expectations = Vec::new();
        for expectation in &step.expectations {
            let what = match &expectation.what {
                Expected::Alert(state) => Some(CheckedExpected::Alert(state.node)),
                Expected::Rule(reference) => target(reference, targets, lowering),
            };
            expectations.extend(what.map(|what| CheckedExpectation {
                absent: expectation.absent,
                what,
                span: expectation.span,
            }));
        }
        if step.expectations.is_empty() && matches!(step.event, Event::Given(_)) {
            let message = "this step expects nothing, so it shows nothing";
            lowering.diagnostics.push(Diagnostic::new(
                Code::TestReference,
                step.span,
                message,
                "expected `expect …` behind it",
            ));
        }
        steps.push(CheckedStep { record, expectations });
    }
    if test.steps.is_empty() {
        let message = format!("the test \"{}\" is empty", test.name.node);
        lowering.diagnostics.push(Diagnostic::new(
            Code::TestReference,
            test.span,
            message,
            "expected `given { … } expect …`",
        ));
    }
    CheckedTest { name: test.name.node.clone(), span: test.name.span, steps }
}

/// The names in an event that only a later version brings about.
fn later_event(event: &Event, targets: &Targets<'_>, lowering: &mut Lowering) {
    match event {
        Event::Given(given) | Event::At(_, given) => drop(record(given, lowering)),
        Event::Pass(_) => {}
        Event::Acknowledge(_, rule) => drop(target(rule, targets, lowering)),
    }
}

fn target(reference: &RuleRef, targets: &Targets<'_>, lowering: &mut Lowering) -> Option<CheckedExpected> {
    let (name, known, what, span) = match &reference.name {
        None => (reference.topic.node.clone(), &targets.topics, "topic", reference.topic.span),
        Some(name) => {
            let full = format!("{}.{}", reference.topic.node, name.node);
            (full, &targets.rules, "rule", reference.topic.span.to(name.span))
        }
    };
    if !known.contains(&name.as_str()) {
        let message = format!("no {what} is called `{name}`");
        let diagnostic =
            Diagnostic::new(Code::TestReference, span, message, format!("expected a {what} of this rule set"));
        lowering.diagnostics.push(diagnostic.suggest(&name, known.iter().copied()));
        return None;
    }
    Some(if reference.name.is_some() { CheckedExpected::Rule(name) } else { CheckedExpected::Topic(name) })
}

/// The record that a reading with these fields is.
fn record(given: &[(Name, Given)], lowering: &mut Lowering) -> Vec<u8> {
    let mut record = vec![b'{'];
    for (index, (name, value)) in given.iter().enumerate() {
        if given[..index].iter().any(|(other, _)| other == name) {
            let message = format!("`{}` is given twice", name.node);
            lowering.diagnostics.push(Diagnostic::new(Code::TestReference, name.span, message, "expected it once"));
            continue;
        }
        let Some(field) = lowering.names.schema.find(&name.node) else {
            let known: Vec<&str> = lowering.names.schema.fields.iter().map(|field| field.name.as_str()).collect();
            let message = format!("the stream has no field `{}`", name.node);
            let diagnostic = Diagnostic::new(Code::UnknownName, name.span, message, "expected a field of the stream");
            let diagnostic = diagnostic.suggest(&name.node, known);
            lowering.diagnostics.push(diagnostic);
            continue;
        };
        let Some(json) = json(field, value, lowering) else { continue };
        if record.len() > 1 {
            record.push(b',');
        }
        record.extend(quoted(&name.node));
        record.push(b':');
        record.extend(json);
    }
    record.push(b'}');
    record
}

/// A given value as it would arrive.
fn json(field: FieldId, value: &Given, lowering: &mut Lowering) -> Option<Vec<u8>> {
    match value {
        Given::Label(label) => label_json(field, label, lowering),
        Given::Literal(literal) => match &literal.kind {
            LiteralKind::Bool(truth) => Some(truth.to_string().into_bytes()),
            LiteralKind::Text(text) => Some(quoted(text)),
            LiteralKind::Number(number, unit) => {
                let quantity = lowering.quantity(number, unit.as_ref(), literal.span)?;
                let Some(unit) = quantity.unit else { return Some(quantity.text.into_bytes()) };
                let declared = lowering.names.schema.field(field);
                let converted = declared.unit.and_then(|own| unit.convert(&quantity.text, own));
                if converted.is_none() {
                    let message = format!("`{}` does not take `{}`", declared.name, unit.code());
                    let diagnostic = Diagnostic::new(
                        Code::UnitMismatch,
                        literal.span,
                        message,
                        "expected the field's unit, or none",
                    );
                    lowering.diagnostics.push(diagnostic);
                }
                converted.map(|amount| amount.to_string().into_bytes())
            }
        },
    }
}

fn label_json(field: FieldId, label: &Name, lowering: &mut Lowering) -> Option<Vec<u8>> {
    if lowering.names.label(field, &label.node).is_some() {
        return Some(quoted(&label.node));
    }
    let declared = lowering.names.schema.field(field);
    let labels: Vec<&str> =
        lowering.names.labels(field).unwrap_or_default().iter().map(|label| label.name.as_str()).collect();
    let (code, expected) = if labels.is_empty() {
        (Code::TypeMismatch, format!("expected {}", declared.kind.describe()))
    } else {
        (Code::UnknownLabel, format!("expected one of {}", labels.join(", ")))
    };
    let message = format!("`{}` has no label `{}`", declared.name, label.node);
    let diagnostic = Diagnostic::new(code, label.span, message, expected).suggest(&label.node, labels);
    lowering.diagnostics.push(diagnostic);
    None
}
