//! `triage check`: compile, and print everything that is wrong or suspicious.

use std::path::PathBuf;

use serde::Serialize;
use triage_core::diagnostic::{Diagnostic, Severity, render};

use super::Failure;
use super::source::{Flags, Source, count, style};
use crate::reload::Finding;

/// What `triage check` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A folder of rules, or one file of it [default: the configured folder]
    #[arg(conflicts_with = "rules")]
    path: Option<PathBuf>,
    /// Treat warnings as errors
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deny {
    Warnings,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What `--format json` prints.
#[derive(Debug, Serialize)]
struct Report {
    /// Whether the rule set can run.
    ok: bool,
    /// The rule-set version, if it compiles.
    version: Option<String>,
    diagnostics: Vec<Finding>,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::new(args.path, args.flags)?;
    let mut loaded = source.load();
    if args.deny == Some(Deny::Warnings) {
        loaded.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.severity = Severity::Error);
    }
    let ok = loaded.compiled.is_some() && !loaded.diagnostics.iter().any(Diagnostic::is_error);
    let version = loaded.compiled.as_ref().map(|compiled| compiled.program.version().to_owned());
    if args.format == Format::Json {
        let report = Report { ok, version, diagnostics: Finding::all(&loaded.files, &loaded.diagnostics) };
        let text = serde_json::to_string_pretty(&report).map_err(|error| Failure::World(error.to_string()))?;
        println!("{text}");
        return if ok { Ok(()) } else { Err(Failure::Rules(String::new())) };
    }
    if !loaded.diagnostics.is_empty() {
        eprintln!("{}\n", render(&loaded.files, &loaded.diagnostics, style()));
    }
    let said = loaded.summary(&source);
    match loaded.compiled {
        Some(compiled) if ok => {
            let (rules, topics) = (compiled.program.rules().len(), compiled.program.topics().len());
            let (rules, topics) = (count(rules, "rule"), count(topics, "topic"));
            let findings = if loaded.diagnostics.is_empty() { "no findings".into() } else { said };
            println!(
                "{}: {rules}, {topics}, version {}; {findings}",
                source.folder.display(),
                compiled.program.version()
            );
            Ok(())
        }
        _ => Err(Failure::Rules(said)),
    }
}
