//! Whatever arrives, a step ends: no panic, no endless recursion.

use proptest::collection::vec;
use proptest::prelude::*;
use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::source::SourceFile;

use crate::drive::Manner;
use crate::generate::{Tape, record};
use crate::oracle::Destination;
use crate::run::{first_difference, oracle, program, run_oracle, run_program};

const RULES: &str = r#"
stream research {
  patient: text key
  ts: time event
  age: int 0..120 'a' missing 999
  cp: enum { typical = 0, atypical = 1 }
  note: text missing "n/a"
  seen: time
  fbs: bool
  store readings
}
topic everyone { fields all store everything notify "nurse" }
everyone.known when age is known and note is not invalid alert info "{age} {cp} {note} {seen} {fbs}"
everyone.rest when age is not known or age > 60 or cp = typical or fbs
"#;

fn rules() -> Vec<SourceFile> {
    vec![SourceFile { path: "rules/all.rules".into(), text: RULES.into() }]
}

fn record_of(value: &[u8]) -> Record<'_> {
    Record { key: Some(b"p1"), value: Some(value), timestamp: Some(1_700_000_000_000), partition: 0, offset: 7 }
}

/// The program and the interpreter agree on these bytes.
fn check(program: &Program, values: &[Vec<u8>]) {
    let records: Vec<Record<'_>> = values.iter().map(|value| record_of(value)).collect();
    let limits = Limits::default();
    let got = run_program(program, &records, &limits, Manner::batches(&[64]));
    let expected = run_oracle(&mut oracle(&rules(), program.version()), &records, &limits);
    let show = |row: usize| String::from_utf8_lossy(&values[row][..values[row].len().min(500)]).into_owned();
    let difference = first_difference(&got, &expected, show);
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn random_bytes(values in vec(vec(any::<u8>(), 0..60), 1..40)) {
        check(&program(&rules()).unwrap(), &values);
    }

    #[test]
    fn random_text_of_json_characters(values in vec("[{}\\[\\]\",:0-9eE+.\\\\u tfn\\-a]{0,40}", 1..40)) {
        let values: Vec<Vec<u8>> = values.into_iter().map(String::into_bytes).collect();
        check(&program(&rules()).unwrap(), &values);
    }

    #[test]
    fn mutated_readings(seed in any::<u64>(), changes in vec((any::<usize>(), any::<u8>(), 0..4u8), 1..6)) {
        let fields = crate::generate::rule_set(&mut Tape::seeded(seed)).fields;
        let mut tape = Tape::seeded(seed);
        let mut values = Vec::new();
        for offset in 0..30 {
            let arrived = record(&mut tape, &fields, offset);
            values.extend(arrived.record().value.map(|value| mutated(value.to_vec(), &changes)));
        }
        check(&program(&rules()).unwrap(), &values);
    }
}

fn mutated(mut bytes: Vec<u8>, changes: &[(usize, u8, u8)]) -> Vec<u8> {
    for (at, byte, kind) in changes {
        let at = at % (bytes.len() + 1);
        match kind {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, *byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ if at < bytes.len() => bytes[at] = b"{}[]\",:0\\ueE"[usize::from(*byte) % 12],
            _ => {}
        }
    }
    bytes
}

#[test]
fn deep_nesting_is_a_dead_letter() {
    let program = program(&rules()).unwrap();
    for levels in [2, 63, 64, 65, 66, 2_000, 100_000] {
        let arrays = format!("{{\"x\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        let objects = format!("{}1{}", "{\"x\":".repeat(levels), "}".repeat(levels));
        let open = "[".repeat(levels);
        check(&program, &[arrays.clone().into_bytes(), objects.into_bytes(), open.into_bytes()]);
        let sent =
            run_program(&program, &[record_of(arrays.as_bytes())], &Limits::default(), Manner::batches(&[1])).sent;
        let dead = sent.iter().any(|sent| matches!(sent.to, Destination::DeadLetter { .. }));
        assert_eq!(dead, levels > 64, "{levels} levels");
    }
}

#[test]
fn long_values_are_read() {
    let program = program(&rules()).unwrap();
    let long_text = format!("{{\"note\":\"{}\"}}", "x\\n".repeat(300_000));
    let long_number = format!("{{\"age\":{}}}", "1".repeat(900_000));
    let many_names: String = (0..50_000).map(|at| format!(",\"n{at}\":{at}")).collect();
    let many = format!("{{\"age\":61{many_names}}}");
    let spaces = format!("{}{{\"age\":61}}{}", " ".repeat(400_000), "\n".repeat(400_000));
    check(&program, &[long_text, long_number, spaces].map(String::into_bytes));
    let sent = run_program(&program, &[record_of(many.as_bytes())], &Limits::default(), Manner::batches(&[1])).sent;
    assert!(sent[0].value.ends_with("}}") && sent[0].value.contains(",\"n49999\":49999,"));
}

#[test]
fn outputs_are_appended() {
    let program = program(&rules()).unwrap();
    let mut outputs = Outputs::default();
    let mut workspace = Workspace::default();
    for _ in 0..2 {
        let records = [record_of(b"{\"age\":61}"), record_of(b"x")];
        program.step(&records, &Limits::default(), &mut States::new(1), &mut workspace, &mut outputs);
    }
    let dead: Vec<bool> = outputs.iter().map(|output| matches!(output.kind, OutputKind::DeadLetter(_))).collect();
    assert_eq!(dead, [false, false, true, false, false, true]);
    assert_eq!(workspace.counts.readings, 2);
}

#[test]
fn one_step_takes_many_records() {
    let program = program(&rules()).unwrap();
    let values: Vec<Vec<u8>> = (0..3000)
        .map(|at| if at % 7 == 3 { b"[]".to_vec() } else { format!("{{\"age\":{}}}", at % 130).into_bytes() })
        .collect();
    let records: Vec<Record<'_>> = values.iter().map(|value| record_of(value)).collect();
    let mut interpreter = oracle(&rules(), program.version());
    let expected = run_oracle(&mut interpreter, &records, &Limits::default());
    let got = run_program(&program, &records, &Limits::default(), Manner::batches(&[3000]));
    assert_eq!(first_difference(&got, &expected, |row| String::from_utf8_lossy(&values[row]).into_owned()), None);
}

#[test]
fn far_times_are_invalid_or_dead_letters() {
    let times = [
        "253402300799999",
        "253402300800000",
        "1e16",
        "12345678901234567890123",
        "-62167219200000",
        "-62167219200001",
        "\"0000-01-01T00:00:00+01:00\"",
        "\"9999-12-31T23:59:59-01:00\"",
        "\"1e300\"",
        "1e999",
    ];
    let seen = times.map(|time| format!("{{\"age\":1,\"ts\":5,\"seen\":{time}}}").into_bytes());
    let event = times.map(|time| format!("{{\"age\":1,\"ts\":{time}}}").into_bytes());
    check(&program(&rules()).unwrap(), &[seen, event].concat());
}
