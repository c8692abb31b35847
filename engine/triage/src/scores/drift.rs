//! Whether an input of a model still looks like what the model learnt from. Counts of values by bins, and nothing of whom
//! they are.

use triage_core::score::Histogram;

/// At so many values all that was counted is halved: half of what is known is never older than the last half as many.
const WINDOW: u64 = 20_000;

/// Fewer values show chance more than drift.
const LEAST: u64 = 1_000;

/// What a bin without anybody counts as: its share is not 0, or one value there would be infinitely much.
const NOBODY: f64 = 0.5;

/// An input, now and then.
#[derive(Debug)]
pub(super) struct Drift {
    learnt_from: Histogram,
    counts: Vec<u64>,
}

impl Drift {
    pub(super) fn new(learnt_from: Histogram) -> Self {
        let counts = vec![0; learnt_from.counts.len()];
        Self { learnt_from, counts }
    }

    pub(super) fn learnt_from(&self) -> &Histogram {
        &self.learnt_from
    }

    /// Adds known values, by bin.
    pub(super) fn add(&mut self, counts: &[u64]) {
        self.counts.iter_mut().zip(counts).for_each(|(count, more)| *count += more);
        if self.counts.iter().sum::<u64>() >= WINDOW {
            self.counts.iter_mut().for_each(|count| *count /= 2);
        }
    }

    /// The population stability index: the sum over bins of `(now - then) * ln(now / then)`, where both are shares of the known
    /// values; 0 and more, without a unit. None while too little is known.
    ///
    /// Below 0.1 is no change to speak of, 0.1 to 0.25 one to look at, more is another population (N. Siddiqi, Credit Risk
    /// Scorecards, Wiley 2006). By chance alone it is about `(bins - 1) * (1 / now + 1 / then)` with the numbers of values (B.
    /// Yurdakul and J. Naranjo, Statistical properties of the population stability index, Journal of Risk Model
    /// Validation 14, 2020): 0.03 for ten bins and 292 patients learnt from. It takes values to be of many people: a ward
    /// whose few patients are measured again and again is far from any population.
    pub(super) fn index(&self) -> Option<f64> {
        let bins = || self.counts.iter().zip(&self.learnt_from.counts).filter(|(now, then)| **now + **then > 0);
        let total = |counts: &[u64]| counts.iter().sum::<u64>();
        let (all_now, all_then) = (total(&self.counts), total(&self.learnt_from.counts));
        let share = |count: u64, all: u64| (count as f64).max(NOBODY) / all as f64;
        let terms = bins().map(|(now, then)| {
            let (now, then) = (share(*now, all_now), share(*then, all_then));
            (now - then) * (now / then).ln()
        });
        (all_now >= LEAST).then(|| terms.sum())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn drift(then: &[u64]) -> Drift {
        let cuts = (1..then.len()).map(|cut| cut as f32).collect();
        Drift::new(Histogram { cuts, counts: then.to_vec() })
    }

    fn index(then: &[u64], now: &[u64]) -> f64 {
        let mut drift = drift(then);
        drift.add(now);
        drift.index().unwrap()
    }

    #[test]
    fn equal_shares_are_no_drift_and_others_as_the_formula_says() {
        assert!(index(&[10, 20, 70], &[1_000, 2_000, 7_000]).abs() < 1e-12);
        let expected = 0.3 * (0.8_f64 / 0.5).ln() - 0.3 * (0.2_f64 / 0.5).ln();
        assert!((index(&[50, 50], &[8_000, 2_000]) - expected).abs() < 1e-12);
    }

    #[test]
    fn a_bin_where_nobody_was_is_finite_and_one_that_stays_empty_is_nothing() {
        let found = index(&[146, 0, 146], &[3_000, 3_000, 3_000]);
        assert!((1.0..3.0).contains(&found), "{found}");
        assert!(index(&[146, 0, 146], &[3_000, 0, 3_000]).abs() < 1e-12);
    }

    #[test]
    fn too_little_is_no_index_and_what_was_long_ago_is_forgotten() {
        let mut drift = drift(&[50, 50]);
        drift.add(&[999, 0]);
        assert_eq!(drift.index(), None);
        drift.add(&[1, 0]);
        assert!(drift.index().unwrap() > 0.25);
        for _ in 0..200 {
            drift.add(&[500, 500]);
        }
        assert!(drift.index().unwrap() < 0.001);
        assert!(drift.counts.iter().sum::<u64>() <= WINDOW);
    }
}
