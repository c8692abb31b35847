//! `triage erase`: what there is of a patient, and its removal.

use std::io::IsTerminal;

use super::Failure;
use super::dead_letters::Broker;
use super::source::count;
use crate::access::{Access, fingerprint};
use crate::erase::report::Report;
use crate::erase::{EraseError, Order, erase, look};

/// What `triage erase` is told on the command line.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without `--yes` nothing is changed. It needs the rights of the administrator, and an engine that runs."
)]
pub(crate) struct Args {
    /// The patient's id, as it stands in readings
    patient: String,
    /// Erase the patient; otherwise only look
    #[arg(long, requires = "by", requires = "why")]
    yes: bool,
    /// Who asks for it
    #[arg(long, value_name = "WHO")]
    by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
    /// Erase the patient although readings come or alerts are open
    #[arg(long)]
    watched: bool,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    broker: Broker,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let (by, why) = (args.by.as_deref().unwrap_or_default().trim(), args.why.as_deref().unwrap_or_default().trim());
    if args.patient.is_empty() || (args.yes && (by.is_empty() || why.is_empty())) {
        return Err(Failure::Usage("the patient, `--by` and `--why` must not be empty".to_owned()));
    }
    let config = args.broker.configure()?;
    let access = Access::of_command("erase", format!("patient {}", fingerprint(&args.patient)));
    let terminal = std::io::stderr().is_terminal();
    let mut tell = |step: &str| if terminal { eprint!("\r\x1b[K{step} …") } else { eprintln!("{step}") };
    let order = Order { patient: &args.patient, by, why, watched: args.watched };
    let report = if args.yes { erase(&config, order, &mut tell) } else { look(&config, &args.patient, &mut tell) };
    if terminal {
        eprint!("\r\x1b[K");
    }
    match report {
        Ok(report) => {
            access.ended(outcome(&report, by, why));
            print(&report, args.json)?;
            remarks(&report, config.store.is_used());
            Ok(())
        }
        Err(error) => {
            access.ended(format!("failed: {error}"));
            Err(error.into())
        }
    }
}

fn outcome(report: &Report, by: &str, why: &str) -> String {
    let records: u64 = report.topics.iter().map(|topic| topic.records).sum();
    let found = format!("{} documents, {records} records", report.documents());
    if report.done { format!("erased for {by}, {why}: {found}") } else { format!("looked at: {found}") }
}

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    if !json {
        print!("{report}");
        return Ok(());
    }
    let json = serde_json::to_string_pretty(report).map_err(|error| Failure::World(error.to_string()))?;
    println!("{json}");
    Ok(())
}

/// What the report cannot see, and what is to be done.
fn remarks(report: &Report, has_store: bool) {
    if !has_store {
        eprintln!("no store is configured here: documents were not looked for");
    }
    let endless: Vec<&str> = report.endless().map(|topic| topic.name.as_str()).collect();
    if !endless.is_empty() {
        let topics = count(endless.len(), "topic");
        eprintln!(
            "{topics} with no end to what remains: {}; see `docs/configuration.md`, `[retention]`",
            endless.join(", ")
        );
    }
    if report.done {
        eprintln!(
            "Kafka compacts a partition after something is written to it: a quiet one keeps what has a tombstone until then"
        );
    } else {
        eprintln!("nothing was changed: `--yes --by WHO --why TEXT` erases");
    }
}

impl From<EraseError> for Failure {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::Watched(_) | EraseError::TooLong | EraseError::NoRules(_) => Failure::Usage(error.to_string()),
            EraseError::Rules(_) => Failure::Rules(error.to_string()),
            _ => Failure::World(error.to_string()),
        }
    }
}
