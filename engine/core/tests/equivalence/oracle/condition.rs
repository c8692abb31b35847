//! Conditions in Kleene's logic and values in f64, by recursion over the tree. `None` is unknown.

use std::collections::BTreeMap;

use triage_core::syntax::ast::{
    Comparison, Expr, ExprKind, Field, FieldKind, LiteralKind, Name, Negated, Number, ProductOp, Range, Status, SumOp,
};

use super::field::{State, Value, parse};
use super::reading::Reading;
use super::score::{Answer, Score};
use super::{find, unit};

/// One reading in front of the rules.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    /// The declared fields.
    pub(crate) fields: &'a [Field],
    /// What the `let`s mean.
    pub(crate) lets: &'a BTreeMap<String, Expr>,
    /// The scores.
    pub(crate) scores: &'a [Score],
    /// What the fields are in this reading.
    pub(crate) states: &'a [State],
    /// What the models say of it, score by score; nothing where there is no reading.
    pub(crate) said: &'a [Answer],
    /// Its patient's readings up to this one; none if time operators are unknown on it.
    pub(crate) past: Option<&'a [Reading]>,
    /// How many of them came before an expression was there, by its name.
    pub(crate) begun: Option<&'a BTreeMap<String, usize>>,
}

/// Something that can be compared.
#[derive(Debug, Clone, PartialEq)]
enum Scalar {
    Number(f64),
    Text(String),
    Bool(bool),
    Time(i64),
}

impl<'a> Judge<'a> {
    /// Whether a condition is true.
    pub(crate) fn truth(&self, condition: &'a Expr) -> Option<bool> {
        match self.meaning(condition) {
            ExprKind::Or(parts) => self.any(parts, true),
            ExprKind::And(parts) => self.any(parts, false),
            ExprKind::Not(inner) => self.truth(inner).map(|truth| !truth),
            ExprKind::Compare(left, comparison, right) => self.compare(left, comparison.node, right),
            ExprKind::InSet(value, members) => self.in_set(value, members),
            ExprKind::InRange(value, range, written) => {
                self.in_range(value, range, written.as_ref().map(|unit| unit.node.as_str()))
            }
            ExprKind::Is(name, status, negated) => Some(self.is(name, *status) != (*negated == Negated::Yes)),
            ExprKind::For(inner, hold) => self.held(inner, &hold.node),
            ExprKind::Then(first, second, within) => {
                self.followed(|| self.canonical(condition), first, second, &within.node)
            }
            ExprKind::Literal(LiteralKind::Bool(truth)) => Some(*truth),
            ExprKind::Name(name) => match self.scalar_of(name)? {
                Scalar::Bool(truth) => Some(truth),
                other => panic!("`{name}` is {other:?}, not a condition"),
            },
            other => panic!("not a condition: {other:?}"),
        }
    }

    /// `deciding` if some part is it, unknown if some part is unknown, else the opposite: `or` and `and` in one.
    fn any(&self, parts: &'a [Expr], deciding: bool) -> Option<bool> {
        let mut all = Some(!deciding);
        for part in parts {
            match self.truth(part) {
                Some(truth) if truth == deciding => return Some(deciding),
                Some(_) => {}
                None => all = None,
            }
        }
        all
    }

    fn compare(&self, left: &'a Expr, comparison: Comparison, right: &'a Expr) -> Option<bool> {
        let order = order(&self.operand(left, right)?, &self.operand(right, left)?);
        Some(match comparison {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        })
    }

    fn in_set(&self, value: &'a Expr, members: &'a [Expr]) -> Option<bool> {
        let mut found = false;
        for member in members {
            found |= order(&self.scalar(value)?, &self.operand(member, value)?).is_eq();
        }
        Some(found)
    }

    fn in_range(&self, value: &'a Expr, range: &Range, written: Option<&str>) -> Option<bool> {
        let Scalar::Number(number) = self.operand(value, value)? else { panic!("a range of numbers") };
        let bound = |bound: &Number| match written {
            Some(written) => self.converted(bound, false, written, value),
            None => self.beside(parse(bound), value),
        };
        Some(bound(&range.low.node) <= number && number <= bound(&range.high.node))
    }

    fn is(&self, name: &'a Name, status: Status) -> bool {
        let name = self.subject(&name.node);
        let is = match self.score(name) {
            Some((at, _)) if self.probability(at).is_some() => Status::Known,
            Some(_) => Status::Missing,
            None => match self.state(name) {
                State::Known(_) => Status::Known,
                State::Missing => Status::Missing,
                State::Invalid => Status::Invalid,
            },
        };
        is == status
    }

    /// The field or score that a name stands for, by itself or through `let`s.
    pub(super) fn subject(&self, name: &'a str) -> &'a str {
        let Some(meant) = self.lets.get(name) else { return name };
        match self.meaning(meant) {
            ExprKind::Name(name) => name,
            other => panic!("`{name}` is {other:?}, neither field nor score"),
        }
    }

    /// One side of a comparison; labels and units mean what the other side makes them mean.
    fn operand(&self, side: &'a Expr, other: &'a Expr) -> Option<Scalar> {
        if let Some(code) = self.label(side, other) {
            return Some(Scalar::Number(code));
        }
        let (literal, negative) = match self.meaning(side) {
            ExprKind::Negative(inner) => (self.meaning(inner), true),
            plain => (plain, false),
        };
        match literal {
            ExprKind::Literal(LiteralKind::Number(number, Some(written))) => {
                Some(Scalar::Number(self.converted(number, negative, &written.node, other)))
            }
            ExprKind::Literal(LiteralKind::Number(..)) => {
                self.number(side).map(|number| Scalar::Number(self.beside(number, other)))
            }
            _ => self.scalar(side),
        }
    }

    pub(super) fn converted(&self, number: &Number, negative: bool, written: &str, other: &'a Expr) -> f64 {
        let first = self.mentioned(other).into_iter().next().and_then(|name| find(self.fields, name));
        let declared = first.and_then(|(_, field)| field.unit.as_ref()).expect("a field with a unit");
        unit::convert(number, negative, written, &declared.node).expect("units that convert")
    }

    /// The code of `side`, if it is a label of the enum on the other side.
    pub(super) fn label(&self, side: &Expr, other: &'a Expr) -> Option<f64> {
        let ExprKind::Name(name) = bare(side) else { return None };
        let ExprKind::Name(field) = self.meaning(other) else { return None };
        let FieldKind::Enum(labels) = &find(self.fields, field)?.1.kind.node else { return None };
        let (_, code) = labels.iter().find(|(label, _)| label.node == *name)?;
        Some(parse(&code.node))
    }

    fn scalar(&self, value: &'a Expr) -> Option<Scalar> {
        match self.meaning(value) {
            ExprKind::Literal(LiteralKind::Text(text)) => Some(Scalar::Text(text.clone())),
            ExprKind::Literal(LiteralKind::Bool(truth)) => Some(Scalar::Bool(*truth)),
            ExprKind::Name(name) => self.scalar_of(name),
            _ => self.number(value).map(Scalar::Number),
        }
    }

    fn scalar_of(&self, name: &str) -> Option<Scalar> {
        if let Some((at, _)) = self.score(name) {
            return Some(Scalar::Number(f64::from(self.probability(at)?)));
        }
        Some(match self.state(name).known()? {
            Value::Number(number, _) | Value::Label(_, number, _) => Scalar::Number(*number),
            Value::Bool(truth) => Scalar::Bool(*truth),
            Value::Text(text, _) => Scalar::Text(text.clone()),
            Value::Time(ms) => Scalar::Time(*ms),
        })
    }

    /// The number that an expression is.
    pub(crate) fn number(&self, value: &'a Expr) -> Option<f64> {
        let number = match self.meaning(value) {
            ExprKind::Literal(LiteralKind::Number(number, _)) => parse(number),
            ExprKind::Name(name) => match self.scalar_of(name)? {
                Scalar::Number(number) => number,
                other => panic!("{other:?} is no number"),
            },
            ExprKind::Negative(inner) => -self.number(inner)?,
            ExprKind::Sum(first, rest) => self.sum(first, rest)?,
            ExprKind::Product(first, rest) => self.product(first, rest)?,
            ExprKind::Call(name, arguments, Some(length)) => {
                self.window(|| self.canonical(value), &name.node, &arguments[0], &length.node)?
            }
            ExprKind::Call(name, arguments, None) if name.node == "previous" => {
                self.previous(|| self.canonical(value), &arguments[0])?
            }
            ExprKind::Call(name, arguments, None) => self.call(&name.node, arguments)?,
            other => panic!("not a value: {other:?}"),
        };
        number.is_finite().then_some(number)
    }

    fn sum(&self, first: &'a Expr, rest: &'a [(triage_core::source::Spanned<SumOp>, Expr)]) -> Option<f64> {
        let mut sum = self.number(first)?;
        for (operator, part) in rest {
            let part = self.number(part)?;
            sum = finite(match operator.node {
                SumOp::Plus => sum + part,
                SumOp::Minus => sum - part,
            })?;
        }
        Some(sum)
    }

    fn product(&self, first: &'a Expr, rest: &'a [(triage_core::source::Spanned<ProductOp>, Expr)]) -> Option<f64> {
        let mut product = self.number(first)?;
        for (operator, part) in rest {
            let part = self.number(part)?;
            product = finite(match operator.node {
                ProductOp::Times => product * part,
                ProductOp::Over if part == 0.0 => return None,
                ProductOp::Over => product / part,
            })?;
        }
        Some(product)
    }

    fn call(&self, name: &str, arguments: &'a [Expr]) -> Option<f64> {
        let numbers: Vec<f64> = arguments.iter().map(|argument| self.number(argument)).collect::<Option<_>>()?;
        let smaller = |a: f64, b: f64| if b < a { b } else { a };
        let larger = |a: f64, b: f64| if b > a { b } else { a };
        match name {
            "abs" => Some(numbers[0].abs()),
            "round" => Some(numbers[0].round()),
            "min" => numbers.into_iter().reduce(smaller),
            "max" => numbers.into_iter().reduce(larger),
            other => panic!("no function `{other}`"),
        }
    }

    /// What an expression means once its parentheses are off and its `let` is looked up.
    pub(crate) fn meaning(&self, expr: &'a Expr) -> &'a ExprKind {
        match bare(expr) {
            ExprKind::Name(name) => match self.lets.get(name) {
                Some(meant) => self.meaning(meant),
                None => bare(expr),
            },
            kind => kind,
        }
    }

    /// What the field of that name is.
    pub(crate) fn state(&self, name: &str) -> &'a State {
        let Some((at, _)) = find(self.fields, name) else { panic!("no field `{name}`") };
        &self.states[at]
    }

    /// A field or score as a record carries it, if it is known.
    pub(crate) fn carried(&self, name: &str) -> Option<String> {
        match self.score(name) {
            Some((at, _)) => self.probability(at).map(|probability| probability.to_string()),
            None => self.state(name).known().map(Value::json),
        }
    }

    /// The fields and scores of an expression, in order of first mention.
    pub(crate) fn mentioned(&self, expr: &'a Expr) -> Vec<&'a str> {
        let mut names = Vec::new();
        self.mention(expr, &mut names);
        names
    }

    fn mention(&self, expr: &'a Expr, names: &mut Vec<&'a str>) {
        match self.meaning(expr) {
            ExprKind::Name(name) => mention_name(name, names),
            ExprKind::Is(name, ..) => mention_name(self.subject(&name.node), names),
            ExprKind::Or(parts) | ExprKind::And(parts) | ExprKind::Call(_, parts, _) => {
                parts.iter().for_each(|part| self.mention(part, names));
            }
            ExprKind::Not(inner)
            | ExprKind::Negative(inner)
            | ExprKind::InRange(inner, ..)
            | ExprKind::For(inner, _) => self.mention(inner, names),
            ExprKind::Then(first, second, _) => {
                self.mention(first, names);
                self.mention(second, names);
            }
            ExprKind::Compare(left, _, right) => {
                self.mention_beside(left, right, names);
                self.mention_beside(right, left, names);
            }
            ExprKind::InSet(value, members) => {
                self.mention(value, names);
                members.iter().for_each(|member| self.mention_beside(member, value, names));
            }
            ExprKind::Sum(first, rest) => {
                self.mention(first, names);
                rest.iter().for_each(|(_, part)| self.mention(part, names));
            }
            ExprKind::Product(first, rest) => {
                self.mention(first, names);
                rest.iter().for_each(|(_, part)| self.mention(part, names));
            }
            ExprKind::Literal(_) => {}
            ExprKind::Paren(_) => panic!("a meaning has no parentheses around it"),
        }
    }

    fn mention_beside(&self, side: &'a Expr, other: &'a Expr, names: &mut Vec<&'a str>) {
        if self.label(side, other).is_none() {
            self.mention(side, names);
        }
    }
}

/// An expression without the parentheses around it.
pub(crate) fn bare(expr: &Expr) -> &ExprKind {
    match &expr.node {
        ExprKind::Paren(inner) => bare(inner),
        kind => kind,
    }
}

fn mention_name<'a>(name: &'a str, names: &mut Vec<&'a str>) {
    if !names.contains(&name) {
        names.push(name);
    }
}

fn finite(number: f64) -> Option<f64> {
    number.is_finite().then_some(number)
}

fn order(left: &Scalar, right: &Scalar) -> std::cmp::Ordering {
    let bit = |truth: bool| if truth { 1.0 } else { 0.0 };
    let order = match (left, right) {
        (Scalar::Number(left), Scalar::Number(right)) => left.partial_cmp(right),
        (Scalar::Bool(left), Scalar::Number(right)) => bit(*left).partial_cmp(right),
        (Scalar::Number(left), Scalar::Bool(right)) => left.partial_cmp(&bit(*right)),
        (Scalar::Bool(left), Scalar::Bool(right)) => Some(left.cmp(right)),
        (Scalar::Text(left), Scalar::Text(right)) => Some(left.cmp(right)),
        (Scalar::Time(left), Scalar::Time(right)) => Some(left.cmp(right)),
        (left, right) => panic!("{left:?} is not comparable with {right:?}"),
    };
    order.expect("numbers are finite")
}
