//! What the state of a patient takes under the rules of `rules/hospital`, counted by the allocator. A test binary of its own,
//! so that nothing else allocates. `cargo test -p triage --test memory -- --nocapture` prints the figures.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::alloc::System;
use std::path::{Path, PathBuf};

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use triage::models::Place;
use triage_core::compile::compile_all;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::source::SourceFile;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const PATIENTS: usize = 50;
const EVERY_MS: i64 = 5_000;

/// Blood pressure climbs by 1 mmHg with each reading, from 60 on: `rise(trestbps, 30m)` has to keep every value.
const CLIMBING: usize = 200;

fn hospital() -> Program {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/hospital");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let file =
        |path: &PathBuf| SourceFile { path: path.display().to_string(), text: std::fs::read_to_string(path).unwrap() };
    let files: Vec<SourceFile> = paths.iter().map(file).collect();
    compile_all(&files, &Place::Folder(folder).reader()).unwrap().program
}

/// Bytes that are allocated and not given back.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    (stats.bytes_allocated as isize - stats.bytes_deallocated as isize) as usize
}

/// A reading of each patient, all in one step.
fn step(program: &Program, states: &mut States, number: usize) {
    let now = 1_700_000_000_000 + number as i64 * EVERY_MS;
    let values: Vec<String> = (0..PATIENTS)
        .map(|patient| {
            format!(
                r#"{{"patient":"bed-{patient:03}","ts":{now},"age":56,"sex":1,"cp":0,"trestbps":{},"Temp":36.6,"chol":230,"fbs":0,"restecg":1,"thalach":150,"exang":0,"oldpeak":0.4,"slope":2,"ca":0,"thal":2}}"#,
                60 + number
            )
        })
        .collect();
    let records: Vec<Record<'_>> = values
        .iter()
        .map(|value| Record {
            key: None,
            value: Some(value.as_bytes()),
            timestamp: Some(now),
            partition: 0,
            offset: number as i64,
        })
        .collect();
    let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
    program.step(&records, &Limits::default(), states, &mut workspace, &mut outputs);
    states.commit();
}

#[test]
fn a_patient_of_the_hospital_takes_little_more_than_its_window_holds() {
    let program = hospital();
    let mut states = States::new(1);
    let before = held();
    (0..CLIMBING).for_each(|number| step(&program, &mut states, number));
    let bytes = (held() - before) / PATIENTS;
    let least = CLIMBING * 16;
    println!("{bytes} bytes a patient; {CLIMBING} values in its window take {least} at least");
    let encoded = program.encode_patient(&states, 0, "bed-000").unwrap().len();
    println!("{encoded} bytes of it when it is written");
    assert!((least..3 * least).contains(&bytes), "{bytes} bytes a patient for {least} that its window holds");
}
