//! Partitions that are taken over, or cannot be, while the others go on: on the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::time::{Duration, Instant};

use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use bed::{Bed, stop, wait_for};
use triage::engine::Engine;

const RULES: &str = r#"
every.one when v is known
high.sustained when v > 100 for 3 readings alert high "v is {v}"
"#;

fn bed(partitions: i32) -> Bed {
    let bed = Bed::new(partitions);
    bed.write("b.rules", RULES);
    bed
}

/// Has judged a reading of each partition, so that state is kept of all.
fn with_state(bed: &Bed) {
    let engine = bed.start_ready(1);
    bed.producer().send(0..bed.partitions as u64);
    assert_eq!(bed.read("every", bed.partitions as usize).len(), bed.partitions as usize);
    stop(engine);
}

/// The partition of each record of `every`.
fn judged(bed: &Bed, least: usize) -> Vec<i32> {
    let mut partitions: Vec<i32> = bed.read("every", least).iter().map(|seen| seen.partition).collect();
    partitions.sort_unstable();
    partitions
}

fn body(engine: &Engine, path: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(engine.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: triage\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn foreign_bytes_hold_up_their_own_partition_alone() {
    for topic in ["triage-snapshots", "triage-journal"] {
        let bed = bed(2);
        with_state(&bed);
        let foreign: BaseProducer = bed.client().create().unwrap();
        // A compacted topic takes nothing without a key.
        let record = BaseRecord::to(topic).partition(0).key("a patient's secret").payload("another");
        foreign.send(record).map_err(|(error, _)| error).unwrap();
        foreign.flush(Duration::from_secs(10)).unwrap();
        let engine = bed.start(1);
        bed.producer().send(2..4);
        assert_eq!(judged(&bed, 3), [0, 1, 1]);
        assert!(!engine.is_ready());
        let ready = body(&engine, "/readyz");
        let awaited = ready.replace(char::is_whitespace, "").contains("\"restoring\":[0]");
        let told = format!("partition 0: a record of `{topic}` at ");
        assert!(ready.contains(&told) && awaited && !ready.contains("secret"), "{ready}");
        stop(engine);
    }
}

/// Whoever dies leaves a transaction open; its partitions wait for that, and no other does.
#[test]
fn an_open_transaction_holds_up_its_own_partition_alone() {
    let bed = bed(2);
    with_state(&bed);
    let dead: BaseProducer = bed.client().set("transactional.id", "dead").create().unwrap();
    dead.init_transactions(Duration::from_secs(10)).unwrap();
    dead.begin_transaction().unwrap();
    let open = BaseRecord::<[u8], str>::to("triage-journal").partition(0).payload("never to be seen");
    dead.send(open).map_err(|(error, _)| error).unwrap();
    dead.flush(Duration::from_secs(10)).unwrap();
    let engine = bed.start(1);
    bed.producer().send(2..4);
    assert_eq!(judged(&bed, 3), [0, 1, 1]);
    assert!(!engine.is_ready());
    dead.abort_transaction(Duration::from_secs(10)).unwrap();
    wait_for("the partition to be here", || engine.is_ready());
    assert_eq!(judged(&bed, 4), [0, 0, 1, 1]);
    stop(engine);
}

/// `make bench-restore`
#[test]
#[ignore = "a benchmark: it wants an optimised build"]
fn a_hundred_thousand_patients() {
    const PATIENTS: usize = 100_000;
    const READINGS: usize = 5;
    let bed = Bed::new(4);
    bed.write("b.rules", include_str!("restoring/ward.rules"));
    let fast = || bed.layers(2).flag("engine.snapshot_age", "1s");
    let engine = bed.start_with(fast());
    wait_for("the engine to be ready", || engine.is_ready());
    let producer = bed.producer();
    for round in 0..READINGS {
        for patient in 0..PATIENTS {
            let value = format!("{{\"v\":{},\"ts\":{}}}", 40 + patient % 60, 1_700_000_000_000 + 5_000 * round as u64);
            producer.raw((patient % 4) as i32, Some(format!("patient-{patient}").as_bytes()), Some(value.as_bytes()));
        }
    }
    producer.flush();
    let readings = |engine: &Engine| {
        let metrics = body(engine, "/metrics");
        let line = metrics.lines().find(|line| line.starts_with("triage_readings_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    wait_for("all to be judged", || readings(&engine) as usize == PATIENTS * READINGS);
    std::thread::sleep(Duration::from_secs(15));
    stop(engine);
    let (records, bytes) = bed.size("triage-snapshots");
    let begun = Instant::now();
    let engine = bed.start_with(fast());
    wait_for("all to be restored", || engine.is_ready());
    println!(
        "{PATIENTS} patients restored {:.1} s after the start; {records} records and {:.0} MB of snapshots were read",
        begun.elapsed().as_secs_f64(),
        bytes as f64 / 1e6
    );
    stop(engine);
}
