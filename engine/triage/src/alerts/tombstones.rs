//! Tombstones of alerts that have been closed for longer than anybody is away: topics of alerts are compacted by id, and only
//! a tombstone lets the last state of an episode go. One that is open never gets one.
//!
//! Each process sends those of the partitions that it judges. How far it has come is committed in a group of its own, in
//! the transaction of the tombstones: none is sent twice, and nothing has to be remembered. An id is never used again, so
//! that no later state of the episode can come behind its tombstone.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::alert::{Head, State};
use crate::clock::now;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::rights::explained;
use crate::kafka::topics::alerts_of;
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::shared::Shared;

/// How often closed alerts are looked for. Half an hour more or less is nothing beside seven days.
const SWEEP_EVERY: Duration = Duration::from_mins(30);

/// How often it is looked whether the engine has begun to judge.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long a question to the broker may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// The most tombstones of one transaction.
const MOST: usize = 1_000;

/// The largest record, which is a key.
const LARGEST: usize = 100_000;

/// Why a sweep broke off; the next one goes on where it was.
#[derive(Debug, thiserror::Error)]
enum SweepError {
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Transaction(#[from] TransactionError),
}

/// Starts the thread.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<JoinHandle<()>, std::io::Error> {
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("tombstones".to_owned()).spawn(move || run(&shared))
}

fn run(shared: &Shared) {
    while shared.board.positions().is_empty() {
        if shared.shutdown.sleep(LOOK_EVERY) {
            return;
        }
    }
    loop {
        match sweep(shared) {
            Ok(0) => {}
            Ok(tombstones) => tracing::info!(tombstones, "alerts that were closed long ago are let go"),
            Err(error) => tracing::warn!(%error, "alerts that were closed long ago are not let go; trying again later"),
        }
        if shared.shutdown.sleep(SWEEP_EVERY) {
            return;
        }
    }
}

/// Every topic of alerts, in the partitions that this process judges; how many tombstones were sent.
fn sweep(shared: &Shared) -> Result<u64, SweepError> {
    let config = &shared.config;
    let group = format!("{}-tombstones", config.kafka.group);
    let consumer: BaseConsumer<Logged> = properties::consumer(&config.kafka)
        .set("group.id", &group)
        .set("statistics.interval.ms", "0")
        .create_with_context(Logged)?;
    let records = Records::new(&config.kafka)?;
    let producer = properties::producer(&config.kafka, &config.tombstones_transactional_id(), LARGEST);
    let transactions = Transactions::open(&producer, PATIENCE)?;
    let before = now() - config.retention.alerts.as_millis() as i64;
    let sweeper = Sweeper { consumer, records, transactions, before };
    let mut sent = 0;
    for topic in topics(shared) {
        let partitions = sweeper.records.partitions(&topic)?;
        for partition in shared.board.positions().into_keys().filter(|partition| *partition < partitions) {
            if shared.shutdown.is_asked() {
                return Ok(sent);
            }
            sent += sweeper.sweep(&topic, partition)?;
        }
    }
    shared.metrics.tombstones(sent);
    Ok(sent)
}

/// Those of the rule set, and those of earlier ones, as far as they are followed.
fn topics(shared: &Shared) -> Vec<String> {
    let current = shared.current.load();
    let ours = current.program.topics().iter().filter(|topic| topic.alerts).map(|topic| topic.name.clone());
    let mut topics: Vec<String> = ours.chain(shared.alerts.topics()).map(|topic| alerts_of(&topic)).collect();
    topics.sort();
    topics.dedup();
    topics
}

struct Sweeper {
    consumer: BaseConsumer<Logged>,
    records: Records,
    transactions: Transactions,
    /// Alerts that were closed before this, in epoch milliseconds, are let go.
    before: i64,
}

/// Why reading ends.
enum Halt {
    /// At an alert that stays.
    Young,
    Failed(SweepError),
}

impl From<ReadError> for Halt {
    fn from(error: ReadError) -> Self {
        Self::Failed(error.into())
    }
}

impl Sweeper {
    fn sweep(&self, topic: &str, partition: i32) -> Result<u64, SweepError> {
        let end = self.records.bounds(topic, partition)?.1;
        let mut waiting: Vec<Vec<u8>> = Vec::new();
        let (mut next, mut sent) = (None, 0);
        let read = self.records.read((topic, partition), self.committed(topic, partition)?, end, &mut |message| {
            if message.timestamp().to_millis().is_none_or(|time| time >= self.before) {
                return Err(Halt::Young);
            }
            waiting.extend(closed(message).map(<[u8]>::to_vec));
            next = Some(message.offset() + 1);
            if waiting.len() >= MOST {
                sent += waiting.len() as u64;
                self.send(topic, partition, &std::mem::take(&mut waiting), message.offset() + 1)
                    .map_err(Halt::Failed)?;
            }
            Ok(())
        });
        if let Err(Halt::Failed(error)) = read {
            return Err(error);
        }
        if let Some(next) = next {
            self.send(topic, partition, &waiting, next)?;
        }
        Ok(sent + waiting.len() as u64)
    }

    fn committed(&self, topic: &str, partition: i32) -> Result<Offset, SweepError> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition(topic, partition);
        let committed = self.consumer.committed_offsets(asked, PATIENCE)?;
        Ok(match committed.find_partition(topic, partition).map(|place| place.offset()) {
            Some(Offset::Offset(offset)) => Offset::Offset(offset),
            _ => Offset::Beginning,
        })
    }

    /// The tombstones, and that everything before `next` has its own.
    fn send(&self, topic: &str, partition: i32, keys: &[Vec<u8>], next: i64) -> Result<(), SweepError> {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(topic, partition, Offset::Offset(next))?;
        let group = self.consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        self.transactions.begin()?;
        let result = keys.iter().try_for_each(|key| {
            let key = Some(key.as_slice());
            self.transactions.send(Sent { topic, partition, key, value: None, timestamp: None, headers: None })
        });
        let result = result.and_then(|()| self.transactions.commit(&offsets, &group));
        if let Err(error) = result {
            self.transactions.abort()?;
            return Err(error.into());
        }
        Ok(())
    }
}

/// The key of an alert whose episode is over with it, or that is of none.
fn closed<'m>(message: &'m BorrowedMessage<'_>) -> Option<&'m [u8]> {
    let (head, _) = Head::read(message.key(), message.payload()?).ok()?;
    message.key().filter(|_| head.single || head.state == State::Resolved)
}
