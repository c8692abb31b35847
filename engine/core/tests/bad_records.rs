//! Records that are no readings, or whose fields are not known: each ends as the language says, and nothing panics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use triage_core::compile::compile;
use triage_core::program::{Limits, OutputKind, Outputs, Program, Reason, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

const RULES: &str = "
stream s { patient: text key  ts: time event  v: int 0..300  e: enum { a = 0, b = 1 } }
topic t { fields v }
t.invalid when v is invalid
t.unlabelled when e is invalid
";

/// A Kafka time in 2023.
const NOW: i64 = 1_700_000_000_000;

fn program() -> Program {
    let files = [SourceFile { path: "a.rules".into(), text: RULES.into() }];
    compile(&files, &NoModels).unwrap().0
}

fn step(value: Option<&[u8]>) -> (Workspace, Vec<OutputKind>, Vec<String>) {
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let record = Record { key: Some(b"p"), value, timestamp: Some(NOW), partition: 0, offset: 0 };
    program().step(&[record], &Limits::default(), &mut States::new(1), &mut workspace, &mut outputs);
    let kinds = outputs.iter().map(|output| output.kind.clone()).collect();
    let values = outputs.iter().map(|output| String::from_utf8(outputs.value(output).to_vec()).unwrap()).collect();
    (workspace, kinds, values)
}

fn is_dead(value: Option<&[u8]>, reason: Reason) {
    let (workspace, kinds, _) = step(value);
    let shown = value.map(|value| String::from_utf8_lossy(&value[..value.len().min(60)]).into_owned());
    let [OutputKind::DeadLetter(letter)] = kinds.as_slice() else { panic!("{shown:?}: {kinds:?}") };
    assert_eq!((letter.reason, workspace.counts.readings), (reason, 0), "{shown:?}");
}

fn matches(value: &str, rule: &str) {
    let (_, _, values) = step(Some(value.as_bytes()));
    assert_eq!(values.len(), 1, "{value}");
    assert!(values[0].contains(&format!("\"rules\":[\"{rule}\"]")), "{value}: {}", values[0]);
}

#[test]
fn what_is_not_json() {
    for text in ["", "nope", "{", r#"{"v":NaN}"#, r#"{"v":Infinity}"#, r#"{"v":1,}"#, r#"{"v":01}"#, "{'v':1}", "{} {}"]
    {
        is_dead(Some(text.as_bytes()), Reason::NotJson);
    }
    is_dead(Some(b"{\"v\":\"\xff\"}"), Reason::NotJson);
    is_dead(Some(format!("{}1{}", "[".repeat(65), "]".repeat(65)).as_bytes()), Reason::NotJson);
}

#[test]
fn what_is_json_and_no_object() {
    for text in ["null", "[]", "1", "\"v\"", " true "] {
        is_dead(Some(text.as_bytes()), Reason::NotAnObject);
    }
}

#[test]
fn a_tombstone() {
    is_dead(None, Reason::Tombstone);
}

#[test]
fn two_megabytes() {
    let text = format!(r#"{{"note":"{}"}}"#, "x".repeat(2_000_000));
    is_dead(Some(text.as_bytes()), Reason::TooLarge);
}

#[test]
fn a_declared_name_twice() {
    is_dead(Some(br#"{"v":1,"v":1}"#), Reason::DuplicateField);
    is_dead(Some(br#"{"v":1,"\u0076":2}"#), Reason::DuplicateField);
}

#[test]
fn times_that_cannot_be() {
    is_dead(Some(br#"{"ts":"3000-01-01T00:00:00Z"}"#), Reason::TimeOutOfRange);
    is_dead(Some(br#"{"ts":32503680000000}"#), Reason::TimeOutOfRange);
    is_dead(Some(br#"{"ts":-1}"#), Reason::TimeOutOfRange);
    is_dead(Some(br#"{"ts":"yesterday"}"#), Reason::UnreadableTime);
    is_dead(Some(br#"{"ts":true}"#), Reason::UnreadableTime);
    is_dead(Some(format!(r#"{{"ts":{}}}"#, NOW + 300_001).as_bytes()), Reason::TooFarAhead);
    let (workspace, kinds, _) = step(Some(format!(r#"{{"ts":{}}}"#, NOW + 300_000).as_bytes()));
    assert_eq!((workspace.counts.readings, kinds.len()), (1, 0));
}

#[test]
fn values_that_are_not_plausible() {
    matches(&format!(r#"{{"v":{}}}"#, "9".repeat(400)), "t.invalid");
    for value in ["301", "-1", "1.5", "1e400", "\"NaN\"", "\" 1\"", "true", "[1]", "{}"] {
        matches(&format!(r#"{{"v":{value}}}"#), "t.invalid");
    }
    for value in ["2", "\"c\"", "0.5", "false"] {
        matches(&format!(r#"{{"e":{value}}}"#), "t.unlabelled");
    }
}
