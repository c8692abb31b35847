//! `triage alerts acknowledge`.

use serde_json::json;

use super::At;
use crate::cli::Failure;

/// What `triage alerts acknowledge` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The alert's id, such as `research/0/42@1700000000123/stroke.crisis`
    id: String,
    /// Who has seen it
    #[arg(long, value_name = "WHO")]
    by: String,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    args.at.say("/alerts/acknowledge", &json!({"id": args.id, "by": args.by}))
}
