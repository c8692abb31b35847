//! `triage why`.

use super::Failure;

/// What `triage why` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::World("`why` is not there yet".to_owned()))
}
