//! Names, numbers, texts, units, durations.

use super::grammar::Rule;
use super::node::{Children, Node};
use crate::diagnostic::Diagnostic;
use crate::source::Spanned;
use crate::syntax::ast::{Duration, DurationUnit, Literal, LiteralKind, Name, Number, Range, RuleRef};

pub(super) fn name(node: &Node<'_>) -> Name {
    node.spanned(node.text().trim_matches('`').to_owned())
}

pub(super) fn names<'i>(nodes: impl Iterator<Item = Node<'i>>) -> Vec<Name> {
    nodes.map(|node| name(&node)).collect()
}

pub(super) fn unit(node: &Node<'_>) -> Spanned<String> {
    node.spanned(node.text().trim_matches('\'').to_owned())
}

/// A text without its quotes and escapes.
pub(super) fn text(node: &Node<'_>) -> Spanned<String> {
    let quoted = node.text();
    let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(quoted);
    let mut plain = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(char) = chars.next() {
        plain.extend(if char == '\\' { chars.next() } else { Some(char) });
    }
    node.spanned(plain)
}

pub(super) fn number(node: &Node<'_>) -> Spanned<Number> {
    node.spanned(Number(node.text().to_owned()))
}

pub(super) fn signed(node: Node<'_>) -> Result<Spanned<Number>, Diagnostic> {
    let mut parts = node.children();
    let minus = parts.take_if(Rule::minus);
    let digits = parts.require()?;
    let sign = if minus.is_some() { "-" } else { "" };
    Ok(Spanned::new(Number(format!("{sign}{}", digits.text())), parts.parent()))
}

pub(super) fn range(node: Node<'_>) -> Result<Range, Diagnostic> {
    let mut parts = node.children();
    Ok(Range { low: signed(parts.require()?)?, high: signed(parts.require()?)? })
}

pub(super) fn duration(node: &Node<'_>) -> Spanned<Duration> {
    let written = node.text();
    let digits = written.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let unit = match &written[digits.len()..] {
        "ms" => DurationUnit::Milliseconds,
        "s" => DurationUnit::Seconds,
        "m" => DurationUnit::Minutes,
        "h" => DurationUnit::Hours,
        _ => DurationUnit::Days,
    };
    node.spanned(Duration { number: Number(digits.to_owned()), unit })
}

/// The next part, which is a duration.
pub(super) fn next_duration(parts: &mut Children<'_>) -> Result<Spanned<Duration>, Diagnostic> {
    Ok(duration(&parts.require()?))
}

/// `number unit?`, the number signed or not.
pub(super) fn amount(node: Node<'_>) -> Result<LiteralKind, Diagnostic> {
    let mut parts = node.children();
    let digits = parts.require()?;
    let number = if digits.rule() == Rule::signed { signed(digits)? } else { number(&digits) };
    Ok(LiteralKind::Number(number.node, parts.next().map(|part| unit(&part))))
}

/// A literal, or `None` if the node is something else.
pub(super) fn literal(node: &Node<'_>) -> Result<Option<Literal>, Diagnostic> {
    let kind = match node.rule() {
        Rule::amount | Rule::quantity => amount(node.clone())?,
        Rule::signed => LiteralKind::Number(signed(node.clone())?.node, None),
        Rule::text => LiteralKind::Text(text(node).node),
        Rule::boolean => LiteralKind::Bool(node.text() == "true"),
        _ => return Ok(None),
    };
    Ok(Some(Literal { kind, span: node.span() }))
}

/// `topic` or `topic.name`.
pub(super) fn rule_ref(node: Node<'_>) -> Result<RuleRef, Diagnostic> {
    let mut parts = node.children();
    Ok(RuleRef { topic: name(&parts.require()?), name: parts.next().map(|part| name(&part)) })
}
