//! `triage replay`: readings from a file through the same program, without Kafka, one line per output.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;
use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::{Record, parse_instant};

use super::Failure;
use super::source::{Flags, Source};

/// What `triage replay` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The readings, one JSON object a line; `-` reads standard input
    file: PathBuf,
    /// Let time pass after the last line, until this time: epoch milliseconds, or RFC 3339
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<i64>,
    #[command(flatten)]
    flags: Flags,
}

/// A time as readings have it.
fn instant(text: &str) -> Result<i64, &'static str> {
    let digits = text.parse::<u64>().ok().and_then(|ms| i64::try_from(ms).ok());
    digits
        .or_else(|| parse_instant(text))
        .ok_or("expected epoch milliseconds, or RFC 3339 such as 2026-01-31T12:00:00Z")
}

pub(crate) fn run(args: Args) -> Result<(), Failure> {
    let source = Source::new(None, args.flags)?;
    let (compiled, _) = source.compile()?;
    let unreadable =
        |error: std::io::Error| Failure::World(format!("`{}` cannot be read: {error}", args.file.display()));
    let mut input: Box<dyn BufRead> = if args.file == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(&args.file).map_err(unreadable)?))
    };
    let mut replay = Replay::new(&compiled.program);
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for offset in 0.. {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let ended = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = ended.strip_suffix(b"\r").unwrap_or(ended);
        replay.line(offset, text);
        if is_gone(replay.print(text, &mut out))? {
            return Ok(());
        }
    }
    if let Some(until) = args.until {
        replay.until(until);
        if is_gone(replay.print(b"", &mut out))? {
            return Ok(());
        }
    }
    out.flush().map_err(|error| Failure::World(format!("standard output: {error}")))
}

/// Whether the reader of our output has gone away.
fn is_gone(printed: std::io::Result<()>) -> Result<bool, Failure> {
    match printed {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(Failure::World(format!("standard output: {error}"))),
        Ok(()) => Ok(false),
    }
}

/// An acknowledgement in the place of a reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement<'a> {
    #[serde(borrow)]
    acknowledge: &'a RawValue,
}

/// A pause in the place of a reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    #[serde(rename = "pause")]
    _pause: serde::de::IgnoredAny,
}

/// What a line says about alerts, in the form of the topic `acknowledgements`; `None` for a reading.
fn about_alerts(line: &[u8]) -> Option<&[u8]> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    if let Ok(acknowledgement) = serde_json::from_slice::<Acknowledgement<'_>>(line) {
        return Some(acknowledgement.acknowledge.get().as_bytes());
    }
    serde_json::from_slice::<Pause>(line).is_ok().then_some(line)
}

/// Kafka's time is that of no arrival.
const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

/// A run of a program over lines.
struct Replay<'a> {
    program: &'a Program,
    /// The time of the last line that was a reading.
    time: i64,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
}

impl<'a> Replay<'a> {
    fn new(program: &'a Program) -> Self {
        let (workspace, outputs) = (Workspace::default(), Outputs::default());
        Self { program, time: 0, states: States::new(1), workspace, outputs }
    }

    fn line(&mut self, offset: i64, line: &[u8]) {
        let Self { program, states, workspace, outputs, time } = self;
        let value = about_alerts(line);
        let record =
            Record { key: None, value: Some(value.unwrap_or(line)), timestamp: Some(*time), partition: 0, offset };
        if value.is_some() {
            program.acknowledge(&record, &LIMITS, states, workspace, outputs);
        } else {
            program.step(&[record], &LIMITS, states, workspace, outputs);
            *time = workspace.times().last().copied().unwrap_or(*time);
        }
        states.commit();
    }

    /// Lets time pass.
    fn until(&mut self, time: i64) {
        let Self { program, states, workspace, outputs, .. } = self;
        program.advance(0, time, states, workspace, outputs);
    }

    /// Prints what has been sent since it was last asked; `line` is what a dead letter keeps.
    fn print(&mut self, line: &[u8], out: &mut impl Write) -> std::io::Result<()> {
        for output in self.outputs.iter() {
            match &output.kind {
                OutputKind::Derived(topic) => self.output(&self.program.topic(*topic).name, output, out)?,
                OutputKind::Alert(topic) => {
                    self.output(&format!("alerts.{}", self.program.topic(*topic).name), output, out)?;
                }
                OutputKind::DeadLetter(dead) => {
                    let value = string(&String::from_utf8_lossy(line));
                    let reason = dead.reason.as_str();
                    writeln!(out, r#"{{"topic":"dead-letters","key":null,"value":{value},"reason":"{reason}"}}"#)?;
                }
            }
        }
        self.outputs.clear();
        Ok(())
    }

    fn output(&self, topic: &str, output: &triage_core::program::Output, out: &mut impl Write) -> std::io::Result<()> {
        let key = self.outputs.key(output).map_or("null".to_owned(), |key| string(&String::from_utf8_lossy(key)));
        write!(out, r#"{{"topic":"{topic}","key":{key},"value":"#)?;
        out.write_all(self.outputs.value(output))?;
        out.write_all(b"}\n")
    }
}

/// A text as JSON.
fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
