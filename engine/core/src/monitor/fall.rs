//! A rule that begins to match for far fewer patients than it did, and still does for some: the evidence of many days.
//!
//! `docs/technical-alerts.md` has the odds, and how long it takes.

use std::collections::VecDeque;

use super::DAY;
use super::past::{FEWEST, shrunk};
use super::series::Turn;
use super::tally::Count;

/// What is looked for: a rate that is a third of what it was.
const FALLEN: f64 = 1.0 / 3.0;

/// So much evidence is a fall. If patients come as they did, e^-11 of all days begin so much: one in 60,000.
const EVIDENCE: f64 = 11.0;

/// A day is past when it is so many days old: what is held against the past is not yet in it.
const RECENT: usize = 14;

/// So many days are the first past.
const LEARNT: u32 = 7;

/// In so many days half of the past is forgotten.
const HALF_LIFE: f64 = 28.0;

/// It is over after so many days in a row with as many patients as before,
const CALM_DAYS: u32 = 2;

/// or after a week: then the rate is the usual one.
const SETTLED: i64 = 7 * DAY;

/// Fewer patients than this are not expected in a day: what one more is against them would be too much.
const LEAST_EXPECTED: f64 = 0.01;

/// For how many patients a rule begins to match, day by day.
#[derive(Debug, Clone, Default)]
pub(super) struct Fall {
    past: Past,
    recent: VecDeque<Day>,
    /// Days that were judged or learnt.
    seen: u32,
    /// The logarithm of how much likelier the days in doubt are by a third of the rate than by the rate.
    evidence: f64,
    doubt: Doubt,
    /// The block in which it was found.
    since: Option<i64>,
    calm: u32,
}

/// The days since there was no evidence.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubt {
    pub(super) days: u32,
    pub(super) patients: u32,
    pub(super) expected: f64,
}

#[derive(Debug, Clone, Copy)]
struct Day {
    count: Count,
    /// (x - e)² / e, where e were expected: one on average where patients come one by one.
    scatter: f64,
}

/// What the days of the past add up to, the older the less.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    some: f64,
    of: f64,
    days: f64,
    scatter: f64,
}

impl Fall {
    /// Takes in a day: of the patients for whom the rule did not match the day before, those for whom it did in this.
    pub(super) fn step(&mut self, block: i64, day: Count) -> Turn {
        if day.of < FEWEST {
            return Turn::None;
        }
        let day = shrunk(day);
        match self.since {
            None => self.judge(block, day),
            Some(since) => self.come_back(block - since, day),
        }
    }

    /// Whether it has fallen.
    pub(super) fn has_left(&self) -> bool {
        self.since.is_some()
    }

    /// What it was found by.
    pub(super) fn doubt(&self) -> Doubt {
        self.doubt
    }

    fn judge(&mut self, block: i64, day: Count) -> Turn {
        if self.seen >= LEARNT {
            self.weigh(day);
        }
        if self.evidence >= EVIDENCE {
            (self.since, self.calm) = (Some(block), 0);
            self.recent.clear();
            return Turn::Left;
        }
        self.recent.push_back(Day { count: day, scatter: self.past.scatter_of(day) });
        self.seen += 1;
        let is_due = self.seen <= LEARNT || self.recent.len() > RECENT;
        if is_due && let Some(day) = self.recent.pop_front() {
            self.past.learn(day);
        }
        Turn::None
    }

    /// Adds the evidence of a day, and forgets all of it where days speak against a fall.
    fn weigh(&mut self, day: Count) {
        let expected = self.past.least_rate() * f64::from(day.of);
        let evidence = (1.0 - FALLEN) * expected + f64::from(day.some) * FALLEN.ln();
        self.evidence = (self.evidence + evidence / self.past.clump()).max(0.0);
        self.doubt = if self.evidence > 0.0 { self.doubt.with(day, expected) } else { Doubt::default() };
    }

    fn come_back(&mut self, after: i64, day: Count) -> Turn {
        let usual = f64::from(day.some) >= self.past.least_rate() * f64::from(day.of);
        self.calm = if usual { self.calm + 1 } else { 0 };
        if self.calm >= CALM_DAYS {
            (self.since, self.evidence, self.doubt) = (None, 0.0, Doubt::default());
            return Turn::Back;
        }
        if after >= SETTLED {
            *self = Self::default();
            return Turn::Back;
        }
        Turn::None
    }
}

impl Doubt {
    fn with(self, day: Count, expected: f64) -> Self {
        Self { days: self.days + 1, patients: self.patients + day.some, expected: self.expected + expected }
    }
}

impl Past {
    /// The rate, on the safe side by one standard deviation.
    fn least_rate(&self) -> f64 {
        (self.some - (self.clump() * self.some).sqrt()).max(0.0) / self.of.max(1.0)
    }

    /// How many patients come together, as if days were made of such clumps; on the safe side by one standard deviation. One
    /// where patients are independent of one another.
    fn clump(&self) -> f64 {
        let days = self.days.max(1.0);
        (self.scatter / days * (1.0 + (2.0 / days).sqrt())).max(1.0)
    }

    fn scatter_of(&self, day: Count) -> f64 {
        if self.of == 0.0 {
            return 1.0;
        }
        let expected = self.some / self.of * f64::from(day.of);
        (f64::from(day.some) - expected).powi(2) / expected.max(LEAST_EXPECTED)
    }

    fn learn(&mut self, Day { count, scatter }: Day) {
        let kept = 0.5_f64.powf(1.0 / HALF_LIFE);
        self.some = self.some * kept + f64::from(count.some);
        self.of = self.of * kept + f64::from(count.of);
        self.days = self.days * kept + 1.0;
        self.scatter = self.scatter * kept + scatter;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]

    use super::*;

    /// A small generator of numbers in 0..1.
    struct Random(u64);

    impl Random {
        fn unit(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 11) as f64 / (1_u64 << 53) as f64
        }

        fn day(&mut self, of: u32, rate: f64) -> Count {
            Count { some: (0..of).filter(|_| self.unit() < rate).count() as u32, of }
        }
    }

    /// The turns of days that follow one another.
    fn turns(fall: &mut Fall, first: i64, days: impl IntoIterator<Item = Count>) -> Vec<(i64, Turn)> {
        let numbered = (first..).zip(days);
        let turns = numbered.map(|(day, count)| (day, fall.step((day + 1) * DAY - 1, count)));
        turns.filter(|(_, turn)| *turn != Turn::None).collect()
    }

    fn learnt() -> Fall {
        let mut fall = Fall::default();
        assert_eq!(turns(&mut fall, 0, [Count { some: 7, of: 20 }; 30]), []);
        fall
    }

    #[test]
    fn a_rate_of_a_third_is_found_and_is_over_after_two_days_as_before() {
        let mut fall = learnt();
        let fallen = [2, 3, 2, 2, 2, 3, 2].map(|some| Count { some, of: 20 });
        let [(day, Turn::Left)] = turns(&mut fall, 30, fallen)[..] else { panic!("not found") };
        assert_eq!(day, 36);
        let Doubt { days, patients, expected } = fall.doubt();
        assert!(days >= 5 && f64::from(patients) < expected / 2.0, "{days} {patients} {expected}");
        let usual = [7, 1, 7, 7].map(|some| Count { some, of: 20 });
        assert_eq!(turns(&mut fall, 37, usual), [(40, Turn::Back)]);
        assert!(!fall.has_left());
    }

    #[test]
    fn after_a_week_it_is_the_usual_rate() {
        let mut fall = learnt();
        let found = turns(&mut fall, 30, [Count { some: 2, of: 20 }; 60]);
        let [(left, Turn::Left), (back, Turn::Back)] = found[..] else { panic!("{found:?}") };
        assert_eq!(back - left, 7);
    }

    #[test]
    fn fewer_patients_are_no_lower_rate_and_few_say_nothing() {
        let mut fall = learnt();
        assert_eq!(turns(&mut fall, 30, [Count { some: 2, of: 6 }; 60]), []);
        assert_eq!(turns(&mut learnt(), 30, [Count { some: 0, of: 4 }; 60]), []);
    }

    #[test]
    fn chance_is_no_fall() {
        let mut random = Random(1);
        for rate in [0.02, 0.1, 0.3, 0.6] {
            for _ in 0..50 {
                let days: Vec<Count> = (0..400).map(|_| random.day(20, rate)).collect();
                assert_eq!(turns(&mut Fall::default(), 0, days), [], "{rate}");
            }
        }
    }

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Frailty {
        Alike,
        Various,
        /// And of one of five it matches every day.
        Chronic,
    }

    /// A ward whose patients come and go.
    struct Ward {
        beds: usize,
        rate: f64,
        stay: f64,
        frailty: Frailty,
    }

    impl Ward {
        /// With which probability the rule matches on a day.
        fn patient(&self, random: &mut Random) -> f64 {
            let frailty = match self.frailty {
                Frailty::Alike => 1.0,
                Frailty::Chronic if random.unit() < 0.2 => return 0.98,
                Frailty::Various | Frailty::Chronic => -(1.0 - random.unit()).ln(),
            };
            (self.rate * frailty).min(0.95)
        }

        /// On which of so many days a fall is told first, if the rate is a third from some day on.
        fn told(&self, random: &mut Random, days: i64, falls_on: i64) -> Option<i64> {
            let mut fall = Fall::default();
            let mut patients: Vec<f64> = (0..self.beds).map(|_| self.patient(random)).collect();
            let mut matched = vec![false; self.beds];
            for day in 0..days {
                let left = if day < falls_on { 1.0 } else { FALLEN };
                let mut begun = Count::default();
                for (patient, matched) in patients.iter_mut().zip(&mut matched) {
                    let matches = random.unit() < *patient * left;
                    begun.add(Count { some: u32::from(matches && !*matched), of: u32::from(!*matched) });
                    *matched = matches;
                    if random.unit() < 1.0 / self.stay {
                        (*patient, *matched) = (self.patient(random), false);
                    }
                }
                if fall.step((day + 1) * DAY - 1, begun) == Turn::Left {
                    return Some(day);
                }
            }
            None
        }
    }

    /// `docs/technical-alerts.md` has what this prints.
    #[test]
    fn wards_are_quiet_and_falls_are_told_where_there_is_enough_to_count() {
        const DAYS: i64 = 300;
        const FALLS_ON: i64 = 60;
        let mut random = Random(3);
        for (beds, rate, frailty, wards, found_at_least) in [
            (20, 0.1, Frailty::Various, 200, 0.0),
            (20, 0.1, Frailty::Chronic, 200, 0.0),
            (20, 0.3, Frailty::Various, 200, 0.4),
            (20, 0.3, Frailty::Alike, 200, 0.8),
            (100, 0.1, Frailty::Various, 40, 0.5),
            (100, 0.3, Frailty::Various, 40, 0.9),
        ] {
            let (mut false_alerts, mut after) = (0, Vec::new());
            for ward in 0..wards {
                let stay = if ward % 2 == 0 { 4.0 } else { 15.0 };
                let ward = Ward { beds, rate, stay, frailty };
                false_alerts += u32::from(ward.told(&mut random, DAYS, DAYS).is_some());
                let told = ward.told(&mut random, FALLS_ON + 30, FALLS_ON).filter(|day| *day >= FALLS_ON);
                after.extend(told.map(|day| day - FALLS_ON + 1));
            }
            after.sort_unstable();
            let found = after.len() as f64 / f64::from(wards);
            let in_30_days = f64::from(false_alerts) / f64::from(wards) / (DAYS as f64 / 30.0);
            let median = after.get(after.len() / 2);
            println!(
                "{beds} beds, {rate}, {frailty:?}: {found:.2} found, after {median:?} days; {in_30_days:.4} false"
            );
            assert!(found >= found_at_least, "{found}");
            assert!(in_30_days <= 0.004, "{in_30_days}");
        }
    }

    /// On some days everybody has it, on others nobody.
    #[test]
    fn patients_who_come_in_clumps_are_no_fall() {
        let mut random = Random(2);
        for _ in 0..50 {
            let days: Vec<Count> = (0..400)
                .map(|_| {
                    let rate = if random.unit() < 0.2 { 0.8 } else { 0.05 };
                    random.day(20, rate)
                })
                .collect();
            assert_eq!(turns(&mut Fall::default(), 0, days), []);
        }
    }
}
