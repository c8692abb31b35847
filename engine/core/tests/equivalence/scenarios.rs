//! Scenarios: readings in, outputs out, written by hand from the language page. A folder each, read as `triage replay`
//! reads; `RULESET` stands for the version, which nobody works out by hand.

use std::fs;
use std::path::{Path, PathBuf};

use triage_core::program::Limits;
use triage_core::reading::Record;
use triage_core::source::SourceFile;

use crate::oracle::{Destination, Oracle, Sent, quote};
use crate::run::{oracle, program, run_oracle, run_program};

/// A folder's text.
struct Scenario {
    folder: PathBuf,
    files: Vec<SourceFile>,
    readings: String,
    expected: String,
}

const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

#[test]
fn interpreter_does_what_scenarios_say() {
    for scenario in scenarios() {
        let mut oracle = oracle(&scenario.files, "RULESET");
        let lines: Vec<&str> = scenario.readings.lines().collect();
        let records = replayed(&oracle, &lines);
        let sent = run_oracle(&mut oracle, &records, &LIMITS, 0).sent;
        compare(&scenario.folder, &printed(&sent, &lines), &scenario.expected);
    }
}

#[test]
fn program_does_what_scenarios_say() {
    for scenario in scenarios() {
        let program = program(&scenario.files).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut oracle = oracle(&scenario.files, program.version());
        let lines: Vec<&str> = scenario.readings.lines().collect();
        let records = replayed(&oracle, &lines);
        let ran = run_program(&program, &records, &LIMITS, &[2]);
        let expected = scenario.expected.replace("RULESET", program.version());
        compare(&scenario.folder, &printed(&ran.sent, &lines), &expected);
        let interpreted = run_oracle(&mut oracle, &records, &LIMITS, program.field_names().count());
        assert_eq!(ran.counts, interpreted.counts, "{}", scenario.folder.display());
    }
}

fn scenarios() -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios");
    let scenarios: Vec<Scenario> = sorted(&root).into_iter().map(scenario).collect();
    assert!(!scenarios.is_empty(), "no scenario in {}", root.display());
    scenarios
}

fn scenario(folder: PathBuf) -> Scenario {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let paths = sorted(&folder);
    let rules = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rules"));
    let file = |path: &PathBuf| SourceFile { path: path.display().to_string(), text: read(path) };
    Scenario {
        files: rules.map(file).collect(),
        readings: read(&folder.join("readings.jsonl")),
        expected: read(&folder.join("expected.jsonl")),
        folder,
    }
}

/// Line by line, so that the first difference is what one sees.
fn compare(folder: &Path, got: &str, expected: &str) {
    for (got, expected) in got.lines().zip(expected.lines()) {
        assert_eq!(got, expected, "{}", folder.display());
    }
    assert_eq!(got.lines().count(), expected.lines().count(), "{}", folder.display());
}

/// The lines as records: a line without a time has that of the last that was a reading.
fn replayed<'a>(oracle: &Oracle, lines: &[&'a str]) -> Vec<Record<'a>> {
    let mut now = 0;
    let mut records = Vec::new();
    for (line, offset) in lines.iter().zip(0..) {
        let record = Record { key: None, value: Some(line.as_bytes()), timestamp: Some(now), partition: 0, offset };
        now = oracle.time(&record, &LIMITS).unwrap_or(now);
        records.push(record);
    }
    records
}

fn printed(sent: &[Sent], lines: &[&str]) -> String {
    sent.iter().map(|sent| line(sent, lines[sent.row]) + "\n").collect()
}

fn line(sent: &Sent, arrived: &str) -> String {
    let topic = match &sent.to {
        Destination::Topic(topic) => topic.clone(),
        Destination::Alert(topic) => format!("alerts.{topic}"),
        Destination::DeadLetter { reason, .. } => {
            let (value, reason) = (quote(arrived), quote(reason));
            return format!("{{\"topic\":\"dead-letters\",\"key\":null,\"value\":{value},\"reason\":{reason}}}");
        }
    };
    let key = sent.key.as_deref().map_or("null".into(), quote);
    format!("{{\"topic\":{},\"key\":{key},\"value\":{}}}", quote(&topic), sent.value)
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
