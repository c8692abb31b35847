//! What is counted of scores: how often models are asked and fail, what they are asked of that they do not know, and how far their
//! inputs have drifted.

use prometheus::{GaugeVec, IntCounterVec};
use triage_core::program::{Counts, Program};

use super::{Maker, Metrics};

#[derive(Debug)]
pub(super) struct ScoreMetrics {
    asked: IntCounterVec,
    failures: IntCounterVec,
    outside: IntCounterVec,
    drift: GaugeVec,
}

impl ScoreMetrics {
    pub(super) fn new(make: &Maker<'_>) -> Result<Self, prometheus::Error> {
        Ok(Self {
            asked: make.counters("triage_scores_total", "readings that a score's model was asked about", &["score"])?,
            failures: make.counters(
                "triage_score_failures_total",
                "readings on which a score's model failed",
                &["score"],
            )?,
            outside: make.counters(
                "triage_score_inputs_outside_total",
                "values that went into a score's model and are outside of what it learnt from",
                &["score", "field"],
            )?,
            drift: make.shares(
                "triage_score_input_drift",
                "population stability index of an input against what the model learnt from",
                &["score", "field"],
            )?,
        })
    }

    /// Failures and values outside are there from the first score on: the first one is an increase.
    pub(super) fn committed(&self, program: &Program, counts: &Counts) {
        for (score, (asked, failures)) in program.scores().zip(counts.scored.iter().zip(&counts.score_failures)) {
            self.asked.with_label_values(&[score.name()]).inc_by(*asked);
            self.failures.with_label_values(&[score.name()]).inc_by(*failures);
        }
        for (score, outside) in program.scores().zip(&counts.score_outside) {
            for (field, count) in score.inputs().zip(outside) {
                self.outside.with_label_values(&[score.name(), field]).inc_by(*count);
            }
        }
    }
}

impl Metrics {
    /// How far an input of a score is from what its model learnt from.
    pub(crate) fn drift(&self, score: &str, field: &str, index: f64) {
        self.scores.drift.with_label_values(&[score, field]).set(index);
    }

    /// Other scores, or other inputs of theirs, are about to be told of.
    pub(crate) fn forget_drift(&self) {
        self.scores.drift.reset();
    }
}
