//! `triage dead-letters resend`.

use std::io::IsTerminal;

use super::Broker;
use crate::access::Access;
use crate::cli::Failure;
use crate::cli::source::count;
use crate::dead_letters::filter::Filter;
use crate::dead_letters::resend::{Report, resend};
use crate::kafka::topics::{RESENT_ALERTS, RESENT_DOCUMENTS};

/// What `triage dead-letters resend` is told on the command line.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A reading goes to the stream once more, with its key, partition and Kafka time; a document goes to \
                        the store once more. What is refused again is a new dead letter."
)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Resend all; needed when nothing else says which
    #[arg(long)]
    all: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    broker: Broker,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if args.filter.is_empty() && !args.all {
        let words =
            "say which dead letters: `--stage`, `--reason`, `--topic`, `--since`, `--until`, `--at`, or `--all`";
        return Err(Failure::Usage(words.to_owned()));
    }
    let config = args.broker.configure()?;
    let terminal = std::io::stderr().is_terminal();
    let report = resend(&config, &args.filter, args.dry_run, |report| {
        let line = format!("{} resent", count(total(report) as usize, "dead letter"));
        if terminal { eprint!("\r\x1b[K{line}") } else { eprintln!("{line}") }
    });
    if terminal {
        eprint!("\r\x1b[K");
    }
    if !args.dry_run {
        let outcome = report.as_ref().map_or_else(ToString::to_string, |report| format!("{} resent", total(report)));
        Access::of_command("dead-letters resend", "dead letters".to_owned()).ended(outcome);
    }
    let report = report?;
    print(&report, args.dry_run);
    if report.refused.is_empty() {
        return Ok(());
    }
    let words = report.refused.iter().map(|(place, error)| format!("{place} was not resent: {error}"));
    Err(Failure::World(words.collect::<Vec<_>>().join("\ntriage: ")))
}

fn total(report: &Report) -> u64 {
    report.sent.values().sum()
}

fn print(report: &Report, dry_run: bool) {
    let verb = if dry_run { "would be resent" } else { "resent" };
    for (topic, letters) in &report.sent {
        match topic.as_str() {
            RESENT_DOCUMENTS => println!("{} {verb} to the store", count(*letters as usize, "document")),
            RESENT_ALERTS => println!("{} {verb} to the webhooks", count(*letters as usize, "alert")),
            stream => println!("{} {verb} to `{stream}`", count(*letters as usize, "reading")),
        }
    }
    if report.before > 0 {
        println!("{} left alone: resent before", count(report.before as usize, "dead letter"));
    }
    for (reason, letters) in &report.never {
        println!("{} left alone: {reason}", count(*letters as usize, "dead letter"));
    }
    if total(report) == 0 && report.before == 0 && report.never.is_empty() && report.refused.is_empty() {
        println!("no dead letters: there is nothing to resend");
    }
}
