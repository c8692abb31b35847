//! The command line: one file per subcommand. Printing and exiting happen here and in `main` alone.

mod alerts;
mod check;
mod dead_letters;
mod demo;
mod erase;
mod fmt;
mod gateway;
mod health;
mod reload;
mod replay;
mod run;
mod source;
mod test;
mod why;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Routes patients' readings by rules: exactly once from Kafka to topics, alerts and a store.
#[derive(Debug, Parser)]
#[command(name = "triage", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the engine
    Run(run::Args),
    /// Run everything in one process: broker, gateway, engine, store, web
    Demo(demo::Args),
    /// Send rows of a CSV file as readings, or simulated patients
    Gateway(gateway::Args),
    /// Compile the rules and print what is wrong with them
    Check(check::Args),
    /// Write the rules in their canonical form
    Fmt(fmt::Args),
    /// Run the test blocks of the rules
    Test(test::Args),
    /// Say why a rule matches a reading or does not
    Why(why::Args),
    /// Run readings from a file through the rules, without Kafka
    Replay(replay::Args),
    /// Ask a running engine to reload its rules
    Reload(reload::Args),
    /// Say whether a running engine judges readings, by the exit code
    Health(health::Args),
    /// Look at the alerts that are open, acknowledge one, pause a rule or a patient
    Alerts(alerts::Args),
    /// Look at records that nobody could use, and send them again
    DeadLetters(dead_letters::Args),
    /// Find what there is of a patient, and remove it
    Erase(erase::Args),
}

/// Why a subcommand did not do its work. The text is printed to standard error; an empty one prints nothing (what was
/// wrong has been printed already).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The rules, or their tests, are wrong.
    #[error("{0}")]
    Rules(String),
    /// The command was used wrongly; its configuration is part of that.
    #[error("{0}")]
    Usage(String),
    /// The world failed: broker, store, file.
    #[error("{0}")]
    World(String),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Failure::Rules(_) => 1,
            Failure::Usage(_) => 2,
            Failure::World(_) => 3,
        }
    }
}

/// Parses the command line, runs the subcommand, prints its failure, and says how to exit.
pub fn main() -> ExitCode {
    let Err(failure) = dispatch(Cli::parse().command) else { return ExitCode::SUCCESS };
    let text = failure.to_string();
    match &failure {
        _ if text.is_empty() => {}
        Failure::Rules(_) => eprintln!("{text}"),
        Failure::Usage(_) | Failure::World(_) => eprintln!("triage: {text}"),
    }
    ExitCode::from(failure.exit_code())
}

fn dispatch(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => run::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Gateway(args) => gateway::run(&args),
        Command::Check(args) => check::run(args),
        Command::Fmt(args) => fmt::run(args),
        Command::Test(args) => test::run(args),
        Command::Why(args) => why::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Reload(args) => reload::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Alerts(args) => alerts::run(&args),
        Command::DeadLetters(args) => dead_letters::run(&args),
        Command::Erase(args) => erase::run(&args),
    }
}
