//! Scenarios: what happens in, outputs out, written by hand from the language page. A folder each; `RULESET` stands for
//! the version, which nobody works out by hand.
//!
//! `readings.jsonl` is read as `triage replay` reads, up to the time in `until` if there is one. What only Kafka has
//! (keys, timestamps, partitions, idle steps) is in `events.jsonl` instead: `{"partitions":N}` once, then a line for
//! each thing that happens; its outputs tell their partition and timestamp.

mod replay;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use triage_core::program::Limits;
use triage_core::reading::Record;
use triage_core::source::SourceFile;

use crate::generate::Arrived;
use crate::happening::Happening;
use crate::oracle::{Destination, Oracle, Sent, quote};
use crate::run::{mistakes, oracle, program, run_events, run_oracle, run_program};

/// A folder's text.
struct Scenario {
    folder: PathBuf,
    files: Vec<SourceFile>,
    happens: Happens,
    expected: String,
}

/// What happens in a scenario.
enum Happens {
    /// Lines as of `triage replay`, and how long time goes on after them.
    Replay(String, Option<i64>),
    /// What arrives from Kafka.
    Kafka(String),
}

const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

#[test]
fn interpreter_does_what_scenarios_say() {
    let mut wrong = Vec::new();
    for scenario in scenarios("scenarios").into_iter().chain(scenarios("scenarios/over_time")) {
        let mut oracle = oracle(&scenario.files, "RULESET");
        let printed = match &scenario.happens {
            Happens::Replay(lines, until) => {
                oracle.replays = true;
                let lines: Vec<&str> = lines.lines().collect();
                let happenings = replay::happenings(&oracle, &lines, *until);
                printed(&sent(&mut oracle, &happenings, &LIMITS), &lines)
            }
            Happens::Kafka(lines) => {
                let (partitions, happenings) = kafka(lines);
                oracle.width = partitions;
                let sent = sent(&mut oracle, &happenings, &Limits::default());
                sent.iter().map(|sent| kafka_line(sent, &happenings[sent.row]) + "\n").collect()
            }
        };
        wrong.extend(difference(&scenario.folder, &printed, &scenario.expected));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn program_does_what_scenarios_say() {
    for scenario in scenarios("scenarios") {
        let Happens::Replay(lines, _) = &scenario.happens else {
            panic!("{} is not of replay", scenario.folder.display())
        };
        let program = program(&scenario.files).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let mut oracle = oracle(&scenario.files, program.version());
        let lines: Vec<&str> = lines.lines().collect();
        let happenings = replay::happenings(&oracle, &lines, None);
        let records: Vec<Record<'_>> = happenings.iter().map(replay::record).collect();
        let ran = run_program(&program, &records, &LIMITS, &[2]);
        let expected = scenario.expected.replace("RULESET", program.version());
        let difference = difference(&scenario.folder, &printed(&ran.sent, &lines), &expected);
        assert_eq!(difference, None);
        let interpreted = run_oracle(&mut oracle, &records, &LIMITS, program.field_names().count());
        assert_eq!(ran.counts, interpreted.counts, "{}", scenario.folder.display());
    }
}

/// Until the program knows of time, its checks are all that it can be held to.
#[test]
fn scenarios_over_time_are_well_typed() {
    for scenario in scenarios("scenarios/over_time") {
        assert_eq!(mistakes(&scenario.files), None);
    }
}

fn sent(oracle: &mut Oracle, happenings: &[Happening], limits: &Limits) -> Vec<Sent> {
    let events: Vec<_> = happenings.iter().map(Happening::event).collect();
    run_events(oracle, &events, limits, 0).sent
}

/// The scenarios of a folder, without those of the folders in it.
fn scenarios(folder: &str) -> Vec<Scenario> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let is_scenario = |folder: &PathBuf| folder.join("expected.jsonl").exists();
    let scenarios: Vec<Scenario> = sorted(&root).into_iter().filter(is_scenario).map(scenario).collect();
    assert!(!scenarios.is_empty(), "no scenario in {}", root.display());
    scenarios
}

fn scenario(folder: PathBuf) -> Scenario {
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let paths = sorted(&folder);
    let rules = paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rules"));
    let file = |path: &PathBuf| SourceFile { path: path.display().to_string(), text: read(path) };
    let until = fs::read_to_string(folder.join("until")).ok().map(|until| until.trim().parse().unwrap());
    Scenario {
        files: rules.map(file).collect(),
        happens: match fs::read_to_string(folder.join("events.jsonl")) {
            Ok(lines) => Happens::Kafka(lines),
            Err(_) => Happens::Replay(read(&folder.join("readings.jsonl")), until),
        },
        expected: read(&folder.join("expected.jsonl")),
        folder,
    }
}

/// The first line that differs.
fn difference(folder: &Path, got: &str, expected: &str) -> Option<String> {
    let (mut got, mut expected) = (got.lines(), expected.lines());
    loop {
        let (got, expected) = (got.next(), expected.next());
        if got != expected {
            let shown = |line: Option<&str>| line.unwrap_or("(nothing)").to_owned();
            return Some(format!("{}\ngot      {}\nexpected {}\n", folder.display(), shown(got), shown(expected)));
        }
        got?;
    }
}

fn printed(sent: &[Sent], lines: &[&str]) -> String {
    let arrived = |sent: &Sent| lines.get(sent.row).copied().unwrap_or_default();
    sent.iter().map(|sent| format!("{{{}}}\n", members(sent, arrived(sent)))).collect()
}

/// What `triage replay` prints.
fn members(sent: &Sent, arrived: &str) -> String {
    let topic = match &sent.to {
        Destination::Topic(topic) => topic.clone(),
        Destination::Alert(topic) => format!("alerts.{topic}"),
        Destination::DeadLetter { reason, .. } => {
            let (value, reason) = (quote(arrived), quote(reason));
            return format!("\"topic\":\"dead-letters\",\"key\":null,\"value\":{value},\"reason\":{reason}");
        }
    };
    let key = sent.key.as_deref().map_or("null".into(), quote);
    format!("\"topic\":{},\"key\":{key},\"value\":{}", quote(&topic), sent.value)
}

/// The same with what Kafka has besides.
fn kafka_line(sent: &Sent, happening: &Happening) -> String {
    let arrived = match happening {
        Happening::Record(arrived) | Happening::Acknowledgement(arrived) => arrived.value.clone().unwrap_or_default(),
        Happening::Advance { .. } => Vec::new(),
    };
    let stage = match &sent.to {
        Destination::DeadLetter { stage, .. } => format!(",\"stage\":{}", quote(stage)),
        _ => String::new(),
    };
    let timestamp = sent.timestamp.map_or("null".into(), |timestamp| timestamp.to_string());
    let place = format!("\"partition\":{},\"timestamp\":{timestamp}", sent.partition);
    format!("{{{}{stage},{place}}}", members(sent, &String::from_utf8_lossy(&arrived)))
}

/// How many partitions there are, and what happens.
fn kafka(lines: &str) -> (i32, Vec<Happening>) {
    let mut partitions = 1;
    let mut happenings = Vec::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = |name: &str| line[name].as_i64();
        let text = |name: &str| line[name].as_str().map(|text| text.as_bytes().to_vec());
        let arrived = |value: &str| Arrived {
            key: text("key"),
            value: text(value),
            timestamp: number("timestamp"),
            partition: number("partition").unwrap() as i32,
            offset: number("offset").unwrap(),
        };
        if let Some(count) = number("partitions") {
            partitions = count as i32;
        } else if let Some(to) = number("advance") {
            happenings.push(Happening::Advance { partition: number("partition").unwrap() as i32, to });
        } else if line.get("acknowledgement").is_some() {
            happenings.push(Happening::Acknowledgement(arrived("acknowledgement")));
        } else {
            happenings.push(Happening::Record(arrived("value")));
        }
    }
    (partitions, happenings)
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
