//! `let`s in order of dependence: each after those it uses, whatever their order in the files; none may mean itself.

use std::collections::HashMap;

use super::compare::bare_name;
use super::expr::Lowering;
use super::names::Names;
use super::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{Expr, ExprKind, Let};

/// How many members of a circle are shown; a longer one is no easier to see.
const MOST_WAYPOINTS: usize = 8;

/// Resolves all `let`s; no recursion, so that a chain of them may be long.
pub(super) fn resolve(lets: &[&Let], lowering: &mut Lowering) {
    let by_name: HashMap<&str, usize> =
        lets.iter().enumerate().rev().map(|(index, item)| (item.name.node.as_str(), index)).collect();
    let uses: Vec<Vec<usize>> = lets.iter().map(|item| used(&item.value, &by_name, &lowering.names)).collect();
    let mut state = vec![State::New; lets.len()];
    for start in 0..lets.len() {
        let mut stack = vec![(start, 0)];
        while let Some((index, next)) = stack.pop() {
            if state[index] == State::Done {
                continue;
            }
            state[index] = State::Open;
            let Some(&dependency) = uses[index].get(next) else {
                define(lets[index], lowering);
                state[index] = State::Done;
                continue;
            };
            stack.push((index, next + 1));
            match state[dependency] {
                State::New => stack.push((dependency, 0)),
                State::Done => {}
                State::Open => circular(lets, &stack, dependency, lowering),
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Done,
}

fn define(item: &Let, lowering: &mut Lowering) {
    let already = matches!(lowering.names.lets.get(&item.name.node), Some(Typed::Unknown));
    let meaning = if already { Typed::Unknown } else { lowering.expr(&item.value) };
    lowering.names.lets.insert(item.name.node.clone(), meaning);
}

/// Reports the circle on the stack from `start` on, and lets its members mean nothing.
fn circular(lets: &[&Let], stack: &[(usize, usize)], start: usize, lowering: &mut Lowering) {
    let circle: Vec<usize> = stack.iter().map(|(index, _)| *index).skip_while(|index| *index != start).collect();
    let first = &lets[start].name;
    let message = format!("`{}` means itself", first.node);
    let mut diagnostic =
        Diagnostic::new(Code::CircularLet, first.span, message, "expected something that does not lead back here");
    for index in circle.iter().skip(1).take(MOST_WAYPOINTS) {
        diagnostic = diagnostic.also(lets[*index].name.span, "by way of this");
    }
    lowering.diagnostics.push(diagnostic);
    for index in circle {
        lowering.names.lets.insert(lets[index].name.node.clone(), Typed::Unknown);
    }
}

/// The `let`s that an expression names, labels beside their enums apart.
fn used(expr: &Expr, by_name: &HashMap<&str, usize>, names: &Names) -> Vec<usize> {
    let mut found = Vec::new();
    let mut stack = vec![expr];
    while let Some(expr) = stack.pop() {
        match &expr.node {
            ExprKind::Literal(_) => {}
            ExprKind::Name(name) => found.extend(by_name.get(name.as_str())),
            ExprKind::Is(name, ..) => found.extend(by_name.get(name.node.as_str())),
            ExprKind::Paren(inner) | ExprKind::Not(inner) | ExprKind::Negative(inner) | ExprKind::For(inner, _) => {
                stack.push(inner);
            }
            ExprKind::Or(parts) | ExprKind::And(parts) => stack.extend(parts),
            ExprKind::Then(first, second, _) => stack.extend([first.as_ref(), second.as_ref()]),
            ExprKind::Compare(left, _, right) => stack.extend(compared(left, right, names)),
            ExprKind::InSet(value, members) => {
                stack.push(value);
                stack.extend(members.iter().filter(|member| !is_label(value, member, names)));
            }
            ExprKind::InRange(value, ..) => stack.push(value),
            ExprKind::Sum(first, rest) => {
                stack.push(first);
                stack.extend(rest.iter().map(|(_, part)| part));
            }
            ExprKind::Product(first, rest) => {
                stack.push(first);
                stack.extend(rest.iter().map(|(_, part)| part));
            }
            ExprKind::Call(_, arguments, _) => stack.extend(arguments),
        }
    }
    found
}

/// The sides of a comparison that are not labels of the other side.
fn compared<'a>(left: &'a Expr, right: &'a Expr, names: &Names) -> Vec<&'a Expr> {
    let mut sides = Vec::new();
    if !is_label(right, left, names) {
        sides.push(left);
    }
    if !is_label(left, right, names) {
        sides.push(right);
    }
    sides
}

fn is_label(field: &Expr, label: &Expr, names: &Names) -> bool {
    let field = bare_name(field).and_then(|name| names.enum_field(name));
    field.zip(bare_name(label)).is_some_and(|(field, label)| names.label(field, label).is_some())
}
