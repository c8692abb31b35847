//! `triage check`.

use super::Failure;

/// What `triage check` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::World("`check` is not there yet".to_owned()))
}
