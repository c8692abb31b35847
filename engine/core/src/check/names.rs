//! What names in expressions mean: fields, `let`s, scores, labels.

use std::collections::{HashMap, HashSet};

use super::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::score::Score;
use crate::source::Span;
use crate::types::{FieldId, Label, Schema, ScoreId, Type};

/// The names of a rule set's expressions.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) schema: Schema,
    /// What each `let` means; filled in order of dependence.
    pub(crate) lets: HashMap<String, Typed>,
    /// The scores whose declarations are right, in their order.
    pub(crate) scores: Vec<Score>,
    /// Scores whose declarations have been reported, so that their uses are not.
    pub(crate) broken_scores: HashSet<String>,
    /// Names of `let`s, known before their meaning is.
    pub(crate) declared: HashSet<String>,
    /// Names that something mentions.
    pub(crate) used: HashSet<String>,
}

impl Names {
    pub(crate) fn new(schema: Schema) -> Self {
        Self {
            schema,
            lets: HashMap::new(),
            scores: Vec::new(),
            broken_scores: HashSet::new(),
            declared: HashSet::new(),
            used: HashSet::new(),
        }
    }

    /// What a bare name means, standing anywhere.
    pub(crate) fn resolve(&mut self, name: &str, span: Span) -> Result<Typed, Diagnostic> {
        if let Some(field) = self.schema.find(name) {
            self.used.insert(name.to_owned());
            return Ok(Typed::Field(field));
        }
        if let Some(meaning) = self.lets.get(name) {
            self.used.insert(name.to_owned());
            return Ok(meaning.clone());
        }
        if let Some(score) = self.score(name) {
            self.used.insert(name.to_owned());
            return Ok(Typed::Score(score));
        }
        if self.broken_scores.contains(name) || self.declared.contains(name) {
            self.used.insert(name.to_owned());
            return Ok(Typed::Unknown);
        }
        if self.is_some_label(name) {
            return Ok(Typed::Label(name.to_owned()));
        }
        Err(self.unknown(name, span))
    }

    /// The score of that name.
    pub(crate) fn score(&self, name: &str) -> Option<ScoreId> {
        self.scores.iter().position(|score| score.name == name).map(|index| ScoreId(index as u32))
    }

    /// The enum field that a name stands for, by itself or through a `let`.
    pub(crate) fn enum_field(&self, name: &str) -> Option<FieldId> {
        let field = match self.schema.find(name) {
            Some(field) => field,
            None => match self.lets.get(name) {
                Some(Typed::Field(field)) => *field,
                _ => return None,
            },
        };
        self.labels(field).map(|_| field)
    }

    /// The labels of an enum field.
    pub(crate) fn labels(&self, field: FieldId) -> Option<&[Label]> {
        match &self.schema.field(field).kind {
            Type::Enum(labels) => Some(labels),
            _ => None,
        }
    }

    /// The label of that name of an enum field.
    pub(crate) fn label(&self, field: FieldId, name: &str) -> Option<&Label> {
        self.labels(field)?.iter().find(|label| label.name == name)
    }

    fn is_some_label(&self, name: &str) -> bool {
        let is_label =
            |kind: &Type| matches!(kind, Type::Enum(labels) if labels.iter().any(|label| label.name == name));
        self.schema.fields.iter().any(|field| is_label(&field.kind))
    }

    fn unknown(&self, name: &str, span: Span) -> Diagnostic {
        let diagnostic = Diagnostic::new(
            Code::UnknownName,
            span,
            format!("nothing is called `{name}`"),
            "expected a field of the stream, a `let` or a score",
        );
        diagnostic.suggest(name, self.all())
    }

    /// Every name of a value or condition, in an order that does not change from run to run.
    pub(crate) fn all(&self) -> Vec<&str> {
        let scores = self.scores.iter().map(|score| &score.name).chain(&self.broken_scores);
        let mut lets: Vec<&str> = self.declared.iter().chain(scores).map(String::as_str).collect();
        lets.sort_unstable();
        self.schema.fields.iter().map(|field| field.name.as_str()).chain(lets).collect()
    }
}
