//! End to end on the embedded broker: what goes in comes out once, whatever happens to the engine in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};
use rdkafka::producer::{BaseProducer, Producer};

#[test]
fn a_reading_becomes_a_record_and_an_alert_and_a_broken_one_a_dead_letter() {
    let bed = Bed::new(2);
    let engine = bed.start_ready(1);
    let readings = bed.producer();
    readings.raw(1, Some(b"p1"), Some(br#"{"v":150,"note":"n"}"#));
    readings.raw(1, Some(b"p1"), Some(b"not json"));
    readings.raw(0, Some(b"p0"), None);
    readings.flush();

    let high = bed.read("high", 1);
    assert_eq!(high.len(), 1);
    assert_eq!((high[0].partition, high[0].key.as_deref()), (1, Some(b"p1".as_slice())));
    let record = high[0].json();
    assert_eq!(
        (&record["patient"], &record["v"], &record["rules"]),
        (&"p1".into(), &150.into(), &vec!["high.big"].into())
    );
    assert_eq!(record["origin"]["ruleset"], engine.version());
    assert_eq!(high[0].timestamp, record["ts"].as_i64());

    let alerts = bed.read("alerts.high", 1);
    assert_eq!((alerts.len(), alerts[0].partition), (1, 1));
    assert_eq!(alerts[0].json()["message"], "v is 150");

    let mut letters = bed.read("dead-letters", 2);
    letters.sort_by_key(|letter| letter.partition);
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].value.as_deref(), letters[0].headers["reason"].as_str()), (None, "tombstone"));
    let broken = &letters[1];
    assert_eq!(
        (broken.value.as_deref(), broken.key.as_deref()),
        (Some(b"not json".as_slice()), Some(b"p1".as_slice()))
    );
    let header = |name: &str| broken.headers[name].as_str();
    assert_eq!((header("stage"), header("reason"), header("topic")), ("reading", "not-json", "research"));
    assert_eq!((header("partition"), header("offset")), ("1", "1"));
    assert!(!header("sentence").is_empty() && !header("timestamp").is_empty());
    stop(engine);
}

#[test]
fn restarts_lose_and_double_nothing() {
    let bed = Bed::new(2);
    stop(bed.start_ready(1));
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 20, Duration::from_millis(20));
    for round in 0..5_u64 {
        let engine = bed.start(2);
        if round % 2 == 0 {
            wait_for("a commit", || metric(&engine, "triage_readings_total") > 0.0);
        }
        std::thread::sleep(Duration::from_millis(round * 37));
        stop(engine);
    }
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let engine = bed.start(1);
    assert_each_once(&bed.read("every", sent), sent);
    assert_each_once(&bed.read("alerts.high", sent - 101), sent - 101);
    stop(engine);
}

#[test]
fn a_fenced_worker_makes_new_clients_and_goes_on() {
    let bed = Bed::new(2);
    let engine = bed.start_ready(1);
    let readings = bed.producer();
    for round in 0..4 {
        readings.send(round * 500..round * 500 + 500);
        let thief: BaseProducer = bed.client().set("transactional.id", "bed-0").create().unwrap();
        thief.init_transactions(Duration::from_mins(2)).unwrap();
        readings.send(2_000 + round * 500..2_500 + round * 500);
    }
    assert_each_once(&bed.read("every", 4_000), 4_000);
    wait_for("the engine to be ready again", || engine.is_ready());
    assert!(metric(&engine, "triage_worker_restarts_total") >= 1.0);
    stop(engine);
}

#[test]
fn engines_that_come_and_go_under_load_lose_and_double_nothing() {
    let bed = Bed::new(4);
    let first = bed.start_ready(1);
    let readings = bed.producer();
    let sending = std::thread::spawn(move || {
        for chunk in 0..100 {
            readings.send(chunk * 40..chunk * 40 + 40);
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    for visitor in 0..2 {
        let layers = bed.layers(1).flag("kafka.transactional_id_prefix", format!("visitor-{visitor}"));
        let second = bed.start_with(layers);
        std::thread::sleep(Duration::from_millis(1_200));
        stop(second);
    }
    sending.join().unwrap();
    assert_each_once(&bed.read("every", 4_000), 4_000);
    stop(first);
}

fn assert_each_once(seen: &[Seen], readings: usize) {
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!(seen.len(), readings, "records");
    assert_eq!(origins.len(), readings, "readings they come from");
}

fn metric(engine: &triage::engine::Engine, name: &str) -> f64 {
    let text = String::from_utf8(engine.metrics().render().unwrap()).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_commit_does_not_wait_in_slices_of_100_ms() {
    let bed = Bed::new(1);
    let engine = bed.start_ready(1);
    let readings = bed.producer();
    let commits = || {
        let [count, sum] = ["count", "sum"].map(|of| metric(&engine, &format!("triage_commit_duration_seconds_{of}")));
        (count, sum)
    };
    let took = |number| {
        let before = commits();
        readings.send(number..number + 1);
        wait_for("the commit", || commits().0 > before.0);
        let after = commits();
        (after.1 - before.1) / (after.0 - before.0)
    };
    // Slices would hold up each of them, a busy machine does not.
    let quickest = (0..20).map(took).fold(f64::INFINITY, f64::min);
    assert!(quickest < 0.08, "a commit takes {quickest} s");
    stop(engine);
}
