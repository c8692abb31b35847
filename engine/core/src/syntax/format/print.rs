//! How names, values and expressions are written.

use crate::source::Spanned;
use crate::syntax::ast::{
    Comparison, Duration, DurationUnit, Expr, ExprKind, Hold, Literal, LiteralKind, Name, Negated, ProductOp, Range,
    RuleRef, Status, SumOp,
};
pub(super) use crate::syntax::reserved::written as name;

pub(super) fn names(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(|it| name(&it.node)).collect();
    names.join(", ")
}

pub(super) fn text(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

pub(super) fn duration(duration: &Duration) -> String {
    let unit = match duration.unit {
        DurationUnit::Milliseconds => "ms",
        DurationUnit::Seconds => "s",
        DurationUnit::Minutes => "m",
        DurationUnit::Hours => "h",
        DurationUnit::Days => "d",
    };
    format!("{}{unit}", duration.number.0)
}

pub(super) fn range(range: &Range) -> String {
    format!("{}..{}", range.low.node.0, range.high.node.0)
}

pub(super) fn literal(literal: &Literal) -> String {
    literal_kind(&literal.kind)
}

fn literal_kind(kind: &LiteralKind) -> String {
    match kind {
        LiteralKind::Number(number, None) => number.0.clone(),
        LiteralKind::Number(number, Some(unit)) => format!("{} '{}'", number.0, unit.node),
        LiteralKind::Text(value) => text(value),
        LiteralKind::Bool(value) => value.to_string(),
    }
}

pub(super) fn rule_ref(rule: &RuleRef) -> String {
    dotted(&rule.topic, rule.name.as_ref())
}

/// `topic` or `topic.name`
pub(super) fn dotted(topic: &Name, rule: Option<&Name>) -> String {
    match rule {
        None => name(&topic.node),
        Some(rule) => format!("{}.{}", name(&topic.node), name(&rule.node)),
    }
}

/// Appends an expression. Parentheses are where the author wrote them, so nothing is added.
pub(super) fn expression(out: &mut String, kind: &ExprKind) {
    match kind {
        ExprKind::Literal(literal) => out.push_str(&literal_kind(literal)),
        ExprKind::Name(written) => out.push_str(&name(written)),
        ExprKind::Paren(inner) => wrapped(out, "(", inner, ")"),
        ExprKind::Or(operands) => joined(out, operands, " or "),
        ExprKind::And(operands) => joined(out, operands, " and "),
        ExprKind::Not(inner) => wrapped(out, "not ", inner, ""),
        ExprKind::Then(before, after, within) => {
            wrapped(out, "", before, " then ");
            wrapped(out, "", after, " within ");
            out.push_str(&duration(&within.node));
        }
        ExprKind::For(inner, hold) => {
            wrapped(out, "", inner, " for ");
            out.push_str(&hold_text(&hold.node));
        }
        ExprKind::Negative(inner) => wrapped(out, "-", inner, ""),
        ExprKind::Call(called, arguments, window) => call(out, called, arguments, window.as_ref()),
        _ => binary(out, kind),
    }
}

fn binary(out: &mut String, kind: &ExprKind) {
    match kind {
        ExprKind::Compare(left, operator, right) => {
            wrapped(out, "", left, " ");
            wrapped(out, comparison(operator.node), right, "");
        }
        ExprKind::InSet(left, elements) => {
            wrapped(out, "", left, " in (");
            joined(out, elements, ", ");
            out.push(')');
        }
        ExprKind::InRange(left, bounds, unit) => {
            wrapped(out, "", left, " in ");
            out.push_str(&range(bounds));
            out.extend(unit.iter().map(|unit| format!(" '{}'", unit.node)));
        }
        ExprKind::Is(tested, status, negated) => {
            out.push_str(&name(&tested.node));
            out.push_str(if *negated == Negated::Yes { " is not " } else { " is " });
            out.push_str(status_word(*status));
        }
        ExprKind::Sum(first, rest) => series(out, first, rest, |operator| match operator {
            SumOp::Plus => " + ",
            SumOp::Minus => " - ",
        }),
        ExprKind::Product(first, rest) => series(out, first, rest, |operator| match operator {
            ProductOp::Times => " * ",
            ProductOp::Over => " / ",
        }),
        _ => {}
    }
}

fn wrapped(out: &mut String, before: &str, inner: &Expr, behind: &str) {
    out.push_str(before);
    expression(out, &inner.node);
    out.push_str(behind);
}

fn joined(out: &mut String, exprs: &[Expr], separator: &str) {
    for (at, expr) in exprs.iter().enumerate() {
        wrapped(out, if at == 0 { "" } else { separator }, expr, "");
    }
}

fn series<T: Copy>(out: &mut String, first: &Expr, rest: &[(Spanned<T>, Expr)], symbol: fn(T) -> &'static str) {
    expression(out, &first.node);
    for (operator, operand) in rest {
        wrapped(out, symbol(operator.node), operand, "");
    }
}

fn call(out: &mut String, called: &Name, arguments: &[Expr], window: Option<&Spanned<Duration>>) {
    out.push_str(&name(&called.node));
    out.push('(');
    joined(out, arguments, ", ");
    out.extend(window.map(|window| format!(", {}", duration(&window.node))));
    out.push(')');
}

fn hold_text(hold: &Hold) -> String {
    match hold {
        Hold::Duration(length) => duration(length),
        Hold::Readings(count) => format!("{} readings", count.0),
    }
}

fn comparison(operator: Comparison) -> &'static str {
    match operator {
        Comparison::Equal => "= ",
        Comparison::NotEqual => "!= ",
        Comparison::Less => "< ",
        Comparison::LessOrEqual => "<= ",
        Comparison::Greater => "> ",
        Comparison::GreaterOrEqual => ">= ",
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Known => "known",
        Status::Missing => "missing",
        Status::Invalid => "invalid",
    }
}
