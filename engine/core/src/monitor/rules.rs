//! Rules that cannot be judged, and rules that match more often than they did, less often, or no longer.

use std::collections::{BTreeMap, VecDeque};

use super::fall::{Doubt, Fall};
use super::finding::{Finding, Findings};
use super::past::Past;
use super::series::{Series, Turn};
use super::tally::{Count, Tally};
use crate::program::Program;
use crate::syntax::ast::Priority;

/// A rule is unknown for more than a share of its readings.
const NOT_EVALUABLE: &str = "technical.not_evaluable";

/// A rule matches at another rate than it used to.
const MATCH_RATE: &str = "technical.match_rate";

/// Blocks of the window in which the share of unknown readings is taken: an hour.
const WINDOW: usize = 6;

/// Fewer readings in the window say nothing.
const READINGS: u64 = 100;

/// It is over when the share is below so much of what is allowed.
const OVER: f64 = 0.8;

/// A rule that does not match while so many patients are expected to is silent: by the Poisson distribution once in 24
/// million, e^-17.
const EXPECTED: f64 = 17.0;

/// So many days must have been seen before a silence is one.
const DAYS: u32 = 3;

/// The rules of a rule set.
#[derive(Debug)]
pub(super) struct Rules {
    most_unknown: f64,
    rules: Vec<Rule>,
}

#[derive(Debug, Default)]
struct Rule {
    name: String,
    priority: Option<Priority>,
    /// Readings, and those for which it was unknown, by block.
    window: VecDeque<(u64, u64)>,
    onsets: Series,
    days: Days,
    fall: Fall,
}

/// Of how many patients a rule matched, by day.
#[derive(Debug, Default)]
struct Days {
    past: Past,
    seen: u32,
    /// The days without a match since the last, and how many patients were to be expected in them.
    silent: Count,
    expected: f64,
}

impl Rules {
    pub(super) fn new(program: &Program, most_unknown: f64) -> Self {
        let rule = |rule: &crate::program::RuleInfo| Rule {
            name: rule.name.clone(),
            priority: rule.alert.as_ref().map(|alert| alert.priority),
            ..Rule::default()
        };
        Self { most_unknown, rules: program.rules.iter().map(rule).collect() }
    }

    pub(super) fn take_up(&mut self, program: &Program, findings: &mut Findings) {
        let new = Self::new(program, self.most_unknown);
        let before = std::mem::replace(self, new);
        let mut before: BTreeMap<String, Rule> =
            before.rules.into_iter().map(|rule| (rule.name.clone(), rule)).collect();
        for rule in &mut self.rules {
            if let Some(old) = before.remove(&rule.name) {
                (rule.onsets, rule.days, rule.fall) = (old.onsets, old.days, old.fall);
            }
        }
        // A rule that cannot be judged under the new rules either is found again in an hour.
        findings.retain(NOT_EVALUABLE, |_| false);
        findings.retain(MATCH_RATE, |name| self.rules.iter().any(|rule| rule.name == name));
    }

    pub(super) fn judge(&mut self, tally: &Tally, findings: &mut Findings) {
        for (index, rule) in self.rules.iter_mut().enumerate() {
            rule.judge_unknown(tally.readings, tally.unknown[index], self.most_unknown, findings);
            if let Some(onsets) = tally.onsets.get(index) {
                rule.judge_onsets(tally.block, *onsets, findings);
            }
            if let Some(day) = tally.days.get(index) {
                rule.judge_day(tally.block, *day, findings);
            }
            if let Some(begun) = tally.begun.get(index) {
                rule.judge_fall(tally.block, *begun, findings);
            }
        }
    }
}

impl Rule {
    fn judge_unknown(&mut self, readings: u64, unknown: u64, most: f64, findings: &mut Findings) {
        self.window.push_back((readings, unknown));
        if self.window.len() > WINDOW {
            self.window.pop_front();
        }
        let (readings, unknown) = self.window.iter().fold((0, 0), |sum, block| (sum.0 + block.0, sum.1 + block.1));
        if self.window.len() < WINDOW || readings < READINGS {
            return;
        }
        let share = unknown as f64 / readings as f64;
        if share < most * OVER {
            findings.close(NOT_EVALUABLE, &self.name);
        }
        if share > most {
            let message = format!(
                "`{}` cannot be judged: unknown for {:.0} % of the {readings} readings of an hour",
                self.name,
                share * 100.0
            );
            let values = vec![("readings", readings as f64), ("unknown_share", share)];
            findings.open(NOT_EVALUABLE, &self.name, self.finding(message, values));
        }
    }

    fn judge_onsets(&mut self, block: i64, onsets: Count, findings: &mut Findings) {
        let usual = self.onsets.past.rate();
        match self.onsets.step(block, onsets) {
            Turn::Left => {
                let message = format!(
                    "`{}` matches far more often than it did: it began to for {} of {} patients within 10 minutes, usual are \
                     at most {:.0} %",
                    self.name,
                    onsets.some,
                    onsets.of,
                    usual * 100.0
                );
                let values = vec![
                    ("patients_matched", f64::from(onsets.some)),
                    ("patients", f64::from(onsets.of)),
                    ("usual_share", usual),
                ];
                findings.open(MATCH_RATE, &self.name, self.finding(message, values));
            }
            Turn::Back => self.close_rate(findings),
            Turn::None if self.onsets.settle(block) == Turn::Back => self.close_rate(findings),
            Turn::None => {}
        }
    }

    fn judge_day(&mut self, block: i64, day: Count, findings: &mut Findings) {
        if self.days.is_silent(block, day) {
            let message = format!(
                "`{}` matches no longer: by its past {:.0} patients were to be expected since it last did, there was none",
                self.name, self.days.expected
            );
            let values = vec![("patients_expected", self.days.expected), ("patients", f64::from(day.of))];
            findings.open(MATCH_RATE, &self.name, self.finding(message, values));
        } else if day.some > 0 {
            self.close_rate(findings);
        }
    }

    fn judge_fall(&mut self, block: i64, begun: Count, findings: &mut Findings) {
        match self.fall.step(block, begun) {
            Turn::Left => {
                let Doubt { days, patients, expected } = self.fall.doubt();
                let message = format!(
                    "`{}` matches far less often than it did: it began to for {patients} patients in {days} days, by its past \
                     at least {expected:.0} were to be expected",
                    self.name
                );
                let values = vec![
                    ("patients_matched", f64::from(patients)),
                    ("patients_expected", expected),
                    ("days", f64::from(days)),
                ];
                findings.open(MATCH_RATE, &self.name, self.finding(message, values));
            }
            Turn::Back => self.close_rate(findings),
            Turn::None => {}
        }
    }

    /// The rate is as ever, by whatever it may have left its past.
    fn close_rate(&self, findings: &mut Findings) {
        if !self.onsets.has_left() && !self.fall.has_left() && self.days.expected < EXPECTED {
            findings.close(MATCH_RATE, &self.name);
        }
    }

    /// A rule whose alerts are high is missed the most.
    fn finding(&self, message: String, values: Vec<(&'static str, f64)>) -> Finding {
        let priority = match self.priority {
            Some(Priority::High) => Priority::High,
            Some(_) => Priority::Medium,
            None => Priority::Low,
        };
        Finding { priority, patient: None, message, values }
    }
}

impl Days {
    /// Takes in a day; whether the rule has been silent for too long.
    fn is_silent(&mut self, block: i64, day: Count) -> bool {
        self.seen += 1;
        if day.some == 0 {
            self.silent.add(day);
            let rate = if self.seen > DAYS { self.past.least_rate() } else { 0.0 };
            self.expected += rate * f64::from(day.of);
            return self.expected >= EXPECTED;
        }
        // Days are not learnt before they are known to have been no silence, nor if they were one.
        let silent = std::mem::take(&mut self.silent);
        if std::mem::take(&mut self.expected) < EXPECTED {
            self.past.learn(block, silent);
        }
        self.past.learn(block, day);
        false
    }
}
