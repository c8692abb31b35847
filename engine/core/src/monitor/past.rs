//! How often something happened before, and how likely what happens now is by that.

use super::DAY;
use super::tally::Count;

/// The odds of one test: a block of one series. With 20 fields, 50 rules and the rhythm there are 71 series and 4,320 blocks in
/// 30 days, so that 0.03 false findings are to be expected in them.
const ODDS: f64 = 1e-7;

/// A finding is over when blocks are no less likely than this.
const CALM: f64 = 0.01;

/// No rate is taken for smaller: what has never happened may.
const LEAST_RATE: f64 = 0.02;

/// A share must have grown by so much, however many patients there are: among thousands the smallest change is certain, and
/// no news.
const LEAST_CHANGE: f64 = 0.25;

/// More patients than this do not make a test sharper, since patients of one ward are not wholly independent.
const MOST: u32 = 200;

/// So many patients must have been counted in the past.
const KNOWN: f64 = 100.0;

/// Fewer patients say nothing: five at once, of a rate of 0.02, are three in a thousand million.
pub(super) const FEWEST: u32 = 5;

/// In so many blocks half of the past is forgotten: a week.
const HALF_LIFE: f64 = 7.0 * DAY as f64;

/// How often something happened to patients in the blocks of the past.
#[derive(Debug, Clone, Default)]
pub(super) struct Past {
    some: f64,
    of: f64,
    /// The first block, and the last.
    blocks: Option<(i64, i64)>,
}

/// How likely a block is by its past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Likelihood {
    /// There are too few patients, or there is no past yet.
    Unknown,
    /// As ever.
    Usual,
    /// Less so, and still no news.
    Rare,
    /// Not by chance.
    Impossible,
}

impl Past {
    /// The rate of the past, on the safe side by two standard deviations of what was counted.
    pub(super) fn rate(&self) -> f64 {
        ((self.some + 2.0 + 2.0 * (self.some + 1.0).sqrt()) / self.of.max(1.0)).clamp(LEAST_RATE, 1.0)
    }

    /// The rate of the past, on the other side.
    pub(super) fn least_rate(&self) -> f64 {
        (self.some - 2.0 * self.some.sqrt()).max(0.0) / self.of.max(1.0)
    }

    /// Holds a block against the past. Patients are taken to be independent of one another: one whose sensor is off for an
    /// hour is one patient, and a whole ward's sensors do not come off within ten minutes by chance. What happens to `some` of
    /// `of` patients is impossible if as many or more are expected less often than once in ten million blocks, by the
    /// binomial distribution at [`Past::rate`], and if they are a quarter of the patients more than that.
    pub(super) fn likelihood(&self, block: i64, count: Count) -> Likelihood {
        let learnt = self.of >= KNOWN && self.blocks.is_some_and(|(first, _)| block - first >= DAY);
        if count.of < FEWEST || !learnt {
            return Likelihood::Unknown;
        }
        let rate = self.rate();
        if f64::from(count.some) < rate * f64::from(count.of) {
            return Likelihood::Usual;
        }
        let tail = binomial_tail(shrunk(count), rate);
        let change = f64::from(count.some) / f64::from(count.of) - rate;
        match (tail > CALM, tail < ODDS && change >= LEAST_CHANGE) {
            (true, _) => Likelihood::Usual,
            (false, true) => Likelihood::Impossible,
            (false, false) => Likelihood::Rare,
        }
    }

    pub(super) fn learn(&mut self, block: i64, count: Count) {
        if count.of == 0 {
            return;
        }
        let (first, last) = self.blocks.unwrap_or((block, block));
        let kept = 0.5_f64.powf((block - last).max(0) as f64 / HALF_LIFE);
        self.some = self.some * kept + f64::from(count.some);
        self.of = self.of * kept + f64::from(count.of);
        self.blocks = Some((first, block));
    }
}

/// The same share of at most [`MOST`] patients.
pub(super) fn shrunk(count: Count) -> Count {
    if count.of <= MOST {
        return count;
    }
    Count { some: (u64::from(count.some) * u64::from(MOST) / u64::from(count.of)) as u32, of: MOST }
}

/// How likely `some` or more of `of` are, if each is with probability `rate`.
fn binomial_tail(Count { some, of }: Count, rate: f64) -> f64 {
    if some == 0 || rate >= 1.0 {
        return 1.0;
    }
    let choose: f64 = (0..some).map(|k| (f64::from(of - k) / f64::from(some - k)).ln()).sum();
    let mut term = (choose + f64::from(some) * rate.ln() + f64::from(of - some) * (1.0 - rate).ln()).exp();
    let mut tail = term;
    for k in some..of {
        term *= f64::from(of - k) / f64::from(k + 1) * rate / (1.0 - rate);
        tail += term;
    }
    tail.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(some: u32, of: u32) -> Past {
        let mut past = Past::default();
        (0..DAY).for_each(|block| past.learn(block, Count { some, of }));
        past
    }

    #[test]
    fn the_tail_is_that_of_the_binomial_distribution() {
        for (some, of, rate, expected) in [
            (0, 20, 0.1, 1.0),
            (1, 1, 0.3, 0.3),
            (20, 20, 0.5, 9.536_743e-7),
            (8, 20, 0.05, 2.857e-6),
            (2, 3, 0.5, 0.5),
        ] {
            let tail = binomial_tail(Count { some, of }, rate);
            assert!((tail / expected - 1.0).abs() < 0.001, "{some} of {of} at {rate}: {tail}");
        }
    }

    #[test]
    fn a_ward_is_impossible_and_a_patient_is_not() {
        let past = past(0, 20);
        assert_eq!(past.likelihood(DAY, Count { some: 1, of: 20 }), Likelihood::Usual);
        assert_eq!(past.likelihood(DAY, Count { some: 5, of: 20 }), Likelihood::Rare);
        assert_eq!(past.likelihood(DAY, Count { some: 8, of: 20 }), Likelihood::Impossible);
        assert_eq!(past.likelihood(DAY, Count { some: 4, of: 4 }), Likelihood::Unknown);
    }

    #[test]
    fn what_often_happens_needs_more() {
        let past = past(8, 20);
        assert_eq!(past.likelihood(DAY, Count { some: 12, of: 20 }), Likelihood::Usual);
        assert_eq!(past.likelihood(DAY, Count { some: 20, of: 20 }), Likelihood::Impossible);
    }

    #[test]
    fn a_small_change_among_thousands_is_no_news() {
        let past = past(500, 10_000);
        assert_eq!(past.likelihood(DAY, Count { some: 1_200, of: 10_000 }), Likelihood::Rare);
        assert_eq!(past.likelihood(DAY, Count { some: 5_000, of: 10_000 }), Likelihood::Impossible);
    }

    #[test]
    fn without_a_past_nothing_is_said() {
        assert_eq!(Past::default().likelihood(DAY, Count { some: 20, of: 20 }), Likelihood::Unknown);
    }
}
