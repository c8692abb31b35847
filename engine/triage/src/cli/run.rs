//! `triage run`.

use super::Failure;

/// What `triage run` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_args: Args) -> Result<(), Failure> {
    Err(Failure::World("`run` is not there yet".to_owned()))
}
