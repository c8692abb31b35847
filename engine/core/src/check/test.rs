//! Test blocks: what is given, as the record it makes, and what is expected of it.

use super::expr::Lowering;
use crate::diagnostic::{Code, Diagnostic};
use crate::json::quoted;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, AlertState, Duration, Event, Expected, Given, LiteralKind, Name, RuleRef};
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

/// What happens, and what is expected of it.
#[derive(Debug, Clone)]
pub(crate) struct CheckedStep {
    pub(crate) event: CheckedEvent,
    pub(crate) expectations: Vec<CheckedExpectation>,
    pub(crate) span: Span,
}

/// What a step does.
#[derive(Debug, Clone)]
pub(crate) enum CheckedEvent {
    /// A reading of a patient who was never heard of.
    Given(Arriving),
    /// A reading at so many milliseconds.
    Reading(i64, Arriving),
    /// Time passes.
    Pass(i64),
    /// The episode of this rule is acknowledged.
    Acknowledge(i64, String),
}

/// A reading that a test gives.
#[derive(Debug, Clone)]
pub(crate) struct Arriving {
    /// The reading, as JSON.
    pub(crate) record: Vec<u8>,
    /// Whether it says whose it is.
    pub(crate) names_patient: bool,
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
        let event = event(&step.event, targets, lowering);
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
        steps.extend(event.map(|event| CheckedStep { event, expectations, span: step.span }));
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

/// What a step does; `None` if that cannot be said, which has been reported.
fn event(event: &Event, targets: &Targets<'_>, lowering: &mut Lowering) -> Option<CheckedEvent> {
    match event {
        Event::Given(given) => Some(CheckedEvent::Given(arriving(given, lowering))),
        Event::At(at, given) => {
            let arriving = arriving(given, lowering);
            Some(CheckedEvent::Reading(moment(at, lowering)?, arriving))
        }
        Event::Pass(at) => Some(CheckedEvent::Pass(moment(at, lowering)?)),
        Event::Acknowledge(at, rule) => {
            let at = moment(at, lowering);
            if let CheckedExpected::Rule(name) = target(rule, targets, lowering)? {
                return Some(CheckedEvent::Acknowledge(at?, name));
            }
            let message = format!("`{}` is a topic, and rules are what alerts are of", rule.topic.node);
            let label = "expected a rule, such as `topic.name`";
            lowering.diagnostics.push(Diagnostic::new(Code::TestReference, rule.topic.span, message, label));
            None
        }
    }
}

/// When a step happens: unlike a wait, it may be at once.
fn moment(at: &Spanned<Duration>, lowering: &mut Lowering) -> Option<i64> {
    if at.node.number.0.bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        return Some(0);
    }
    lowering.duration(at)
}

fn arriving(given: &[(Name, Given)], lowering: &mut Lowering) -> Arriving {
    let key = lowering.names.schema.key.map(|key| lowering.names.schema.field(key).name.clone());
    let names_patient = key.is_some_and(|key| given.iter().any(|(name, _)| name.node == key));
    Arriving { record: record(given, lowering), names_patient }
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
            let diagnostic = match lowering.names.score(&name.node) {
                Some(_) => diagnostic.help("a score is worked out from its inputs: give those"),
                None => diagnostic.suggest(&name.node, known),
            };
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
