//! How a score came about: what went in, what came out, and what moved it.

use std::fmt::Write as _;

use super::Scene;
use crate::program::nodes;
use crate::score::{Scale, Score};
use crate::types::{ScoreId, Subject};

/// How a score came about.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreExplanation {
    /// The score's name.
    pub name: String,
    /// The probability; `None` is unknown.
    pub value: Option<f32>,
    /// What went in, in the model's order, each with its value or what is wrong with it; and with what the model knows, where the
    /// value is outside of that.
    pub inputs: Vec<String>,
    /// What moved the score, if there is one; or why its model cannot tell.
    pub moved: Option<Result<Moved, String>>,
}

/// What moved a score.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// What it counts in.
    pub scale: Scale,
    /// What the model would say of nobody in particular.
    pub base: f64,
    /// What each input adds, as in [`ScoreExplanation::inputs`]; what moved it most comes first.
    pub by: Vec<(String, f64)>,
}

impl Scene<'_> {
    /// The scores among these.
    pub(super) fn scores_of(&self, subjects: &[Subject]) -> Vec<ScoreExplanation> {
        let scores = subjects.iter().filter_map(|subject| match subject {
            Subject::Score(score) => Some(*score),
            Subject::Field(_) => None,
        });
        scores.map(|score| self.explain_score(score)).collect()
    }

    /// `cardio = 0.83`, or that it is unknown.
    pub(super) fn score(&self, id: ScoreId) -> String {
        let name = &self.scores[id.index()].name;
        match self.judged.score(id, 0) {
            Some(value) => format!("{name} = {value}"),
            None => format!("{name} is unknown"),
        }
    }

    /// Why a score is unknown; nothing if it is not.
    pub(super) fn score_culprits(&self, id: ScoreId) -> Vec<String> {
        if self.judged.score(id, 0).is_some() {
            return Vec::new();
        }
        let score = &self.scores[id.index()];
        let missing: Vec<String> =
            score.needs.iter().filter(|field| !self.is_known(**field)).map(|field| self.field(*field)).collect();
        if missing.is_empty() { vec![format!("the model of {} fails on this reading", score.name)] } else { missing }
    }

    fn explain_score(&self, id: ScoreId) -> ScoreExplanation {
        let score = &self.scores[id.index()];
        let value = self.judged.score(id, 0);
        let inputs = self.inputs_of(score);
        let moved = value.map(|_| self.moved(score, &inputs));
        ScoreExplanation { name: score.name.clone(), value, inputs, moved }
    }

    fn inputs_of(&self, score: &Score) -> Vec<String> {
        let mut inputs: Vec<String> = score.inputs.iter().map(|field| self.field(*field)).collect();
        let row = nodes::inputs(score, &self.workspace.batch, 0);
        for ((input, value), learnt) in inputs.iter_mut().zip(row).zip(score.scorer.learnt_from()) {
            if learnt.known.excludes(value) {
                let _ = write!(input, " (the model knows {})", learnt.known);
            }
        }
        inputs
    }

    fn moved(&self, score: &Score, inputs: &[String]) -> Result<Moved, String> {
        let row: Vec<f32> = nodes::inputs(score, &self.workspace.batch, 0).collect();
        let explanation = score.scorer.explain(&row)?;
        let mut by: Vec<(String, f64)> = inputs.iter().cloned().zip(explanation.contributions).collect();
        by.sort_by(|one, other| other.1.abs().total_cmp(&one.1.abs()));
        Ok(Moved { scale: explanation.scale, base: explanation.base, by })
    }
}
