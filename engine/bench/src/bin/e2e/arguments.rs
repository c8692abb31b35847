//! The command line.

use std::path::{Path, PathBuf};

use clap::Parser;

/// Runs `triage run` and a hand-written program for the same ten routes on Apache Kafka, in turn, and prints a table:
/// readings per second, CPU seconds per million readings, peak memory, and how long after its reading an alert is seen.
///
/// The broker is started for it on free ports of this machine, in a temporary folder, and stopped at the end. Fails when
/// the two do not write the same number of records to each topic.
#[derive(Debug, Parser)]
#[command(name = "bench-e2e", after_help = "Example: make bench-e2e ARGS=\"--readings 200000 --rounds 1\"")]
pub(crate) struct Arguments {
    /// How many readings the topic is filled with
    #[arg(long, env = "BENCH_READINGS", default_value_t = 1_000_000)]
    pub(crate) readings: usize,
    /// How often each of the two judges all of them
    #[arg(long, env = "BENCH_ROUNDS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,
    /// Worker threads of the engine; the hand-written program has one
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) workers: u32,
    /// Readings per second while latency is measured
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: u32,
    /// For how many seconds latency is measured, after two that do not count
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) latency_seconds: u32,
    /// Compare the engine with itself instead, under rules that keep state: what keeping it costs
    #[arg(long)]
    pub(crate) state: bool,
    /// Compare the engine with itself instead, under the rules that the hand-written program has by hand: what a score of every
    /// reading costs
    #[arg(long, conflicts_with_all = ["state", "rules"])]
    pub(crate) score: bool,
    /// With `--state`: how long after a sweep of snapshots the next begins
    #[arg(long, default_value = "2s")]
    pub(crate) snapshot_age: String,
    /// The folder of the rules; by default those that the hand-written program has by hand, or, with `--state`, such as keep it
    #[arg(long)]
    rules: Option<PathBuf>,
}

impl Arguments {
    /// Fewer are through before anything can be measured.
    pub(crate) const FEWEST: usize = 50_000;

    /// The folders of the rules of both contenders.
    pub(crate) fn rules(&self) -> [PathBuf; 2] {
        let own = |folder: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        match &self.rules {
            Some(rules) => [rules.clone(), rules.clone()],
            None if self.state => [own("e2e-state"), own("e2e-state")],
            None if self.score => [own("e2e-score"), own("e2e")],
            None => [own("e2e"), own("e2e")],
        }
    }
}
