//! Tests: steps, readings, expectations.

use super::grammar::Rule;
use super::node::Node;
use super::value::{literal, name, next_duration, rule_ref, text};
use crate::diagnostic::Diagnostic;
use crate::syntax::ast::{AlertState, Event, Expectation, Expected, Given, Name, Step, Test};

pub(super) fn test(node: Node<'_>) -> Result<Test, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let name = text(&parts.require()?);
    let steps = parts.map(step).collect::<Result<_, _>>()?;
    Ok(Test { name, steps, span })
}

fn step(node: Node<'_>) -> Result<Step, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let event = event(parts.require()?)?;
    let mut expectations = Vec::new();
    for item in parts.flat_map(Node::children) {
        expectations.push(expectation(item)?);
    }
    Ok(Step { event, expectations, span })
}

fn event(node: Node<'_>) -> Result<Event, Diagnostic> {
    let given = node.rule() == Rule::given;
    let mut parts = node.children();
    if given {
        return Ok(Event::Given(values(parts.require()?)?));
    }
    let at = next_duration(&mut parts)?;
    let Some(what) = parts.next() else { return Ok(Event::Pass(at)) };
    if what.rule() == Rule::values {
        return Ok(Event::At(at, values(what)?));
    }
    Ok(Event::Acknowledge(at, rule_ref(what.children().require()?)?))
}

fn values(node: Node<'_>) -> Result<Vec<(Name, Given)>, Diagnostic> {
    let mut values = Vec::new();
    for value in node.children() {
        let mut parts = value.children();
        let field = name(&parts.require()?);
        let given = parts.require()?;
        let given = literal(&given)?.map_or_else(|| Given::Label(name(&given)), Given::Literal);
        values.push((field, given));
    }
    Ok(values)
}

fn expectation(node: Node<'_>) -> Result<Expectation, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let absent = parts.take_if(Rule::kw_no).is_some();
    let what = parts.require()?;
    let what = if what.rule() == Rule::rule_ref {
        Expected::Rule(rule_ref(what)?)
    } else {
        let state = what.children().require()?;
        Expected::Alert(state.spanned(alert_state(state.text())))
    };
    Ok(Expectation { absent, what, span })
}

fn alert_state(word: &str) -> AlertState {
    match word {
        "raised" => AlertState::Raised,
        "repeated" => AlertState::Repeated,
        "escalated" => AlertState::Escalated,
        "acknowledged" => AlertState::Acknowledged,
        _ => AlertState::Resolved,
    }
}
