//! `make alarm-curve`: how alarms of a simulated ward fall as their conditions must hold longer, beside what is missed.
//! Writes the table of `docs/alarm-curve.md` and the picture beside it; the same ones whenever it runs.

mod judgement;
mod monitor;
mod picture;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use triage::gateway::simulation::Simulation;
use triage::gateway::table::{Table, TableError};
use triage_core::program::Program;

use judgement::Judgement;
use monitor::{Monitor, MonitorError};
use report::ReportError;

/// The alarm curve of a simulated ward.
#[derive(Debug, Parser)]
struct Arguments {
    /// The folder of `alarm-curve.md` and `alarm-curve.svg`
    #[arg(default_value = "docs")]
    docs: PathBuf,
    /// The table that the patients come from
    #[arg(long, default_value = "datasets/patients.csv")]
    table: PathBuf,
}

/// Beds of the ward.
const BEDS: usize = 20;
/// Days of its life.
const DAYS: u64 = 10;
/// Between two readings of a bed.
const EVERY: Duration = Duration::from_secs(5);
/// Which ward.
const SEED: u64 = 2009;
/// How long a condition must hold, in seconds.
const HOLDS: [u64; 13] = [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];

/// Why there is no curve.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Monitor(#[from] MonitorError),
    #[error(transparent)]
    Report(#[from] ReportError),
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("alarm-curve: {failure}");
            ExitCode::from(3)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut ward = Simulation::new(&Table::open(&arguments.table)?, BEDS, SEED, EVERY);
    let end = ward.begin() + (DAYS * 86_400_000) as i64;
    let mut monitors = HOLDS.into_iter().map(Monitor::new).collect::<Result<Vec<_>, _>>()?;
    let mut offset = 0;
    loop {
        let readings = ward.by_ref().take(Program::MAX_BATCH).take_while(|reading| reading.ts < end);
        let batch: Vec<Vec<u8>> = readings.map(|reading| reading.json().into_bytes()).collect();
        for monitor in &mut monitors {
            monitor.watch(&batch, offset)?;
        }
        offset += batch.len() as i64;
        if batch.len() < Program::MAX_BATCH {
            break;
        }
    }
    let mut episodes = ward.episodes();
    // What goes on when the time is over has had no fair chance.
    episodes.retain(|episode| episode.end < end);
    let judge = |monitor: Monitor| Judgement::of(monitor.hold(), &monitor.alarms(end), &episodes);
    let judgements: Vec<Judgement> = monitors.into_iter().map(judge).collect();
    report::write(&arguments.docs, &judgements, offset)?;
    Ok(())
}

/// Bed-days of the ward.
fn bed_days() -> f64 {
    BEDS as f64 * DAYS as f64
}
