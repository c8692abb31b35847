//! `triage why`: why a rule did or did not match a reading.

use triage_core::explain::{ExplainError, Explanation, Moved, ScoreExplanation};
use triage_core::program::Limits;
use triage_core::reading::Record;
use triage_core::score::Scale;

use super::Failure;
use super::source::{Flags, Source};

/// What `triage why` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The rule, such as `stroke.crisis`
    rule: String,
    /// The reading, as one JSON object
    #[arg(long, value_name = "JSON")]
    reading: String,
    #[command(flatten)]
    flags: Flags,
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::new(None, args.flags)?;
    let (mut compiled, _) = source.compile()?;
    let value = Some(args.reading.as_bytes());
    let record = Record { key: None, value, timestamp: Some(0), partition: 0, offset: 0 };
    let limits = Limits { skew_ms: None, ..Limits::default() };
    let explanation = compiled.explain(&args.rule, &record, &limits).map_err(|error| failure(&error))?;
    print(&explanation);
    Ok(())
}

fn failure(error: &ExplainError) -> Failure {
    match error {
        ExplainError::NoSuchRule { nearest: Some(nearest), .. } => {
            Failure::Usage(format!("{error}; did you mean `{nearest}`?"))
        }
        other => Failure::Usage(other.to_string()),
    }
}

fn print(explanation: &Explanation) {
    let verdict = match explanation.truth {
        Some(true) => "matches this reading: its condition is true",
        Some(false) => "does not match this reading: its condition is false",
        None => "does not match this reading: its condition is unknown (not evaluable)",
    };
    println!("{} {verdict}\n", explanation.rule);
    for part in &explanation.parts {
        let indent = "  ".repeat(part.depth);
        println!("{:<8}{indent}{}", truth(part.truth), part.text);
        for value in &part.values {
            println!("{:<8}{indent}  {value}", "");
        }
    }
    explanation.scores.iter().for_each(print_score);
    if explanation.remembers {
        println!("\njudged as the first reading of its patient: the rule looks back at earlier ones");
    }
    if !explanation.blame.is_empty() {
        println!("\nto blame:");
        explanation.blame.iter().for_each(|blame| println!("  {blame}"));
    }
}

fn print_score(score: &ScoreExplanation) {
    match score.value {
        Some(value) => println!("\nscore {} = {value}", score.name),
        None => println!("\nscore {} is unknown", score.name),
    }
    match &score.moved {
        Some(Ok(moved)) => print_moved(moved),
        Some(Err(why)) => {
            print_inputs(&score.inputs);
            println!("  nothing tells what moved it: {why}");
        }
        None => print_inputs(&score.inputs),
    }
}

fn print_inputs(inputs: &[String]) {
    println!("  what goes in:");
    for input in inputs {
        println!("          {input}");
    }
}

fn print_moved(Moved { scale, base, by }: &Moved) {
    let scale = match scale {
        Scale::LogOdds => "in log odds",
        Scale::Probability => "in probability",
    };
    println!("  what goes in, and by how much it moves the score, {scale}:");
    for (input, by) in by {
        println!("  {by:+.3}  {input}");
    }
    println!("  {base:+.3}  before anything is known");
    println!("  {:+.3}  together", base + by.iter().map(|(_, by)| by).sum::<f64>());
}

fn truth(truth: Option<bool>) -> &'static str {
    match truth {
        Some(true) => "true",
        Some(false) => "false",
        None => "unknown",
    }
}
