//! Folds the grammar's flat list of operands and operators into a tree, by precedence.
//!
//! Each level of precedence is a function that asks the next tighter one for its operands. What stands in parentheses
//! was folded before what they stand in, so that neither nesting nor the length of a chain takes stack.

use std::collections::HashMap;

use super::grammar::Rule;
use super::help::chained;
use super::nesting::outside_in;
use super::node::{Children, Node};
use super::value::{amount, duration, literal, name, next_duration, number, range, unit};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Comparison, Duration, Expr, ExprKind, Hold, Negated, ProductOp, Status, SumOp};

type Parsed<T> = Result<T, Diagnostic>;

/// An expression with all that it contains.
pub(super) fn expression(node: Node<'_>) -> Parsed<Expr> {
    let mut inner = Inner::default();
    let mut levels = outside_in(node)?;
    let Some(outermost) = levels.first().cloned() else {
        return Err(Diagnostic::global(Code::Syntax, "no expression"));
    };
    while let Some(node) = levels.pop() {
        let start = node.span().start;
        let expr = fold(node, &mut inner)?;
        inner.folded.insert(start, expr);
    }
    inner.take(&outermost)
}

/// Expressions that are folded already, by their first byte.
#[derive(Default)]
struct Inner {
    folded: HashMap<u32, Expr>,
}

impl Inner {
    fn take(&mut self, node: &Node<'_>) -> Parsed<Expr> {
        self.folded.remove(&node.span().start).ok_or_else(|| node.unexpected())
    }
}

fn fold(node: Node<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let mut parts = node.children();
    let expr = disjunction(&mut parts, inner)?;
    match parts.next() {
        None => Ok(expr),
        Some(left_over) => Err(misplaced(&left_over)),
    }
}

fn disjunction(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let first = conjunction(parts, inner)?;
    let mut rest = Vec::new();
    while parts.take_if(Rule::kw_or).is_some() {
        rest.push(conjunction(parts, inner)?);
    }
    Ok(chain(first, rest, ExprKind::Or))
}

fn conjunction(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let first = negation(parts, inner)?;
    let mut rest = Vec::new();
    while parts.take_if(Rule::kw_and).is_some() {
        rest.push(negation(parts, inner)?);
    }
    Ok(chain(first, rest, ExprKind::And))
}

fn chain(first: Expr, rest: Vec<Expr>, kind: fn(Vec<Expr>) -> ExprKind) -> Expr {
    let Some(last) = rest.last() else { return first };
    let span = first.span.to(last.span);
    let mut operands = Vec::with_capacity(rest.len() + 1);
    operands.push(first);
    operands.extend(rest);
    Spanned::new(kind(operands), span)
}

fn negation(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let mut nots = Vec::new();
    while is_prefix(parts, "not") {
        nots.push(parts.require()?.span());
    }
    let mut expr = sequence(parts, inner)?;
    for not in nots.into_iter().rev() {
        let span = not.to(expr.span);
        expr = Spanned::new(ExprKind::Not(Box::new(expr)), span);
    }
    Ok(expr)
}

/// Whether a prefix comes next that starts with `word`.
fn is_prefix(parts: &mut Children<'_>, word: &str) -> bool {
    parts.peek_text() == Some((Rule::prefix, word))
}

/// `A then B within D`
fn sequence(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let before = held(parts, inner)?;
    let Some(then) = parts.take_if(Rule::kw_then) else { return Ok(before) };
    joins_conditions(&before, &then)?;
    let after = held(parts, inner)?;
    joins_conditions(&after, &then)?;
    let within = within(parts, &then)?;
    let span = before.span.to(within.span);
    let expr = Spanned::new(ExprKind::Then(Box::new(before), Box::new(after), within), span);
    match parts.take_if(Rule::kw_then) {
        Some(second) => Err(needs_parentheses(second.span(), "then", expr.span)),
        None => Ok(expr),
    }
}

fn within(parts: &mut Children<'_>, then: &Node<'_>) -> Parsed<Spanned<Duration>> {
    let Some(within) = parts.take_if(Rule::within) else {
        return Err(Diagnostic::new(
            Code::Syntax,
            then.span(),
            "`then` without `within`",
            "expected `within` and a duration after what follows",
        )
        .help("write `A then B within 10m`"));
    };
    next_duration(&mut within.children())
}

/// `C for 10m`, `C for 3 readings`
fn held(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let expr = comparison(parts, inner)?;
    let Some(hold) = parts.take_if(Rule::hold) else { return Ok(expr) };
    joins_conditions(&expr, &hold)?;
    let span = expr.span.to(hold.span());
    let written = hold.children().require()?;
    let length = if written.rule() == Rule::duration {
        Hold::Duration(duration(&written).node)
    } else {
        Hold::Readings(number(&written).node)
    };
    let expr = Spanned::new(ExprKind::For(Box::new(expr), written.spanned(length)), span);
    match parts.take_if(Rule::hold) {
        Some(second) => Err(needs_parentheses(second.span(), "for", expr.span)),
        None => Ok(expr),
    }
}

/// `for` and `then` join comparisons, names and parentheses; `then` also what is held, which binds tighter.
fn joins_conditions(expr: &Expr, operator: &Node<'_>) -> Parsed<()> {
    use ExprKind as E;
    let fits = match &expr.node {
        E::Name(_) | E::Paren(_) | E::Compare(..) | E::InSet(..) | E::InRange(..) | E::Is(..) => true,
        E::For(..) => operator.rule() == Rule::kw_then,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let word = if operator.rule() == Rule::kw_then { "then" } else { "for" };
    Err(Diagnostic::new(
        Code::Syntax,
        expr.span,
        format!("`{word}` needs a condition beside it"),
        "expected a comparison, a name or a condition in parentheses",
    ))
}

fn needs_parentheses(span: Span, word: &str, first: Span) -> Diagnostic {
    Diagnostic::new(
        Code::Syntax,
        span,
        format!("a second `{word}` in one condition"),
        "expected `and`, `or` or the end of the condition",
    )
    .also(first, "this is a condition of its own")
    .help("put the first one in parentheses")
}

/// Comparisons, `in`, `is`: at most one of them.
fn comparison(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let left = sum(parts, inner)?;
    let expr = match parts.peek() {
        Some(Rule::comparison) => {
            let operator = parts.require()?;
            let right = sum(parts, inner)?;
            let span = left.span.to(right.span);
            Spanned::new(
                ExprKind::Compare(Box::new(left), operator.spanned(operator_of(operator.text())), Box::new(right)),
                span,
            )
        }
        Some(Rule::membership) => membership(left, parts.require()?, inner)?,
        Some(Rule::status_test) => status_test(left, parts.require()?)?,
        _ => return Ok(left),
    };
    match parts.peek() {
        Some(Rule::comparison | Rule::membership | Rule::status_test) => chain_error(&expr, parts, inner),
        _ => Ok(expr),
    }
}

fn chain_error(first: &Expr, parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let operator = parts.require()?;
    let second = (operator.rule() == Rule::comparison).then(|| sum(parts, inner)).transpose()?;
    let comparison = operator.spanned(operator_of(operator.text()));
    Err(chained(first, &comparison, second.as_ref()))
}

fn operator_of(symbol: &str) -> Comparison {
    match symbol {
        "=" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    }
}

fn membership(left: Expr, node: Node<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let span = left.span.to(node.span());
    let mut parts = node.children();
    let of = parts.require()?;
    if of.rule() == Rule::range {
        let kind = ExprKind::InRange(Box::new(left), range(of)?, parts.next().map(|part| unit(&part)));
        return Ok(Spanned::new(kind, span));
    }
    let mut elements = Vec::new();
    for node in of.children() {
        elements.push(element(node, inner)?);
    }
    Ok(Spanned::new(ExprKind::InSet(Box::new(left), elements), span))
}

fn element(node: Node<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let span = node.span();
    let mut parts = node.children();
    let minus = parts.take_if(Rule::minus);
    let part = parts.require()?;
    let value = operand(part, inner)?;
    match minus {
        None => Ok(value),
        Some(_) => Ok(Spanned::new(ExprKind::Negative(Box::new(value)), span)),
    }
}

fn status_test(left: Expr, node: Node<'_>) -> Parsed<Expr> {
    let span = left.span.to(node.span());
    let ExprKind::Name(tested) = left.node else {
        return Err(Diagnostic::new(
            Code::Syntax,
            left.span,
            "`is` asks about a name",
            "expected the name of a field or score before `is`",
        ));
    };
    let mut parts = node.children();
    let negated = if parts.take_if(Rule::kw_not).is_some() { Negated::Yes } else { Negated::No };
    let status = match parts.require()?.text() {
        "known" => Status::Known,
        "missing" => Status::Missing,
        _ => Status::Invalid,
    };
    Ok(Spanned::new(ExprKind::Is(Spanned::new(tested, left.span), status, negated), span))
}

fn sum(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let first = product(parts, inner)?;
    let mut rest = Vec::new();
    while let Some(operator) = parts.take_if(Rule::sum_op) {
        let sign = if operator.text() == "+" { SumOp::Plus } else { SumOp::Minus };
        rest.push((operator.spanned(sign), product(parts, inner)?));
    }
    let Some((_, last)) = rest.last() else { return Ok(first) };
    let span = first.span.to(last.span);
    Ok(Spanned::new(ExprKind::Sum(Box::new(first), rest), span))
}

fn product(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let first = unary(parts, inner)?;
    let mut rest = Vec::new();
    while let Some(operator) = parts.take_if(Rule::product_op) {
        let sign = if operator.text() == "*" { ProductOp::Times } else { ProductOp::Over };
        rest.push((operator.spanned(sign), unary(parts, inner)?));
    }
    let Some((_, last)) = rest.last() else { return Ok(first) };
    let span = first.span.to(last.span);
    Ok(Spanned::new(ExprKind::Product(Box::new(first), rest), span))
}

fn unary(parts: &mut Children<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let mut signs = Vec::new();
    while is_prefix(parts, "-") {
        signs.push(parts.require()?.span());
    }
    let next = parts.require()?;
    if next.rule() == Rule::prefix {
        return Err(Diagnostic::new(Code::Syntax, next.span(), "`not` cannot stand here", "expected a value")
            .help("put `not` and what it denies in parentheses"));
    }
    let mut expr = operand(next, inner)?;
    for sign in signs.into_iter().rev() {
        let span = sign.to(expr.span);
        expr = Spanned::new(ExprKind::Negative(Box::new(expr)), span);
    }
    Ok(expr)
}

fn operand(node: Node<'_>, inner: &mut Inner) -> Parsed<Expr> {
    let span = node.span();
    let kind = match node.rule() {
        Rule::amount => ExprKind::Literal(amount(node)?),
        Rule::name => ExprKind::Name(name(&node).node),
        Rule::group => ExprKind::Paren(Box::new(inner.take(&node.children().require()?)?)),
        Rule::reference => reference(node, inner)?,
        _ => match literal(&node)? {
            Some(literal) => ExprKind::Literal(literal.kind),
            None => return Err(misplaced(&node)),
        },
    };
    Ok(Spanned::new(kind, span))
}

fn reference(node: Node<'_>, inner: &mut Inner) -> Parsed<ExprKind> {
    let mut parts = node.children();
    let called = name(&parts.require()?);
    let Some(arguments) = parts.next() else { return Ok(ExprKind::Name(called.node)) };
    let mut values = Vec::new();
    let mut window = None;
    for argument in arguments.children() {
        if argument.rule() == Rule::duration {
            window = Some(duration(&argument));
        } else {
            values.push(inner.take(&argument)?);
        }
    }
    Ok(ExprKind::Call(called, values, window))
}

/// What is left when no level of the precedence had a place for it.
fn misplaced(node: &Node<'_>) -> Diagnostic {
    let word = node.text().split_whitespace().next().unwrap_or_default();
    let diagnostic = Diagnostic::new(
        Code::Syntax,
        node.span(),
        format!("`{word}` cannot stand here"),
        "expected `and`, `or` or the end of the condition",
    );
    match node.rule() {
        Rule::within => diagnostic.help("`within` ends a condition such as `A then B within 10m`"),
        Rule::kw_then | Rule::hold => diagnostic.help("put the condition before it in parentheses"),
        _ => diagnostic.help("put the condition before it in parentheses, or join two conditions with `and` or `or`"),
    }
}
