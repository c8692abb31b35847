//! What one would write by hand for the ten routes of `engine/bench/e2e/ward.rules`, and nothing else: one thread, plain
//! `if`s, exactly once. The engine is measured against it by `make bench-e2e`. It does not go on after an error.

mod outputs;
mod routes;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use outputs::Place;
use routes::Routes;

/// How long a step of the protocol may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The hand-written program beside the engine; `make bench-e2e` starts it.
#[derive(Debug, Parser)]
struct Arguments {
    /// The broker, as HOST:PORT
    #[arg(long)]
    bootstrap_servers: String,
    /// The consumer group; a new one begins with the earliest reading
    #[arg(long)]
    group: String,
    /// The most readings of one transaction
    #[arg(long, default_value_t = 10_000)]
    batch_size: usize,
    /// How many milliseconds a transaction gathers at most
    #[arg(long, default_value_t = 50)]
    batch_age_ms: u64,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the broker: {0}")]
    Kafka(#[from] KafkaError),
    #[error("a reading that is not as expected, at offset {offset} of partition {partition}: {error}")]
    Reading { partition: i32, offset: i64, error: sonic_rs::Error },
    #[error("records are not acknowledged after 30 s")]
    Unacknowledged,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(3)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let producer = producer(arguments)?;
    producer.init_transactions(PATIENCE)?;
    let consumer = consumer(arguments)?;
    consumer.subscribe(&["research"])?;
    let mut routes = Routes::default();
    loop {
        if let Some(message) = consumer.poll(Duration::from_millis(20)) {
            transaction(arguments, &consumer, &producer, &mut routes, message?)?;
        }
    }
}

/// From a first reading until the batch is full or old.
fn transaction(
    arguments: &Arguments,
    consumer: &BaseConsumer,
    producer: &BaseProducer,
    routes: &mut Routes,
    first: BorrowedMessage<'_>,
) -> Result<(), Failure> {
    producer.begin_transaction()?;
    let until = Instant::now() + Duration::from_millis(arguments.batch_age_ms);
    let mut ends = BTreeMap::new();
    let mut next = Some(first);
    let mut readings = 0;
    while let Some(message) = next {
        judge(&message, routes, producer)?;
        ends.insert(message.partition(), message.offset() + 1);
        readings += 1;
        let left = until.saturating_duration_since(Instant::now());
        if readings >= arguments.batch_size || left.is_zero() {
            break;
        }
        next = consumer.poll(left).transpose()?;
    }
    commit(consumer, producer, &ends)
}

fn judge(message: &BorrowedMessage<'_>, routes: &mut Routes, producer: &BaseProducer) -> Result<(), Failure> {
    let place = Place { partition: message.partition(), offset: message.offset() };
    let value = message.payload().unwrap_or_default();
    let timestamp = message.timestamp().to_millis();
    let unexpected = |error| Failure::Reading { partition: place.partition, offset: place.offset, error };
    let outputs = routes.judge(value, place).map_err(unexpected)?;
    for output in outputs {
        let mut record = BaseRecord::<[u8], [u8]>::to(output.topic).partition(place.partition);
        record.key = Some(output.key);
        record.payload = Some(output.value);
        record.timestamp = timestamp;
        send(producer, record)?;
    }
    Ok(())
}

fn send(producer: &BaseProducer, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), Failure> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Polls until nothing is in flight: `flush` waits in slices of 100 ms. A record that was not delivered fails the commit.
fn commit(consumer: &BaseConsumer, producer: &BaseProducer, ends: &BTreeMap<i32, i64>) -> Result<(), Failure> {
    let until = Instant::now() + PATIENCE;
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        if Instant::now() > until {
            return Err(Failure::Unacknowledged);
        }
    }
    let mut offsets = TopicPartitionList::new();
    for (partition, end) in ends {
        offsets.add_partition_offset("research", *partition, Offset::Offset(*end))?;
    }
    let group = consumer.group_metadata().ok_or(KafkaError::Canceled)?;
    producer.send_offsets_to_transaction(&offsets, &group, PATIENCE)?;
    producer.commit_transaction(PATIENCE)?;
    Ok(())
}

/// Set as the engine sets its own.
fn consumer(arguments: &Arguments) -> Result<BaseConsumer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", &arguments.bootstrap_servers)
        .set("group.id", &arguments.group)
        .set("session.timeout.ms", "6000")
        .set("heartbeat.interval.ms", "1000")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("check.crcs", "true")
        .set("fetch.queue.backoff.ms", "10")
        .set("queued.max.messages.kbytes", "16384")
        .set("fetch.max.bytes", "16777216")
        .create()
}

fn producer(arguments: &Arguments) -> Result<BaseProducer, KafkaError> {
    ClientConfig::new()
        .set("bootstrap.servers", &arguments.bootstrap_servers)
        .set("transactional.id", "by-hand")
        .set("enable.idempotence", "true")
        .set("linger.ms", "0")
        .set("retry.backoff.ms", "5")
        .set("transaction.timeout.ms", "60000")
        .set("message.timeout.ms", "30000")
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", "65536")
        .set("compression.type", "lz4")
        .create()
}
