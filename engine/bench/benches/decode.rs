//! Bytes to columns: the whole step under one rule that never matches; beside it the hand-written scanner and
//! `serde_json::Value`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use triage_bench::readings::{Keys, readings, records};
use triage_bench::{ceiling, rules};
use triage_core::program::{Limits, Outputs, Program, States, Workspace};

fn decode(criterion: &mut Criterion) {
    let program = rules::quiet(1);
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(Program::MAX_BATCH as u64));
    for (name, keys, missing) in [
        ("ordered", Keys::Ordered, 0),
        ("shuffled", Keys::Shuffled, 0),
        ("ordered, 10 % missing", Keys::Ordered, 10),
        ("shuffled, 10 % missing", Keys::Shuffled, 10),
    ] {
        let values = readings(Program::MAX_BATCH, keys, missing);
        let records = records(&values);
        let (mut states, mut workspace, mut outputs) = (States::new(1), Workspace::default(), Outputs::default());
        group.bench_function(BenchmarkId::new("engine", name), |bencher| {
            bencher.iter(|| {
                outputs.clear();
                program.step(black_box(&records), &Limits::default(), &mut states, &mut workspace, &mut outputs);
            });
        });
        group.bench_function(BenchmarkId::new("by hand", name), |bencher| {
            bencher.iter(|| {
                black_box(&values).iter().filter_map(|value| ceiling::scan(value)).for_each(|decoded| {
                    black_box(decoded);
                });
            });
        });
        group.bench_function(BenchmarkId::new("serde_json::Value", name), |bencher| {
            bencher.iter(|| {
                let parse = |value: &Vec<u8>| serde_json::from_slice::<serde_json::Value>(value).ok();
                black_box(&values).iter().filter_map(parse).for_each(|decoded| {
                    black_box(decoded);
                });
            });
        });
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
