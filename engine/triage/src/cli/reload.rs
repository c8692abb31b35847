//! `triage reload`: asks a running engine to reload, prints its report.

use super::Failure;
use super::run::Settings;
use crate::http::{ask_check, ask_reload};
use crate::reload::{Refusal, ReloadOutcome};

/// What `triage reload` is told on the command line; the configuration says where the engine listens, and its token.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Only say what a reload would do
    #[arg(long)]
    check: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.settings.read().map_err(|error| Failure::Usage(error.to_string()))?;
    let ask = if args.check { ask_check } else { ask_reload };
    let outcome = ask(&config.http).map_err(|error| Failure::World(error.to_string()))?;
    if args.json {
        let json = serde_json::to_string_pretty(&outcome).map_err(|error| Failure::World(error.to_string()))?;
        println!("{json}");
    } else {
        print!("{outcome}");
    }
    match outcome {
        ReloadOutcome::Refused { refusal: Refusal::Topics { .. }, .. } => Err(Failure::World(String::new())),
        ReloadOutcome::Refused { .. } => Err(Failure::Rules(String::new())),
        ReloadOutcome::Applied { .. } | ReloadOutcome::Checked { .. } | ReloadOutcome::Unchanged { .. } => Ok(()),
    }
}
