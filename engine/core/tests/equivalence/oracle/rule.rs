//! Rules as the interpreter holds them: names, conditions, and all clauses of their alerts.

use std::collections::BTreeMap;

use triage_core::syntax::ast::{Expr, ExprKind, Priority, Rule as Written, RuleClause, RuleCondition};

use super::condition::bare;
use super::message;
use super::time::duration;

/// A rule.
pub(crate) struct Rule {
    /// `stroke.crisis`, `stroke`, `stroke#2`.
    pub(crate) name: String,
    /// Where its records go.
    pub(crate) topic: String,
    /// What must hold.
    pub(crate) condition: Condition,
    /// What its alerts are, if it has any.
    pub(crate) alert: Option<Alert>,
}

/// What stands behind `when`.
pub(crate) enum Condition {
    /// An expression.
    Expr(Expr),
    /// `no reading for 5m`, `no Temp for 30m`
    Silence {
        /// The field that must come.
        field: Option<String>,
        /// For how long it has not, in milliseconds.
        hold: i64,
    },
}

/// `alert …` and the clauses behind it; durations in milliseconds.
#[derive(Default)]
pub(crate) struct Alert {
    /// How urgent it is.
    pub(crate) priority: &'static str,
    /// What it says.
    pub(crate) template: String,
    /// `each reading`
    pub(crate) each: bool,
    /// `repeat every D`
    pub(crate) repeat: Option<i64>,
    /// `escalate to R after D`
    pub(crate) escalate: Option<(String, i64)>,
    /// `clear when C`
    pub(crate) clear: Option<Expr>,
    /// `latch`
    pub(crate) latch: bool,
}

impl Rule {
    /// Whether it has episodes.
    pub(crate) fn has_episodes(&self) -> bool {
        self.alert.as_ref().is_some_and(|alert| !alert.each)
    }

    /// Whether its decisions need what came before.
    pub(crate) fn is_stateful(&self, lets: &BTreeMap<String, Expr>) -> bool {
        let condition = match &self.condition {
            Condition::Expr(expr) => has_time(expr, lets),
            Condition::Silence { .. } => true,
        };
        let said = |name: &String| lets.get(name).is_some_and(|meant| has_time(meant, lets));
        let message = self.alert.as_ref().is_some_and(|alert| message::names(&alert.template).iter().any(said));
        condition || message || self.has_episodes()
    }
}

/// Whether a time operator stands in an expression.
fn has_time(expr: &Expr, lets: &BTreeMap<String, Expr>) -> bool {
    match bare(expr) {
        ExprKind::For(..) | ExprKind::Then(..) | ExprKind::Call(_, _, Some(_)) => true,
        ExprKind::Call(name, _, None) if name.node == "previous" => true,
        ExprKind::Name(name) => lets.get(name).is_some_and(|meant| has_time(meant, lets)),
        kind => parts(kind).into_iter().any(|part| has_time(part, lets)),
    }
}

/// What an expression is made of.
pub(super) fn parts(kind: &ExprKind) -> Vec<&Expr> {
    match kind {
        ExprKind::Or(parts) | ExprKind::And(parts) | ExprKind::Call(_, parts, _) => parts.iter().collect(),
        ExprKind::Not(inner) | ExprKind::Negative(inner) | ExprKind::InRange(inner, ..) | ExprKind::For(inner, _) => {
            vec![inner]
        }
        ExprKind::Compare(left, _, right) | ExprKind::Then(left, right, _) => vec![left, right],
        ExprKind::InSet(value, members) => members.iter().chain([value.as_ref()]).collect(),
        ExprKind::Sum(first, rest) => rest.iter().map(|(_, part)| part).chain([first.as_ref()]).collect(),
        ExprKind::Product(first, rest) => rest.iter().map(|(_, part)| part).chain([first.as_ref()]).collect(),
        _ => Vec::new(),
    }
}

/// The rules in order, with their names.
pub(crate) fn named<'a>(items: impl Iterator<Item = &'a Written>) -> Vec<Rule> {
    let mut unnamed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut rules = Vec::new();
    for item in items {
        let topic = &item.topic.node;
        let name = if let Some(name) = &item.name {
            format!("{topic}.{}", name.node)
        } else {
            let number = unnamed.entry(topic).or_default();
            *number += 1;
            if *number == 1 { topic.clone() } else { format!("{topic}#{number}") }
        };
        let condition = match &item.condition {
            RuleCondition::Expr(condition) => Condition::Expr(condition.clone()),
            RuleCondition::Silence { field, hold, .. } => {
                let field = field.as_ref().map(|field| field.node.clone());
                Condition::Silence { field, hold: duration(&hold.node) }
            }
        };
        rules.push(Rule { name, topic: topic.clone(), condition, alert: alert(item) });
    }
    rules
}

fn alert(item: &Written) -> Option<Alert> {
    let mut alert = Alert::default();
    let mut written = false;
    for clause in &item.clauses {
        match &clause.node {
            RuleClause::Alert(priority, template) => {
                written = true;
                alert.priority = priority_name(priority.node);
                alert.template.clone_from(&template.node);
            }
            RuleClause::EachReading => alert.each = true,
            RuleClause::Repeat(every) => alert.repeat = Some(duration(&every.node)),
            RuleClause::Escalate(role, after) => alert.escalate = Some((role.node.clone(), duration(&after.node))),
            RuleClause::Clear(condition) => alert.clear = Some(condition.clone()),
            RuleClause::Latch => alert.latch = true,
        }
    }
    written.then_some(alert)
}

fn priority_name(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Medium => "medium",
        Priority::Low => "low",
        Priority::Info => "info",
    }
}
