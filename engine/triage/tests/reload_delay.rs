//! How long a reload of ten thousand rules holds readings back: from a reading's sending to its committed record, on Apache
//! Kafka: the embedded broker answers consumers that wait at once and with nothing, so that its clients alone keep two cores
//! busy. `make bench-reload` runs it and prints a table; it fails beyond the bound, so that it is no part of `make test`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use bed::{Bed, stop, wait_for};
use services::Kafka;
use triage::engine::Engine;
use triage::reload::ReloadOutcome;

/// What a reload may add to the delay of any reading.
const BOUND: Duration = Duration::from_millis(100);

/// Before anything is measured: the broker compiles what is used much.
const WARMING_UP: Duration = Duration::from_secs(45);

const PARTITIONS: i32 = 2;

/// Between two readings: four hundred patients, each of whom is heard of every two seconds.
const PAUSE: Duration = Duration::from_millis(5);

/// `RULES` rules with an alert each, over so many windows as `WINDOWS` says, of `PATIENTS` patients.
struct Size {
    rules: usize,
    windows: usize,
    patients: u64,
}

impl Size {
    fn of_environment() -> Self {
        let set = |name, usual| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
        Self { rules: set("RULES", 10_000), windows: set("WINDOWS", 500), patients: set("PATIENTS", 400) as u64 }
    }

    /// The rules with thresholds and windows so much larger.
    fn rules(&self, threshold: usize, longer: usize) -> String {
        let mut text = "every.one when v is known\n".to_owned();
        for rule in 0..self.rules {
            let (minutes, limit) = (1 + longer + rule % self.windows, 500_000_000 + threshold + rule);
            let _ = writeln!(text, "high.r{rule} when avg(v, {minutes}m) > {limit} alert low \"v is {{v}}\"");
        }
        text
    }
}

/// Sends readings at a steady pace, and takes the time of each: when it was sent, and how long its record took.
struct Load {
    enough: Arc<AtomicBool>,
    sending: JoinHandle<()>,
    receiving: JoinHandle<()>,
    delays: Arc<Mutex<Vec<(Instant, Duration)>>>,
}

impl Load {
    fn start(bed: &Bed, patients: u64) -> Self {
        let (enough, delays) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let sent = Arc::new(Mutex::new(Vec::<Instant>::new()));
        let receiving = receive(bed, &enough, &sent, &delays);
        let (readings, until) = (bed.producer(), Arc::clone(&enough));
        let sending = std::thread::spawn(move || {
            let mut next = Instant::now();
            for number in 0_u64.. {
                if until.load(Ordering::Relaxed) {
                    return;
                }
                let patient = number % patients;
                sent.lock().unwrap().push(Instant::now());
                let (key, value) = (format!("p{patient}"), format!("{{\"v\":{number}}}"));
                readings.raw((patient % 2) as i32, Some(key.as_bytes()), Some(value.as_bytes()));
                readings.poll();
                next += PAUSE;
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { enough, sending, receiving, delays }
    }

    /// The delays of what was sent since then and how long after, once all of it must have come; the longest last.
    fn since(&self, begun: Instant) -> Vec<(Duration, Duration)> {
        let until = Instant::now();
        wait_for("the readings that were sent", || self.delays.lock().unwrap().iter().any(|(sent, _)| *sent > until));
        let delays = self.delays.lock().unwrap();
        let delays = delays.iter().filter(|(sent, _)| (begun..until).contains(sent));
        let mut delays: Vec<_> = delays.map(|(sent, delay)| (*delay, *sent - begun)).collect();
        delays.sort_unstable();
        delays
    }

    fn end(self) {
        self.enough.store(true, Ordering::Relaxed);
        self.sending.join().unwrap();
        self.receiving.join().unwrap();
    }
}

fn receive(
    bed: &Bed,
    enough: &Arc<AtomicBool>,
    sent: &Arc<Mutex<Vec<Instant>>>,
    delays: &Arc<Mutex<Vec<(Instant, Duration)>>>,
) -> JoinHandle<()> {
    let consumer: BaseConsumer = bed
        .client()
        .set("group.id", "reader")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "5")
        .create()
        .unwrap();
    let mut partitions = TopicPartitionList::new();
    (0..PARTITIONS).for_each(|partition| partitions.add_partition_offset("every", partition, Offset::End).unwrap());
    consumer.assign(&partitions).unwrap();
    let (enough, sent, delays) = (Arc::clone(enough), Arc::clone(sent), Arc::clone(delays));
    std::thread::spawn(move || {
        while !enough.load(Ordering::Relaxed) {
            let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
            let record: serde_json::Value = serde_json::from_slice(record.unwrap().payload().unwrap()).unwrap();
            let sent = sent.lock().unwrap()[record["v"].as_u64().unwrap() as usize];
            delays.lock().unwrap().push((sent, sent.elapsed()));
        }
    })
}

#[test]
#[ignore = "takes a minute, and time: make bench-reload"]
fn a_reload_of_ten_thousand_rules_holds_no_reading_back() {
    let size = Size::of_environment();
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), PARTITIONS);
    bed.write("b.rules", &size.rules(0, 0));
    let engine = bed.start_with(bed.layers(2).flag("log.level", "warn"));
    wait_for("the engine to be ready", || engine.is_ready());
    let load = Load::start(&bed, size.patients);
    wait_for("every patient to be heard of", || load.delays.lock().unwrap().len() as u64 > 2 * size.patients);
    std::thread::sleep(WARMING_UP);
    reload(&bed, &engine, &size.rules(0, 0).replace("\"v is", "\"v was"));
    println!("{} rules, {} windows, {} patients", size.rules, size.windows, size.patients);
    println!("{:<28} {:>8} {:>8} {:>8} {:>8} {:>8}", "ms", "median", "99 %", "most", "sent at", "reload");
    let begun = Instant::now();
    std::thread::sleep(Duration::from_secs(5));
    let quiet = show("nothing", &load.since(begun), Duration::ZERO);
    let mut worst = Duration::ZERO;
    for round in 1..=5 {
        for (what, threshold, longer) in [("every threshold", round, round - 1), ("every window", round, round)] {
            let begun = Instant::now();
            let took = reload(&bed, &engine, &size.rules(threshold, longer));
            worst = worst.max(show(what, &load.since(begun), took));
        }
    }
    load.end();
    stop(engine);
    assert!(worst < quiet + BOUND, "a reading was held back for {worst:?}, without reloads for {quiet:?}");
}

/// How long it takes; ends a second later.
fn reload(bed: &Bed, engine: &Engine, rules: &str) -> Duration {
    bed.write("b.rules", rules);
    let begun = Instant::now();
    let outcome = engine.reload("test");
    let took = begun.elapsed();
    assert!(matches!(outcome, ReloadOutcome::Applied { .. }), "{outcome}");
    std::thread::sleep(Duration::from_secs(1));
    took
}

/// Prints a line of the table; the longest delay.
fn show(what: &str, sorted: &[(Duration, Duration)], reload: Duration) -> Duration {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let (most, sent) = *sorted.last().unwrap();
    let (median, late) = (sorted[sorted.len() / 2].0, sorted[sorted.len() * 99 / 100].0);
    println!(
        "{what:<28} {:>8.1} {:>8.1} {:>8.1} {:>8.0} {:>8.0}",
        ms(median),
        ms(late),
        ms(most),
        ms(sent),
        ms(reload)
    );
    most
}
