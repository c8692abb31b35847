//! One round: a contender with a new group judges the whole stream; then what it wrote is counted.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::Failure;
use crate::arguments::Arguments;
use crate::contender::{Contender, Running};
use crate::latency::{Delays, watch};
use crate::stream::Readings;
use crate::topics::{Counts, PARTITIONS, PATIENCE, STREAM, client, count_since, ends};

/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A contender that commits nothing for so long is stuck.
const STUCK: Duration = Duration::from_mins(1);

/// For how long readings are sent of which none counts.
const AWAKE: Duration = Duration::from_secs(1);

/// What a round has shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) cpu_per_million: f64,
    pub(crate) peak_mib: f64,
    pub(crate) outputs: u64,
}

pub(crate) struct Bench {
    bootstrap: String,
    count: usize,
    readings: Readings,
    /// What the first round wrote; every other must write as much.
    expected: Option<Counts>,
    rounds: u32,
}

impl Bench {
    /// Fills the stream.
    pub(crate) fn new(bootstrap: &str, arguments: &Arguments) -> KafkaResult<Self> {
        let mut readings = Readings::new();
        readings.fill(bootstrap, arguments.readings)?;
        Ok(Self { bootstrap: bootstrap.to_owned(), count: arguments.readings, readings, expected: None, rounds: 0 })
    }

    pub(crate) fn round(&mut self, round: u32, contender: &Contender) -> Result<Measured, Failure> {
        self.rounds = round;
        let name = contender.name;
        let group = group(contender, round);
        let begin = ends(&self.bootstrap)?;
        let mut running = contender.start(&self.bootstrap, &group)?;
        let per_second = self.wait_until_judged(&mut running, &group)?;
        let used = running.used()?;
        drop(running);
        let counts = count_since(&self.bootstrap, &begin)?;
        let outputs = counts.values().sum();
        self.compare(name, counts)?;
        let cpu_per_million = used.cpu_seconds * 1e6 / self.count as f64;
        eprintln!("round {}: {name}: {per_second:.0} readings/s, {cpu_per_million:.2} CPU s per million", round + 1);
        Ok(Measured { per_second, cpu_per_million, peak_mib: used.peak_mib, outputs })
    }

    /// Goes on with the group of the last round, so that nothing is left to judge but what is sent now. What is sent first only
    /// shows that its partitions have been taken over.
    pub(crate) fn latency(&mut self, contender: &Contender, arguments: &Arguments) -> Result<Delays, Failure> {
        let group = group(contender, self.rounds);
        let mut running = contender.start(&self.bootstrap, &group)?;
        self.readings.trickle(&self.bootstrap, arguments.rate, AWAKE)?;
        self.wait_until_judged(&mut running, &group)?;
        let delays = watch(&self.bootstrap, &mut self.readings, arguments.rate, arguments.latency_seconds)?;
        running.assert_runs()?;
        eprintln!("latency: {}: {} alerts seen", contender.name, delays.len());
        if delays.is_empty() { Err(Failure::Unseen(contender.name)) } else { Ok(delays) }
    }

    fn compare(&mut self, name: &'static str, counts: Counts) -> Result<(), Failure> {
        let expected = self.expected.get_or_insert_with(|| counts.clone());
        if *expected == counts {
            return Ok(());
        }
        Err(Failure::Differ { name, engine: expected.clone(), other: counts })
    }

    /// Readings per second from the first commit seen until the last, so that starting does not count.
    fn wait_until_judged(&self, running: &mut Running, group: &str) -> Result<f64, Failure> {
        let consumer: BaseConsumer = client(&self.bootstrap).set("group.id", group).create()?;
        let end = stream_end(&consumer)?;
        let (mut first, mut last) = (None, (Instant::now(), 0));
        loop {
            running.assert_runs()?;
            let judged = judged(&consumer)?;
            let now = Instant::now();
            if judged > last.1 {
                last = (now, judged);
            }
            let (since, already) = if judged > 0 { *first.get_or_insert((now, judged)) } else { (now, 0) };
            if judged >= end {
                let seconds = (now - since).as_secs_f64().max(LOOK.as_secs_f64());
                return Ok((judged - already) as f64 / seconds);
            }
            if now - last.0 > STUCK {
                return Err(running.stuck().into());
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn group(contender: &Contender, round: u32) -> String {
    format!("bench-{:?}-{round}", contender.kind)
}

fn stream_end(consumer: &BaseConsumer) -> KafkaResult<i64> {
    (0..PARTITIONS).map(|partition| Ok(consumer.fetch_watermarks(STREAM, partition, PATIENCE)?.1)).sum()
}

fn judged(consumer: &BaseConsumer) -> KafkaResult<i64> {
    let mut places = TopicPartitionList::new();
    places.add_partition_range(STREAM, 0, PARTITIONS - 1);
    let committed = consumer.committed_offsets(places, PATIENCE)?;
    Ok(committed.elements().iter().map(|place| place.offset().to_raw().unwrap_or(0).max(0)).sum())
}
