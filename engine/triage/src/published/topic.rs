//! Reads the topic `rule-sets` from its beginning, and publishes on it.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::PublishError;
use super::set::{Assembly, PART_BYTES, Record, RuleSet};
use crate::config::KafkaConfig;
use crate::kafka::consumer::is_passing;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::rights::explained;
use crate::kafka::topics::RULE_SETS;
use crate::tls::InUse;

/// How long reading to the end, or a step of a transaction, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The largest record that a publisher sends.
const LARGEST: usize = 1_000_000;

/// Reads every record of the topic, in no consumer group's name.
pub(crate) struct Reader {
    consumer: BaseConsumer<Logged>,
    in_use: InUse,
    pub(crate) assembly: Assembly,
    /// The last that failed and was tried again.
    failure: Option<KafkaError>,
}

impl Reader {
    /// Reads up to the present end.
    pub(crate) fn open(config: &KafkaConfig) -> Result<Self, PublishError> {
        Self::read(config, Assembly::new(&config.group))
    }

    /// The same, with the set of an earlier version.
    pub(crate) fn looking_for(config: &KafkaConfig, version: &str) -> Result<Self, PublishError> {
        Self::read(config, Assembly::looking_for(&config.group, version))
    }

    fn read(config: &KafkaConfig, assembly: Assembly) -> Result<Self, PublishError> {
        let in_use = config.tls.in_use();
        let mut properties = properties::consumer(config);
        properties.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        let consumer: BaseConsumer<Logged> = properties.create_with_context(Logged)?;
        let mut partitions = TopicPartitionList::new();
        partitions.add_partition_offset(RULE_SETS, 0, Offset::Beginning)?;
        consumer.assign(&partitions)?;
        let mut reader = Self { consumer, in_use, assembly, failure: None };
        let until = Instant::now() + PATIENCE;
        while !reader.poll(Duration::from_millis(100))? {
            if Instant::now() > until {
                let silent = || "nothing comes".to_owned();
                return Err(PublishError::Unread(reader.failure.as_ref().map_or_else(silent, explained)));
            }
        }
        Ok(reader)
    }

    /// Whether new certificates have been taken up, so that another reader is due.
    pub(crate) fn is_outdated(&self) -> bool {
        self.in_use.is_outdated()
    }

    /// Takes what there is; true at the end of the topic.
    pub(crate) fn poll(&mut self, patience: Duration) -> Result<bool, PublishError> {
        match self.consumer.poll(patience) {
            None => Ok(false),
            Some(Err(KafkaError::PartitionEOF(_))) => Ok(true),
            Some(Ok(record)) => {
                self.assembly.take(record.offset(), record.key().unwrap_or_default(), record.payload());
                Ok(false)
            }
            Some(Err(error)) if is_passing(&error) => {
                self.failure = Some(error);
                Ok(false)
            }
            Some(Err(error)) => Err(error.into()),
        }
    }
}

/// Publishes; where the pointer is. With `only_first` nothing is done, and none answered, if something is published.
///
/// Every process of a group takes over the same transactional id, and so fences whoever publishes at the same time: of two
/// starts that both find nothing, one fails and reads again.
pub(crate) fn publish(
    config: &KafkaConfig,
    set: &RuleSet,
    version: &str,
    only_first: bool,
) -> Result<Option<i64>, PublishError> {
    let id = format!("{}-{RULE_SETS}", config.group);
    let producer: FutureProducer = properties::producer(config, &id, LARGEST).create()?;
    producer.init_transactions(PATIENCE)?;
    if only_first && Reader::open(config)?.assembly.latest().is_some() {
        return Ok(None);
    }
    let by = gethostname::gethostname().to_string_lossy().into_owned();
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let records = set.records(&config.group, (version, by, at), PART_BYTES)?;
    producer.begin_transaction()?;
    match send(&producer, &records).and_then(|offset| {
        producer.commit_transaction(PATIENCE)?;
        Ok(offset)
    }) {
        Ok(offset) => Ok(Some(offset)),
        Err(error) => {
            // It has failed already; an open transaction is ended by the next publisher at the latest.
            let _ = producer.abort_transaction(PATIENCE);
            Err(error)
        }
    }
}

fn send(producer: &FutureProducer, records: &[Record]) -> Result<i64, PublishError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(PublishError::Runtime)?;
    let mut waiting = Vec::new();
    for (key, value) in records {
        let record = FutureRecord::to(RULE_SETS).partition(0).key(key).payload(value);
        waiting.push(producer.send_result(record).map_err(|(error, _)| error)?);
    }
    let mut last = -1;
    for delivery in waiting {
        let delivered = runtime.block_on(delivery).map_err(|_| PublishError::Unconfirmed)?;
        last = delivered.map_err(|(error, _)| error)?.offset;
    }
    Ok(last)
}
