//! The stream's declaration.

use super::duration::milliseconds;
use super::expr::unknown_unit;
use super::ownership::Owned;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast;
use crate::types::{Field, FieldId, Label, Plausible, Schema, Type};
use crate::unit::Unit;

/// Names of our outputs that no declared field may bear.
const RESERVED_FIELDS: [&str; 5] = ["_id", "rules", "origin", "late", "misplaced"];

/// Whether outputs have something else under that name.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED_FIELDS.contains(&name) || name == "patient" || name == "ts"
}

/// After how long a patient is forgotten where `forget after` is not said: 30 days.
const FORGET: i64 = 30 * 86_400_000;

/// Checks the one stream of a rule set.
pub(super) fn check(stream: &ast::Stream, owned: &mut Owned, diagnostics: &mut Vec<Diagnostic>) -> Schema {
    owned.stream(&stream.name, diagnostics);
    once(&stream.store, "store", diagnostics, |store| store.span);
    once(&stream.forget, "forget after", diagnostics, |forget| forget.span);
    let store = stream.store.first().map(|store| owned.store(store, diagnostics));
    let forget = stream.forget.first().and_then(|forget| forgetting(forget, diagnostics)).unwrap_or(FORGET);
    let mut schema =
        Schema { stream: stream.name.node.clone(), store, fields: Vec::new(), key: None, event: None, forget };
    if stream.fields.is_empty() {
        let message = "the stream declares no field";
        diagnostics.push(Diagnostic::new(Code::FieldDeclaration, stream.span, message, "expected at least one field"));
    }
    for (index, declared) in stream.fields.iter().enumerate() {
        if let Some(first) = stream.fields[..index].iter().find(|field| field.name == declared.name) {
            diagnostics.push(duplicate("field", &declared.name, first.name.span));
            continue;
        }
        let id = FieldId(schema.fields.len() as u32);
        role(declared, id, &mut schema, diagnostics);
        schema.fields.push(field(declared, diagnostics));
    }
    schema
}

fn forgetting(after: &Spanned<ast::Duration>, diagnostics: &mut Vec<Diagnostic>) -> Option<i64> {
    let found = milliseconds(&after.node);
    if let Err((message, label)) = found {
        diagnostics.push(Diagnostic::new(Code::Duration, after.span, message, label));
    }
    found.ok()
}

/// A second declaration of a name.
pub(super) fn duplicate(what: &str, name: &ast::Name, first: Span) -> Diagnostic {
    let message = format!("the {what} `{}` is declared twice", name.node);
    Diagnostic::new(Code::Duplicate, name.span, message, "declared again here").also(first, "first declared here")
}

/// Reports every clause behind the first.
pub(super) fn once<T>(clauses: &[T], what: &str, diagnostics: &mut Vec<Diagnostic>, span: impl Fn(&T) -> Span) {
    for again in clauses.iter().skip(1) {
        let message = format!("`{what}` stands twice");
        let first = span(&clauses[0]);
        diagnostics
            .push(Diagnostic::new(Code::Clause, span(again), message, "expected it once").also(first, "first here"));
    }
}

fn role(declared: &ast::Field, id: FieldId, schema: &mut Schema, diagnostics: &mut Vec<Diagnostic>) {
    let name = declared.name.node.as_str();
    match &declared.role {
        Some(role) => {
            let (slot, kind, what) = match role.node {
                ast::Role::Key => (&mut schema.key, ast::FieldKind::Text, "key"),
                ast::Role::Event => (&mut schema.event, ast::FieldKind::Time, "event"),
            };
            if slot.is_some() {
                let message = format!("a second field is `{what}`");
                diagnostics.push(Diagnostic::new(Code::FieldDeclaration, role.span, message, "expected one at most"));
            }
            if declared.kind.node != kind {
                let needed = if kind == ast::FieldKind::Text { "text" } else { "time" };
                let message = format!("a field that is `{what}` must be `{needed}`");
                diagnostics.push(Diagnostic::new(
                    Code::FieldDeclaration,
                    declared.kind.span,
                    message,
                    format!("expected `{needed}`"),
                ));
            }
            slot.get_or_insert(id);
        }
        None if name == "patient" || name == "ts" => {
            let (role, kind) = if name == "patient" { ("key", "text") } else { ("event", "time") };
            let message = format!("a field called `{name}` must be `{kind} {role}`");
            diagnostics.push(Diagnostic::new(
                Code::ReservedName,
                declared.name.span,
                message,
                format!("expected `{name}: {kind} {role}`"),
            ));
        }
        None => {}
    }
    if RESERVED_FIELDS.contains(&name) {
        let message = format!("Triage itself writes `{name}` into its outputs");
        diagnostics.push(Diagnostic::new(Code::ReservedName, declared.name.span, message, "expected another name"));
    }
}

fn field(declared: &ast::Field, diagnostics: &mut Vec<Diagnostic>) -> Field {
    let kind = kind(&declared.kind.node, diagnostics);
    let numeric = matches!(kind, Type::Int | Type::Float);
    let mut refuse = |what: &str, span: Span| {
        let message = format!("`{}` is {}, which has no {what}", declared.name.node, kind.describe());
        diagnostics.push(Diagnostic::new(Code::FieldDeclaration, span, message, "expected it on a number only"));
    };
    if let (Some(range), false) = (&declared.range, numeric) {
        refuse("range", range.span);
    }
    if let (Some(unit), false) = (&declared.unit, numeric) {
        refuse("unit", unit.span);
    }
    let range = declared.range.as_ref().and_then(|range| plausible(range, diagnostics));
    let unit = declared.unit.as_ref().and_then(|code| unit(code, diagnostics));
    let mut missing = Vec::new();
    let mut missing_texts = Vec::new();
    for literal in &declared.missing {
        match (&literal.kind, &kind) {
            (ast::LiteralKind::Text(text), Type::Text) => missing_texts.push(text.clone()),
            (ast::LiteralKind::Number(number, None), Type::Int | Type::Float | Type::Bool | Type::Enum(_)) => {
                missing.extend(finite(&Spanned::new(number.clone(), literal.span), diagnostics));
            }
            _ => {
                let message = format!("`{}` is {}, and this is no such code", declared.name.node, kind.describe());
                let label =
                    if kind == Type::Text { "expected a text in double quotes" } else { "expected a bare number" };
                diagnostics.push(Diagnostic::new(Code::FieldDeclaration, literal.span, message, label));
            }
        }
    }
    Field { name: declared.name.node.clone(), kind, range, unit, missing, missing_texts }
}

fn kind(kind: &ast::FieldKind, diagnostics: &mut Vec<Diagnostic>) -> Type {
    match kind {
        ast::FieldKind::Int => Type::Int,
        ast::FieldKind::Float => Type::Float,
        ast::FieldKind::Bool => Type::Bool,
        ast::FieldKind::Text => Type::Text,
        ast::FieldKind::Time => Type::Time,
        ast::FieldKind::Enum(labels) => Type::Enum(self::labels(labels, diagnostics)),
    }
}

fn labels(declared: &[(ast::Name, Spanned<ast::Number>)], diagnostics: &mut Vec<Diagnostic>) -> Vec<Label> {
    let mut labels: Vec<Label> = Vec::new();
    for (index, (name, code)) in declared.iter().enumerate() {
        let Some(value) = finite(code, diagnostics) else { continue };
        if value.fract() != 0.0 {
            let message = format!("the code `{}` is not a whole number", code.node.0);
            diagnostics.push(Diagnostic::new(Code::BadNumber, code.span, message, "expected a whole number"));
        }
        for (other, other_code) in &declared[..index] {
            if other == name {
                diagnostics.push(duplicate("label", name, other.span));
            }
            if other_code.node.0.parse() == Ok(value) {
                let message = format!("the code `{}` stands for two labels", code.node.0);
                diagnostics.push(
                    Diagnostic::new(Code::Duplicate, code.span, message, "expected another code")
                        .also(other_code.span, "first here"),
                );
            }
        }
        labels.push(Label { name: name.node.clone(), code: value, written: code.node.0.clone() });
    }
    labels
}

fn plausible(range: &Spanned<ast::Range>, diagnostics: &mut Vec<Diagnostic>) -> Option<Plausible> {
    let low = finite(&range.node.low, diagnostics)?;
    let high = finite(&range.node.high, diagnostics)?;
    if low > high {
        let message = "the range is empty";
        diagnostics.push(Diagnostic::new(
            Code::FieldDeclaration,
            range.span,
            message,
            "expected the smaller number first",
        ));
        return None;
    }
    let written = format!("{}..{}", range.node.low.node.0, range.node.high.node.0);
    Some(Plausible { low, high, written })
}

fn unit(code: &Spanned<String>, diagnostics: &mut Vec<Diagnostic>) -> Option<Unit> {
    let unit = Unit::find(&code.node);
    if unit.is_none() {
        diagnostics.push(unknown_unit(code));
    }
    unit
}

fn finite(number: &Spanned<ast::Number>, diagnostics: &mut Vec<Diagnostic>) -> Option<f64> {
    let value = number.node.0.parse::<f64>().ok().filter(|value| value.is_finite());
    if value.is_none() {
        diagnostics.push(Diagnostic::new(
            Code::BadNumber,
            number.span,
            "the number is too large",
            "expected a number below 1.8e308",
        ));
    }
    value
}
