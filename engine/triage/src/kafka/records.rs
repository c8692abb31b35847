//! Committed records of a topic from one place to another, read in no group's name.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList, TopicPartitionListElem};
use triage_core::reading::Record;

use super::consumer::is_passing;
use super::logged::Logged;
use super::properties;
use super::rights::explained;
use crate::config::KafkaConfig;

/// How long one question may take, or nothing may come, before the reading is given up.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long to wait for a transaction that is open; whoever asked has others to ask for meanwhile, and asks again.
const SETTLING: Duration = Duration::from_secs(1);

/// A record as the core takes it.
pub(crate) fn record(message: &impl Message) -> Record<'_> {
    Record {
        key: message.key(),
        value: message.payload(),
        timestamp: message.timestamp().to_millis(),
        partition: message.partition(),
        offset: message.offset(),
    }
}

/// Why records cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// A Kafka client failed.
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// Nothing more comes from a topic, and its end is not reached.
    #[error("the topic `{topic}` cannot be read to its end: nothing came for {seconds} s")]
    Stuck {
        /// The topic.
        topic: String,
        /// For how long.
        seconds: u64,
    },
    /// A transaction is open, or the broker does not say.
    #[error("a transaction on partition {partition} of the topic `{topic}` is open")]
    Unsettled {
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
}

/// Reads partitions of topics, one after another.
pub(crate) struct Records {
    committed: BaseConsumer<Logged>,
    /// Sees where a partition ends, whatever is committed.
    ends: BaseConsumer<Logged>,
}

impl Records {
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self, ReadError> {
        let mut properties = properties::consumer(config);
        properties.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        // What is read has an end. A fetch that waits at the end of one partition would hold up the next.
        properties.set("fetch.wait.max.ms", "10");
        let committed = properties.create_with_context(Logged)?;
        let ends = properties.set("isolation.level", "read_uncommitted").create_with_context(Logged)?;
        Ok(Self { committed, ends })
    }

    /// All topics that this user may see, in order.
    pub(crate) fn topics(&self) -> Result<Vec<String>, ReadError> {
        let metadata = self.ends.fetch_metadata(None, PATIENCE)?;
        let mut topics: Vec<String> = metadata.topics().iter().map(|topic| topic.name().to_owned()).collect();
        topics.sort();
        Ok(topics)
    }

    /// How many partitions the topic has; 0 if it is not there.
    pub(crate) fn partitions(&self, topic: &str) -> Result<i32, ReadError> {
        // All topics are asked for, because asking for one by name may make it.
        let metadata = self.ends.fetch_metadata(None, PATIENCE)?;
        let found = metadata.topics().iter().find(|found| found.name() == topic);
        Ok(found.map_or(0, |found| found.partitions().len() as i32))
    }

    /// The first offset that is there, and the one past the last, committed or not.
    pub(crate) fn bounds(&self, topic: &str, partition: i32) -> Result<(i64, i64), ReadError> {
        Ok(self.ends.fetch_watermarks(topic, partition, PATIENCE)?)
    }

    /// The offset that the group has committed of a partition, with what is noted beside it, if no transaction is open that
    /// may change it.
    pub(crate) fn committed(&self, topic: &str, partition: i32) -> Result<Option<(i64, String)>, ReadError> {
        let mut places = TopicPartitionList::new();
        places.add_partition(topic, partition);
        let committed = self.committed.committed_offsets(places, SETTLING).and_then(|committed| {
            committed.elements().iter().try_for_each(TopicPartitionListElem::error)?;
            Ok(committed)
        });
        let unsettled = || ReadError::Unsettled { topic: topic.to_owned(), partition };
        let committed = committed.map_err(|error| match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::OperationTimedOut | RDKafkaErrorCode::UnstableOffsetCommit) => unsettled(),
            _ => error.into(),
        })?;
        let place = committed.find_partition(topic, partition);
        Ok(place.and_then(|place| match place.offset() {
            Offset::Offset(offset) => Some((offset, place.metadata().to_owned())),
            _ => None,
        }))
    }

    /// Where the partition ends now, if no transaction is open before that.
    pub(crate) fn settled_end(&self, topic: &str, partition: i32) -> Result<i64, ReadError> {
        let end = self.bounds(topic, partition)?.1;
        let until = Instant::now() + SETTLING;
        while self.committed.fetch_watermarks(topic, partition, PATIENCE)?.1 < end {
            if Instant::now() > until {
                return Err(ReadError::Unsettled { topic: topic.to_owned(), partition });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(end)
    }

    /// Gives the committed records of a partition to `take`, in order: from `from`, as far as `end`, which is not among them.
    pub(crate) fn read<E: From<ReadError>>(
        &self,
        (topic, partition): (&str, i32),
        from: Offset,
        end: i64,
        take: &mut impl FnMut(&BorrowedMessage<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let assign = || {
            let mut place = TopicPartitionList::new();
            place.add_partition_offset(topic, partition, from)?;
            self.committed.assign(&place)
        };
        assign().map_err(ReadError::Kafka)?;
        let mut heard = Instant::now();
        while heard.elapsed() < PATIENCE {
            match self.committed.poll(Duration::from_millis(100)) {
                None => {}
                Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(ReadError::Kafka(error).into()),
                Some(Ok(message)) if message.offset() >= end => return Ok(()),
                Some(Ok(message)) => {
                    take(&message)?;
                    heard = Instant::now();
                }
            }
        }
        Err(ReadError::Stuck { topic: topic.to_owned(), seconds: PATIENCE.as_secs() }.into())
    }
}
