//! Outputs: every reading matches into four topics of five fields, without and with an alert each; decoding is included.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use triage_bench::readings::{Keys, readings, records};
use triage_bench::rules;
use triage_core::program::{Limits, Outputs, Program, States, Workspace};

fn encode(criterion: &mut Criterion) {
    let values = readings(Program::MAX_BATCH, Keys::Ordered, 0);
    let records = records(&values);
    let mut group = criterion.benchmark_group("encode");
    group.throughput(Throughput::Elements(Program::MAX_BATCH as u64));
    for (name, alerts) in [("4 records", false), ("4 records and 4 alerts", true)] {
        let program = rules::loud(alerts);
        let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                outputs.clear();
                program.step(black_box(&records), &Limits::default(), &mut states, &mut workspace, &mut outputs);
            });
        });
    }
}

criterion_group!(benches, encode);
criterion_main!(benches);
