//! Time operators, by reading the patient's whole history again.

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
            Hold::Duration(least) => now(past) - run.last().expect("this reading") >= duration(least),
            Hold::Readings(least) => run.len() >= least.0.parse().expect("a whole number of readings"),
        })
    }

    /// The times of the run's true readings, the latest first: back to a false one, past all unknown ones.
    fn run(&self, condition: &'a Expr, begun: usize, past: &'a [Reading]) -> Vec<i64> {
        let mut run = Vec::new();
        for at in (begun..past.len()).rev() {
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
        let near = |at: &usize| (1..=duration(within)).contains(&(now(past) - past[*at].ts));
        Some((self.begun(whole)..past.len()).filter(near).any(|at| self.back_at(past, at).truth(first) == Some(true)))
    }

    /// `previous(x)`
    pub(super) fn previous(&self, whole: impl Fn() -> String, x: &'a Expr) -> Option<f64> {
        let past = self.past?;
        (self.begun(whole)..past.len() - 1).rev().find_map(|at| self.back_at(past, at).number(x))
    }

    /// `avg(x, 10m)` and its kind.
    pub(super) fn window(&self, whole: impl Fn() -> String, name: &str, x: &'a Expr, length: &Duration) -> Option<f64> {
        let past = self.past?;
        let inside = |at: &usize| (0..duration(length)).contains(&(now(past) - past[*at].ts));
        let known = (self.begun(whole)..past.len()).filter(inside).filter_map(|at| self.back_at(past, at).number(x));
        let known: Vec<f64> = known.map(without_sign_of_zero).collect();
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
        let begun = self.begun.filter(|begun| begun.values().any(|count| *count > 0));
        begun.and_then(|begun| begun.get(&name()).copied()).unwrap_or(0)
    }

    /// As if the reading `at` were the last.
    fn back_at(&self, past: &'a [Reading], at: usize) -> Self {
        Judge { states: &past[at].states, past: Some(&past[..=at]), ..*self }
    }
}

fn without_sign_of_zero(number: f64) -> f64 {
    if number == 0.0 { 0.0 } else { number }
}

fn now(past: &[Reading]) -> i64 {
    past.last().expect("this reading").ts
}
