//! The store from its topics again: `triage run --rebuild-store`. The group's offsets go back to the beginning of every topic that
//! is stored, while nobody reads in its name; everything else is as ever, so that a rebuild may be interrupted and goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::session::consumer_properties;
use super::{StoreError, stored_topics};
use crate::kafka::logged::Logged;
use crate::kafka::records::Records;
use crate::kafka::topics::RESENT_DOCUMENTS;
use crate::shared::Shared;

/// How often it is told how far it is.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// A rebuild under way.
#[derive(Debug)]
pub(crate) struct Rebuild {
    /// By topic and partition, the first offset and the one that ended it when the rebuild began.
    goal: BTreeMap<(String, i32), (i64, i64)>,
    told: Instant,
}

/// Takes the group back to the beginning.
pub(super) fn begin(shared: &Shared, records: &Records) -> Result<Rebuild, StoreError> {
    let consumer: BaseConsumer<Logged> = consumer_properties(&shared.config).create_with_context(Logged)?;
    let mut topics = stored_topics(&shared.current.load().program);
    topics.push(RESENT_DOCUMENTS.to_owned());
    let (mut goal, mut beginnings) = (BTreeMap::new(), TopicPartitionList::new());
    for topic in topics {
        for partition in 0..records.partitions(&topic)? {
            let (first, end) = records.bounds(&topic, partition)?;
            beginnings.add_partition_offset(&topic, partition, Offset::Offset(first))?;
            goal.insert((topic.clone(), partition), (first, end));
        }
    }
    consumer.commit(&beginnings, CommitMode::Sync).map_err(|error| refused(error, &shared.config.store.group))?;
    let rebuild = Rebuild { goal, told: Instant::now() };
    tracing::info!(records = rebuild.records(), "the store is rebuilt: its topics are read from their beginning");
    Ok(rebuild)
}

/// Kafka lets nobody set the offsets of a group that has members.
fn refused(error: KafkaError, group: &str) -> StoreError {
    use RDKafkaErrorCode as Code;
    match error.rdkafka_error_code() {
        Some(Code::UnknownMemberId | Code::IllegalGeneration | Code::NonEmptyGroup) => {
            StoreError::Busy(group.to_owned())
        }
        _ => error.into(),
    }
}

impl Rebuild {
    fn records(&self) -> i64 {
        self.goal.values().map(|(first, end)| end - first).sum()
    }

    /// Tells how far it is, now and then; whether it is over. A partition that is another process's is not ours to wait for.
    pub(super) fn is_over(&mut self, position: &TopicPartitionList) -> bool {
        let mut left = 0;
        for ((topic, partition), (first, end)) in &self.goal {
            let Some(place) = position.find_partition(topic, *partition) else { continue };
            let next = place.offset().to_raw().filter(|next| *next >= 0).unwrap_or(*first);
            left += (end - next).max(0);
        }
        let records = self.records();
        if left == 0 {
            tracing::info!(records, "the store is rebuilt");
            return true;
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            tracing::info!(read = records - left, records, "the store is being rebuilt");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn it_is_over_when_every_partition_of_ours_has_come_to_its_end() {
        let goal = [(("a".to_owned(), 0), (3, 9)), (("a".to_owned(), 1), (0, 5))].into();
        let mut rebuild = Rebuild { goal, told: Instant::now() };
        assert_eq!(rebuild.records(), 11);
        let mut position = TopicPartitionList::new();
        position.add_partition_offset("a", 0, Offset::Invalid).unwrap();
        assert!(!rebuild.is_over(&position));
        position.set_partition_offset("a", 0, Offset::Offset(8)).unwrap();
        assert!(!rebuild.is_over(&position));
        position.set_partition_offset("a", 0, Offset::Offset(9)).unwrap();
        assert!(rebuild.is_over(&position));
    }
}
