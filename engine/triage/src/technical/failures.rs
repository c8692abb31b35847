//! Models that fail on too many readings. Pure: who asks brings the time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::scores::Totals;

/// So far back readings count.
const WINDOW: Duration = Duration::from_mins(10);

/// Time between two marks.
const STEP: Duration = Duration::from_secs(10);

/// A model is told of when it fails on a larger share of the readings that it is asked about, and it is over below four
/// fifths of that: a model that is well fails on none.
const SHARE: f64 = 0.01;

/// And on so many readings at least.
const LEAST: u64 = 3;

/// How models have failed lately, by score.
#[derive(Debug, Default)]
pub(super) struct Failures {
    marks: BTreeMap<String, VecDeque<(Instant, Totals)>>,
    open: BTreeSet<String>,
}

impl Failures {
    /// The scores whose models fail on too many readings, with those of the last ten minutes. `totals` are those since the
    /// start, of the scores that there are.
    pub(super) fn judge(&mut self, totals: &BTreeMap<String, Totals>, now: Instant) -> Vec<(String, Totals)> {
        self.marks.retain(|score, _| totals.contains_key(score));
        self.open.retain(|score| totals.contains_key(score));
        let mut found = Vec::new();
        for (score, totals) in totals {
            // What was before the first look was since the start.
            let marks = self.marks.entry(score.clone()).or_insert_with(|| [(now, Totals::default())].into());
            while marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW) {
                marks.pop_front();
            }
            if marks.back().is_some_and(|(at, _)| now.duration_since(*at) >= STEP) {
                marks.push_back((now, *totals));
            }
            let before = marks.front().map_or(Totals::default(), |(_, before)| *before);
            let lately = Totals {
                asked: totals.asked.saturating_sub(before.asked),
                failed: totals.failed.saturating_sub(before.failed),
            };
            let share = if self.open.contains(score) { SHARE * 0.8 } else { SHARE };
            if lately.failed >= LEAST && lately.failed as f64 > share * lately.asked as f64 {
                self.open.insert(score.clone());
                found.push((score.clone(), lately));
            } else {
                self.open.remove(score);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every ten seconds while totals grow by that much; whether it was found at the last.
    struct Ward {
        failures: Failures,
        totals: Totals,
        now: Instant,
    }

    impl Ward {
        fn new() -> Self {
            Self { failures: Failures::default(), totals: Totals::default(), now: Instant::now() }
        }

        fn pass(&mut self, looks: usize, asked: u64, failed: u64) -> bool {
            let mut found = Vec::new();
            for _ in 0..looks {
                self.totals = Totals { asked: self.totals.asked + asked, failed: self.totals.failed + failed };
                self.now += STEP;
                found = self.failures.judge(&BTreeMap::from([("cardio".to_owned(), self.totals)]), self.now);
            }
            !found.is_empty()
        }
    }

    #[test]
    fn a_model_that_fails_on_more_than_one_of_a_hundred_is_found_and_over_when_it_is_well_for_ten_minutes() {
        let mut ward = Ward::new();
        assert!(!ward.pass(60, 1_000, 9));
        assert!(ward.pass(60, 1_000, 11));
        assert!(ward.pass(60, 1_000, 9), "not over before four fifths");
        assert!(!ward.pass(60, 1_000, 7));
        assert!(ward.pass(1, 1_000, 900), "at once, if it is much");
        assert!(ward.pass(59, 1_000, 0));
        assert!(!ward.pass(2, 1_000, 0));
    }

    #[test]
    fn two_failures_are_none_and_a_score_that_is_gone_is_forgotten() {
        let mut ward = Ward::new();
        assert!(!ward.pass(1, 2, 2));
        assert!(ward.pass(1, 1, 1));
        assert!(ward.failures.judge(&BTreeMap::new(), ward.now).is_empty());
        assert!(ward.failures.marks.is_empty() && ward.failures.open.is_empty());
    }

    #[test]
    fn failures_before_the_first_look_count() {
        let mut failures = Failures::default();
        let totals = BTreeMap::from([("cardio".to_owned(), Totals { asked: 5, failed: 5 })]);
        assert_eq!(failures.judge(&totals, Instant::now()).len(), 1);
    }
}
