//! Whether everything has come through: the committed places of engine and store, held against the ends of the topics.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::looker::Looker;
use crate::config::KafkaConfig;
use crate::kafka::properties;
use crate::kafka::topics::is_for_people;

/// How long a question to the embedded broker may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The stream that the demonstration's rules read.
const STREAM: &str = "research";

/// Asks for places and ends; joins no group.
pub(super) struct Ends {
    engine: BaseConsumer,
    store: BaseConsumer,
}

/// A partition with records, and where it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    topic: String,
    partition: i32,
    offset: i64,
}

impl Ends {
    pub(super) fn new(kafka: &KafkaConfig, engine_group: &str, store_group: &str) -> KafkaResult<Self> {
        let asker = |group: &str| properties::consumer(kafka).set("group.id", group).create();
        Ok(Self { engine: asker(engine_group)?, store: asker(store_group)? })
    }

    /// The engine first: what it has yet to send is no end yet. A broker that does not answer has reached nothing.
    pub(super) fn are_reached(&self, stored: &[String], looker: &Looker) -> bool {
        self.judged_all().unwrap_or(false) && self.kept_all(stored, looker).unwrap_or(false)
    }

    fn judged_all(&self) -> KafkaResult<bool> {
        let ends = self.ends(|topic| topic == STREAM)?;
        has_committed(&self.engine, &ends)
    }

    fn kept_all(&self, stored: &[String], looker: &Looker) -> KafkaResult<bool> {
        let ends = self.ends(|topic| !topic.starts_with("__") && is_for_people(topic))?;
        let shown = ends.iter().all(|end| looker.has_reached(&end.topic, end.partition, end.offset));
        let ends: Vec<End> = ends.into_iter().filter(|end| stored.contains(&end.topic)).collect();
        Ok(shown && has_committed(&self.store, &ends)?)
    }

    fn ends(&self, wanted: impl Fn(&str) -> bool) -> KafkaResult<Vec<End>> {
        let metadata = self.engine.fetch_metadata(None, PATIENCE)?;
        let mut ends = Vec::new();
        for topic in metadata.topics().iter().filter(|topic| wanted(topic.name())) {
            for partition in topic.partitions() {
                let (_, offset) = self.engine.fetch_watermarks(topic.name(), partition.id(), PATIENCE)?;
                if offset > 0 {
                    ends.push(End { topic: topic.name().to_owned(), partition: partition.id(), offset });
                }
            }
        }
        Ok(ends)
    }
}

fn has_committed(group: &BaseConsumer, ends: &[End]) -> KafkaResult<bool> {
    let mut asked = TopicPartitionList::new();
    for end in ends {
        asked.add_partition(&end.topic, end.partition);
    }
    let committed = group.committed_offsets(asked, PATIENCE)?;
    Ok(ends.iter().all(|end| {
        let place = committed.find_partition(&end.topic, end.partition).map(|place| place.offset());
        matches!(place, Some(Offset::Offset(offset)) if offset >= end.offset)
    }))
}
