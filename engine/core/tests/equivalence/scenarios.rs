//! Scenarios: what happens in, outputs out, written by hand from the language page. A folder each; `RULESET` stands for
//! the version, which nobody works out by hand. Both sides send the same to the byte, and the tests in the rules hold.
//!
//! `readings.jsonl` is read as `triage replay` reads, but that `{"until":T}` lets time pass. What only Kafka has (keys,
//! timestamps, partitions, idle steps) is in `events.jsonl` instead: `{"partitions":N}` once, then a line for each thing
//! that happens; its outputs tell their partition and timestamp.

mod reloads;
mod replay;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use triage_core::compile::compile_all;
use triage_core::diagnostic::{Style, render};
use triage_core::program::Limits;
use triage_core::source::SourceFile;

use crate::drive::{self, Manner};
use crate::generate::Arrived;
use crate::happening::Happening;
use crate::models::Fakes;
use crate::oracle::{Destination, Event, Oracle, Sent, quote};
use crate::run::{first_difference, oracle, run_events};

/// A folder's text.
struct Scenario {
    folder: PathBuf,
    files: Vec<SourceFile>,
    happens: Happens,
    expected: String,
}

/// What happens in a scenario.
enum Happens {
    /// Lines as of `triage replay`.
    Replay(String),
    /// What arrives from Kafka.
    Kafka(String),
}

#[test]
fn both_sides_do_what_scenarios_say() {
    let all = scenarios("scenarios").into_iter().chain(scenarios("scenarios/over_time"));
    let wrong: Vec<String> = all.filter_map(|scenario| wrong(&scenario)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a side does that the scenario does not say.
fn wrong(scenario: &Scenario) -> Option<String> {
    let Scenario { folder, files, expected, .. } = scenario;
    let compiled = compile_all(files, &Fakes).unwrap_or_else(|found| panic!("{}", render(files, &found, Style::Plain)));
    let failures: Vec<_> = compiled.run_tests().into_iter().flat_map(|outcome| outcome.failures).collect();
    if !failures.is_empty() {
        let rendered = render(files, &failures, Style::Plain);
        return Some(format!("by program: {}: its own tests fail\n{rendered}", folder.display()));
    }
    let program = compiled.program;
    let mut oracle = oracle(files, program.version());
    let (happenings, limits) = happenings(&mut oracle, &scenario.happens);
    let events: Vec<Event<'_>> = happenings.iter().map(Happening::event).collect();
    let partitions = oracle.width;
    let interpreted = run_events(&mut oracle, &events, &limits);
    let expected = expected.replace("RULESET", program.version());
    if let Some(difference) = difference(folder, &printed(scenario, &interpreted.sent, &happenings), &expected) {
        return Some(format!("by interpreter: {difference}"));
    }
    let manners = (0..8).map(Manner::seeded).chain([Manner::batches(&[1]), Manner::batches(&[1024])]);
    manners.into_iter().find_map(|manner| {
        let ran = drive::run_program(&program, &events, partitions, &limits, manner);
        difference(folder, &printed(scenario, &ran.sent, &happenings), &expected)
            .map(|difference| format!("by program: {difference}"))
            .or_else(|| first_difference(&ran, &interpreted, |row| format!("{} {row}", folder.display())))
    })
}

/// What happens, and what is demanded of records.
fn happenings(oracle: &mut Oracle, happens: &Happens) -> (Vec<Happening>, Limits) {
    match happens {
        Happens::Replay(lines) => {
            oracle.replays = true;
            (replay::happenings(oracle, lines), replay::LIMITS)
        }
        Happens::Kafka(lines) => {
            let (partitions, happenings) = kafka(lines);
            oracle.width = partitions;
            (happenings, Limits::default())
        }
    }
}

/// What was sent, a line each.
fn printed(scenario: &Scenario, sent: &[Sent], happenings: &[Happening]) -> String {
    let lines = sent.iter().map(|sent| match &scenario.happens {
        Happens::Replay(lines) => {
            let arrived = lines.lines().nth(sent.row).unwrap_or_default();
            format!("{{{}}}\n", members(sent, arrived))
        }
        Happens::Kafka(_) => kafka_line(sent, &happenings[sent.row]) + "\n",
    });
    lines.collect()
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
    Scenario {
        files: rules.map(file).collect(),
        happens: match fs::read_to_string(folder.join("events.jsonl")) {
            Ok(lines) => Happens::Kafka(lines),
            Err(_) => Happens::Replay(read(&folder.join("readings.jsonl"))),
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
