//! `triage dead-letters`: look at records that nobody could use, and give them back to the stage that refused them.

mod resend;
mod show;

use std::path::PathBuf;

use super::Failure;
use super::run::Settings;
use crate::config::{Config, LogConfig};
use crate::dead_letters::DeadLetterError;
use crate::logging;

/// What `triage dead-letters` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Print dead letters, partition by partition; keys and values only with `--values`
    Show(show::Args),
    /// Give dead letters back to the stage that refused them, none twice
    Resend(resend::Args),
}

/// Where the broker is.
#[derive(Debug, clap::Args)]
pub(crate) struct Broker {
    /// The brokers to begin with: `kafka.bootstrap_servers`
    #[arg(long, value_name = "HOST:PORT,…")]
    bootstrap_servers: Option<String>,
    /// The configuration file [default: triage.toml, if there is one]
    #[arg(long, env = "TRIAGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Any key of the configuration, as often as needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::run::key_and_value)]
    set: Vec<(String, String)>,
}

impl Broker {
    /// Reads the configuration and starts the log, of which only what is wrong is shown.
    pub(crate) fn configure(&self) -> Result<Config, Failure> {
        let settings = Settings::of_broker(self.config.clone(), self.bootstrap_servers.clone(), self.set.clone());
        let config = settings.read().map_err(|error| Failure::Usage(error.to_string()))?;
        let log = LogConfig { level: "warn".to_owned(), ..config.log.clone() };
        logging::start(&log).map_err(|error| Failure::Usage(error.to_string()))?;
        crate::kafka::properties::check(&config.kafka).map_err(|error| Failure::Usage(error.to_string()))?;
        config.kafka.tls.load().map_err(|error| Failure::World(error.to_string()))?;
        Ok(config)
    }
}

impl From<DeadLetterError> for Failure {
    fn from(error: DeadLetterError) -> Self {
        Failure::World(error.to_string())
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Command::Show(args) => show::run(args),
        Command::Resend(args) => resend::run(args),
    }
}
