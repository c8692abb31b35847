//! `triage test`: run the test blocks.

use std::path::PathBuf;

use triage_core::diagnostic::render;

use super::Failure;
use super::source::{Flags, Source, style};

/// What `triage test` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of rules, or one file of it [default: the configured folder]
    #[arg(conflicts_with = "rules")]
    path: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::new(args.path, args.flags)?;
    let (compiled, files) = source.compile()?;
    let (mut passed, mut failed) = (0, 0);
    for outcome in compiled.run_tests() {
        let Some(file) = files.get(outcome.file.0 as usize).filter(|file| source.covers(file)) else { continue };
        if outcome.passed() {
            passed += 1;
            println!("ok      {}: {}", file.path, outcome.name);
        } else {
            failed += 1;
            println!("FAILED  {}: {}", file.path, outcome.name);
            eprintln!("{}\n", render(&files, &outcome.failures, style()));
        }
    }
    if passed + failed == 0 {
        println!("no test blocks in {}", source.only.unwrap_or(source.folder).display());
        return Ok(());
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { Ok(()) } else { Err(Failure::Rules(String::new())) }
}
