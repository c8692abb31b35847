//! A stream: one line for each field, types under one another.

use super::Line;
use crate::syntax::ast::{Field, FieldKind, Role, Stream};
use crate::syntax::format::print::{duration, literal, name, range};

pub(super) fn stream(stream: &Stream) -> Vec<Line> {
    let labels = stream.fields.iter().map(|field| name(&field.name.node).chars().count() + 1);
    let width = labels.max().unwrap_or(0);
    let entry = |label: &str, rest: &str, end: u32| Line::new(2, format!("{label:width$} {rest}"), end);
    let mut body: Vec<(u32, Line)> = Vec::new();
    for field in &stream.fields {
        let label = format!("{}:", name(&field.name.node));
        body.push((field.span.start, entry(&label, &field_type(field), field.span.end)));
    }
    for store in &stream.store {
        body.push((store.span.start, entry("store", &name(&store.node), store.span.end)));
    }
    for forget in &stream.forget {
        let after = format!("after {}", duration(&forget.node));
        body.push((forget.span.start, entry("forget", &after, forget.span.end)));
    }
    body.sort_by_key(|(start, _)| *start);
    let open = Line::opening(format!("stream {} {{", name(&stream.name.node)), stream.name.span.end);
    let body = body.into_iter().map(|(_, line)| line);
    std::iter::once(open).chain(body).chain([Line::closing(stream.span.end)]).collect()
}

fn field_type(field: &Field) -> String {
    let mut parts = vec![kind(&field.kind.node)];
    parts.extend(field.role.as_ref().map(|role| role_word(role.node).to_owned()));
    parts.extend(field.range.as_ref().map(|bounds| range(&bounds.node)));
    parts.extend(field.unit.as_ref().map(|unit| format!("'{}'", unit.node)));
    if !field.missing.is_empty() {
        let codes: Vec<String> = field.missing.iter().map(literal).collect();
        parts.push(format!("missing {}", codes.join(", ")));
    }
    parts.join(" ")
}

fn role_word(role: Role) -> &'static str {
    match role {
        Role::Key => "key",
        Role::Event => "event",
    }
}

fn kind(kind: &FieldKind) -> String {
    match kind {
        FieldKind::Int => "int".to_owned(),
        FieldKind::Float => "float".to_owned(),
        FieldKind::Bool => "bool".to_owned(),
        FieldKind::Text => "text".to_owned(),
        FieldKind::Time => "time".to_owned(),
        FieldKind::Enum(members) => {
            let members: Vec<String> =
                members.iter().map(|(label, code)| format!("{} = {}", name(&label.node), code.node.0)).collect();
            format!("enum {{ {} }}", members.join(", "))
        }
    }
}
