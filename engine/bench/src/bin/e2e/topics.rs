//! The topics of the bench: made before, counted after, as a consumer sees them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::Failure;

pub(crate) const STREAM: &str = "research";

/// All that the ten rules send to.
pub(crate) const OUTPUTS: [&str; 8] =
    ["archive", "stroke", "vitals", "cardiology", "diabete", "dyslipidemia", "alerts.stroke", "alerts.vitals"];

pub(crate) const PARTITIONS: i32 = 4;

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Committed records by topic.
pub(crate) type Counts = BTreeMap<String, u64>;

/// Where each partition ended at some moment.
pub(crate) type Ends = BTreeMap<(String, i32), i64>;

pub(crate) fn make(bootstrap: &str) -> Result<(), Failure> {
    let admin: AdminClient<DefaultClientContext> = client(bootstrap).create()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let topics: Vec<_> = OUTPUTS
        .iter()
        .chain([&STREAM])
        .map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1)))
        .collect();
    for made in runtime.block_on(admin.create_topics(&topics, &AdminOptions::new()))? {
        made.map_err(|(topic, error)| Failure::Topics(format!("{topic}: {error}")))?;
    }
    Ok(())
}

/// The ends of all output topics, control records included.
pub(crate) fn ends(bootstrap: &str) -> KafkaResult<Ends> {
    let consumer: BaseConsumer = client(bootstrap).create()?;
    let mut ends = Ends::new();
    for topic in OUTPUTS {
        for partition in 0..PARTITIONS {
            ends.insert((topic.to_owned(), partition), consumer.fetch_watermarks(topic, partition, PATIENCE)?.1);
        }
    }
    Ok(ends)
}

/// Counts what has been committed since.
pub(crate) fn count_since(bootstrap: &str, begin: &Ends) -> KafkaResult<Counts> {
    let consumer = reader(bootstrap)?;
    let mut places = TopicPartitionList::new();
    for ((topic, partition), offset) in begin {
        places.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    consumer.assign(&places)?;
    let mut counts: Counts = OUTPUTS.iter().map(|topic| ((*topic).to_owned(), 0)).collect();
    let mut open = begin.len();
    while open > 0 {
        match consumer.poll(PATIENCE) {
            Some(Ok(message)) => {
                if let Some(count) = counts.get_mut(message.topic()) {
                    *count += 1;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error),
            None => return Err(KafkaError::MessageConsumption(rdkafka::error::RDKafkaErrorCode::OperationTimedOut)),
        }
    }
    Ok(counts)
}

/// Sees committed records only, as soon as they are there.
pub(crate) fn reader(bootstrap: &str) -> KafkaResult<BaseConsumer> {
    client(bootstrap)
        .set("group.id", "bench-reader")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("fetch.queue.backoff.ms", "1")
        .create()
}

pub(crate) fn client(bootstrap: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", bootstrap);
    client
}
