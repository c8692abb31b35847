//! Where a webhook begins: at the end of its topic when it is set up, so that a pager does not ring for a week's old alarms; and
//! from then on where it was. What is made later (a topic of a reload, more partitions) is read from its beginning.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::group;
use crate::config::KafkaConfig;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::topics::{RESENT_ALERTS, alerts_of};

/// How long each question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Commits the present ends of the topics of which the group has committed nothing.
pub(super) fn settle(config: &KafkaConfig, topic: &str) -> KafkaResult<()> {
    let consumer: BaseConsumer<Logged> = properties::consumer(config)
        .set("group.id", group(config, topic))
        .set("statistics.interval.ms", "0")
        .create_with_context(Logged)?;
    let mut ends = TopicPartitionList::new();
    for name in [alerts_of(topic), RESENT_ALERTS.to_owned()] {
        add_ends(&consumer, &name, &mut ends)?;
    }
    if ends.count() == 0 {
        return Ok(());
    }
    tracing::info!(topic, ?ends, "the webhook is new and begins at the end");
    consumer.commit(&ends, CommitMode::Sync)
}

fn add_ends(consumer: &BaseConsumer<Logged>, topic: &str, ends: &mut TopicPartitionList) -> KafkaResult<()> {
    // All topics are asked for, because asking for one by name may make it.
    let metadata = consumer.fetch_metadata(None, PATIENCE)?;
    let Some(there) = metadata.topics().iter().find(|there| there.name() == topic) else { return Ok(()) };
    let mut asked = TopicPartitionList::new();
    for partition in there.partitions() {
        asked.add_partition(topic, partition.id());
    }
    let committed = consumer.committed_offsets(asked, PATIENCE)?;
    // One that has begun has begun everywhere: a partition without an offset of its own was made since.
    if committed.elements().iter().any(|place| matches!(place.offset(), Offset::Offset(_))) {
        return Ok(());
    }
    for partition in there.partitions() {
        let (_, end) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
        ends.add_partition_offset(topic, partition.id(), Offset::Offset(end))?;
    }
    Ok(())
}
