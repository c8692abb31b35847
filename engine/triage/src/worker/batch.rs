//! The records of one transaction, and how long they gather. Knows nothing of what is done with them.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::reading::Record;

use crate::kafka::records::record;

/// The records of one transaction, borrowed from the consumer.
#[derive(Default)]
pub(crate) struct Batch<'c> {
    messages: Vec<BorrowedMessage<'c>>,
    bytes: usize,
}

/// A batch of this many bytes is full, however few its records are: a worker's memory stays bounded.
const MOST_BYTES: usize = 16 * 1024 * 1024;

impl<'c> Batch<'c> {
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }

    pub(crate) fn push(&mut self, message: BorrowedMessage<'c>) {
        self.bytes += message.key_len() + message.payload_len();
        self.messages.push(message);
    }

    pub(crate) fn is_full(&self, most_records: usize) -> bool {
        self.messages.len() >= most_records || self.bytes >= MOST_BYTES
    }

    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Forgets the records of partitions that are ours no longer. Nothing of them has been sent, so nothing is lost.
    pub(crate) fn drop_partitions(&mut self, partitions: &[i32]) {
        self.messages.retain(|message| !partitions.contains(&message.partition()));
    }

    pub(crate) fn records(&self) -> Vec<Record<'_>> {
        self.messages.iter().map(record).collect()
    }

    /// The place after the last record of each partition.
    pub(crate) fn ends(&self) -> BTreeMap<i32, i64> {
        // Offsets of a partition only grow, so the last one wins.
        self.messages.iter().map(|message| (message.partition(), message.offset() + 1)).collect()
    }

    /// The place of the first record of each partition.
    pub(crate) fn starts(&self) -> BTreeMap<i32, i64> {
        self.messages.iter().rev().map(|message| (message.partition(), message.offset())).collect()
    }
}

/// Places as librdkafka takes them.
pub(crate) fn places(topic: &str, places: &BTreeMap<i32, i64>) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::with_capacity(places.len());
    for (partition, offset) in places {
        list.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
    }
    Ok(list)
}

/// How long a batch gathers: short while little arrives, so that an alert is early; longer under load, because many small
/// transactions are dear.
#[derive(Debug)]
pub(crate) struct Pace {
    window: Duration,
    most: Duration,
}

/// The window while it is quiet.
const LEAST: Duration = Duration::from_millis(2);

/// A batch of this many records means load.
const BUSY: usize = 256;

impl Pace {
    pub(crate) fn new(most: Duration) -> Self {
        Self { window: LEAST, most: most.max(LEAST) }
    }

    pub(crate) fn window(&self) -> Duration {
        self.window
    }

    /// Adapts to how many records the last window brought.
    pub(crate) fn gathered(&mut self, records: usize) {
        self.window = if records >= BUSY { self.window * 2 } else { self.window / 2 }.clamp(LEAST, self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_grows_under_load_and_shrinks_in_quiet() {
        let mut pace = Pace::new(Duration::from_millis(50));
        assert_eq!(pace.window(), Duration::from_millis(2));
        (0..10).for_each(|_| pace.gathered(10_000));
        assert_eq!(pace.window(), Duration::from_millis(50));
        (0..10).for_each(|_| pace.gathered(1));
        assert_eq!(pace.window(), Duration::from_millis(2));
    }
}
