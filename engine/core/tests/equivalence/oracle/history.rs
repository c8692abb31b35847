//! Time operators, by reading the patient's whole history again.

use std::collections::BTreeMap;

use triage_core::syntax::ast::{Duration, Expr, Hold};

use super::condition::Judge;
use super::exact;
use super::reading::Reading;
use super::time::duration;

impl<'a> Judge<'a> {
    /// `C for 10m`, `C for 3 readings`
    pub(super) fn held(&self, condition: &'a Expr, hold: &Hold) -> Option<bool> {
        let past = self.past?;
        if !self.truth(condition)? {
            return Some(false);
        }
        let run = self.run(condition, self.begun(|| self.run_name(condition)), past);
        Some(match hold {
            Hold::Duration(least) => now(past) - run[run.len() - 1] >= duration(least),
            Hold::Readings(least) => run.len() >= least.0.parse().expect("a whole number of readings"),
        })
    }

    /// The times of the run's true readings, this one and then those before it: back to a false one, past all unknown ones.
    fn run(&self, condition: &'a Expr, begun: usize, past: &'a [Reading]) -> Vec<i64> {
        let mut run = vec![now(past)];
        for at in (begun..past.len() - 1).rev() {
            match self.back_at(past, at).truth(condition) {
                Some(true) => run.push(past[at].ts),
                Some(false) => break,
                None => {}
            }
        }
        run
    }

    /// `A then B within 10m`
    pub(super) fn followed(
        &self,
        whole: impl Fn() -> String,
        first: &'a Expr,
        second: &'a Expr,
        within: &Duration,
    ) -> Option<bool> {
        let past = self.past?;
        if !self.truth(second)? {
            return Some(false);
        }
        let (now, within) = (now(past), duration(within));
        let earlier = |at: &usize| past[*at].ts < now;
        let near = |at: &usize| now - past[*at].ts <= within;
        let mut near = (self.begun(whole)..past.len()).rev().skip_while(|at| !earlier(at)).take_while(near);
        Some(near.any(|at| self.back_at(past, at).truth(first) == Some(true)))
    }

    /// `previous(x)`
    pub(super) fn previous(&self, whole: impl Fn() -> String, x: &'a Expr) -> Option<f64> {
        let past = self.past?;
        (self.begun(whole)..past.len() - 1).rev().find_map(|at| self.back_at(past, at).number(x))
    }

    /// `avg(x, 10m)` and its kind.
    pub(super) fn window(&self, whole: impl Fn() -> String, name: &str, x: &'a Expr, length: &Duration) -> Option<f64> {
        let past = self.past?;
        let (now, length) = (now(past), duration(length));
        // A history is in order of time.
        let inside = (self.begun(whole)..past.len()).rev().take_while(|at| now - past[*at].ts < length);
        let known: Vec<f64> =
            inside.filter_map(|at| self.back_at(past, at).number(x)).map(without_sign_of_zero).collect();
        let smallest = known.iter().copied().reduce(f64::min);
        let largest = known.iter().copied().reduce(f64::max);
        match name {
            "count" => Some(known.len() as f64),
            "min" => smallest,
            "max" => largest,
            "rise" => Some(without_sign_of_zero(self.number(x)? - smallest?)),
            "fall" => Some(without_sign_of_zero(largest? - self.number(x)?)),
            "stddev" if known.len() < 2 => None,
            "stddev" => Some(exact::deviation(&known)),
            _ if known.is_empty() => None,
            "sum" => Some(exact::nearest(&exact::sum(&known))),
            "avg" => Some(exact::nearest(&exact::sum(&known)) / known.len() as f64),
            other => panic!("no window `{other}`"),
        }
    }

    /// How many of the patient's readings came before the expression of that name was there.
    fn begun(&self, name: impl Fn() -> String) -> usize {
        self.begun.map_or(0, |counts| begun(counts, name))
    }

    /// As if the reading `at` were the last.
    fn back_at(&self, past: &'a [Reading], at: usize) -> Self {
        Judge { states: &past[at].states, said: &past[at].said, past: Some(&past[..=at]), ..*self }
    }
}

/// How many readings came before the expression of that name was there; where all came after all, nobody needs the name.
pub(super) fn begun(counts: &BTreeMap<String, usize>, name: impl Fn() -> String) -> usize {
    if counts.values().all(|count| *count == 0) { 0 } else { counts.get(&name()).copied().unwrap_or(0) }
}

fn without_sign_of_zero(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

fn now(past: &[Reading]) -> i64 {
    past.last().expect("this reading").ts
}
