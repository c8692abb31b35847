//! A worker's transactional producer: outputs and consumed offsets become visible together or not at all.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::TopicPartitionList;

use super::rights::{explained, explained_on, is_of_a_topic};
use super::topics::JOURNAL;

/// How long a step of the protocol may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a transaction did not commit, and what that means for the worker.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransactionError {
    /// The transaction is to be aborted; the same clients can go on with the same records.
    #[error("the transaction must be aborted: {}", explained(.0))]
    Abort(KafkaError),
    /// The transaction is to be aborted: this user may not write to a topic.
    #[error("the transaction must be aborted: {}", explained_on(.error, .topic))]
    Denied {
        /// The topic.
        topic: String,
        /// The broker's words.
        error: KafkaError,
    },
    /// The clients are of no more use: fenced, or in a state that nobody can know.
    #[error("the clients must start again: {}", explained(.0))]
    Restart(KafkaError),
    /// The group has given the partitions of this batch to others.
    #[error("the group went on without this worker")]
    Lost,
    /// Deliveries are not acknowledged in time.
    #[error("{0} records are not acknowledged after 30 s")]
    Unacknowledged(i32),
}

impl TransactionError {
    /// Whether the broker refused a record for what it is, so that the others can be sent without it.
    pub(crate) fn is_of_a_record(&self) -> bool {
        use RDKafkaErrorCode as Code;
        let Self::Abort(KafkaError::MessageProduction(code)) = self else { return false };
        matches!(
            code,
            Code::MessageSizeTooLarge | Code::InvalidMessageSize | Code::InvalidRecord | Code::InvalidTimestamp
        )
    }
}

/// A record to send; borrowed, librdkafka copies it.
#[derive(Debug)]
pub(crate) struct Sent<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: Option<OwnedHeaders>,
}

/// The producer of a worker, one transaction after another.
pub(crate) struct Transactions {
    producer: BaseProducer<Deliveries>,
}

impl Transactions {
    /// Takes over the transactional id, fencing whoever had it; an open transaction of theirs is aborted.
    pub(crate) fn open(properties: &ClientConfig, patience: Duration) -> KafkaResult<Self> {
        let producer: BaseProducer<Deliveries> = properties.create_with_context(Deliveries::default())?;
        producer.init_transactions(patience)?;
        Ok(Self { producer })
    }

    pub(crate) fn begin(&self) -> Result<(), TransactionError> {
        self.producer.begin_transaction().map_err(classify)
    }

    /// Hands one record over; waits while librdkafka's queue is full.
    pub(crate) fn send(&self, sent: Sent<'_>) -> Result<(), TransactionError> {
        let noted = usize::from(sent.topic == JOURNAL);
        let mut record = BaseRecord::<[u8], [u8], usize>::with_opaque_to(sent.topic, noted).partition(sent.partition);
        record.key = sent.key;
        record.payload = sent.value;
        record.timestamp = sent.timestamp;
        record.headers = sent.headers;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again))
                    if Instant::now() < deadline =>
                {
                    record = again;
                    self.producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(TransactionError::Abort(error)),
            }
        }
    }

    /// Adds the offsets, waits until everything is acknowledged, commits.
    ///
    /// The waiting polls until nothing is in flight: `flush` and `commit_transaction` wait in slices of 100 ms while
    /// delivery reports are unserved, which would be the latency of every reading.
    pub(crate) fn commit(
        &self,
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        self.commit_with(offsets, group).map_err(|error| self.with_topic(error))
    }

    fn commit_with(&self, offsets: &TopicPartitionList, group: &ConsumerGroupMetadata) -> Result<(), TransactionError> {
        self.acknowledged().map_err(|error| self.told_by_transaction(error))?;
        self.producer.send_offsets_to_transaction(offsets, group, PATIENCE).map_err(classify)?;
        self.commit_retrying()
    }

    /// The same where nothing was consumed, and where 100 ms are no matter.
    pub(crate) fn commit_without_offsets(&self) -> Result<(), TransactionError> {
        let result = self.commit_retrying();
        match self.producer.context().take_failed() {
            Some(code) if result.is_err() && code != RDKafkaErrorCode::PurgeQueue => {
                Err(self.with_topic(TransactionError::Abort(KafkaError::MessageProduction(code))))
            }
            _ => result.map_err(|error| self.with_topic(error)),
        }
    }

    /// The place after the last entry on each partition of the journal, of those that were delivered since the last call.
    pub(crate) fn journaled(&self) -> BTreeMap<i32, i64> {
        let mut journaled = self.producer.context().journaled.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut journaled)
    }

    /// Takes everything back. Reports are served first: an abort waits for them.
    pub(crate) fn abort(&self) -> Result<(), TransactionError> {
        self.producer.poll(Duration::ZERO);
        self.producer.abort_transaction(PATIENCE).map_err(TransactionError::Restart)
    }

    /// Records that were thrown away do not know why: the transaction had failed before, and says so when it is to commit.
    /// librdkafka commits none of which a record was not delivered.
    fn told_by_transaction(&self, error: TransactionError) -> TransactionError {
        match error {
            TransactionError::Abort(KafkaError::MessageProduction(RDKafkaErrorCode::PurgeQueue)) => {
                self.producer.commit_transaction(PATIENCE).map_err(classify).err().unwrap_or(error)
            }
            error => error,
        }
    }

    /// A refusal for lack of a right, with the topic that it is about.
    fn with_topic(&self, error: TransactionError) -> TransactionError {
        let TransactionError::Abort(error) = error else { return error };
        match self.producer.context().take_denied().filter(|_| is_of_a_topic(&error)) {
            Some(topic) => TransactionError::Denied { topic, error },
            None => TransactionError::Abort(error),
        }
    }

    fn acknowledged(&self) -> Result<(), TransactionError> {
        let deadline = Instant::now() + PATIENCE;
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(1));
            if Instant::now() > deadline {
                return Err(TransactionError::Unacknowledged(self.producer.in_flight_count()));
            }
        }
        match self.producer.context().take_failed() {
            None => Ok(()),
            Some(code) => Err(TransactionError::Abort(KafkaError::MessageProduction(code))),
        }
    }

    /// A commit that timed out may be asked for again; its answer is the same.
    fn commit_retrying(&self) -> Result<(), TransactionError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.producer.commit_transaction(PATIENCE) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => return Err(classify(error)),
            }
        }
    }
}

fn classify(error: KafkaError) -> TransactionError {
    match &error {
        KafkaError::Transaction(inner) if inner.txn_requires_abort() => TransactionError::Abort(error),
        _ => TransactionError::Restart(error),
    }
}

/// Keeps why the first delivery failed; the transaction that it belongs to is aborted. And where entries of the journal stand.
#[derive(Debug, Default)]
struct Deliveries {
    failed: Mutex<Option<RDKafkaErrorCode>>,
    /// A topic that this user may not write to, as last heard.
    denied: Mutex<Option<String>>,
    /// By partition, the place after the last.
    journaled: Mutex<BTreeMap<i32, i64>>,
}

impl Deliveries {
    fn take_failed(&self) -> Option<RDKafkaErrorCode> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn take_denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn denied(&self, topic: &str) {
        *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = Some(topic.to_owned());
    }
}

impl ClientContext for Deliveries {
    /// Which topic may not be written to in a transaction, librdkafka says nowhere but here.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        if let Some(topic) = denied_topic(facility, message) {
            self.denied(topic);
        }
        super::consumer::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "the broker reports a problem to the producer");
    }
}

impl ProducerContext for Deliveries {
    /// Not 0: where it stands is to be noted.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, noted: usize) {
        let (error, message) = match result {
            Ok(message) if noted > 0 => {
                let mut journaled = self.journaled.lock().unwrap_or_else(PoisonError::into_inner);
                journaled.insert(message.partition(), message.offset() + 1);
                return;
            }
            Ok(_) => return,
            Err(failed) => failed,
        };
        if is_of_a_topic(error) {
            self.denied(message.topic());
        }
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_some() {
            return;
        }
        *failed = Some(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown));
        let (topic, error) = (message.topic(), explained_on(error, message.topic()));
        tracing::warn!(topic, partition = message.partition(), error, "a record was not delivered");
    }
}

/// The topic of a line such as `Failed to add partition "vitals" [0] to transaction: Broker: Topic authorization failed`.
fn denied_topic<'a>(facility: &str, message: &'a str) -> Option<&'a str> {
    if facility != "ADDPARTS" || !message.ends_with("Topic authorization failed") {
        return None;
    }
    message.split('"').nth(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_that_may_not_be_written_to_is_found_in_the_log() {
        let line = "[thrd:main]: 127.0.0.1:9092/1: Failed to add partition \"vitals\" [0] to transaction: \
                    Broker: Topic authorization failed";
        assert_eq!(denied_topic("ADDPARTS", line), Some("vitals"));
        assert_eq!(denied_topic("FAIL", line), None);
        assert_eq!(
            denied_topic("ADDPARTS", "Failed to add partition \"vitals\" [0] to transaction: Local: Purged"),
            None
        );
    }
}
