//! What the state of a patient takes, counted by the allocator: a ward with a reading every 5 s, beside the 16 bytes that
//! each value in a window takes at least (its time and itself). This file is a test binary of its own, so that nothing else
//! allocates. `cargo test -p triage-core --test memory -- --nocapture` prints the figures.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use triage_core::compile::compile;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const RULES: &str = r#"
stream research {
  patient:  text key
  ts:       time event
  trestbps: int 30..300 'mm[Hg]'
  Temp:     float 25..45 'Cel'
  thalach:  int 30..250 '/min'
  SpO2:     int 0..100 '%'
}
topic vitals { fields trestbps, Temp, thalach, SpO2  notify "nurse" }
topic stroke { fields trestbps  notify "emergency doctor" }

let mean = avg(trestbps, 10m)

vitals.sustained when (trestbps > 140 for 10m) and mean > 145
  alert medium "above 140 for 10 minutes, now {trestbps}, mean {mean:.1}"
  repeat every 15m
  escalate to "cardiologist" after 5m
  clear when avg(trestbps, 10m) < 130
  latch
vitals.fever when avg(Temp, 1h) > 38
  alert low "fever: {Temp}"
vitals.restless when stddev(thalach, 5m) > 15
vitals.desaturation when fall(SpO2, 5m) > 6 and SpO2 < 90
  alert high "saturation {SpO2}"
vitals.jump when trestbps - previous(trestbps) > 40
vitals.silent when no reading for 5m
  alert low "nothing heard"
vitals.no_temperature when no Temp for 30m
stroke.after_crisis when trestbps > 180 then trestbps < 110 within 10m
  alert high "BP fell to {trestbps}"
"#;

/// How far the windows over all of their values reach, in readings: 10 minutes, an hour, 5 minutes.
const WHOLE_WINDOWS: [usize; 3] = [120, 720, 60];
const PATIENTS: usize = 50;
const EVERY_MS: i64 = 5_000;

/// Bytes that are allocated and not given back.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated as isize - stats.bytes_deallocated as isize) as usize
}

struct Ward {
    program: Program,
    states: States,
    now: i64,
    random: u64,
    /// The last patient's saturations, the latest last.
    saturations: Vec<i64>,
}

impl Ward {
    fn below(&mut self, count: u64) -> i64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.random >> 33) % count) as i64
    }

    /// A reading of each patient, all in one step.
    fn readings(&mut self) {
        self.now += EVERY_MS;
        let mut values = Vec::new();
        for patient in 0..PATIENTS {
            let (bp, heart, saturation) = (120 + self.below(40), 60 + self.below(60), 90 + self.below(10));
            let (degrees, tenths) = (36 + self.below(2), self.below(10));
            self.saturations.push(saturation);
            values.push((
                format!("bed-{patient:03}"),
                format!(
                    r#"{{"patient":"bed-{patient:03}","ts":{},"trestbps":{bp},"Temp":{degrees}.{tenths},"thalach":{heart},"SpO2":{saturation}}}"#,
                    self.now
                ),
            ));
        }
        let records: Vec<Record<'_>> = values
            .iter()
            .map(|(key, value)| Record {
                key: Some(key.as_bytes()),
                value: Some(value.as_bytes()),
                timestamp: Some(self.now),
                partition: 0,
                offset: self.now,
            })
            .collect();
        let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
        self.program.step(&records, &Limits::default(), &mut self.states, &mut workspace, &mut outputs);
        self.states.commit();
    }
}

/// How many of the last 60 values no later one overtakes.
fn not_overtaken(saturations: &[i64]) -> usize {
    let mut largest = i64::MIN;
    let mut count = 0;
    for saturation in saturations.iter().rev().step_by(PATIENTS).take(60) {
        count += usize::from(*saturation > largest);
        largest = largest.max(*saturation);
    }
    count
}

#[test]
fn a_patient_takes_little_more_than_its_windows_hold() {
    let file = SourceFile { path: "ward.rules".into(), text: RULES.into() };
    let (program, _) = compile(&[file], &NoModels).unwrap_or_else(|found| panic!("{found:#?}"));
    let mut ward = Ward { program, states: States::new(1), now: 1_700_000_000_000, random: 7, saturations: Vec::new() };
    ward.saturations.reserve(PATIENTS * 2_000);
    let before = held();
    for _ in 0..800 {
        ward.readings();
    }
    let bytes = (held() - before) / PATIENTS;
    let values = WHOLE_WINDOWS.iter().sum::<usize>() + not_overtaken(&ward.saturations);
    let least = values * 16;
    println!("{bytes} bytes a patient; {values} values in its windows take {least} at least");
    let encoded = ward.program.encode_patient(&ward.states, 0, "bed-000").unwrap().len();
    println!("{encoded} bytes of it when it is written");
    assert!(bytes >= least, "{bytes} bytes cannot hold {values} values");
    assert!(bytes < 2 * least, "{bytes} bytes a patient for {least} that windows hold");

    ward.now += 86_400_000;
    ward.readings();
    let bytes = (held() - before) / PATIENTS;
    println!("{bytes} bytes a patient after a day without readings and one reading");
    assert!(bytes < 3_000, "{bytes} bytes for a value in each window");

    ward.now += 40 * 86_400_000;
    ward.program.advance(0, ward.now, &mut ward.states, &mut Workspace::default(), &mut Outputs::default());
    ward.states.commit();
    let bytes = (held() as isize - before as isize) / PATIENTS as isize;
    println!("{bytes} bytes a patient once they are forgotten");
    assert!(bytes < 500, "{bytes} bytes for an empty place, which the next patient takes");
}
