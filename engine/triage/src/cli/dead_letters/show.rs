//! `triage dead-letters show`.

use std::io::{ErrorKind, Write};

use serde::Serialize;

use super::Broker;
use crate::access::Access;
use crate::cli::Failure;
use crate::cli::source::count;
use crate::dead_letters::DeadLetterError;
use crate::dead_letters::filter::Filter;
use crate::dead_letters::header;
use crate::dead_letters::letter::Letter;
use crate::dead_letters::show::{Tally, show};
use crate::terminal::{printable, time};

/// What `triage dead-letters show` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    filter: Filter,
    /// Print keys and values too: a patient's, so mind who looks
    #[arg(long)]
    values: bool,
    /// How the letters are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A line each
    Text,
    /// A JSON object a line
    Json,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.broker.configure()?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let shown = show(&config.kafka, &args.filter, |letter, resent| match args.format {
        Format::Text => text(letter, resent, args.values, &mut out),
        Format::Json => json(letter, resent, args.values, &mut out),
    });
    let shown = shown.and_then(|tally| out.flush().map(|()| tally).map_err(DeadLetterError::from));
    if args.values {
        let outcome = shown.as_ref().map_or_else(ToString::to_string, |tally| format!("{} shown", tally.letters));
        Access::of_command("dead-letters show --values", "dead letters".to_owned()).ended(outcome);
    }
    match shown {
        Ok(tally) => {
            summarise(&tally);
            Ok(())
        }
        // Whoever reads has seen enough.
        Err(DeadLetterError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn text(letter: &Letter, resent: bool, values: bool, out: &mut impl Write) -> std::io::Result<()> {
    let said = |name| printable(letter.header(name).unwrap_or("?"));
    let from = letter
        .origin()
        .map_or("?".to_owned(), |from| format!("{}/{}/{}", printable(from.topic), from.partition, from.offset));
    write!(
        out,
        "{}  {}  {}  {}  {from}  {} bytes  {}",
        letter.place,
        time(letter.timestamp),
        said(header::STAGE),
        said(header::REASON),
        letter.bytes(),
        said(header::SENTENCE)
    )?;
    writeln!(out, "{}", if resent { "  (resent)" } else { "" })?;
    if values {
        for (name, bytes) in [("key", &letter.key), ("value", &letter.value)] {
            let bytes = bytes.as_deref().map(|bytes| printable(&String::from_utf8_lossy(bytes)));
            writeln!(out, "    {name:5} {}", bytes.unwrap_or_else(|| "none".to_owned()))?;
        }
    }
    Ok(())
}

/// A letter as JSON; bytes that are not UTF-8 are replaced.
#[derive(Serialize)]
struct Shown<'a> {
    place: String,
    /// Milliseconds since 1970.
    timestamp: Option<i64>,
    stage: Option<&'a str>,
    reason: Option<&'a str>,
    sentence: Option<&'a str>,
    topic: Option<&'a str>,
    partition: Option<i32>,
    offset: Option<i64>,
    bytes: usize,
    resent: bool,
    #[serde(flatten)]
    contents: Option<Contents>,
}

/// What is a patient's.
#[derive(Serialize)]
struct Contents {
    key: Option<String>,
    value: Option<String>,
}

fn json(letter: &Letter, resent: bool, values: bool, out: &mut impl Write) -> std::io::Result<()> {
    let origin = letter.origin();
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let shown = Shown {
        place: letter.place.to_string(),
        timestamp: letter.timestamp,
        stage: letter.header(header::STAGE),
        reason: letter.header(header::REASON),
        sentence: letter.header(header::SENTENCE),
        topic: letter.header(header::TOPIC),
        partition: origin.map(|origin| origin.partition),
        offset: origin.map(|origin| origin.offset),
        bytes: letter.bytes(),
        resent,
        contents: values.then(|| Contents { key: text(&letter.key), value: text(&letter.value) }),
    };
    serde_json::to_writer(&mut *out, &shown)?;
    out.write_all(b"\n")
}

fn summarise(tally: &Tally) {
    let resent = if tally.resent > 0 { format!(", {} of them resent", tally.resent) } else { String::new() };
    eprintln!("{}{resent}", count(tally.letters as usize, "dead letter"));
    for ([stage, reason, topic], letters) in &tally.kinds {
        let kind = printable(&format!("{stage}  {reason}  from {topic}"));
        eprintln!("{letters:8}  {kind}");
    }
}
