//! What a reload costs a worker between two batches: ten thousand patients go from one rule set to the next. Each has sixteen
//! windows and runs, and two hours of readings, one every five minutes.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use triage_bench::rules;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;

const PATIENTS: usize = 10_000;

/// Of each patient.
const READINGS: usize = 24;

/// Between two readings of a patient, in milliseconds.
const EVERY: usize = 300_000;

/// The states of all patients, as the program leaves them.
fn states(program: &Program) -> States {
    let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
    for reading in 0..READINGS {
        let ts = 1_700_000_000_000 + reading * EVERY;
        let value = |patient: usize| {
            let (pressure, rate) = (100 + (patient + reading) % 70, 60 + (patient * 7 + reading) % 80);
            format!(
                r#"{{"patient":"p{patient}","ts":{ts},"trestbps":{pressure},"thalach":{rate},"SpO2":95,"Temp":37.1}}"#
            )
        };
        let values: Vec<String> = (0..PATIENTS).map(value).collect();
        let records = values.iter().zip(reading * PATIENTS..).map(|(value, offset)| Record {
            key: None,
            value: Some(value.as_bytes()),
            timestamp: Some(ts as i64),
            partition: 0,
            offset: offset as i64,
        });
        for batch in records.collect::<Vec<_>>().chunks(Program::MAX_BATCH) {
            outputs.clear();
            program.step(batch, &Limits::default(), &mut states, &mut workspace, &mut outputs);
            states.commit();
        }
    }
    assert_eq!(states.patients(0).len(), PATIENTS);
    states
}

fn reload(criterion: &mut Criterion) {
    let before = rules::remembering(140, 60);
    let mut group = criterion.benchmark_group("reload");
    group.throughput(Throughput::Elements(PATIENTS as u64)).sample_size(10);
    for (name, after) in
        [("every threshold", rules::remembering(141, 60)), ("every window", rules::remembering(140, 61))]
    {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                let mut took = Duration::ZERO;
                for _ in 0..rounds {
                    let (mut states, mut outputs) = (states(&before), Outputs::default());
                    let begun = Instant::now();
                    let migration = after.take_over(&before, &mut states, &mut outputs);
                    took += begun.elapsed();
                    drop((migration, states));
                }
                took
            });
        });
    }
}

criterion_group!(benches, reload);
criterion_main!(benches);
