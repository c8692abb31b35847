//! `triage replay`.

use super::Failure;

/// What `triage replay` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::World("`replay` is not there yet".to_owned()))
}
