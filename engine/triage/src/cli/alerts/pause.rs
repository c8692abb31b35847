//! `triage alerts pause`.

use serde_json::{Map, Value};

use super::At;
use crate::cli::Failure;

/// What `triage alerts pause` is told on the command line.
#[derive(Debug, clap::Args)]
#[command(after_help = "The rule goes on being judged. When the pause is over, what is still open and untold is told.")]
#[command(group = clap::ArgGroup::new("scope").required(true).args(["rule", "patient"]))]
#[command(group = clap::ArgGroup::new("end").required(true).args(["lasting", "until"]))]
pub(crate) struct Args {
    /// The rule whose alerts are not sent
    #[arg(long, value_name = "RULE")]
    rule: Option<String>,
    /// The patient about whom no alerts are sent
    #[arg(long, value_name = "PATIENT")]
    patient: Option<String>,
    /// Who asks for it
    #[arg(long, value_name = "WHO")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// How long, from now: `30m`
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<String>,
    /// Until when: RFC 3339, such as `2026-11-25T08:30:00Z`
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Alarms of high priority may be silent too
    #[arg(long)]
    high: bool,
    #[command(flatten)]
    at: At,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut pause = Map::new();
    let said = [
        ("rule", args.rule.as_ref()),
        ("patient", args.patient.as_ref()),
        ("by", Some(&args.by)),
        ("why", Some(&args.why)),
        ("for", args.lasting.as_ref()),
        ("until", args.until.as_ref()),
    ];
    pause.extend(said.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::from(text?.as_str())))));
    pause.insert("high".to_owned(), args.high.into());
    args.at.say("/alerts/pause", &Value::Object(pause))
}
