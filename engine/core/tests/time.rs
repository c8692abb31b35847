//! Time, state and episodes: readings, acknowledgements and the passing of time in, outputs out, to the byte. A folder each
//! under `fixtures/time`, read as `triage replay` reads, where `{"until":T}` lets time pass. `RULESET` stands for the version.
//! Each scenario is stepped in one batch, one by one, with every step undone once before it is taken, and with the state
//! written and read back between the steps: all of that sends the same bytes. Tests in the rules hold as well.
//! `UPDATE_SNAPSHOTS=1` writes what is sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/snapshot.rs"]
mod snapshot;

use std::fmt::Write as _;
use std::path::Path;

use snapshot::{compare, entries, fixtures, read, rule_files};
use triage_core::compile::compile_all;
use triage_core::diagnostic::{Style, render};
use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::Record;

const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

/// How a scenario is stepped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Together,
    OneByOne,
    Undone,
    ReadBack,
}

/// A line of a scenario.
enum Line<'a> {
    Reading,
    Acknowledgement(&'a str),
    Until(i64),
}

fn line(text: &str) -> Line<'_> {
    let inside = |name: &str| text.strip_prefix(&format!("{{\"{name}\":")).and_then(|rest| rest.strip_suffix('}'));
    match (inside("acknowledge"), inside("until")) {
        (Some(word), _) => Line::Acknowledgement(word),
        (_, Some(time)) => Line::Until(time.parse().unwrap()),
        _ if text.starts_with("{\"pause\":") => Line::Acknowledgement(text),
        _ => Line::Reading,
    }
}

struct Run<'a> {
    program: &'a Program,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
    now: i64,
}

impl Run<'_> {
    fn replay(program: &Program, lines: &[&str], manner: Manner) -> String {
        let (workspace, outputs) = (Workspace::default(), Outputs::default());
        let mut run = Run { program, states: States::new(1), workspace, outputs, now: 0 };
        let mut at = 0;
        while at < lines.len() {
            let readings = lines[at..].iter().take_while(|text| matches!(line(text), Line::Reading)).count();
            let together = if manner == Manner::Together { readings.max(1) } else { 1 };
            if manner == Manner::Undone {
                let (sent, now) = (run.outputs.len(), run.now);
                run.step(&lines[at..at + together], at);
                run.states.rollback();
                let (first, second) = (printed(program, &run.outputs, sent), run.outputs.len());
                run.now = now;
                run.step(&lines[at..at + together], at);
                assert_eq!(first, printed(program, &run.outputs, second), "{}", lines[at]);
                run.outputs = Outputs::default();
                run.states.commit();
                at += together;
                continue;
            }
            run.step(&lines[at..at + together], at);
            run.states.commit();
            if manner == Manner::ReadBack {
                run.read_back();
            }
            at += together;
        }
        printed(program, &run.outputs, 0)
    }

    fn step(&mut self, lines: &[&str], first: usize) {
        let Self { program, states, workspace, outputs, now } = self;
        match line(lines[0]) {
            Line::Acknowledgement(word) => {
                program.acknowledge(&record(word, first, 0), &LIMITS, states, workspace, outputs);
            }
            Line::Until(time) => program.advance(0, time, states, workspace, outputs),
            Line::Reading => {
                let records: Vec<Record<'_>> =
                    lines.iter().enumerate().map(|(at, text)| record(text, first + at, *now)).collect();
                program.step(&records, &LIMITS, states, workspace, outputs);
                *now = workspace.times().last().copied().unwrap_or(*now);
            }
        }
    }

    fn read_back(&mut self) {
        let Self { program, states, .. } = self;
        let mut restored = States::new(1);
        for partition in states.partitions() {
            let own = program.encode_partition(states, partition).unwrap();
            program.decode_partition(&mut restored, partition, &own).unwrap();
            for patient in states.patients(partition) {
                let bytes = program.encode_patient(states, partition, patient).unwrap();
                program.decode_patient(&mut restored, partition, patient, &bytes).unwrap();
                assert_eq!(program.encode_patient(&restored, partition, patient).unwrap(), bytes);
            }
            assert_eq!(program.encode_partition(&restored, partition).unwrap(), own);
        }
        *states = restored;
    }
}

fn record(text: &str, offset: usize, now: i64) -> Record<'_> {
    Record { key: None, value: Some(text.as_bytes()), timestamp: Some(now), partition: 0, offset: offset as i64 }
}

fn printed(program: &Program, outputs: &Outputs, from: usize) -> String {
    let mut text = String::new();
    for output in outputs.iter().skip(from) {
        let topic = match &output.kind {
            OutputKind::Derived(topic) => program.topic(*topic).name.clone(),
            OutputKind::Alert(topic) => format!("alerts.{}", program.topic(*topic).name),
            OutputKind::DeadLetter(letter) => {
                writeln!(text, "dead letter: {} {}", letter.stage.as_str(), letter.reason.as_str()).unwrap();
                continue;
            }
        };
        let key = outputs.key(output).map_or("null".into(), |key| format!("{:?}", std::str::from_utf8(key).unwrap()));
        let value = std::str::from_utf8(outputs.value(output)).unwrap();
        serde_json::from_str::<serde_json::Value>(value).expect(value);
        writeln!(text, "{{\"topic\":\"{topic}\",\"key\":{key},\"value\":{value}}}").unwrap();
    }
    text.replace(program.version(), "RULESET")
}

fn check(folder: &Path) -> Result<(), String> {
    let files: Vec<_> = rule_files(folder).iter().map(|path| read(path)).collect();
    let compiled = compile_all(&files).unwrap_or_else(|found| panic!("{}", render(&files, &found, Style::Plain)));
    let failures: Vec<_> = compiled.run_tests().into_iter().flat_map(|outcome| outcome.failures).collect();
    assert!(failures.is_empty(), "{}", render(&files, &failures, Style::Plain));
    let program = compiled.program;
    let readings = read(&folder.join("readings.jsonl")).text;
    let lines: Vec<&str> = readings.lines().filter(|text| !text.starts_with('#')).collect();
    let sent = Run::replay(&program, &lines, Manner::OneByOne);
    for manner in [Manner::Together, Manner::ReadBack] {
        assert_eq!(Run::replay(&program, &lines, manner), sent, "{manner:?} {}", folder.display());
    }
    Run::replay(&program, &lines, Manner::Undone);
    compare(&folder.join("expected.jsonl"), &sent)
}

#[test]
fn scenarios_send_what_they_say() {
    let wrong: Vec<String> = entries(&fixtures("time")).iter().filter_map(|folder| check(folder).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
