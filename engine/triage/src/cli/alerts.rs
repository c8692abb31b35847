//! `triage alerts`: what a running engine knows of open alerts, and what people say about them.

mod acknowledge;
mod pause;

use std::fmt::Write as _;
use std::path::PathBuf;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::Failure;
use super::run::Settings;
use crate::http::{PATIENCE, Question, ask};

/// What `triage alerts` is told on the command line.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say that you have seen an alert and see to it
    Acknowledge(acknowledge::Args),
    /// Keep the alerts of a rule or of a patient silent for a while
    Pause(pause::Args),
}

/// Which alerts are printed, and how.
#[derive(Debug, clap::Args)]
struct Show {
    /// Only those of this priority: `high`, `medium`, `low`, `info`; as often as needed
    #[arg(long, value_name = "PRIORITY")]
    priority: Vec<String>,
    /// Only those of this topic's rules
    #[arg(long, value_name = "TOPIC")]
    topic: Vec<String>,
    /// Only those about this patient
    #[arg(long, value_name = "PATIENT")]
    patient: Vec<String>,
    /// Only those in this state: `raised`, `repeated`, `escalated`, `acknowledged`
    #[arg(long, value_name = "STATE")]
    state: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Where the engine listens, and its token: `http.listen` and `http.token` of the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct At {
    /// The configuration file [default: triage.toml, if there is one]
    #[arg(long, env = "TRIAGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port of the web side: `http.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Any key of the configuration, as often as needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::run::key_and_value)]
    set: Vec<(String, String)>,
}

impl At {
    pub(super) fn ask(&self, question: Question<'_>) -> Result<(u16, String), Failure> {
        let settings = Settings::of_web(self.config.clone(), self.listen.clone(), self.set.clone());
        let http = settings.read().map_err(|error| Failure::Usage(error.to_string()))?.http;
        ask(&http, question).map_err(|error| Failure::World(error.to_string()))
    }

    /// Says something; where it lies is printed.
    pub(super) fn say(&self, path: &str, body: &Value) -> Result<(), Failure> {
        let body = &body.to_string();
        let question = Question { method: "POST", path, accept: "application/json", body, patience: PATIENCE };
        match self.ask(question)? {
            (202, answer) => {
                print!("{answer}");
                Ok(())
            }
            refused => Err(failure(refused)),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Acknowledge(args)) => acknowledge::run(args),
        Some(Command::Pause(args)) => pause::run(args),
        None => args.show.run(),
    }
}

impl Show {
    /// What is not complete is printed too, and is a failure.
    fn run(&self) -> Result<(), Failure> {
        let accept = if self.json { "application/json" } else { "text/plain" };
        let path = format!("/alerts{}", self.query());
        match self.at.ask(Question { method: "GET", path: &path, accept, body: "", patience: PATIENCE })? {
            (200, answer) => {
                print!("{answer}");
                Ok(())
            }
            (503, answer) => {
                print!("{answer}");
                Err(Failure::World("these may not be all alerts that are open".to_owned()))
            }
            refused => Err(failure(refused)),
        }
    }

    fn query(&self) -> String {
        let filters =
            [("priority", &self.priority), ("topic", &self.topic), ("patient", &self.patient), ("state", &self.state)];
        let mut query = String::new();
        for (name, values) in filters {
            for value in values {
                let sign = if query.is_empty() { '?' } else { '&' };
                // Writing to a text cannot fail.
                let _ = write!(query, "{sign}{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
            }
        }
        query
    }
}

/// What the engine refuses is wrong usage; what it cannot do now is the world's failure.
fn failure((status, answer): (u16, String)) -> Failure {
    let text = answer.trim_end().to_owned();
    if status < 500 { Failure::Usage(text) } else { Failure::World(text) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn filters_become_a_query() {
        let line = Line::parse_from(["alerts", "--priority", "high", "--priority", "low", "--patient", "p 1&x"]);
        assert_eq!(line.args.show.query(), "?priority=high&priority=low&patient=p%201%26x");
        assert_eq!(Line::parse_from(["alerts"]).args.show.query(), "");
    }
}
