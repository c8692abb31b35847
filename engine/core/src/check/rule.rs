//! Rules: their names, conditions and alerts.

use std::collections::HashMap;

use super::expr::Lowering;
use super::schema::once;
use super::template::Piece;
use super::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ConditionId, duration};
use crate::operator::episode::Terms;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, Duration, Name, Priority, RuleClause, RuleCondition};
use crate::types::FieldId;

/// A rule of a checked rule set.
#[derive(Debug, Clone)]
pub(crate) struct CheckedRule {
    /// `stroke.crisis`, `stroke`, `stroke#2`.
    pub(crate) name: String,
    pub(crate) named: bool,
    pub(crate) topic: String,
    /// The name's place.
    pub(crate) span: Span,
    pub(crate) condition: CheckedCondition,
    pub(crate) alert: Option<CheckedAlert>,
}

/// When a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CheckedCondition {
    /// At a reading for which this is true.
    Reading(ConditionId),
    /// When nothing, or no known value of the field, has come for so many milliseconds.
    Silence(Option<FieldId>, i64),
}

/// An alert of a rule.
#[derive(Debug, Clone)]
pub(crate) struct CheckedAlert {
    pub(crate) priority: Priority,
    pub(crate) message: Vec<Piece>,
    /// Whether every match is told by itself, and none is an episode.
    pub(crate) each_reading: bool,
    pub(crate) terms: Terms,
    /// What alone ends an episode.
    pub(crate) clear: Option<ConditionId>,
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
        RuleCondition::Expr(expr) => lowering.condition(expr).map(CheckedCondition::Reading),
        RuleCondition::Silence { field, hold, .. } => silence(field.as_ref(), hold, lowering),
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

/// `no reading for D`, `no FIELD for D`.
fn silence(field: Option<&Name>, hold: &Spanned<Duration>, lowering: &mut Lowering) -> Option<CheckedCondition> {
    let span = lowering.duration(hold);
    let forget = lowering.names.schema.forget;
    if span.is_some_and(|span| span >= forget) {
        let message = "the patient is forgotten before this silence is long enough";
        let diagnostic = Diagnostic::new(Code::NeverSilent, hold.span, message, "never fires");
        let help = format!("`forget after` is {} here: let it be longer", duration(forget));
        lowering.diagnostics.push(diagnostic.help(help));
    }
    let Some(name) = field else { return Some(CheckedCondition::Silence(None, span?)) };
    match lowering.name(&name.node, name.span) {
        Typed::Field(field) => Some(CheckedCondition::Silence(Some(field), span?)),
        Typed::Unknown => None,
        _ => {
            let message = format!("`{}` is not a field", name.node);
            let label = "expected a field of the stream, or `reading`: only what arrives can fail to";
            lowering.diagnostics.push(Diagnostic::new(Code::TypeMismatch, name.span, message, label));
            None
        }
    }
}

/// The kinds of clauses, in the order of the places that they are found at.
const KINDS: [&str; 6] = ["alert", "each reading", "repeat every", "escalate to", "clear when", "latch"];

/// The clauses behind the condition: at most one of each, and none without an alert.
fn clauses(rule: &ast::Rule, lowering: &mut Lowering) -> Option<CheckedAlert> {
    let mut alert = None;
    let mut terms = Terms { repeat: None, escalate: None, latch: false };
    let mut clear = None;
    let mut places: [(&str, Vec<Span>); 6] = KINDS.map(|what| (what, Vec::new()));
    for clause in &rule.clauses {
        places[kind(&clause.node)].1.push(clause.span);
        match &clause.node {
            RuleClause::Alert(priority, template) if alert.is_none() => {
                alert = Some((priority.node, lowering.template(template)));
            }
            RuleClause::Alert(..) | RuleClause::EachReading => {}
            RuleClause::Repeat(every) => terms.repeat = lowering.duration(every),
            RuleClause::Escalate(role, after) => {
                terms.escalate = lowering.duration(after).map(|after| (role.node.clone(), after));
            }
            RuleClause::Clear(condition) => clear = lowering.condition(condition),
            RuleClause::Latch => terms.latch = true,
        }
    }
    misplaced(rule, &places, lowering);
    let (priority, message) = alert?;
    Some(CheckedAlert { priority, message, each_reading: !places[1].1.is_empty(), terms, clear })
}

/// The position in [`KINDS`].
fn kind(clause: &RuleClause) -> usize {
    match clause {
        RuleClause::Alert(..) => 0,
        RuleClause::EachReading => 1,
        RuleClause::Repeat(_) => 2,
        RuleClause::Escalate(..) => 3,
        RuleClause::Clear(_) => 4,
        RuleClause::Latch => 5,
    }
}

/// Reports clauses that stand twice, or beside what they do not go with.
fn misplaced(rule: &ast::Rule, places: &[(&str, Vec<Span>); 6], lowering: &mut Lowering) {
    for (what, spans) in places {
        once(spans, what, &mut lowering.diagnostics, |span| *span);
    }
    if let RuleCondition::Silence { span, .. } = &rule.condition {
        beside_silence(*span, places, lowering);
    }
    if let (true, [clause, ..]) = (places[0].1.is_empty(), rule.clauses.as_slice()) {
        let message = "this clause belongs to an alert, and the rule has none";
        lowering.diagnostics.push(Diagnostic::new(Code::Clause, clause.span, message, "expected `alert` before it"));
    }
    if let ([each, ..], Some(other)) = (places[1].1.as_slice(), places[2..].iter().find_map(|(_, spans)| spans.first()))
    {
        let message = "`each reading` stands alone: such alerts are never open";
        let diagnostic = Diagnostic::new(Code::Clause, *other, message, "expected no further clause");
        lowering.diagnostics.push(diagnostic.also(*each, "because of this"));
    }
}

/// What a `no … for` rule does not take: it fires once per silence, and ends with it.
fn beside_silence(condition: Span, places: &[(&str, Vec<Span>); 6], lowering: &mut Lowering) {
    let refused = places.iter().filter(|(what, _)| matches!(*what, "each reading" | "repeat every" | "clear when"));
    for (what, clause) in refused.flat_map(|(what, spans)| spans.iter().map(move |span| (what, span))) {
        let message = format!("a `no … for` rule takes no `{what}`");
        let diagnostic = Diagnostic::new(Code::Clause, *clause, message, "expected `escalate to` or `latch` at most");
        lowering.diagnostics.push(diagnostic.also(condition, "because of this"));
    }
}
