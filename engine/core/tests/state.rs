//! State by partition: whose it is, how it is kept, and how it goes from one rule set to the next.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use std::fmt::Write as _;

use triage_core::compile::{Changes, compile};
use triage_core::program::{Limits, Migration, OutputKind, Outputs, Program, StateError, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

const STREAM: &str = "stream r { patient: text key  ts: time event  x: int 0..100000  y: float  forget after 1h }\n";

const RULES: &str = "
t.mean when avg(x, 10s) > 40 and stddev(x, 20s) > 1
  alert low \"{x}\"
  repeat every 3s
  escalate to \"b\" after 7s
t.held when (x > 50 for 5s) or (x > 50 for 3 readings)
  alert low \"{x} {y}\"
  clear when x < 20
  latch
t.after when x > 50 then y > 5 within 4s
t.up when rise(x, 8s) > previous(x) / 2 or min(x, 9s) + count(y, 9s) < 10
  alert info \"{x}\"
  each reading
t.silent when no reading for 6s
  alert low \"silent\"
  escalate to \"b\" after 5s
t.no_y when no y for 9s
  alert low \"no y\"
  latch
";

const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: Some(300_000) };

fn program(rules: &str) -> Program {
    compile(&[SourceFile { path: "a.rules".into(), text: format!("{STREAM}{rules}") }], &NoModels).unwrap().0
}

/// A reading of the generated streams.
#[derive(Debug, Clone)]
struct Reading {
    partition: i32,
    key: Option<String>,
    value: String,
    kafka: i64,
}

fn readings() -> impl Strategy<Value = Vec<Reading>> {
    let reading = (0..2_i32, 0..4_usize, -3000..6000_i64, 0..9_i64, 0..110_u32, 0..3_u32, any::<bool>());
    prop::collection::vec(reading, 1..80).prop_map(|steps| {
        let mut now = 1_000_000;
        let reading = |(partition, patient, wait, rare, x, y, keyed): (i32, usize, i64, i64, u32, u32, bool)| {
            now += if rare == 0 { wait * 700 } else { wait.max(0) };
            let time = if rare == 1 { now - 2_000 } else { now };
            let x = if x < 100 { format!(",\"x\":{x}") } else { String::new() };
            let y = if y > 0 { format!(",\"y\":{}", y * 4) } else { String::new() };
            let key = ["a", "b", "c", ""][patient];
            let value = match (key, keyed) {
                ("", _) => format!("{{\"ts\":{time}{x}{y}}}"),
                (key, true) => format!("{{\"ts\":{time},\"patient\":\"{key}\"{x}{y}}}"),
                (_, false) => format!("{{\"ts\":{time},\"patient\":\"other\"{x}{y}}}"),
            };
            let key = (!key.is_empty()).then(|| key.to_owned());
            Reading { partition, key, value, kafka: time + 1_000 * (rare - 4) }
        };
        steps.into_iter().map(reading).collect()
    })
}

fn record(reading: &Reading, offset: usize) -> Record<'_> {
    Record {
        key: reading.key.as_deref().map(str::as_bytes),
        value: Some(reading.value.as_bytes()),
        timestamp: Some(reading.kafka),
        partition: reading.partition,
        offset: offset as i64,
    }
}

/// What is sent, with the partition and the row of each.
fn sent(outputs: &Outputs, first: usize) -> Vec<(usize, i32, String)> {
    let value = |output| String::from_utf8(outputs.value(output).to_vec()).unwrap();
    outputs.iter().map(|output| (first + output.row, output.partition, value(output))).collect()
}

/// Steps all readings, so many at a time; after each step `between` may do what must not matter.
fn run(
    program: &Program,
    readings: &[Reading],
    size: usize,
    mut between: impl FnMut(&mut States, &[Record<'_>]),
) -> Vec<(usize, i32, String)> {
    let mut states = States::new(2);
    let (mut workspace, mut all) = (Workspace::default(), Vec::new());
    let records: Vec<Record<'_>> = readings.iter().enumerate().map(|(at, one)| record(one, at)).collect();
    for (index, chunk) in records.chunks(size).enumerate() {
        between(&mut states, chunk);
        let mut outputs = Outputs::default();
        program.step(chunk, &LIMITS, &mut states, &mut workspace, &mut outputs);
        states.commit();
        all.extend(sent(&outputs, index * size));
    }
    all
}

/// The same state, from its bytes.
fn read_back(program: &Program, states: &States) -> States {
    let mut restored = States::new(2);
    for partition in states.partitions() {
        let own = program.encode_partition(states, partition).unwrap();
        program.decode_partition(&mut restored, partition, &own).unwrap();
        for patient in states.patients(partition) {
            let bytes = program.encode_patient(states, partition, patient).unwrap();
            program.decode_patient(&mut restored, partition, patient, &bytes).unwrap();
        }
    }
    restored
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn how_readings_are_batched_undone_and_kept_does_not_matter(readings in readings(), size in 2..40_usize) {
        let program = program(RULES);
        let one_by_one = run(&program, &readings, 1, |_, _| {});
        prop_assert_eq!(&run(&program, &readings, size, |_, _| {}), &one_by_one);
        let undone = run(&program, &readings, size, |states, chunk| {
            let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
            program.step(chunk, &LIMITS, states, &mut workspace, &mut outputs);
            states.rollback();
        });
        prop_assert_eq!(&undone, &one_by_one);
        let kept = run(&program, &readings, size, |states, _| *states = read_back(&program, states));
        prop_assert_eq!(&kept, &one_by_one);
        let reloaded = run(&program, &readings, size, |states, _| {
            let again = program_again();
            again.take_over(&program, states, &mut Outputs::default());
            program.take_over(&again, states, &mut Outputs::default());
        });
        prop_assert_eq!(&reloaded, &one_by_one);
    }

    #[test]
    fn bytes_that_are_no_state_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let program = program(RULES);
        let mut states = States::new(1);
        let _ = program.decode_patient(&mut states, 0, "p", &bytes);
        let _ = program.decode_partition(&mut states, 0, &bytes);
    }

    #[test]
    fn spoilt_state_is_refused_or_read_and_goes_on(readings in readings(), at in 0.0..1.0, with in any::<u8>(), cut in any::<bool>()) {
        let program = program(RULES);
        run(&program, &readings, 7, |states, chunk| {
            for partition in states.partitions() {
                for patient in states.patients(partition) {
                    let mut bytes = program.encode_patient(states, partition, patient).unwrap();
                    let place = (at * bytes.len() as f64) as usize;
                    if cut { bytes.truncate(place) } else { bytes[place] = with }
                    let mut spoilt = States::new(2);
                    if program.decode_patient(&mut spoilt, partition, patient, &bytes).is_ok() {
                        assert!(!cut);
                        let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
                        program.step(chunk, &LIMITS, &mut spoilt, &mut workspace, &mut outputs);
                        program.advance(partition, i64::MAX - 1, &mut spoilt, &mut workspace, &mut outputs);
                    }
                }
            }
        });
    }
}

/// The same rules in another order, with other messages, thresholds and names of `let`s.
fn program_again() -> Program {
    let mut rules: Vec<String> = RULES.split("\nt.").map(str::to_owned).collect();
    rules.reverse();
    let rules = rules.iter().filter(|rule| !rule.trim().is_empty()).map(|rule| format!("\nt.{rule}"));
    let rules: String = rules.collect();
    program(&rules.replace("> 40", "> 41").replace("\"{x}\"", "\"now {x}\"").replace("silent\"", "still\""))
}

fn step(program: &Program, states: &mut States, lines: &[(&str, i64, &str)]) -> String {
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let records: Vec<Record<'_>> = lines
        .iter()
        .map(|(key, offset, value)| Record {
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            timestamp: Some(0),
            partition: 0,
            offset: *offset,
        })
        .collect();
    program.step(&records, &Limits { skew_ms: None, ..LIMITS }, states, &mut workspace, &mut outputs);
    states.commit();
    sent(&outputs, 0).into_iter().map(|(_, _, value)| value + "\n").collect()
}

fn take_over(new: &Program, old: &Program, states: &mut States) -> (Migration, String) {
    let mut outputs = Outputs::default();
    let migration = new.take_over(old, states, &mut outputs);
    for output in outputs.iter() {
        assert!(matches!(output.kind, OutputKind::Alert(_)));
        assert_eq!(output.partition, 0);
    }
    (migration, sent(&outputs, 0).into_iter().map(|(_, _, value)| value + "\n").collect())
}

#[test]
fn a_reload_keeps_what_it_shares_and_says_what_it_does() {
    let before = program(
        "t.a when avg(x, 10s) > 40 and (x > 30 for 10s)\nt.b when x > 30\n alert low \"b\"\nt.c when x > 31\n alert low \"c {x}\"\nt.d when sum(x, 5s) > 0",
    );
    let after = program(
        "let mean = avg(x, 10s)\nt.e when x > 31\n alert high \"e\"\nt.b when x > 35\n alert low \"b\"\nt.a when mean > 60 and (x > 30 for 2s)\nt.d when sum(x, 6s) > 0",
    );
    let mut states = States::new(1);
    step(&before, &mut states, &[("p", 0, "{\"ts\":1000,\"x\":50}"), ("p", 1, "{\"ts\":2000,\"x\":60}")]);
    let (migration, said) = take_over(&after, &before, &mut states);
    let changes = Changes::between(&before, &after);
    assert_eq!(changes.kept, ["avg(x, 10s)", "x > 30 for …"]);
    assert_eq!(changes.started, ["sum(x, 6s)"]);
    assert_eq!(changes.dropped, ["sum(x, 5s)"]);
    assert_eq!(migration.moved, BTreeMap::from([(("t.c".to_owned(), "t.e".to_owned()), 1)]));
    assert_eq!((migration.resolved.len(), said.as_str()), (0, ""));
    let sent = step(&after, &mut states, &[("p", 2, "{\"ts\":3000,\"x\":90}"), ("p", 3, "{\"ts\":21000,\"x\":31}")]);
    assert!(sent.contains("\"rules\":[\"t.e\",\"t.b\",\"t.a\",\"t.d\"]"), "{sent}");
    assert!(sent.contains("\"id\":\"r/0/0@1000/t.c\",\"rule\":\"t.e\",\"state\":\"resolved\""), "{sent}");
    assert!(sent.contains("\"message\":\"c 50\""), "{sent}");
    assert!(!sent.contains("raised"), "{sent}");
}

#[test]
fn a_shorter_forget_after_forgets_nobody_before_time_moves() {
    let again = |forget: &str| {
        let text = format!("{}t.again when count(x, 2h) > 1", STREAM.replace("1h", forget));
        compile(&[SourceFile { path: "a.rules".into(), text }], &NoModels).unwrap().0
    };
    let (hour, minutes) = (again("1h"), again("40m"));
    let mut states = States::new(1);
    step(&hour, &mut states, &[("p", 0, "{\"ts\":0,\"x\":50}"), ("q", 1, "{\"ts\":3000000,\"x\":60}")]);
    take_over(&minutes, &hour, &mut states);
    let sent = step(&minutes, &mut states, &[("p", 2, "{\"ts\":2700000,\"x\":50}")]);
    assert!(sent.contains("\"patient\":\"p\",\"ts\":2700000"), "who was not forgotten is remembered: {sent}");

    let mut states = States::new(1);
    step(&hour, &mut states, &[("p", 0, "{\"ts\":0,\"x\":50}"), ("q", 1, "{\"ts\":3000000,\"x\":60}")]);
    take_over(&minutes, &hour, &mut states);
    let sent =
        step(&minutes, &mut states, &[("q", 2, "{\"ts\":3000001,\"x\":60}"), ("p", 3, "{\"ts\":3000001,\"x\":50}")]);
    assert!(!sent.contains("\"patient\":\"p\""), "who was forgotten is new: {sent}");
}

/// A pause names a rule; under another name the rule tells again while an earlier end is still owed.
#[test]
fn an_end_that_is_owed_outlives_another_of_the_same_rule() {
    let [one, two] = ["one", "two"].map(|name| program(&format!("t.{name} when x > 50\n alert low \"x\"")));
    let mut states = States::new(1);
    let reading = |ts: i64, x: i64| format!("{{\"ts\":{ts},\"x\":{x}}}");
    step(&one, &mut states, &[("p", 0, &reading(1_000, 60))]);
    pause(&one, &mut states, "t.one", 100_000);
    assert_eq!(step(&one, &mut states, &[("p", 1, &reading(2_000, 10))]).matches("\"state\"").count(), 0);
    take_over(&two, &one, &mut states);
    assert!(step(&two, &mut states, &[("p", 2, &reading(3_000, 60))]).contains("\"state\":\"raised\""));
    pause(&two, &mut states, "t.two", 100_000);
    step(&two, &mut states, &[("p", 3, &reading(4_000, 10))]);
    let own = two.encode_partition(&states, 0).unwrap();
    two.decode_partition(&mut states, 0, &own).unwrap();
    let told = step(&two, &mut states, &[("q", 4, &reading(200_000, 10))]);
    let ends: Vec<&str> = told.lines().filter(|line| line.contains("\"state\":\"resolved\"")).collect();
    assert_eq!(ends.len(), 2, "{told}");
    assert!(ends[0].contains("r/0/0@1000/t.one") && ends[1].contains("r/0/2@3000/t.two"), "{told}");
}

fn pause(program: &Program, states: &mut States, rule: &str, until: i64) {
    let words = format!("{{\"pause\":{{\"rule\":\"{rule}\",\"by\":\"ann\",\"why\":\"washing\",\"until\":{until}}}}}");
    let record = Record { key: None, value: Some(words.as_bytes()), timestamp: Some(0), partition: 0, offset: 0 };
    program.acknowledge(&record, &LIMITS, states, &mut Workspace::default(), &mut Outputs::default());
    states.commit();
}

#[test]
fn a_rule_that_is_gone_resolves_its_episodes() {
    let before = program("t.b when x > 30\n alert low \"b {x}\"\nt.two when x > 40\n alert low \"two\"");
    let none = program("t.c when x > 30\n alert low \"c\"\nt.d when x > 30\n alert low \"d\"\nt.two when x > 40");
    let mut states = States::new(1);
    step(&before, &mut states, &[("p", 0, "{\"ts\":1000,\"x\":50}"), ("q", 1, "{\"ts\":5000,\"x\":35}")]);
    let (migration, said) = take_over(&none, &before, &mut states);
    assert_eq!(migration.resolved.get("t.b"), Some(&2), "two new rules have its condition, so that none takes over");
    assert_eq!(migration.resolved.get("t.two"), Some(&1), "its alert is gone");
    let version = none.version();
    let first = format!(
        "{{\"id\":\"r/0/0@1000/t.b\",\"rule\":\"t.b\",\"state\":\"resolved\",\"priority\":\"low\",\"patient\":\"p\",\"ts\":5000,\"since\":1000,\"message\":\"b 50\",\"reason\":\"rule removed\",\"values\":{{\"x\":50}},\"origin\":{{\"topic\":\"r\",\"partition\":0,\"offset\":0,\"ruleset\":\"{version}\"}}}}"
    );
    assert_eq!(said.lines().next(), Some(first.as_str()));
    assert_eq!(said.lines().count(), 3);
}

#[test]
fn a_misplaced_reading_changes_no_state_and_says_so() {
    let program = program("t.b when x > 30\n alert low \"b\"\nt.mean when avg(x, 10s) > 0");
    let mut states = States::new(2);
    let sent = step(
        &program,
        &mut states,
        &[("p", 0, "{\"ts\":9000,\"patient\":\"q\",\"x\":50}"), ("q", 1, "{\"ts\":1000,\"patient\":\"q\",\"x\":10}")],
    );
    assert!(
        sent.contains("\"patient\":\"q\",\"ts\":9000,\"x\":50,\"rules\":[\"t.b\"],\"misplaced\":true,\"origin\""),
        "{sent}"
    );
    assert!(sent.contains("\"message\":\"b\",\"misplaced\":true,\"single\":true,\"values\""), "{sent}");
    assert!(sent.contains("\"ts\":1000,\"x\":10,\"rules\":[\"t.mean\"],\"origin\""), "{sent}");
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let without_key =
        Record { key: None, value: Some(b"{\"ts\":1,\"patient\":\"z\"}"), timestamp: Some(0), partition: 0, offset: 2 };
    program.step(&[without_key], &LIMITS, &mut states, &mut workspace, &mut outputs);
    assert_eq!(workspace.counts.misplaced, 1, "of two partitions it may lie in either");
    assert_eq!(states.patients(0), ["q"]);
    assert_eq!(states.touched(0).count(), 0);
}

#[test]
fn a_program_that_remembers_nothing_keeps_nothing() {
    let program = program("t.b when x > 30\n alert low \"b\" each reading");
    assert!(!program.keeps_state());
    let mut states = States::new(1);
    let sent = step(&program, &mut states, &[("p", 0, "{\"ts\":9,\"x\":50}"), ("p", 1, "{\"ts\":1,\"x\":50}")]);
    assert!(!sent.contains("late"));
    assert_eq!(states.partitions().count(), 0);
}

#[test]
fn a_window_beyond_its_room_is_unknown_and_counted_and_stays_within_a_record() {
    let program = program(
        "t.a when sum(x, 1h) >= 0\nt.b when stddev(x, 1h) >= 0\nt.c when count(x, 1h) >= 0\nt.d when avg(x, 2h) >= 0",
    );
    let mut states = States::new(1);
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    let values: Vec<String> =
        (0..16_000_i64).map(|at| format!("{{\"ts\":{},\"x\":{}}}", 4_000_000_000_000 + at, at)).collect();
    let records: Vec<Record<'_>> = values
        .iter()
        .zip(0..)
        .map(|(value, offset)| Record {
            key: Some(b"p"),
            value: Some(value.as_bytes()),
            timestamp: None,
            partition: 0,
            offset,
        })
        .collect();
    program.step(&records, &LIMITS, &mut states, &mut workspace, &mut outputs);
    assert_eq!(workspace.counts.windows_full, 4 * 1_000);
    assert_eq!(workspace.counts.matched, [15_000, 14_999, 15_000, 15_000]);
    assert!(program.encode_patient(&states, 0, "p").unwrap().len() < 900_000);
}

#[test]
fn another_format_is_refused_by_its_number() {
    let program = program(RULES);
    let mut states = States::new(1);
    assert_eq!(program.decode_patient(&mut states, 0, "p", &[9]), Err(StateError::Format(9)));
    assert_eq!(program.decode_patient(&mut states, 0, "p", &[]), Err(StateError::Truncated));
    assert_eq!(states.patients(0).len(), 0);
}

/// The readings of which the fixtures are.
const KEPT: [(&str, i64, &str); 5] = [
    ("a", 0, "{\"ts\":1000,\"x\":60,\"y\":2.5}"),
    ("a", 1, "{\"ts\":2000,\"x\":70}"),
    ("a", 2, "{\"ts\":4000,\"x\":80}"),
    ("b", 3, "{\"ts\":4500,\"x\":10}"),
    ("a", 4, "{\"ts\":5000,\"x\":90,\"y\":7.0}"),
];

/// State that an earlier version has written is read by each later one: `tests/fixtures/state` has what format 1 is.
#[test]
fn every_format_that_was_ever_written_is_read() {
    let (program, mut live) = (program(RULES), States::new(1));
    step(&program, &mut live, &KEPT);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/state");
    let mut restored = States::new(1);
    let fixture = |name: &str, now: Option<Vec<u8>>| {
        let path = folder.join(name);
        let mut written = String::new();
        now.unwrap().iter().for_each(|byte| write!(written, "{byte:02x}").unwrap());
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, format!("{written}\n")).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.trim(), written, "{name}: what is written has changed, so that it is another format");
        let digits: Vec<u8> = text.trim().bytes().collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect::<Vec<u8>>()
    };
    let own = fixture("1.partition", program.encode_partition(&live, 0));
    program.decode_partition(&mut restored, 0, &own).unwrap();
    for patient in ["a", "b"] {
        let bytes = fixture(&format!("1.patient-{patient}"), program.encode_patient(&live, 0, patient));
        program.decode_patient(&mut restored, 0, patient, &bytes).unwrap();
    }
    restored.commit();
    let next = [("a", 5, "{\"ts\":6500,\"x\":75,\"y\":1.0}"), ("c", 6, "{\"ts\":30000,\"x\":1}")];
    let (sent, expected) = (step(&program, &mut restored, &next), step(&program, &mut live, &next));
    assert_eq!(sent, expected);
    assert!(sent.contains("raised") && sent.contains("\"t.held\""), "{sent}");
}
