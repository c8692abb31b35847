//! The binary `triage`; everything is in the library of the same name, so that tests can run an engine in process.

use std::process::ExitCode;

fn main() -> ExitCode {
    triage::cli::main()
}
