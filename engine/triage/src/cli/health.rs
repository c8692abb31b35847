//! `triage health`: whether a running engine judges readings, for health checks of containers, whose images have no other
//! client.

use serde_json::Value;

use super::Failure;
use super::alerts::At;
use crate::http::{QUICK, Question};

/// What `triage health` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

/// Prints nothing while all is well.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let question = Question { method: "GET", path: "/readyz", accept: "application/json", body: "", patience: QUICK };
    match args.at.ask(question)? {
        (200, _) => Ok(()),
        (status, body) => Err(Failure::World(why_not(status, &body))),
    }
}

/// What `/readyz` says, in a line.
fn why_not(status: u16, body: &str) -> String {
    let Ok(said) = serde_json::from_str::<Value>(body) else {
        return format!("what answers is no engine: it answers {status}");
    };
    let workers = said["workers"].as_object().into_iter().flatten();
    let troubles = workers.filter_map(|(_, worker)| worker["trouble"].as_str().or(worker["error"].as_str()));
    let mut reasons: Vec<&str> = said["broker"].as_str().into_iter().chain(troubles).collect();
    reasons.dedup();
    if reasons.is_empty() {
        return "the engine does not judge readings yet; `/readyz` has each worker".to_owned();
    }
    format!("the engine does not judge readings: {}", reasons.join("; "))
}
