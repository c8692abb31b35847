//! Scores: what goes into a model, and whether what it says is a probability.

use std::sync::Arc;

use triage_core::score::{Histogram, Known, Models, Scorer};
use triage_core::syntax::ast::{self, Expr, ExprKind, Field, Fields, Status};

use super::condition::Judge;
use super::field::{State, Value};
use super::reading::Reading;
use super::rule::{Condition, parts};
use super::{Oracle, find, message};

/// A score.
pub(crate) struct Score {
    /// Its name.
    pub(crate) name: String,
    /// The fields that go in, in the model's order.
    pub(crate) inputs: Vec<String>,
    /// Those without which it is unknown.
    pub(crate) needs: Vec<String>,
    /// What is asked.
    pub(crate) model: Arc<dyn Scorer>,
    /// Whether somebody wants to know.
    asked: bool,
}

/// What comes of asking about a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// The score.
    Probability(f32),
    /// Nobody was asked: something is not known that is needed.
    Unasked,
    /// The model says nothing, or no probability.
    Failure,
}

impl Score {
    /// A declaration and its model.
    pub(crate) fn of(declared: &ast::Score, models: &dyn Models) -> Self {
        let names = |list: &[ast::Name]| list.iter().map(|name| name.node.clone()).collect();
        Self {
            name: declared.name.node.clone(),
            inputs: names(&declared.on),
            needs: names(&declared.needs),
            model: models.model(&declared.from.node).expect("a model that was found before"),
            asked: false,
        }
    }

    /// Asks about a reading.
    fn ask(&self, fields: &[Field], states: &[State]) -> Answer {
        let Some(row) = self.row(fields, states) else { return Answer::Unasked };
        let mut said = [f32::NAN];
        self.model.score(&row, &mut said);
        // 0 has no sign.
        if (0.0..=1.0).contains(&said[0]) { Answer::Probability(said[0].abs()) } else { Answer::Failure }
    }

    /// What goes in; nothing if something is not known that is needed.
    fn row(&self, fields: &[Field], states: &[State]) -> Option<Vec<f32>> {
        let input = |name: &String| number(&states[find(fields, name).expect("inputs are fields").0]);
        if self.needs.iter().any(|name| input(name).is_none()) {
            return None;
        }
        Some(self.inputs.iter().map(|name| input(name).map_or(f32::NAN, |value| value as f32)).collect())
    }

    /// Counts the known values that go in, by input and bin of what the model has learnt from.
    fn count_inputs(&self, row: &[f32], counts: &mut Vec<u64>) {
        let inputs = self.model.learnt_from();
        counts.resize(inputs.iter().map(|input| input.histogram.counts.len()).sum(), 0);
        let mut first = 0;
        for (value, input) in row.iter().zip(inputs) {
            let Histogram { cuts, counts: bins } = &input.histogram;
            let bin = cuts.iter().position(|cut| value < cut).unwrap_or(cuts.len());
            counts[first + bin] += u64::from(!value.is_nan());
            first += bins.len();
        }
    }

    /// Counts the known values that lie outside of what the model has learnt from, by input.
    fn count_outside(&self, row: &[f32], counts: &mut Vec<u64>) {
        let inputs = self.model.learnt_from();
        counts.resize(inputs.len(), 0);
        for ((value, input), count) in row.iter().zip(inputs).zip(counts).filter(|((value, _), _)| !value.is_nan()) {
            let is_inside = match &input.known {
                Known::Codes(codes) => codes.iter().any(|code| code == value),
                Known::Between(lowest, highest) => lowest <= value && value <= highest,
            };
            *count += u64::from(!is_inside);
        }
    }
}

/// What goes into a model: enums and bools by code.
fn number(state: &State) -> Option<f64> {
    match state.known()? {
        Value::Number(number, _) | Value::Label(_, number, _) => Some(*number),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        other => panic!("no model takes {other:?}"),
    }
}

impl<'a> Judge<'a> {
    /// The score of that name, and where it stands among the others.
    pub(super) fn score(&self, name: &str) -> Option<(usize, &'a Score)> {
        self.scores.iter().enumerate().find(|(_, score)| score.name == name)
    }

    /// The probability of the score that stands there; none is unknown, and so it is without a reading.
    pub(super) fn probability(&self, at: usize) -> Option<f32> {
        if let Some(Answer::Probability(probability)) = self.said.get(at) { Some(*probability) } else { None }
    }

    /// Whether an expression is a score and nothing more.
    fn is_score(&self, expr: &'a Expr) -> bool {
        matches!(self.meaning(expr), ExprKind::Name(name) if self.score(name).is_some())
    }

    /// A number as it is meant beside `other`: beside a score one that a score can be.
    pub(super) fn beside(&self, number: f64, other: &'a Expr) -> f64 {
        if self.is_score(other) { f64::from(number as f32) } else { number }
    }

    /// The names whose values an expression asks for. Nothing but what arrives is ever invalid: that is known of a score
    /// without asking.
    fn asked(&self, expr: &'a Expr, names: &mut Vec<String>) {
        match self.meaning(expr) {
            ExprKind::Name(name) => names.push(name.clone()),
            ExprKind::Is(name, status, _) if *status != Status::Invalid => {
                names.push(self.subject(&name.node).to_owned());
            }
            kind => parts(kind).into_iter().for_each(|part| self.asked(part, names)),
        }
    }
}

impl Oracle {
    /// What the models say of a reading of these fields, score by score.
    pub(super) fn ask(&self, states: &[State]) -> Vec<Answer> {
        self.scores.iter().map(|score| score.ask(&self.stream.fields, states)).collect()
    }

    /// Counts how the scores fared that somebody asks for.
    pub(super) fn count_scores(&mut self, reading: &Reading) {
        let Self { counts, scores, .. } = self;
        counts.scored.resize(scores.len(), 0);
        counts.score_failures.resize(scores.len(), 0);
        counts.score_inputs.resize(scores.len(), Vec::new());
        counts.score_outside.resize(scores.len(), Vec::new());
        for (at, score) in scores.iter().enumerate().filter(|(_, score)| score.asked) {
            counts.scored[at] += u64::from(reading.said[at] != Answer::Unasked);
            counts.score_failures[at] += u64::from(reading.said[at] == Answer::Failure);
            if let Some(row) = score.row(&self.stream.fields, &reading.states) {
                score.count_inputs(&row, &mut counts.score_inputs[at]);
                score.count_outside(&row, &mut counts.score_outside[at]);
            }
        }
    }

    /// Finds out for which scores some rule or output asks.
    pub(super) fn find_asked(&mut self) {
        let asked: Vec<bool> = self.scores.iter().map(|score| self.is_asked(&score.name)).collect();
        self.scores.iter_mut().zip(asked).for_each(|(score, asked)| score.asked = asked);
    }

    fn is_asked(&self, score: &str) -> bool {
        let judge = self.beside_nothing();
        let mut names = Vec::new();
        for rule in &self.rules {
            if let Condition::Expr(condition) = &rule.condition {
                judge.asked(condition, &mut names);
                let told = rule.alert.iter().flat_map(|_| judge.mentioned(condition));
                names.extend(told.map(str::to_owned));
            }
            if let Some(alert) = &rule.alert {
                alert.clear.iter().for_each(|clear| judge.asked(clear, &mut names));
                for name in message::names(&alert.template) {
                    match self.lets.get(&name) {
                        Some(meant) => judge.asked(meant, &mut names),
                        None => names.push(name),
                    }
                }
            }
            if let Fields::Listed(carried) = &self.topic(rule).fields {
                names.extend(carried.iter().map(|name| name.node.clone()));
            }
        }
        names.iter().any(|name| name == score)
    }
}
