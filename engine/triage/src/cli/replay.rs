//! `triage replay`: readings from a file through the same program, without Kafka, one line per output.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use triage_core::program::{Limits, OutputKind, Outputs, Program, Workspace};
use triage_core::reading::Record;

use super::Failure;
use super::source::{Flags, Source};

/// What `triage replay` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The readings, one JSON object a line; `-` reads standard input
    file: PathBuf,
    /// Let time pass after the last line, until this time in epoch milliseconds; no rule waits for time yet
    #[arg(long, value_name = "TIME")]
    until: Option<u64>,
    #[command(flatten)]
    flags: Flags,
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
    let mut replay =
        Replay { program: &compiled.program, time: 0, workspace: Workspace::default(), outputs: Outputs::default() };
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut line = Vec::new();
    for offset in 0.. {
        line.clear();
        if input.read_until(b'\n', &mut line).map_err(unreadable)? == 0 {
            break;
        }
        let ended = line.strip_suffix(b"\n").unwrap_or(&line);
        let text = ended.strip_suffix(b"\r").unwrap_or(ended);
        if is_acknowledgement(text) {
            continue;
        }
        match replay.line(offset, text, &mut out) {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            result => result.map_err(|error| Failure::World(format!("standard output: {error}")))?,
        }
    }
    out.flush().map_err(|error| Failure::World(format!("standard output: {error}")))
}

/// An acknowledgement in the place of a reading.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    #[serde(rename = "acknowledge")]
    _acknowledge: Acknowledged,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledged {
    #[serde(rename = "id")]
    _id: String,
    #[serde(rename = "by")]
    _by: String,
    #[serde(rename = "ts")]
    _ts: u64,
}

/// Whether a line acknowledges. There are no open episodes yet, and one of no open episode is ignored.
fn is_acknowledgement(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<Acknowledgement>(line).is_ok()
}

/// A run of a program over lines.
struct Replay<'a> {
    program: &'a Program,
    /// The time of the last line that was a reading.
    time: i64,
    workspace: Workspace,
    outputs: Outputs,
}

impl Replay<'_> {
    fn line(&mut self, offset: i64, line: &[u8], out: &mut impl Write) -> std::io::Result<()> {
        let record = Record { key: None, value: Some(line), timestamp: Some(self.time), partition: 0, offset };
        let limits = Limits { skew_ms: None, ..Limits::default() };
        self.outputs.clear();
        self.program.step(&[record], &limits, &mut self.workspace, &mut self.outputs);
        self.time = self.workspace.times().last().copied().unwrap_or(self.time);
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
