//! Why a rule did or did not match a reading: each part of its condition with its values and its truth, from the
//! evaluator that judges patients' readings.

mod score;

use std::collections::HashSet;

pub use score::{Moved, ScoreExplanation};

use crate::check::Lowering;
use crate::compile::Compiled;
use crate::compile::{Lower, cells_alone};
use crate::graph::ConditionId;
use crate::program::Workspace;
use crate::program::nodes::{Judged, NodeId};
use crate::reading::{DeadLetter, Limits, Record, write_rfc3339};
use crate::score::Score;
use crate::syntax::ast::{Expr, ExprKind, Item, RuleCondition};
use crate::syntax::format;
use crate::types::{Field, FieldId, Schema, Subject, Type};

/// Why an explanation cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// There is no such rule.
    #[error("no rule is called `{name}`")]
    NoSuchRule {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// The rule waits for silence.
    #[error("`{0}` fires when nothing comes: no reading makes it match, and the next one makes it false")]
    Silence(String),
    /// The record is no reading.
    #[error("the record is a dead letter ({}): {}", .0.reason.as_str(), .0.sentence)]
    DeadLetter(DeadLetter),
}

/// A rule's condition, judged part by part.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The rule's name.
    pub rule: String,
    /// The condition's truth; `None` is unknown.
    pub truth: Option<bool>,
    /// The parts, wholes before their parts.
    pub parts: Vec<Part>,
    /// Whether it depends on earlier readings: it is judged as if this were the first of its patient.
    pub remembers: bool,
    /// If the condition is unknown: the fields to blame, each with what is wrong with it.
    pub blame: Vec<String>,
    /// The scores that the condition asks for, in order of first mention.
    pub scores: Vec<ScoreExplanation>,
}

/// A part of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// How deep it stands in the condition.
    pub depth: usize,
    /// Its canonical text.
    pub text: String,
    /// Its truth; `None` is unknown.
    pub truth: Option<bool>,
    /// The values of the fields and scores in it, for a part without parts.
    pub values: Vec<String>,
}

/// A part before it is judged.
struct Asked {
    depth: usize,
    text: String,
    condition: ConditionId,
    is_leaf: bool,
}

impl Compiled {
    /// Judges `record` by the rule of that name.
    ///
    /// # Errors
    /// There is no such rule, or the record is no reading.
    pub fn explain(&mut self, rule: &str, record: &Record<'_>, limits: &Limits) -> Result<Explanation, ExplainError> {
        let expr = match self.condition_of(rule)? {
            RuleCondition::Expr(expr) => expr,
            RuleCondition::Silence { .. } => return Err(ExplainError::Silence(rule.to_owned())),
        };
        let mut asked = Vec::new();
        let lets = self.lets();
        Outline { lowering: &mut self.checked.lowering, lets: &lets, shown: HashSet::new() }.walk(&expr, 0, &mut asked);
        let scores = &self.checked.lowering.names.scores;
        let mut lower = Lower::new(scores);
        let graph = &self.checked.lowering.graph;
        let nodes: Vec<NodeId> = asked.iter().map(|part| lower.condition(graph, (part.condition, false))).collect();
        let all = asked.first().map_or_else(Vec::new, |whole| graph.subjects_of(whole.condition));
        for subject in &all {
            lower.ask_for(*subject);
        }

        let mut workspace = Workspace::default();
        let decoder = &self.program.decoder;
        workspace.batch.reset(decoder.schema(), 1);
        let decoded = decoder.decode(0, record, limits, &mut workspace.memory, &mut workspace.batch);
        decoded.map_err(ExplainError::DeadLetter)?;
        let mut judged = Judged::default();
        let layout = cells_alone(&lower.cells);
        judged.judge_first(&lower.nodes, &workspace.batch, record.value.unwrap_or_default(), &layout);

        let scene = Scene { schema: decoder.schema(), scores, record, workspace: &workspace, judged: &judged };
        let mut blame = Vec::new();
        let mut parts = Vec::new();
        // The depth of a part around this one that is not unknown: nothing in it is to blame.
        let mut decided: Option<usize> = None;
        for (part, node) in asked.into_iter().zip(nodes) {
            let truth = judged.truth(node, 0);
            let subjects = if part.is_leaf { graph.subjects_of(part.condition) } else { Vec::new() };
            let values: Vec<String> = subjects.iter().map(|subject| scene.value(*subject)).collect();
            decided = decided.filter(|depth| *depth < part.depth).or(truth.map(|_| part.depth));
            if decided.is_none() && part.is_leaf {
                let mut culprits = scene.culprits(&subjects, graph.looks_back(part.condition));
                culprits.retain(|culprit| !blame.contains(culprit));
                blame.append(&mut culprits);
            }
            parts.push(Part { depth: part.depth, text: part.text, truth, values });
        }
        let truth = parts.first().and_then(|part| part.truth);
        if truth.is_some() {
            blame.clear();
        }
        let scores = scene.scores_of(&all);
        Ok(Explanation { rule: rule.to_owned(), truth, parts, remembers: !lower.cells.is_empty(), blame, scores })
    }

    fn condition_of(&self, rule: &str) -> Result<RuleCondition, ExplainError> {
        let items = self.files.iter().flat_map(|file| &file.items);
        let trees = items.filter_map(|item| if let Item::Rule(rule) = item { Some(rule) } else { None });
        let found = trees.zip(self.program.rules()).find(|(_, listed)| listed.name == rule);
        if let Some((tree, _)) = found {
            return Ok(tree.condition.clone());
        }
        let names = self.program.rules().iter().map(|listed| listed.name.as_str());
        let nearest = crate::diagnostic::nearest(rule, names).map(str::to_owned);
        Err(ExplainError::NoSuchRule { name: rule.to_owned(), nearest })
    }

    fn lets(&self) -> Vec<(String, Expr)> {
        let items = self.files.iter().flat_map(|file| &file.items);
        let lets = items.filter_map(|item| if let Item::Let(item) = item { Some(item) } else { None });
        lets.map(|item| (item.name.node.clone(), item.value.clone())).collect()
    }
}

/// One reading in front of a rule.
struct Scene<'a> {
    schema: &'a Schema,
    scores: &'a [Score],
    record: &'a Record<'a>,
    workspace: &'a Workspace,
    judged: &'a Judged,
}

impl Scene<'_> {
    fn value(&self, subject: Subject) -> String {
        match subject {
            Subject::Field(field) => self.field(field),
            Subject::Score(score) => self.score(score),
        }
    }

    /// `trestbps = 190`, `trestbps is missing`, or `trestbps is invalid: 900 (plausible: 30..300)`.
    fn field(&self, id: FieldId) -> String {
        let field = self.schema.field(id);
        let column = self.workspace.batch.column(id);
        let raw = self.record.value.unwrap_or_default();
        let arrived = self.workspace.memory.tokens()[id.index()]
            .map(|token| String::from_utf8_lossy(&raw[token.start..token.end]));
        if !column.values[0].is_nan() {
            let text = String::from_utf8_lossy(self.workspace.batch.bytes(self.workspace.batch.raw(0, id), raw));
            return format!("{} = {}", field.name, known(field, column.values[0], &text));
        }
        match arrived {
            None => format!("{} is missing: the reading does not have it", field.name),
            Some(arrived) if column.invalid.words()[0] & 1 == 1 => {
                format!("{} is invalid: {arrived} ({})", field.name, expected(field))
            }
            Some(arrived) => format!("{} is missing: {arrived} stands for \"not measured\"", field.name),
        }
    }

    /// What is not known of these.
    fn culprits(&self, subjects: &[Subject], looks_back: bool) -> Vec<String> {
        let mut found = Vec::new();
        for subject in subjects {
            match subject {
                Subject::Field(field) if self.is_known(*field) => {}
                Subject::Field(field) => found.push(self.field(*field)),
                Subject::Score(score) => found.extend(self.score_culprits(*score)),
            }
        }
        if found.is_empty() {
            let why = if looks_back { "there is no earlier reading" } else { "a calculation without a finite result" };
            found.push(why.to_owned());
        }
        found
    }

    fn is_known(&self, field: FieldId) -> bool {
        !self.workspace.batch.column(field).values[0].is_nan()
    }
}

fn known(field: &Field, value: f64, raw: &str) -> String {
    let unit = field.unit.map_or(String::new(), |unit| format!(" '{}'", unit.code()));
    match &field.kind {
        Type::Int | Type::Float => format!("{raw}{unit}"),
        Type::Text => raw.to_owned(),
        Type::Bool => (value == 1.0).to_string(),
        Type::Time => {
            let mut text = String::new();
            write_rfc3339(value as i64, &mut text);
            text
        }
        Type::Enum(labels) => {
            let label = labels.iter().find(|label| label.code == value);
            label.map_or(value.to_string(), |label| format!("{} ({})", label.name, label.written))
        }
    }
}

/// What the field's declaration asks for.
fn expected(field: &Field) -> String {
    match (&field.kind, &field.range) {
        (Type::Enum(labels), _) => {
            let labels: Vec<String> =
                labels.iter().map(|label| format!("{} = {}", label.name, label.written)).collect();
            format!("declared: {}", labels.join(", "))
        }
        (kind, Some(range)) => format!("declared: {} in {}", kind.describe(), range.written),
        (kind, None) => format!("declared: {}", kind.describe()),
    }
}

/// Lists the parts of a condition that are conditions themselves.
struct Outline<'a> {
    lowering: &'a mut Lowering,
    lets: &'a [(String, Expr)],
    /// `let`s whose meaning has been listed.
    shown: HashSet<String>,
}

impl Outline<'_> {
    fn walk(&mut self, expr: &Expr, depth: usize, asked: &mut Vec<Asked>) {
        if let ExprKind::Paren(inner) = &expr.node {
            return self.walk(inner, depth, asked);
        }
        let Some(condition) = self.lowering.condition(expr) else { return };
        let parts = self.parts(expr);
        asked.push(Asked { depth, text: format::expression(expr), condition, is_leaf: parts.is_empty() });
        for part in &parts {
            self.walk(part, depth + 1, asked);
        }
    }

    fn parts(&mut self, expr: &Expr) -> Vec<Expr> {
        match &expr.node {
            ExprKind::And(parts) | ExprKind::Or(parts) => parts.clone(),
            ExprKind::Not(inner) | ExprKind::For(inner, _) => vec![inner.as_ref().clone()],
            ExprKind::Then(first, second, _) => vec![first.as_ref().clone(), second.as_ref().clone()],
            ExprKind::Name(name) => {
                let meaning = self.lets.iter().find(|(item, _)| item == name).map(|(_, meaning)| meaning.clone());
                let new = meaning.is_some() && self.shown.insert(name.clone());
                meaning.filter(|_| new).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::compile::compile_all;
    use crate::score::NoModels;
    use crate::source::SourceFile;

    fn explain(reading: &str) -> Explanation {
        let text = "stream r { p: int 30..300 'mm[Hg]' missing 0 t: float c: enum { a = 0, b = 1 } }\n\
                    let high = p > 140\nx.y when high and (c = b or not t > 38)\n";
        let files = [SourceFile { path: "a.rules".into(), text: text.into() }];
        let mut compiled = compile_all(&files, &NoModels).unwrap();
        let record = Record { key: None, value: Some(reading.as_bytes()), timestamp: Some(0), partition: 0, offset: 0 };
        compiled.explain("x.y", &record, &Limits::default()).unwrap()
    }

    #[test]
    fn names_each_part_and_whom_to_blame() {
        let explanation = explain(r#"{"p":900,"t":37.5,"c":"b"}"#);
        assert_eq!(explanation.truth, None);
        assert_eq!(explanation.blame, ["p is invalid: 900 (declared: a whole number in 30..300)"]);
        let parts: Vec<(usize, &str, Option<bool>)> =
            explanation.parts.iter().map(|part| (part.depth, part.text.as_str(), part.truth)).collect();
        let expected = [
            (0, "high and (c = b or not t > 38)", None),
            (1, "high", None),
            (2, "p > 140", None),
            (1, "c = b or not t > 38", Some(true)),
            (2, "c = b", Some(true)),
            (2, "not t > 38", Some(true)),
            (3, "t > 38", Some(false)),
        ];
        assert_eq!(parts, expected);
    }

    #[test]
    fn what_is_missing_in_a_decided_part_is_not_to_blame() {
        let explanation = explain(r#"{"c":"b"}"#);
        assert_eq!(
            (explanation.truth, explanation.blame),
            (None, vec!["p is missing: the reading does not have it".to_owned()])
        );
    }

    #[test]
    fn a_decided_condition_blames_nobody() {
        let explanation = explain(r#"{"p":0,"t":39,"c":0}"#);
        assert_eq!((explanation.truth, explanation.blame.len()), (Some(false), 0));
    }
}
