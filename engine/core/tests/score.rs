//! Scores: unknown where the language says so, written with the fewest digits, worked out only where somebody asks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/models.rs"]
mod models;

use models::Fakes;
use triage_core::compile::{Changes, Compiled, compile, compile_all};
use triage_core::diagnostic::{Style, render};
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::Scale;
use triage_core::source::SourceFile;

const STREAM: &str = "stream s { patient: text key  ts: time event  a: int 0..100  b: float 0..100  f: bool }\n";

fn files(rules: &str) -> [SourceFile; 1] {
    [SourceFile { path: "a.rules".into(), text: format!("{STREAM}{rules}") }]
}

fn compiled(rules: &str) -> Compiled {
    let files = files(rules);
    compile_all(&files, &Fakes).unwrap_or_else(|found| panic!("{}", render(&files, &found, Style::Plain)))
}

fn program(rules: &str) -> Program {
    compiled(rules).program
}

/// What the readings of one patient, a second apart, bring about; and how often each score failed.
fn outputs(rules: &str, readings: &[&str]) -> (Vec<String>, Vec<u64>) {
    let program = program(rules);
    let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
    let record = |(offset, value): (usize, &&'static str)| Record {
        key: Some(b"p"),
        value: Some(value.as_bytes()),
        timestamp: Some(1_700_000_000_000 + 1_000 * offset as i64),
        partition: 0,
        offset: offset as i64,
    };
    let readings: Vec<&'static str> = readings.iter().map(|reading| &*reading.to_string().leak()).collect();
    let records: Vec<Record<'_>> = readings.iter().enumerate().map(record).collect();
    program.step(&records, &Limits::default(), &mut states, &mut workspace, &mut outputs);
    let values = outputs.iter().map(|output| String::from_utf8(outputs.value(output).to_vec()).unwrap());
    let short = |value: String| value.split(",\"origin\"").next().unwrap().to_owned();
    (values.map(short).collect(), workspace.counts.score_failures.clone())
}

const MEAN: &str = "score risk from \"mean.onnx\" on (a, b) needs (a)\n";

#[test]
fn a_score_is_compared_carried_and_told() {
    let rules = format!(
        "{MEAN}topic t {{ fields b, risk }}\nt.high when risk >= 0.3\n  alert low \"{{risk}} {{risk:.1}}\" each reading\n"
    );
    let (outputs, failures) = outputs(&rules, &[r#"{"a":60,"b":10}"#, r#"{"a":1,"b":1}"#]);
    assert_eq!(failures, [0]);
    assert_eq!(outputs.len(), 2, "{outputs:?}");
    assert_eq!(outputs[0], r#"{"patient":"p","ts":1700000000000,"b":10,"risk":0.35,"rules":["t.high"]"#);
    assert!(outputs[1].contains(r#""message":"0.35 0.3""#), "{}", outputs[1]);
}

#[test]
fn a_score_is_unknown_without_what_it_needs_and_where_the_model_fails() {
    let rules = format!(
        "{MEAN}topic t {{ fields risk }}\nt.has when risk is known\nt.none when risk is missing\nt.low when risk < 0.9\n\
         t.never when risk is invalid\n"
    );
    let rules_of = |reading: &str| {
        let (outputs, failures) = outputs(&rules, &[reading]);
        (outputs[0].split("\"rules\":").nth(1).unwrap().to_owned(), failures[0])
    };
    assert_eq!(rules_of(r#"{"a":20}"#), (r#"["t.has","t.low"]"#.to_owned(), 0), "b goes in as missing");
    assert_eq!(rules_of(r#"{"b":20}"#), (r#"["t.none"]"#.to_owned(), 0), "a is needed, which is no failure");
    assert_eq!(rules_of(r#"{"a":66}"#), (r#"["t.none"]"#.to_owned(), 1));
}

#[test]
fn an_unknown_score_is_left_out_and_a_question_mark() {
    let rules =
        format!("{MEAN}topic t {{ fields b, risk }}\nt.any when b is known alert low \"{{risk}}\" each reading\n");
    let (outputs, _) = outputs(&rules, &[r#"{"b":5}"#]);
    assert_eq!(outputs[0], r#"{"patient":"p","ts":1700000000000,"b":5,"rules":["t.any"]"#);
    assert!(outputs[1].contains(r#""message":"?""#), "{}", outputs[1]);
}

#[test]
fn a_score_that_nobody_asks_for_is_not_worked_out() {
    let rules = format!("{MEAN}topic t {{ fields b }}\nt.any when b is known\n");
    assert_eq!(outputs(&rules, &[r#"{"a":66,"b":1}"#]).1, [0]);
}

/// 0.7 as an `f32` is less than 0.7; but it is written as 0.7, and whoever reads that expects it to count.
#[test]
fn a_score_is_compared_as_it_is_written() {
    let rules = format!(
        "{MEAN}topic t {{ fields risk }}\nt.least when risk >= 0.7\nt.more when risk > 0.7\nt.less when risk < 0.7\n\
         t.same when risk = 0.7\nt.range when risk in 0.7..0.9\n"
    );
    let (outputs, _) = outputs(&rules, &[r#"{"a":70}"#]);
    let expected = r#"{"patient":"p","ts":1700000000000,"risk":0.7,"rules":["t.least","t.same","t.range"]"#;
    assert_eq!(outputs, [expected]);
}

#[test]
fn a_score_in_arithmetic_windows_and_holds() {
    let rules = format!(
        "{MEAN}topic t {{ fields risk }}\nlet doubled = risk * 2\nt.sum when doubled + 1 > 1.5\n\
         t.mean when avg(risk, 10s) > 0.31\nt.held when risk > 0.2 for 1s\n"
    );
    let (outputs, _) = outputs(&rules, &[r#"{"a":30,"b":30}"#, r#"{"a":40,"b":40}"#, r#"{"b":3}"#]);
    let rules: Vec<&str> = outputs.iter().map(|output| output.split("\"rules\":").nth(1).unwrap()).collect();
    // Unknown at the third reading: the mean of those before it stands, the run is neither ended nor true.
    assert_eq!(rules, [r#"["t.sum"]"#, r#"["t.sum","t.mean","t.held"]"#, r#"["t.mean"]"#]);
}

#[test]
fn another_model_is_another_rule_set_and_starts_its_windows_afresh() {
    let rules = |model: &str| {
        program(&format!(
            "score risk from \"{model}\" on (a, b) needs (a, b)\ntopic t {{ fields risk }}\n\
             t.mean when avg(risk, 10s) > 0.3\nt.other when a > 3\n"
        ))
    };
    let (before, after) = (rules("mean.onnx"), rules("strict.onnx"));
    assert_ne!(before.version(), after.version());
    let changes = Changes::between(&before, &after);
    assert_eq!((changes.kept.len(), changes.started.len(), changes.dropped.len()), (0, 1, 1));
    assert!(changes.changed.contains(&"t.mean".to_owned()), "{changes:?}");
}

/// The text is the same where the file beside the model is edited; here the path stands for the file.
#[test]
fn what_stands_beside_a_model_makes_another_version_and_starts_nothing_afresh() {
    let rules = |model: &str| {
        program(&format!(
            "score risk from \"{model}\" on (a, b) needs (a, b)\ntopic t {{ fields risk }}\n\
             t.mean when avg(risk, 10s) > 0.3\nt.long when risk > 0.3 for 3 readings\n"
        ))
    };
    let (before, after) = (rules("mean.onnx"), rules("noted.onnx"));
    assert_ne!(before.version(), after.version());
    let changes = Changes::between(&before, &after);
    assert_eq!((changes.kept.len(), changes.started.len(), changes.dropped.len()), (2, 0, 0));
}

#[test]
fn a_test_block_scores_what_it_gives() {
    let tested = compiled(&format!(
        "{MEAN}topic t {{ fields risk }}\nt.high when risk >= 0.3\n\
         test \"high\" {{ given {{ a: 50, b: 30 }} expect t.high }}\n\
         test \"not\" {{ given {{ b: 30 }} expect no t.high }}\n"
    ));
    let outcomes = tested.run_tests();
    assert_eq!(outcomes.len(), 2);
    assert!(outcomes.iter().all(|outcome| outcome.failures.is_empty()));
}

#[test]
fn why_tells_what_went_in_and_what_moved_it() {
    let mut compiled = compiled(&format!("{MEAN}topic t {{ fields risk }}\nt.high when risk >= 0.3\n"));
    let record = Record { key: None, value: Some(br#"{"a":20,"b":40}"#), timestamp: Some(0), partition: 0, offset: 0 };
    let explanation = compiled.explain("t.high", &record, &Limits::default()).unwrap();
    assert_eq!(explanation.truth, Some(true));
    let score = &explanation.scores[0];
    assert_eq!((score.name.as_str(), score.value), ("risk", Some(0.3)));
    assert_eq!(score.inputs, ["a = 20", "b = 40"]);
    let moved = score.moved.as_ref().unwrap().as_ref().unwrap();
    assert_eq!((moved.scale, moved.base), (Scale::LogOdds, -1.0));
    let by: Vec<&str> = moved.by.iter().map(|(input, _)| input.as_str()).collect();
    assert_eq!(by, ["b = 40", "a = 20"]);

    let without = Record { value: Some(b"{}"), ..record };
    let explanation = compiled.explain("t.high", &without, &Limits::default()).unwrap();
    assert_eq!(
        (explanation.truth, explanation.blame.as_slice()),
        (None, ["a is missing: the reading does not have it".to_owned()].as_slice())
    );
}

#[test]
fn inputs_in_another_order_than_the_model_learnt_them_are_refused() {
    let said = |on: &str| {
        let stream = "stream s { trestbps: int 0..100  cp: int 0..100  ours: int 0..100 }";
        let rules = format!("{stream}\nscore risk from \"named.onnx\" on ({on})\nt when risk > 0.5\n");
        let found = compile(&[SourceFile { path: "a.rules".into(), text: rules }], &Fakes);
        found.err().map(|found| (found[0].code.as_str(), found[0].message.clone()))
    };
    let cp_first = "`cp` goes in as input 1, and the model has learnt it as input 2".to_owned();
    assert_eq!(said("cp, trestbps"), Some(("E216", cp_first.clone())));
    assert_eq!(said("cp, ours"), Some(("E216", cp_first)));
    assert_eq!(said("trestbps, cp"), None);
    assert_eq!(said("ours, cp"), None, "names that the model does not know are the hospital's own");
}

#[test]
fn why_tells_which_values_are_outside_of_what_the_model_has_learnt_from() {
    let stream = "stream s { trestbps: int 0..100  cp: int 0..100 }";
    let rules = format!("{stream}\nscore risk from \"named.onnx\" on (trestbps, cp)\nt.high when risk > 0.5\n");
    let mut compiled = compile_all(&[SourceFile { path: "a.rules".into(), text: rules }], &Fakes).unwrap();
    let mut inputs = |reading: &str| {
        let value = Some(reading.as_bytes());
        let record = Record { key: None, value, timestamp: Some(0), partition: 0, offset: 0 };
        compiled.explain("t.high", &record, &Limits::default()).unwrap().scores[0].inputs.clone()
    };
    assert_eq!(
        inputs(r#"{"trestbps":38,"cp":2}"#),
        ["trestbps = 38 (the model knows 0..37)", "cp = 2 (the model knows 0, 1, 37)"]
    );
    assert_eq!(inputs(r#"{"trestbps":37,"cp":1}"#), ["trestbps = 37", "cp = 1"]);
    assert_eq!(
        inputs("{}"),
        ["trestbps is missing: the reading does not have it", "cp is missing: the reading does not have it"]
    );
}

#[test]
fn rule_sets_without_models_refuse_scores() {
    let found = compile(&files(&format!("{MEAN}t when risk > 0.5\n")), &triage_core::score::NoModels).unwrap_err();
    assert!(found.iter().any(|diagnostic| diagnostic.code.as_str() == "E216"), "{found:?}");
}
