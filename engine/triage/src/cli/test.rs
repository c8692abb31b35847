//! `triage test`.

use super::Failure;

/// What `triage test` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::World("`test` is not there yet".to_owned()))
}
