//! All committed records of a topic, up to the end that it has when the reading begins.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::DeadLetterError;
use crate::config::KafkaConfig;
use crate::kafka::consumer::is_passing;
use crate::kafka::logged::Logged;
use crate::kafka::properties;

/// How long nothing may come before the reading is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// How many partitions the topic has; 0 if it is not there.
pub(super) fn partitions(config: &KafkaConfig, topic: &str) -> Result<i32, DeadLetterError> {
    let client: BaseConsumer<Logged> = properties::plain(config).create_with_context(Logged)?;
    // All topics are asked for, because asking for one by name may make it.
    let metadata = client.fetch_metadata(None, PATIENCE)?;
    let found = metadata.topics().iter().find(|found| found.name() == topic);
    Ok(found.map_or(0, |found| found.partitions().len() as i32))
}

/// Gives every record to `take`, partition by partition, each in order. What is written meanwhile is not read.
pub(super) fn read(
    config: &KafkaConfig,
    topic: &str,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), DeadLetterError>,
) -> Result<(), DeadLetterError> {
    let ends = ends(config, topic)?;
    let mut properties = properties::consumer(config);
    properties.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
    let consumer: BaseConsumer<Logged> = properties.create_with_context(Logged)?;
    for (partition, end) in ends {
        read_partition(&consumer, topic, partition, end, &mut take)?;
    }
    consumer.unassign()?;
    Ok(())
}

fn ends(config: &KafkaConfig, topic: &str) -> Result<Vec<(i32, i64)>, DeadLetterError> {
    let client: BaseConsumer<Logged> = properties::plain(config).create_with_context(Logged)?;
    let mut ends = Vec::new();
    for partition in 0..partitions(config, topic)? {
        ends.push((partition, client.fetch_watermarks(topic, partition, PATIENCE)?.1));
    }
    Ok(ends)
}

fn read_partition(
    consumer: &BaseConsumer<Logged>,
    topic: &str,
    partition: i32,
    end: i64,
    take: &mut impl FnMut(&BorrowedMessage<'_>) -> Result<(), DeadLetterError>,
) -> Result<(), DeadLetterError> {
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, partition, Offset::Beginning)?;
    consumer.assign(&place)?;
    let mut heard = Instant::now();
    while heard.elapsed() < PATIENCE {
        match consumer.poll(Duration::from_millis(100)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) if message.offset() >= end => return Ok(()),
            Some(Ok(message)) => {
                heard = Instant::now();
                take(&message)?;
            }
        }
    }
    Err(DeadLetterError::Stuck { topic: topic.to_owned(), seconds: PATIENCE.as_secs() })
}
