//! The table, in Markdown.

use std::fmt;

use crate::arguments::Arguments;
use crate::contender::Kind;
use crate::latency::Delays;
use crate::machine::Machine;
use crate::round::Measured;

/// The most that the hand-written program may need on an idle machine to count as the ceiling.
const CEILING: f64 = 7.5;

#[derive(Debug)]
pub(crate) struct Report {
    readings: usize,
    /// What the engine is compared with itself for, if it is.
    cost: Option<&'static str>,
    names: [&'static str; 2],
    before: Machine,
    after: Option<Machine>,
    rounds: [Vec<Measured>; 2],
    delays: [Delays; 2],
}

impl Report {
    pub(crate) fn new(arguments: &Arguments, names: [&'static str; 2]) -> Self {
        let cost = match arguments {
            Arguments { state: true, .. } => Some("Keeping state"),
            Arguments { score: true, .. } => Some("A score of every reading"),
            _ => None,
        };
        Self {
            readings: arguments.readings,
            cost,
            names,
            before: Machine::look(),
            after: None,
            rounds: [Vec::new(), Vec::new()],
            delays: Default::default(),
        }
    }

    pub(crate) fn add(&mut self, kind: Kind, measured: Measured) {
        self.rounds[kind as usize].push(measured);
    }

    pub(crate) fn set_latency(&mut self, kind: Kind, delays: Delays) {
        self.delays[kind as usize] = delays;
    }

    pub(crate) fn end(&mut self, after: Machine) {
        self.after = Some(after);
    }

    fn median(&self, kind: Kind, figure: impl Fn(&Measured) -> f64) -> f64 {
        let mut figures: Vec<f64> = self.rounds[kind as usize].iter().map(figure).collect();
        median(&mut figures)
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, kind: Kind) -> fmt::Result {
        let cpu: Vec<String> =
            self.rounds[kind as usize].iter().map(|round| format!("{:.2}", round.cpu_per_million)).collect();
        let peak = self.rounds[kind as usize].iter().map(|round| round.peak_mib).fold(0.0, f64::max);
        let delays = &self.delays[kind as usize];
        writeln!(
            f,
            "| {} | {:.0} | {:.2} | {} | {peak:.0} | {} / {} / {} |",
            self.names[kind as usize],
            self.median(kind, |round| round.per_second),
            self.median(kind, |round| round.cpu_per_million),
            cpu.join(", "),
            delays.quantile(0.5),
            delays.quantile(0.99),
            delays.quantile(1.0),
        )
    }
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
    f64::midpoint(at(figures.len().saturating_sub(1) / 2), at(figures.len() / 2))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outputs = self.rounds[0].first().map_or(0, |round| round.outputs);
        let each = outputs as f64 / self.readings as f64;
        writeln!(f, "{} readings a round, {each:.2} records and alerts each; {}.", self.readings, self.before)?;
        let after = self.after.as_ref().map_or("?", Machine::load);
        writeln!(f, "Load average before: {}, after: {after}.\n", self.before.load())?;
        writeln!(
            f,
            "| | readings/s | CPU s per million | of each round | peak MiB | reading to alert, p50 / p99 / max ms |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|--:|")?;
        self.row(f, Kind::Engine)?;
        self.row(f, Kind::Other)?;
        let [engine, by_hand] =
            [Kind::Engine, Kind::Other].map(|kind| self.median(kind, |round| round.cpu_per_million));
        if let Some(cost) = self.cost {
            return write!(f, "\n{cost} costs {:.1} % of the CPU without.", (engine / by_hand - 1.0) * 100.0);
        }
        writeln!(f, "\nThe engine needs {:.2} times the CPU of the hand-written program.", engine / by_hand)?;
        let verdict = if by_hand <= CEILING { "counts" } else { "does not count" };
        write!(f, "By hand {by_hand:.2} CPU s per million: it {verdict} as the ceiling (at most {CEILING}).")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_two_in_the_middle() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 2.5);
        assert_eq!(median(&mut [7.0]), 7.0);
        assert!(median(&mut []).is_nan());
    }
}
