//! What people say about alerts: the topic `acknowledgements`, of the partitions that the worker has and no others. Read
//! beside the stream; what was read waits until the transaction that judges it has committed.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::Limits;

use crate::config::KafkaConfig;
use crate::kafka::consumer::is_passing;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::topics::ACKNOWLEDGEMENTS;

/// The most that is judged in one transaction.
const MOST: usize = 1_000;

/// The most bytes of a key and a value together; what is larger is a dead letter, and no state hangs on it.
pub(crate) const MOST_BYTES: usize = 2 * 1024;

/// What a word may be, for those who only read them.
pub(crate) const LIMITS: Limits = Limits { value_bytes: MOST_BYTES, skew_ms: None };

/// The reader.
pub(crate) struct Words {
    consumer: BaseConsumer<Logged>,
    /// The next offset of each partition that is read.
    next: BTreeMap<i32, i64>,
    waiting: Vec<OwnedMessage>,
}

impl Words {
    pub(crate) fn new(config: &KafkaConfig) -> KafkaResult<Self> {
        let mut properties = properties::consumer(config);
        properties.set("statistics.interval.ms", "0");
        Ok(Self { consumer: properties.create_with_context(Logged)?, next: BTreeMap::new(), waiting: Vec::new() })
    }

    /// Reads a partition too, from that offset on.
    ///
    /// The others are left alone: librdkafka ends the process when a partition that it is still stopping is assigned anew and
    /// stopped once more (`rktp_started`), as it is when all are assigned for each that comes.
    pub(crate) fn begin(&mut self, partition: i32, next: i64) -> KafkaResult<()> {
        self.assign(partition, next, Offset::Offset(next))
    }

    /// Reads a partition too, from where the group is.
    pub(crate) fn go_on(&mut self, partition: i32) -> KafkaResult<()> {
        self.assign(partition, 0, Offset::Stored)
    }

    fn assign(&mut self, partition: i32, next: i64, from: Offset) -> KafkaResult<()> {
        self.drop_partitions(&[partition])?;
        self.next.insert(partition, next);
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(ACKNOWLEDGEMENTS, partition, from)?;
        self.consumer.incremental_assign(&place)
    }

    pub(crate) fn drop_partitions(&mut self, partitions: &[i32]) -> KafkaResult<()> {
        self.waiting.retain(|word| !partitions.contains(&word.partition()));
        let mut gone = TopicPartitionList::new();
        for partition in partitions.iter().filter(|partition| self.next.contains_key(partition)) {
            gone.add_partition(ACKNOWLEDGEMENTS, *partition);
        }
        self.next.retain(|partition, _| !partitions.contains(partition));
        if gone.count() == 0 { Ok(()) } else { self.consumer.incremental_unassign(&gone) }
    }

    /// Takes in what has come.
    pub(crate) fn read(&mut self) -> Result<(), KafkaError> {
        while !self.next.is_empty() && self.waiting.len() < MOST {
            match self.consumer.poll(Duration::ZERO) {
                None => return Ok(()),
                Some(Ok(message)) => {
                    // Not of a partition that has gone meanwhile, and once of one that has come again.
                    let next = self.next.get_mut(&message.partition());
                    if let Some(next) = next.filter(|next| message.offset() >= **next) {
                        *next = message.offset() + 1;
                        self.waiting.push(message.detach());
                    }
                }
                Some(Err(error)) if is_passing(&error) => {
                    tracing::warn!(%error, "acknowledgements cannot be read now, and are tried again");
                    return Ok(());
                }
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(())
    }

    pub(crate) fn waiting(&self) -> &[OwnedMessage] {
        &self.waiting
    }

    /// The first so many are judged and committed.
    pub(crate) fn done(&mut self, words: usize) {
        self.waiting.drain(..words);
    }
}
