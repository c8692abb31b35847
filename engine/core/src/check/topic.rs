//! Topics: the declared in their order, then those that rules write to without a declaration, by name.

use super::expr::Lowering;
use super::ownership::Owned;
use super::schema::once;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Fields, TopicClause};
use crate::types::Subject;

/// A topic of a checked rule set.
#[derive(Debug, Clone)]
pub(crate) struct CheckedTopic {
    pub(crate) name: String,
    pub(crate) fields: CheckedFields,
    pub(crate) store: Option<String>,
    pub(crate) notify: Option<String>,
    /// The declaration; none for an undeclared topic.
    pub(crate) declared: Option<Span>,
}

/// The fields that a topic's records carry.
#[derive(Debug, Clone)]
pub(crate) enum CheckedFields {
    All,
    Listed(Vec<Subject>),
}

/// Checks a declaration.
pub(super) fn check(topic: &ast::Topic, owned: &mut Owned, lowering: &mut Lowering) -> CheckedTopic {
    owned.topic(&topic.name, &mut lowering.diagnostics);
    let mut checked = undeclared(&topic.name.node);
    checked.declared = Some(topic.name.span);
    let mut seen: [(&str, Vec<Span>); 4] =
        [("fields", Vec::new()), ("store", Vec::new()), ("notify", Vec::new()), ("covers", Vec::new())];
    for clause in &topic.clauses {
        let kind = match &clause.node {
            TopicClause::Fields(_) => 0,
            TopicClause::Store(_) => 1,
            TopicClause::Notify(_) => 2,
            TopicClause::CoversAll => 3,
        };
        seen[kind].1.push(clause.span);
        if seen[kind].1.len() > 1 {
            continue;
        }
        match &clause.node {
            TopicClause::Fields(fields) => checked.fields = self::fields(fields, lowering),
            TopicClause::Store(store) => checked.store = Some(owned.store(store, &mut lowering.diagnostics)),
            TopicClause::Notify(role) => checked.notify = Some(role.node.clone()),
            TopicClause::CoversAll => {
                lowering.not_yet("`covers all`", clause.span);
            }
        }
    }
    for (what, spans) in &seen {
        once(spans, what, &mut lowering.diagnostics, |span| *span);
    }
    if seen[0].1.is_empty() {
        let message = format!("the topic `{}` does not say which fields it carries", checked.name);
        let diagnostic =
            Diagnostic::new(Code::Clause, topic.name.span, message, "expected `fields a, b` or `fields all` in it");
        lowering.diagnostics.push(diagnostic);
    }
    checked
}

/// A topic that is not declared: every field, no collection, nobody told.
pub(super) fn undeclared(name: &str) -> CheckedTopic {
    CheckedTopic { name: name.to_owned(), fields: CheckedFields::All, store: None, notify: None, declared: None }
}

fn fields(fields: &Fields, lowering: &mut Lowering) -> CheckedFields {
    let Fields::Listed(names) = fields else { return CheckedFields::All };
    let mut ids = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|other| *other == name) {
            let message = format!("the field `{}` is listed twice", name.node);
            let diagnostic = Diagnostic::new(Code::Duplicate, name.span, message, "expected it once");
            lowering.diagnostics.push(diagnostic.also(first.span, "first here"));
            continue;
        }
        match lowering.names.schema.find(&name.node) {
            Some(field) => ids.push(Subject::Field(field)),
            None if lowering.names.broken_scores.contains(&name.node) => {}
            None => {
                if let Some(score) = lowering.names.score(&name.node) {
                    lowering.names.used.insert(name.node.clone());
                    ids.push(Subject::Score(score));
                    continue;
                }
                let message = format!("the stream has no field `{}`", name.node);
                let known: Vec<&str> = lowering.names.schema.fields.iter().map(|field| field.name.as_str()).collect();
                let diagnostic =
                    Diagnostic::new(Code::UnknownName, name.span, message, "expected a field of the stream");
                let diagnostic = diagnostic.suggest(&name.node, known);
                lowering.diagnostics.push(diagnostic);
            }
        }
    }
    CheckedFields::Listed(ids)
}
