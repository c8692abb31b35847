//! Scores: what goes in, which model, and whether the two fit.

mod probe;

use std::sync::Arc;

use super::expr::Lowering;
use super::schema::is_reserved;
use super::typed::{Quantity, Typed};
use crate::diagnostic::{Code, Diagnostic};
use crate::score::{Models, Score, Scorer};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{self, Comparison, Name};
use crate::types::{FieldId, Plausible, ScoreId, Type};

/// Checks a declaration. One with a mistake in it is remembered as broken, so that its uses are not reported too.
pub(super) fn check(declared: &ast::Score, models: &dyn Models, lowering: &mut Lowering) {
    let before = lowering.diagnostics.len();
    free_name(&declared.name, lowering);
    let inputs = fields(&declared.on, "on", lowering);
    for (at, field) in inputs.iter().zip(&declared.on) {
        numeric(*at, field, lowering);
    }
    let needs = fields(&declared.needs, "needs", lowering);
    for (at, field) in needs.iter().zip(&declared.needs) {
        if !inputs.contains(at) {
            not_an_input(field, lowering);
        }
    }
    let scorer = model(&declared.from, models, lowering);
    let right = lowering.diagnostics.len() == before;
    let name = declared.name.node.clone();
    match (scorer, inputs.into_iter().collect(), needs.into_iter().collect()) {
        (Some(scorer), Some(inputs), Some(needs)) if right => {
            let score = Score { name, inputs, needs, scorer };
            if fits(&score, declared, lowering) {
                lowering.names.scores.push(score);
                return;
            }
            lowering.names.broken_scores.insert(score.name);
        }
        _ => drop(lowering.names.broken_scores.insert(name)),
    }
}

/// Reports a name that outputs bear already.
fn free_name(name: &Name, lowering: &mut Lowering) {
    if is_reserved(&name.node) {
        let message = format!("Triage itself writes `{}` into its outputs", name.node);
        lowering.report(Diagnostic::new(Code::ReservedName, name.span, message, "expected another name"));
    }
}

/// The fields of a list, each once; `None` where there is none, which has been reported.
fn fields(names: &[Name], list: &str, lowering: &mut Lowering) -> Vec<Option<FieldId>> {
    let mut found = Vec::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = names[..index].iter().find(|other| *other == name) {
            let message = format!("the field `{}` stands twice under `{list}`", name.node);
            let diagnostic = Diagnostic::new(Code::Duplicate, name.span, message, "expected it once");
            lowering.report(diagnostic.also(first.span, "first here"));
        }
        let field = lowering.names.schema.find(&name.node);
        if field.is_none() {
            let known = lowering.names.schema.fields.iter().map(|field| field.name.as_str());
            let message = format!("the stream has no field `{}`", name.node);
            let diagnostic = Diagnostic::new(Code::UnknownName, name.span, message, "expected a field of the stream");
            let diagnostic = diagnostic.suggest(&name.node, known);
            lowering.report(diagnostic);
        }
        found.push(field);
    }
    found
}

/// Reports a field that no model can calculate with.
fn numeric(field: Option<FieldId>, name: &Name, lowering: &mut Lowering) {
    let Some(field) = field.map(|field| lowering.names.schema.field(field)) else { return };
    if matches!(field.kind, Type::Text | Type::Time) {
        let message = format!("`{}` is {}, which a model does not take", field.name, field.kind.describe());
        let label = "expected a number, an enum, or a field that is true or false";
        lowering.report(Diagnostic::new(Code::Score, name.span, message, label));
    }
}

fn not_an_input(name: &Name, lowering: &mut Lowering) {
    let message = format!("`{}` is needed and does not go in", name.node);
    let diagnostic = Diagnostic::new(Code::Score, name.span, message, "expected one of the fields under `on`");
    lowering.report(diagnostic.help("a field that the score cannot do without stands under both `on` and `needs`"));
}

fn model(path: &Spanned<String>, models: &dyn Models, lowering: &mut Lowering) -> Option<Arc<dyn Scorer>> {
    match models.model(&path.node) {
        Ok(scorer) => Some(scorer),
        Err(why) => {
            let message = format!("the model cannot be used: {why}");
            let label = "expected a model, by its path from the folder of the rules";
            lowering.report(Diagnostic::new(Code::Score, path.span, message, label));
            None
        }
    }
}

/// Whether the model takes what the declaration gives it; what does not fit is reported.
fn fits(score: &Score, declared: &ast::Score, lowering: &mut Lowering) -> bool {
    let (takes, given) = (score.scorer.inputs(), score.inputs.len());
    if takes != given {
        let message = format!("the model takes {takes} inputs, and is given {given}");
        let label = format!("expected {takes} fields under `on`");
        let span = declared.on.first().map_or(declared.span, |first| first.span);
        let span = declared.on.last().map_or(span, |last| span.to(last.span));
        let diagnostic = Diagnostic::new(Code::Score, span, message, label);
        lowering.report(diagnostic.help("they go in by their order: list those that the model was trained on"));
        return false;
    }
    let learnt: Vec<&str> = score.scorer.learnt_from().iter().map(|input| input.name.as_str()).collect();
    if let Some(diagnostic) = misordered(&learnt, &declared.on) {
        lowering.report(diagnostic);
        return false;
    }
    match probe::refused(score, &lowering.names.schema) {
        None => true,
        Some(probe::Refused::Everything) => {
            let message = format!("the model of `{}` gives no probability for plausible values", score.name);
            let label = "expected a model whose result is a probability";
            lowering.report(Diagnostic::new(Code::Score, declared.from.span, message, label));
            false
        }
        Some(probe::Refused::Missing(inputs)) => {
            lowering.report(cannot_do_without(&inputs, score, declared));
            false
        }
    }
}

/// Fields that stand at one place of `on`, and under the same name at another of what the model has learnt from. Names that it does not
/// know are the hospital's own, and may stand anywhere.
fn misordered(learnt: &[&str], on: &[Name]) -> Option<Diagnostic> {
    let is_elsewhere =
        |(place, name): &(usize, &Name)| learnt.contains(&name.node.as_str()) && learnt[*place] != name.node;
    let mut wrong = on.iter().enumerate().filter(is_elsewhere);
    let (place, name) = wrong.next()?;
    let trained = learnt.iter().position(|learnt| *learnt == name.node)?;
    let message =
        format!("`{}` goes in as input {}, and the model has learnt it as input {}", name.node, place + 1, trained + 1);
    let expected = |place: usize| format!("expected `{}`", learnt[place]);
    let diagnostic = Diagnostic::new(Code::Score, name.span, message, expected(place));
    let diagnostic = wrong.fold(diagnostic, |found, (place, name)| found.also(name.span, expected(place)));
    Some(diagnostic.help(format!("they go in by their order: {}", learnt.join(", "))))
}

/// The model fails where these inputs, by position, are missing.
fn cannot_do_without(inputs: &[usize], score: &Score, declared: &ast::Score) -> Diagnostic {
    let names: Vec<String> = inputs.iter().map(|input| format!("`{}`", declared.on[*input].node)).collect();
    let are = if names.len() == 1 { "is" } else { "are" };
    let message = format!("the model of `{}` fails where {} {are} missing", score.name, names.join(", "));
    let first = declared.on[inputs[0]].span;
    let mut diagnostic = Diagnostic::new(Code::Score, first, message, "expected it under `needs`");
    for input in &inputs[1..] {
        diagnostic = diagnostic.also(declared.on[*input].span, "this too");
    }
    let needed = |(at, name): (usize, &Name)| {
        let is = inputs.contains(&at) || declared.needs.iter().any(|need| need == name);
        is.then(|| name.node.clone())
    };
    let needs: Vec<String> = declared.on.iter().enumerate().filter_map(needed).collect();
    diagnostic.help(format!("write `needs ({})`: without them the score is unknown", needs.join(", ")))
}

impl Lowering {
    pub(super) fn score_name(&self, score: ScoreId) -> &str {
        &self.names.scores[score.index()].name
    }

    /// A score beside a number as written.
    pub(super) fn score_and_number(
        &mut self,
        score: ScoreId,
        op: Spanned<Comparison>,
        literal: &Quantity,
        span: Span,
    ) -> Typed {
        let Some(amount) = self.amount(&Typed::Score(score), literal) else { return Typed::Unknown };
        if let Some(truth) = super::compare::decided(op.node, amount, &probabilities()) {
            return self.decided_score(score, truth, span);
        }
        self.warn_of_equality(op.node, span);
        self.score_against(score, op.node, amount)
    }

    /// Reports a comparison that holds, or does not, for every probability.
    pub(super) fn decided_score(&mut self, score: ScoreId, truth: bool, span: Span) -> Typed {
        let name = self.score_name(score);
        let message = format!("this is always {truth} where `{name}` is known: a score is in 0..1");
        let help = format!("to ask whether there is one, write `{name} is known`");
        let label = "expected a number between 0 and 1";
        self.report(Diagnostic::new(Code::AlwaysDecided, span, message, label).help(help))
    }
}

/// What a score may be.
pub(super) fn probabilities() -> Plausible {
    Plausible { low: 0.0, high: 1.0, written: "0..1".to_owned() }
}
