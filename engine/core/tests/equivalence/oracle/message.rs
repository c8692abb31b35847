//! What an alert says.

use triage_core::syntax::ast::ExprKind;

use super::condition::Judge;
use super::field::{State, Value};
use super::find;

/// Fills a template; the fields that it names are what `fields` says, whatever the judge has.
pub(crate) fn fill(template: &str, judge: &Judge<'_>, fields: &[State]) -> String {
    let mut message = String::new();
    let mut rest = template;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("{{") || rest.starts_with("}}") {
            message.push(first);
            rest = &rest[2..];
        } else if first == '{' {
            let end = rest.find('}').expect("a closed brace");
            message.push_str(&place(&rest[1..end], judge, fields));
            rest = &rest[end + 1..];
        } else {
            message.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    message
}

/// The names in a template.
pub(crate) fn names(template: &str) -> Vec<String> {
    let plain = template.replace("{{", "").replace("}}", "");
    let places = plain.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    places.map(|(inside, _)| inside.split(":.").next().unwrap_or_default().to_owned()).collect()
}

/// `x` or `x:.1`
fn place(inside: &str, judge: &Judge<'_>, fields: &[State]) -> String {
    let (name, decimals) = match inside.split_once(":.") {
        Some((name, decimals)) => (name, Some(decimals.parse::<usize>().expect("a number of decimals"))),
        None => (inside, None),
    };
    said(name, decimals, judge, fields).unwrap_or_else(|| "?".into())
}

fn said(name: &str, decimals: Option<usize>, judge: &Judge<'_>, fields: &[State]) -> Option<String> {
    let Some(named) = judge.lets.get(name) else { return field(name, decimals, judge, fields) };
    match judge.meaning(named) {
        ExprKind::Name(name) => field(name, decimals, judge, fields),
        kind if is_condition(kind) => Some(judge.truth(named)?.to_string()),
        _ => Some(number(judge.number(named)?, decimals)),
    }
}

fn field(name: &str, decimals: Option<usize>, judge: &Judge<'_>, fields: &[State]) -> Option<String> {
    if let Some((at, _)) = judge.score(name) {
        let probability = judge.probability(at)?;
        return Some(match decimals {
            Some(_) => number(f64::from(probability), decimals),
            None => probability.to_string(),
        });
    }
    let (at, _) = find(judge.fields, name).expect("a field, a `let` or a score");
    Some(spoken(fields[at].known()?, decimals))
}

fn spoken(value: &Value, decimals: Option<usize>) -> String {
    match (value, decimals) {
        (Value::Number(exact, _), Some(_)) => number(*exact, decimals),
        _ => value.spoken(),
    }
}

fn number(value: f64, decimals: Option<usize>) -> String {
    match decimals {
        Some(decimals) => format!("{value:.decimals$}"),
        None => format!("{value}"),
    }
}

fn is_condition(kind: &ExprKind) -> bool {
    matches!(
        kind,
        ExprKind::Or(_)
            | ExprKind::And(_)
            | ExprKind::Not(_)
            | ExprKind::Compare(..)
            | ExprKind::InSet(..)
            | ExprKind::InRange(..)
            | ExprKind::Is(..)
            | ExprKind::For(..)
            | ExprKind::Then(..)
    )
}
