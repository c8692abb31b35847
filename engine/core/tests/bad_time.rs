//! Clocks that jump by years, and a patient who sends without end: what others see of them is bounded.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use triage_core::compile::compile;
use triage_core::program::{Counts, Limits, OutputKind, Outputs, Program, Reason, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

const STREAM: &str = "stream r { patient: text key  ts: time event  x: int 0..1000  forget after 30d }\n";

/// 2026-01-01, in epoch milliseconds.
const NOW: i64 = 1_767_225_600_000;

const YEAR: i64 = 365 * 86_400_000;

/// What one record may hold: a patient's snapshot must fit (`docs/state.md`).
const RECORD: usize = 1_000_000;

fn program(rules: &str) -> Program {
    compile(&[SourceFile { path: "a.rules".into(), text: format!("{STREAM}{rules}") }], &NoModels).unwrap().0
}

/// A ward's partition, judged reading by reading.
struct Ward {
    program: Program,
    states: States,
    workspace: Workspace,
    offset: i64,
}

impl Ward {
    fn new(rules: &str) -> Self {
        Self { program: program(rules), states: States::new(1), workspace: Workspace::default(), offset: 0 }
    }

    /// What comes of a reading of `x` that bears `ts` and reached Kafka at `kafka`: rules of records, or the reason of a
    /// dead letter.
    fn reading(&mut self, patient: &str, ts: i64, kafka: i64, x: u32) -> Vec<String> {
        let value = format!("{{\"patient\":\"{patient}\",\"ts\":{ts},\"x\":{x}}}");
        let record = Record {
            key: Some(patient.as_bytes()),
            value: Some(value.as_bytes()),
            timestamp: Some(kafka),
            partition: 0,
            offset: self.offset,
        };
        self.offset += 1;
        let mut outputs = Outputs::default();
        self.program.step(&[record], &Limits::default(), &mut self.states, &mut self.workspace, &mut outputs);
        self.states.commit();
        let told = outputs.iter().map(|output| match &output.kind {
            OutputKind::DeadLetter(letter) => letter.reason.as_str().to_owned(),
            _ => String::from_utf8_lossy(outputs.value(output)).into_owned(),
        });
        told.collect()
    }

    fn counts(&self) -> &Counts {
        &self.workspace.counts
    }
}

#[test]
fn a_clock_that_jumps_ahead_by_years_is_a_dead_letter_and_silences_nobody() {
    let mut ward = Ward::new("t.silent when no reading for 5m\n");
    assert_eq!(ward.reading("a", NOW, NOW, 1), Vec::<String>::new());
    assert_eq!(ward.reading("b", NOW + 10 * YEAR, NOW + 1_000, 1), [Reason::TooFarAhead.as_str()]);
    assert_eq!(ward.reading("b", NOW + 2_000, NOW + 2_000, 1), Vec::<String>::new(), "its next reading counts again");
    assert_eq!(ward.reading("a", NOW + 3_000, NOW + 3_000, 1), Vec::<String>::new(), "nobody was silent");
}

/// The gateway and the broker jump together: time passes for everybody, once, and what comes after is late.
#[test]
fn when_all_clocks_jump_silences_are_told_once_and_what_comes_after_is_late() {
    let mut ward = Ward::new("t.silent when no reading for 5m\nt.high when x > 100 for 2 readings\n");
    for patient in ["a", "b", "c"] {
        assert_eq!(ward.reading(patient, NOW, NOW, 500), Vec::<String>::new());
    }
    let jump = NOW + 20 * YEAR;
    let told = ward.reading("a", jump, jump, 500);
    let silent = told.iter().filter(|record| record.contains("t.silent")).count();
    assert_eq!(silent, 3, "{told:#?}");
    let late = ward.reading("a", NOW + 5_000, NOW + 5_000, 500);
    assert_eq!(late, Vec::<String>::new(), "a late reading is no second high one");
    assert_eq!(ward.counts().late, 1);
    // The others have been forgotten long ago, so that theirs is a first reading, however old.
    assert_eq!(ward.reading("b", NOW + 6_000, NOW + 6_000, 500), Vec::<String>::new());
    assert_eq!(ward.counts().late, 1);
}

#[test]
fn a_clock_that_falls_back_by_years_changes_no_state_and_can_come_back() {
    let mut ward = Ward::new("t.high when x > 100 for 3 readings\n");
    ward.reading("a", NOW, NOW, 500);
    ward.reading("a", NOW + 1_000, NOW + 1_000, 500);
    assert_eq!(ward.reading("a", 0, NOW + 2_000, 500), Vec::<String>::new());
    assert_eq!(ward.reading("a", NOW - 30 * YEAR, NOW + 3_000, 1), Vec::<String>::new());
    assert_eq!(ward.counts().late, 2);
    let told = ward.reading("a", NOW + 4_000, NOW + 4_000, 500);
    assert!(told.iter().any(|record| record.contains("t.high")), "{told:?}");
}

#[test]
fn a_patient_with_a_million_readings_is_unknown_in_full_windows_and_fits_a_record() {
    const READINGS: i64 = 1_000_000;
    let mut ward = Ward::new("t.mean when avg(x, 30d) > 100\nt.peak when max(x, 30d) > 100\nt.now when x > 998\n");
    let values: Vec<String> = (0..READINGS)
        .map(|index| format!("{{\"patient\":\"a\",\"ts\":{},\"x\":{}}}", NOW + index, index % 1_000))
        .collect();
    let record = |(index, value): (usize, &'static str)| Record {
        key: Some(b"a"),
        value: Some(value.as_bytes()),
        timestamp: Some(NOW + index as i64),
        partition: 0,
        offset: index as i64,
    };
    let values: &'static [String] = values.leak();
    let records: Vec<Record<'_>> = values.iter().map(String::as_str).enumerate().map(record).collect();
    let (mut now, mut last_mean) = (0, 0);
    for chunk in records.chunks(Program::MAX_BATCH) {
        let mut outputs = Outputs::default();
        ward.program.step(chunk, &Limits::default(), &mut ward.states, &mut ward.workspace, &mut outputs);
        ward.states.commit();
        for output in outputs.iter() {
            let text = String::from_utf8_lossy(outputs.value(output));
            now += usize::from(text.contains("t.now"));
            if text.contains("t.mean") {
                last_mean = chunk[output.row].offset;
            }
        }
    }
    let counts = ward.counts();
    assert_eq!(now, READINGS as usize / 1_000, "rules without windows go on");
    assert!(last_mean < 60_000, "a full window is unknown, not guessed: it matched at {last_mean}");
    assert!(counts.windows_full > 0 && counts.not_evaluable[0] > 900_000, "{counts:?}");
    let snapshot = ward.program.encode_patient(&ward.states, 0, "a").unwrap();
    assert!(snapshot.len() < RECORD, "{} bytes", snapshot.len());
}
