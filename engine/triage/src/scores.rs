//! How the scores of the running rules fare in this process: readings on which models fail, for technical alerts, and
//! inputs that drift away from what the models learnt from, for metrics.

mod drift;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use triage_core::program::{Counts, Program, ScoreView};

use drift::Drift;

/// Readings since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// The model was asked about them.
    pub(crate) asked: u64,
    /// And failed on these.
    pub(crate) failed: u64,
}

/// What workers say of scores, by the scores' names.
#[derive(Debug, Default)]
pub(crate) struct Board {
    scores: Mutex<BTreeMap<String, Score>>,
}

#[derive(Debug, Default)]
struct Score {
    totals: Totals,
    /// By input, if it is known what the model learnt from.
    inputs: Vec<Drift>,
}

impl Board {
    /// A transaction was committed.
    pub(crate) fn committed(&self, program: &Program, counts: &Counts) {
        let counted = counts.scored.iter().zip(&counts.score_failures).zip(&counts.score_inputs);
        for (view, ((asked, failed), inputs)) in program.scores().zip(counted) {
            let mut scores = self.lock();
            let score = scores.entry(view.name().to_owned()).or_default();
            score.totals.asked += asked;
            score.totals.failed += failed;
            score.drift(view, inputs);
        }
    }

    /// Scores that the program does not have are gone: one of that name begins anew.
    pub(crate) fn keep_only(&self, program: &Program) {
        self.lock().retain(|name, _| program.scores().any(|view| view.name() == name));
    }

    /// Of the program's scores, by name.
    pub(crate) fn totals(&self, program: &Program) -> BTreeMap<String, Totals> {
        let scores = self.lock();
        let totals =
            program.scores().filter_map(|view| Some((view.name().to_owned(), scores.get(view.name())?.totals)));
        totals.collect()
    }

    /// Score, field and population stability index, of the inputs of the program's scores of which enough is known.
    pub(crate) fn drift(&self, program: &Program) -> Vec<(String, String, f64)> {
        let scores = self.lock();
        let mut found = Vec::new();
        for view in program.scores() {
            let Some(score) = scores.get(view.name()).filter(|score| score.is_held_against(view)) else { continue };
            for (field, drift) in view.inputs().zip(&score.inputs) {
                found.extend(drift.index().map(|index| (view.name().to_owned(), field.to_owned(), index)));
            }
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Score>> {
        self.scores.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Score {
    /// Whether its inputs are counted by what this model learnt from, and not by what one before did.
    fn is_held_against(&self, view: ScoreView<'_>) -> bool {
        self.inputs.iter().map(Drift::learnt_from).eq(view.learnt_from().iter().map(|input| &input.histogram))
    }

    /// `counts` are those of all inputs, one after the other.
    fn drift(&mut self, view: ScoreView<'_>, mut counts: &[u64]) {
        if !self.is_held_against(view) {
            self.inputs = view.learnt_from().iter().map(|input| Drift::new(input.histogram.clone())).collect();
        }
        for input in &mut self.inputs {
            let Some((own, rest)) = counts.split_at_checked(input.learnt_from().counts.len()) else { return };
            input.add(own);
            counts = rest;
        }
    }
}
