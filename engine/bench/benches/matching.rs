//! Readings against rule sets of growing size (nothing matches, so that nothing is encoded; decoding is included), and
//! ten rules of a ward beside the same by hand.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use triage_bench::readings::{Keys, endless, readings, records};
use triage_bench::{ceiling, rules};
use triage_core::monitor::Observer;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};
use triage_core::reading::Record;

fn step(criterion: &mut Criterion, group: &str, id: &BenchmarkId, program: &Program, missing: u64) {
    let values = readings(Program::MAX_BATCH, Keys::Ordered, missing);
    let records = records(&values);
    let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(Program::MAX_BATCH as u64));
    group.bench_function(id.clone(), |bencher| {
        bencher.iter(|| {
            outputs.clear();
            program.step(black_box(&records), &Limits::default(), &mut states, &mut workspace, &mut outputs);
        });
    });
}

fn sizes(criterion: &mut Criterion) {
    for count in [10, 100, 1_000, 10_000] {
        let program = rules::quiet(count);
        for missing in [0, 10] {
            let id = BenchmarkId::new(format!("{missing} % missing"), count);
            step(criterion, "matching", &id, &program, missing);
        }
    }
}

fn ward(criterion: &mut Criterion) {
    let program = rules::ward();
    for missing in [0, 10] {
        let name = format!("{missing} % missing");
        step(criterion, "ward", &BenchmarkId::new("engine", &name), &program, missing);
        let values = readings(Program::MAX_BATCH, Keys::Ordered, missing);
        let mut group = criterion.benchmark_group("ward");
        group.throughput(Throughput::Elements(Program::MAX_BATCH as u64));
        group.bench_function(BenchmarkId::new("by hand", &name), |bencher| {
            bencher.iter(|| {
                let scanned = black_box(&values).iter().filter_map(|value| ceiling::scan(value));
                scanned.map(|reading| u64::from(ceiling::judge(&reading))).sum::<u64>()
            });
        });
    }
}

/// What the monitor's look at a batch adds to a step of the ward's rules; the steps are not timed. Of 9,000 patients some are
/// watched at a time, of 500 all.
fn watched(criterion: &mut Criterion) {
    let program = rules::ward();
    for patients in [500, 9_000] {
        let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
        let mut observer = Observer::new(&program, 60_000);
        let mut source = endless(Keys::Ordered, 10).enumerate();
        let mut group = criterion.benchmark_group("ward");
        group.throughput(Throughput::Elements(Program::MAX_BATCH as u64));
        group.bench_function(BenchmarkId::new("observed, patients", patients), |bencher| {
            bencher.iter_custom(|times| {
                let mut taken = Duration::ZERO;
                for _ in 0..times {
                    let values: Vec<_> =
                        source.by_ref().take(Program::MAX_BATCH).map(|one| of_few(one, patients)).collect();
                    let records: Vec<Record<'_>> =
                        records(&values).into_iter().map(|record| Record { timestamp: None, ..record }).collect();
                    outputs.clear();
                    program.step(&records, &Limits::default(), &mut states, &mut workspace, &mut outputs);
                    let begun = Instant::now();
                    observer.observe(&program, black_box(&records), &Limits::default(), &workspace);
                    taken += begun.elapsed();
                }
                taken
            });
        });
    }
}

/// The reading with a patient of so many.
fn of_few((index, reading): (usize, Vec<u8>), patients: usize) -> Vec<u8> {
    let rest = reading.iter().position(|byte| *byte == b',').unwrap_or_default();
    let patient = format!("{{\"patient\":\"p{}\"", 1_000 + index * 7_919 % patients);
    [patient.as_bytes(), &reading[rest..]].concat()
}

criterion_group!(benches, sizes, ward, watched);
criterion_main!(benches);
