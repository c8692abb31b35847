//! The topics `alerts.technical` and `heartbeat`: what goes there, one record at a time, and what has been left open there.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message, Timestamp};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::Offset;
use serde::Serialize;

use super::alert::Left;
use super::heartbeat::Heartbeat;
use crate::clock::now;
use crate::config::KafkaConfig;
use crate::kafka::lasting::Lasting;
use crate::kafka::properties;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::rights::explained;
use crate::kafka::topics::{HEARTBEAT, TECHNICAL_ALERTS, TECHNICAL_PARTITION};

/// The keys of records without a value by which a process that sends no heartbeat says that it is there: whoever goes by alerts'
/// ids passes over them, and a compacted topic lets them go.
const PRESENCE: &str = "process/";

/// How long one record may take.
const PATIENCE_MS: &str = "5000";

/// Why a record is not there.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    /// A Kafka client failed.
    #[error("the broker does not take it: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// The client was closed.
    #[error("the broker does not say whether it is there")]
    Unconfirmed,
    /// It cannot be written as JSON.
    #[error("it cannot be written: {0}")]
    Form(#[from] serde_json::Error),
    /// The runtime that waits for the broker cannot be made.
    #[error("cannot wait for the broker: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Sends one record after another, none twice by its own retries.
pub(super) struct Sender {
    producer: Lasting<FutureProducer>,
    runtime: tokio::runtime::Runtime,
}

impl Sender {
    pub(super) fn new(config: &KafkaConfig) -> Result<Self, SendError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { producer: Lasting::new(config, producer)?, runtime })
    }

    /// Sends an alert, and waits until it is there.
    pub(super) fn alert(&self, id: &str, alert: &impl Serialize) -> Result<(), SendError> {
        self.send(TECHNICAL_ALERTS, id, Some(&serde_json::to_vec(alert)?)).map(|_| ())
    }

    /// Writes the tombstone of an alert, and waits until it is there.
    pub(super) fn bury(&self, id: &str) -> Result<(), SendError> {
        self.send(TECHNICAL_ALERTS, id, None).map(|_| ())
    }

    /// Says that a process is there, which keeps its alerts from being taken for those of one that is gone.
    pub(super) fn presence(&self, process: &str) -> Result<(), SendError> {
        self.send(TECHNICAL_ALERTS, &format!("{PRESENCE}{process}"), None).map(|_| ())
    }

    /// Sends a heartbeat; by how many milliseconds this machine's clock is behind the broker's at least, if the topic has the
    /// broker's time. The broker's stands between when it was sent and when that was confirmed.
    pub(super) fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<Option<i64>, SendError> {
        let sent = now();
        let stamp = self.send(HEARTBEAT, &heartbeat.process, Some(&serde_json::to_vec(heartbeat)?))?;
        let confirmed = now();
        let Timestamp::LogAppendTime(broker) = stamp else { return Ok(None) };
        Ok(Some(outside(broker, sent, confirmed)))
    }

    fn send(&self, topic: &str, key: &str, value: Option<&[u8]>) -> Result<Timestamp, SendError> {
        let mut record = FutureRecord::<str, [u8]>::to(topic).partition(TECHNICAL_PARTITION).key(key);
        record.payload = value;
        // Held until it is there: a producer that goes takes along what is on its way.
        let producer = self.producer.get()?;
        let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
        let delivered = self.runtime.block_on(delivery).map_err(|_| SendError::Unconfirmed)?;
        Ok(delivered.map_err(|(error, _)| error)?.timestamp)
    }
}

fn producer(config: &KafkaConfig) -> KafkaResult<FutureProducer> {
    let mut properties = properties::plain(config);
    properties.set("enable.idempotence", "true").set("linger.ms", "0").set("message.timeout.ms", PATIENCE_MS);
    properties.create()
}

/// By how much a time is past `from..to`, or before it.
fn outside(time: i64, from: i64, to: i64) -> i64 {
    if time > to { time - to } else { (time - from).min(0) }
}

/// What processes have left open, what is over, and when each was last heard of. What was erased is neither.
#[derive(Debug, Default)]
pub(super) struct Remains {
    pub(super) open: Vec<Left>,
    /// By their ids.
    pub(super) over: BTreeSet<String>,
    /// When processes said that they are there, in epoch milliseconds.
    heard: BTreeMap<String, i64>,
}

impl Remains {
    /// When its process was last heard of; it was when it told of the alert.
    pub(super) fn heard_of(&self, left: &Left) -> i64 {
        self.heard.get(&left.process).copied().unwrap_or(i64::MIN).max(left.told.ts)
    }
}

/// Reads both topics to their end. What is not in the form of ours is passed over.
pub(super) fn remains(config: &KafkaConfig) -> Result<Remains, ReadError> {
    let records = Records::new(config)?;
    let (mut last, mut heard) = (BTreeMap::<Vec<u8>, Left>::new(), BTreeMap::new());
    read(&records, TECHNICAL_ALERTS, |message| {
        let key = message.key().unwrap_or_default();
        match message.payload().and_then(Left::read) {
            Some(left) => drop(last.insert(key.to_vec(), left)),
            None => drop(last.remove(key)),
        }
        heard.extend(present(message));
    })?;
    let (open, over): (Vec<Left>, Vec<Left>) = last.into_values().partition(|left| left.told.is_open());
    if !open.is_empty() {
        read(&records, HEARTBEAT, |message| {
            if let Some(beat) = message.payload().and_then(|value| serde_json::from_slice::<Heartbeat>(value).ok()) {
                let last = heard.entry(beat.process).or_insert(beat.ts);
                *last = beat.ts.max(*last);
            }
        })?;
    }
    Ok(Remains { open, over: over.into_iter().map(|left| left.told.id).collect(), heard })
}

/// The process that says that it is there, and when it does.
fn present(message: &BorrowedMessage<'_>) -> Option<(String, i64)> {
    let process = message.key()?.strip_prefix(PRESENCE.as_bytes()).filter(|_| message.payload().is_none())?;
    Some((std::str::from_utf8(process).ok()?.to_owned(), message.timestamp().to_millis()?))
}

fn read(records: &Records, topic: &str, mut take: impl FnMut(&BorrowedMessage<'_>)) -> Result<(), ReadError> {
    let (first, end) = records.bounds(topic, TECHNICAL_PARTITION)?;
    if first >= end {
        return Ok(());
    }
    records.read((topic, TECHNICAL_PARTITION), Offset::Beginning, end, &mut |message| {
        take(message);
        Ok(())
    })
}

/// One past the last record of the stream, over all its partitions.
pub(super) fn stream_end(records: &Records, stream: &str, partitions: i32) -> Result<i64, ReadError> {
    (0..partitions).map(|partition| Ok(records.bounds(stream, partition)?.1)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_by_what_the_way_there_and_back_does_not_explain() {
        assert_eq!(outside(150, 100, 200), 0);
        assert_eq!(outside(260, 100, 200), 60);
        assert_eq!(outside(30, 100, 200), -70);
    }
}
