//! What expressions are called, so that another rule set finds what it shares: `let`s expanded, units and labels normalised,
//! with the declarations of fields. Two of one name remember the same.

use triage_core::syntax::ast::{Expr, ExprKind, Field, FieldKind, Hold, LiteralKind, Number};

use super::condition::Judge;
use super::field::parse;
use super::find;
use super::json::quote;
use super::rule::{Alert, Condition, Rule};
use super::score::Score;
use super::time::duration;
use super::{Oracle, message};

impl<'a> Judge<'a> {
    /// The name of an expression.
    pub(super) fn canonical(&self, expr: &'a Expr) -> String {
        let list = |parts: &'a [Expr], word: &str| {
            let parts: Vec<String> = parts.iter().map(|part| self.canonical(part)).collect();
            format!("({})", parts.join(word))
        };
        match self.meaning(expr) {
            ExprKind::Literal(LiteralKind::Number(number, _)) => parse(number).to_string(),
            ExprKind::Literal(LiteralKind::Text(text)) => quote(text),
            ExprKind::Literal(LiteralKind::Bool(truth)) => u8::from(*truth).to_string(),
            ExprKind::Name(name) => self.declared(name),
            ExprKind::Or(parts) => list(parts, " or "),
            ExprKind::And(parts) => list(parts, " and "),
            ExprKind::Not(inner) => format!("not {}", self.canonical(inner)),
            ExprKind::Compare(left, comparison, right) => {
                format!("({} {:?} {})", self.side(left, right), comparison.node, self.side(right, left))
            }
            ExprKind::InSet(value, members) => {
                let members: Vec<String> = members.iter().map(|member| self.side(member, value)).collect();
                format!("({} in {})", self.canonical(value), members.join(", "))
            }
            ExprKind::InRange(value, range, unit) => {
                let bound = |bound: &Number| match unit {
                    Some(unit) => self.converted(bound, false, &unit.node, value),
                    None => self.beside(parse(bound), value),
                };
                let (low, high) = (bound(&range.low.node), bound(&range.high.node));
                format!("({} in {low}..{high})", self.canonical(value))
            }
            ExprKind::Is(name, status, negated) => {
                format!("({} is {status:?} {negated:?})", self.declared(self.subject(&name.node)))
            }
            ExprKind::Negative(inner) => format!("-{}", self.canonical(inner)),
            ExprKind::Sum(first, rest) => {
                let rest = rest.iter().map(|(operator, part)| format!(" {:?} {}", operator.node, self.canonical(part)));
                format!("({}{})", self.canonical(first), rest.collect::<String>())
            }
            ExprKind::Product(first, rest) => {
                let rest = rest.iter().map(|(operator, part)| format!(" {:?} {}", operator.node, self.canonical(part)));
                format!("({}{})", self.canonical(first), rest.collect::<String>())
            }
            ExprKind::Call(name, arguments, length) => {
                let length = length.as_ref().map(|length| duration(&length.node));
                format!("{}{} over {length:?}", name.node, list(arguments, ", "))
            }
            ExprKind::For(inner, hold) => {
                let hold = match &hold.node {
                    Hold::Duration(least) => duration(least).to_string(),
                    Hold::Readings(least) => format!("{} readings", parse(least)),
                };
                format!("({} for {hold})", self.canonical(inner))
            }
            ExprKind::Then(first, second, within) => {
                let (first, second) = (self.canonical(first), self.canonical(second));
                format!("({first} then {second} within {})", duration(&within.node))
            }
            ExprKind::Paren(_) => panic!("a meaning has no parentheses around it"),
        }
    }

    /// The name of the run of a condition, whatever its length.
    pub(super) fn run_name(&self, condition: &'a Expr) -> String {
        format!("run of {}", self.canonical(condition))
    }

    /// One side of a comparison.
    fn side(&self, side: &'a Expr, other: &'a Expr) -> String {
        if let Some(code) = self.label(side, other) {
            return code.to_string();
        }
        let (literal, negative) = match self.meaning(side) {
            ExprKind::Negative(inner) => (self.meaning(inner), true),
            plain => (plain, false),
        };
        match literal {
            ExprKind::Literal(LiteralKind::Number(number, Some(unit))) => {
                self.converted(number, negative, &unit.node, other).to_string()
            }
            ExprKind::Literal(LiteralKind::Number(number, None)) => {
                let number = if negative { -parse(number) } else { parse(number) };
                self.beside(number, other).to_string()
            }
            _ => self.canonical(side),
        }
    }

    /// A field with all of its declaration, or a score with its model and all that goes in: what it is called and in which
    /// order it needs what makes no difference.
    fn declared(&self, name: &str) -> String {
        let field = |name: &String| declared(find(self.fields, name).expect("a field").1);
        let Some((_, Score { inputs, needs, model, .. })) = self.score(name) else { return field(&name.to_owned()) };
        let fields = |names: &[String]| names.iter().map(field).collect::<Vec<String>>();
        let mut needs = fields(needs);
        needs.sort_unstable();
        format!("[{:?} on {:?} needs {needs:?}]", model.hash(), fields(inputs))
    }

    /// Everything in an expression that remembers something, by name.
    fn remembered(&self, expr: &'a Expr, names: &mut Vec<String>) {
        let mut inside = |parts: &[&'a Expr]| parts.iter().for_each(|part| self.remembered(part, names));
        match self.meaning(expr) {
            ExprKind::Or(parts) | ExprKind::And(parts) | ExprKind::Call(_, parts, _) => {
                inside(&parts.iter().collect::<Vec<_>>());
            }
            ExprKind::Not(inner)
            | ExprKind::Negative(inner)
            | ExprKind::InRange(inner, ..)
            | ExprKind::InSet(inner, _)
            | ExprKind::For(inner, _) => inside(&[inner]),
            ExprKind::Compare(first, _, second) | ExprKind::Then(first, second, _) => inside(&[first, second]),
            ExprKind::Sum(first, rest) => {
                inside(&[first]);
                rest.iter().for_each(|(_, part)| inside(&[part]));
            }
            ExprKind::Product(first, rest) => {
                inside(&[first]);
                rest.iter().for_each(|(_, part)| inside(&[part]));
            }
            ExprKind::Literal(_) | ExprKind::Name(_) | ExprKind::Is(..) => {}
            ExprKind::Paren(_) => panic!("a meaning has no parentheses around it"),
        }
        match self.meaning(expr) {
            ExprKind::For(inner, _) => names.push(self.run_name(inner)),
            ExprKind::Then(..) | ExprKind::Call(_, _, Some(_)) => names.push(self.canonical(expr)),
            ExprKind::Call(name, _, None) if name.node == "previous" => names.push(self.canonical(expr)),
            _ => {}
        }
    }
}

impl Oracle {
    /// The name of a rule's condition.
    pub(super) fn condition_name(&self, rule: &Rule) -> String {
        match &rule.condition {
            Condition::Expr(condition) => self.beside_nothing().canonical(condition),
            Condition::Silence { field, hold } => {
                let field = field.as_ref().map(|name| declared(find(&self.stream.fields, name).expect("a field").1));
                format!("silence of {field:?} for {hold}")
            }
        }
    }

    /// Everything that the rules remember of a patient, by name.
    pub(super) fn remembered(&self) -> Vec<String> {
        let mut names = Vec::new();
        let judge = self.beside_nothing();
        for rule in &self.rules {
            match &rule.condition {
                Condition::Expr(condition) => judge.remembered(condition, &mut names),
                Condition::Silence { .. } => names.push(self.condition_name(rule)),
            }
            if let Some(Alert { template, clear, .. }) = &rule.alert {
                clear.iter().for_each(|clear| judge.remembered(clear, &mut names));
                let said = message::names(template).into_iter().filter_map(|name| self.lets.get(&name));
                said.for_each(|meant| judge.remembered(meant, &mut names));
            }
        }
        names
    }
}

/// A field with all of its declaration.
fn declared(field: &Field) -> String {
    let kind = match &field.kind.node {
        FieldKind::Enum(labels) => {
            let labels = labels.iter().map(|(label, code)| format!("{} = {} ", quote(&label.node), parse(&code.node)));
            labels.collect()
        }
        kind => format!("{kind:?}"),
    };
    let range = field.range.as_ref().map(|range| (parse(&range.node.low.node), parse(&range.node.high.node)));
    let unit = field.unit.as_ref().map(|unit| &unit.node);
    let missing: Vec<_> = field.missing.iter().map(|literal| &literal.kind).collect();
    let role = field.role.as_ref().map(|role| role.node);
    format!("[{} {kind} {role:?} {range:?} {unit:?} {missing:?}]", quote(&field.name.node))
}
