//! How far partitions have been read.

use std::collections::{BTreeMap, HashMap};

use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// The next offset of each partition that something was read of, by topic and partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Places(HashMap<String, BTreeMap<i32, i64>>);

impl Places {
    pub(crate) fn get(&self, topic: &str, partition: i32) -> Option<i64> {
        self.0.get(topic)?.get(&partition).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i32, i64)> {
        self.0.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|(partition, offset)| (topic.as_str(), *partition, *offset))
        })
    }

    /// The record at `offset` has been read.
    pub(crate) fn passed(&mut self, topic: &str, partition: i32, offset: i64) {
        self.change(topic, partition, offset + 1, i64::max);
    }

    /// Nothing from `offset` on has been read.
    pub(crate) fn back_to(&mut self, topic: &str, partition: i32, offset: i64) {
        self.change(topic, partition, offset, i64::min);
    }

    /// What to commit of these ends: where the first document waits, or the consumer's own position, which is past the ends
    /// of transactions. Partitions that are no longer ours have no position, and are left out.
    pub(crate) fn to_commit(&self, position: &TopicPartitionList, waiting: &Self) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for place in position.elements() {
            let (topic, partition) = (place.topic(), place.partition());
            let (Some(end), Offset::Offset(position)) = (self.get(topic, partition), place.offset()) else { continue };
            let next = waiting.get(topic, partition).unwrap_or_else(|| end.max(position));
            list.add_partition_offset(topic, partition, Offset::Offset(next))?;
        }
        Ok(list)
    }

    /// These places as far as `among` has them.
    pub(crate) fn within(&self, among: &TopicPartitionList) -> KafkaResult<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for (topic, partition, offset) in self.iter() {
            if among.find_partition(topic, partition).is_some() {
                list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
            }
        }
        Ok(list)
    }

    fn change(&mut self, topic: &str, partition: i32, to: i64, better: fn(i64, i64) -> i64) {
        // The topic's name is copied once a batch, not once a record.
        if let Some(partitions) = self.0.get_mut(topic) {
            partitions.entry(partition).and_modify(|next| *next = better(*next, to)).or_insert(to);
            return;
        }
        self.0.insert(topic.to_owned(), BTreeMap::from([(partition, to)]));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn places_go_forward_when_passed_and_back_when_told() {
        let mut places = Places::default();
        places.passed("a", 0, 7);
        places.passed("a", 0, 5);
        places.passed("b", 1, 0);
        assert_eq!((places.get("a", 0), places.get("b", 1), places.get("a", 1)), (Some(8), Some(1), None));
        places.back_to("a", 0, 6);
        places.back_to("a", 0, 7);
        assert_eq!(places.get("a", 0), Some(6));
    }

    #[test]
    fn what_waits_is_not_committed_nor_what_is_no_longer_ours() {
        let (mut ends, mut waiting) = (Places::default(), Places::default());
        for partition in 0..3 {
            ends.passed("a", partition, 9);
        }
        waiting.back_to("a", 1, 4);
        let mut position = TopicPartitionList::new();
        position.add_partition_offset("a", 0, Offset::Offset(11)).unwrap();
        position.add_partition_offset("a", 1, Offset::Offset(10)).unwrap();
        position.add_partition_offset("b", 0, Offset::Offset(7)).unwrap();
        let list = ends.to_commit(&position, &waiting).unwrap();
        let places: Vec<_> = list.elements().iter().map(|place| (place.partition(), place.offset())).collect();
        assert_eq!(places, [(0, Offset::Offset(11)), (1, Offset::Offset(4))]);
    }
}
