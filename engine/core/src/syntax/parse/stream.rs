//! The stream and its fields.

use super::grammar::Rule;
use super::node::Node;
use super::value::{name, next_duration, range, signed, unit};
use crate::diagnostic::Diagnostic;
use crate::source::Spanned;
use crate::syntax::ast::{Field, FieldKind, Literal, Role, Stream};

pub(super) fn stream(node: Node<'_>) -> Result<Stream, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let mut stream =
        Stream { name: name(&parts.require()?), fields: Vec::new(), store: Vec::new(), forget: Vec::new(), span };
    for part in parts {
        match part.rule() {
            Rule::store => stream.store.push(name(&part.children().require()?)),
            Rule::forget => stream.forget.push(next_duration(&mut part.children())?),
            Rule::field => stream.fields.push(field(part)?),
            _ => return Err(part.unexpected()),
        }
    }
    Ok(stream)
}

fn field(node: Node<'_>) -> Result<Field, Diagnostic> {
    let mut parts = node.children();
    let span = parts.parent();
    let name = name(&parts.require()?);
    let kind = kind(parts.require()?)?;
    let mut field = Field { name, kind, role: None, range: None, unit: None, missing: Vec::new(), span };
    for part in parts {
        match part.rule() {
            Rule::role => field.role = Some(part.spanned(role(part.text()))),
            Rule::range => field.range = Some(Spanned::new(range(part.clone())?, part.span())),
            Rule::unit => field.unit = Some(unit(&part)),
            Rule::missing => field.missing = codes(part)?,
            _ => return Err(part.unexpected()),
        }
    }
    Ok(field)
}

fn role(word: &str) -> Role {
    if word == "key" { Role::Key } else { Role::Event }
}

fn kind(node: Node<'_>) -> Result<Spanned<FieldKind>, Diagnostic> {
    let span = node.span();
    let inner = node.children().require()?;
    let kind = match inner.text() {
        "int" => FieldKind::Int,
        "float" => FieldKind::Float,
        "bool" => FieldKind::Bool,
        "text" => FieldKind::Text,
        "time" => FieldKind::Time,
        _ => enumeration(inner)?,
    };
    Ok(Spanned::new(kind, span))
}

fn enumeration(node: Node<'_>) -> Result<FieldKind, Diagnostic> {
    let mut members = Vec::new();
    for member in node.children() {
        let mut parts = member.children();
        members.push((name(&parts.require()?), signed(parts.require()?)?));
    }
    Ok(FieldKind::Enum(members))
}

fn codes(node: Node<'_>) -> Result<Vec<Literal>, Diagnostic> {
    let mut codes = Vec::new();
    for code in node.children() {
        let inner = code.children().require()?;
        codes.push(super::value::literal(&inner)?.ok_or_else(|| inner.unexpected())?);
    }
    Ok(codes)
}
