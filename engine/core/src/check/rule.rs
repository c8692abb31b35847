//! Rules: their names, conditions and alerts.

use std::collections::HashMap;

use super::expr::Lowering;
use super::schema::once;
use super::template::Piece;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::ConditionId;
use crate::source::Span;
use crate::syntax::ast::{self, Priority, RuleClause, RuleCondition};

/// A rule of a checked rule set.
#[derive(Debug, Clone)]
pub(crate) struct CheckedRule {
    /// `stroke.crisis`, `stroke`, `stroke#2`.
    pub(crate) name: String,
    pub(crate) named: bool,
    pub(crate) topic: String,
    /// The name's place.
    pub(crate) span: Span,
    pub(crate) condition: ConditionId,
    pub(crate) alert: Option<CheckedAlert>,
}

/// An alert of a rule.
#[derive(Debug, Clone)]
pub(crate) struct CheckedAlert {
    pub(crate) priority: Priority,
    pub(crate) message: Vec<Piece>,
}

/// Gives rules their names.
#[derive(Debug, Default)]
pub(super) struct RuleNames {
    unnamed: HashMap<String, usize>,
    taken: HashMap<String, Span>,
}

impl RuleNames {
    /// `topic.name`, or the topic for the first unnamed rule, `topic#2` for the second.
    fn give(&mut self, rule: &ast::Rule, diagnostics: &mut Vec<Diagnostic>) -> String {
        let topic = &rule.topic.node;
        let name = full_name(rule).unwrap_or_else(|| {
            let count = self.unnamed.entry(topic.clone()).or_default();
            *count += 1;
            if *count == 1 { topic.clone() } else { format!("{topic}#{count}") }
        });
        let span = span(rule);
        let first = *self.taken.entry(name.clone()).or_insert(span);
        if first != span {
            let message = format!("the rule `{name}` is declared twice");
            let diagnostic = Diagnostic::new(Code::Duplicate, span, message, "declared again here");
            diagnostics.push(diagnostic.also(first, "first declared here"));
        }
        name
    }
}

/// `topic.name`, if the rule has a name.
pub(super) fn full_name(rule: &ast::Rule) -> Option<String> {
    rule.name.as_ref().map(|name| format!("{}.{}", rule.topic.node, name.node))
}

/// The place of a rule's name.
pub(super) fn span(rule: &ast::Rule) -> Span {
    rule.name.as_ref().map_or(rule.topic.span, |name| rule.topic.span.to(name.span))
}

/// Checks a rule; `None` if its condition is none, which has been reported.
pub(super) fn check(rule: &ast::Rule, names: &mut RuleNames, lowering: &mut Lowering) -> Option<CheckedRule> {
    let name = names.give(rule, &mut lowering.diagnostics);
    let condition = match &rule.condition {
        RuleCondition::Expr(expr) => lowering.condition(expr),
        RuleCondition::Silence { field, span, .. } => {
            if let Some(field) = field {
                lowering.name(&field.node, field.span);
            }
            lowering.not_yet("`no … for`", *span);
            None
        }
    };
    let alert = clauses(rule, lowering);
    if let (true, None) = (alert.is_some(), &rule.name) {
        let message = format!("a rule of `{}` has an alert and no name", rule.topic.node);
        let diagnostic = Diagnostic::new(Code::Clause, rule.topic.span, message, "expected a name behind the topic");
        lowering.diagnostics.push(diagnostic.help(format!("write `{}.name when …`", rule.topic.node)));
    }
    let condition = condition?;
    let topic = rule.topic.node.clone();
    Some(CheckedRule { name, named: rule.name.is_some(), topic, span: span(rule), condition, alert })
}

/// The clauses behind the condition: at most one of each, and none without an alert.
fn clauses(rule: &ast::Rule, lowering: &mut Lowering) -> Option<CheckedAlert> {
    let mut alert = None;
    let mut places: [(&str, Vec<Span>); 6] =
        ["alert", "each reading", "repeat every", "escalate to", "clear when", "latch"].map(|what| (what, Vec::new()));
    for clause in &rule.clauses {
        let kind = match &clause.node {
            RuleClause::Alert(..) => 0,
            RuleClause::EachReading => 1,
            RuleClause::Repeat(_) => 2,
            RuleClause::Escalate(..) => 3,
            RuleClause::Clear(_) => 4,
            RuleClause::Latch => 5,
        };
        places[kind].1.push(clause.span);
        match &clause.node {
            RuleClause::Alert(priority, template) if alert.is_none() => {
                alert = Some(CheckedAlert { priority: priority.node, message: lowering.template(template) });
            }
            RuleClause::Alert(..) | RuleClause::EachReading => {}
            other => {
                if let RuleClause::Clear(condition) = other {
                    lowering.condition(condition);
                }
                lowering.not_yet(&format!("`{}`", places[kind].0), clause.span);
            }
        }
    }
    for (what, spans) in &places {
        once(spans, what, &mut lowering.diagnostics, |span| *span);
    }
    if let RuleCondition::Silence { span, .. } = &rule.condition {
        silence(*span, &places, lowering);
    }
    if let (None, [clause, ..]) = (&alert, rule.clauses.as_slice()) {
        let message = "this clause belongs to an alert, and the rule has none";
        lowering.diagnostics.push(Diagnostic::new(Code::Clause, clause.span, message, "expected `alert` before it"));
    }
    if let ([each, ..], Some(other)) = (places[1].1.as_slice(), places[2..].iter().find_map(|(_, spans)| spans.first()))
    {
        let message = "`each reading` stands alone: such alerts are never open";
        let diagnostic = Diagnostic::new(Code::Clause, *other, message, "expected no further clause");
        lowering.diagnostics.push(diagnostic.also(*each, "because of this"));
    }
    alert
}

/// What a `no … for` rule does not take: it fires once per silence, and ends with it.
fn silence(condition: Span, places: &[(&str, Vec<Span>); 6], lowering: &mut Lowering) {
    let refused = places.iter().filter(|(what, _)| matches!(*what, "each reading" | "repeat every" | "clear when"));
    for (what, clause) in refused.flat_map(|(what, spans)| spans.iter().map(move |span| (what, span))) {
        let message = format!("a `no … for` rule takes no `{what}`");
        let diagnostic = Diagnostic::new(Code::Clause, *clause, message, "expected `escalate to` or `latch` at most");
        lowering.diagnostics.push(diagnostic.also(condition, "because of this"));
    }
}
