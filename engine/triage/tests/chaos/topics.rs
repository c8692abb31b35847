//! The topics of a run, read as a consumer reads them: committed records only, straight from the broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::verdict::Expected;

/// How long an answer of the broker may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a topic may take to come to its end, without a record.
const END: Duration = Duration::from_mins(2);

/// A committed record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: BTreeMap<String, String>,
}

pub(crate) struct Topics {
    bootstrap: String,
}

impl Topics {
    pub(crate) fn new(bootstrap: &str) -> Self {
        Self { bootstrap: bootstrap.to_owned() }
    }

    pub(crate) fn make_stream(&self, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let topic = NewTopic::new("research", partitions, TopicReplication::Fixed(1));
        let made = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    /// Until the engines' group has committed every record of a topic, and no transaction is open on it.
    pub(crate) fn wait_until_judged(&self, topic: &str, partitions: i32, patience: Duration) {
        let group: BaseConsumer = self.client().set("group.id", "triage").create().unwrap();
        let mut wanted = TopicPartitionList::new();
        wanted.add_partition_range(topic, 0, partitions - 1);
        let until = Instant::now() + patience;
        loop {
            let behind = behind(&group, topic, wanted.clone());
            if behind.as_ref().is_ok_and(|behind| behind.iter().all(|behind| *behind == 0)) {
                return;
            }
            assert!(Instant::now() < until, "records of {topic} that nobody judged, by partition: {behind:?}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// All committed records of a topic, by partition.
    pub(crate) fn read(&self, topic: &str, partitions: i32) -> Vec<Vec<Read>> {
        (0..partitions).map(|partition| self.read_partition(topic, partition)).collect()
    }

    fn read_partition(&self, topic: &str, partition: i32) -> Vec<Read> {
        self.wait_until_settled(topic, partition);
        let consumer: BaseConsumer = self
            .client()
            .set("group.id", "verdict")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        consumer.assign(&place).unwrap();
        let (mut read, mut until) = (Vec::new(), Instant::now() + END);
        while Instant::now() < until {
            match consumer.poll(Duration::from_secs(1)) {
                Some(Ok(message)) => {
                    read.push(copy(&message));
                    until = Instant::now() + END;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => return read,
                Some(Err(error)) if !is_passing(&error) => panic!("{topic}/{partition}: {error}"),
                Some(Err(_)) | None => {}
            }
        }
        panic!("{topic}/{partition}: no end within {END:?}");
    }

    /// Until no transaction is open: a killed engine's ends with its time.
    fn wait_until_settled(&self, topic: &str, partition: i32) {
        let end = |isolation: &str| {
            let client: BaseConsumer = self.client().set("isolation.level", isolation).create().unwrap();
            client.fetch_watermarks(topic, partition, PATIENCE).ok().map(|(_, end)| end)
        };
        let is_settled = || end("read_committed").is_some_and(|stable| end("read_uncommitted") == Some(stable));
        let until = Instant::now() + Duration::from_mins(3);
        while !is_settled() {
            assert!(Instant::now() < until, "{topic}/{partition}: a transaction stays open");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Writes the first record of a topic once more.
    pub(crate) fn double_one_record(&self, topic: &str) {
        let first = self.read_partition(topic, 0).into_iter().next().unwrap();
        let producer: BaseProducer = self.client().create().unwrap();
        let mut record = BaseRecord::<[u8], [u8]>::to(topic).partition(0);
        record.key = first.key.as_deref();
        record.payload = first.value.as_deref();
        record.timestamp = first.timestamp;
        producer.send(record).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", &self.bootstrap).set("check.crcs", "true");
        client
    }
}

/// How many records of a topic, by partition, its group has not committed.
fn behind(group: &BaseConsumer, topic: &str, wanted: TopicPartitionList) -> KafkaResult<Vec<i64>> {
    let committed = group.committed_offsets(wanted, PATIENCE)?;
    let behind = committed.elements().into_iter().map(|place| {
        let end = group.fetch_watermarks(topic, place.partition(), PATIENCE)?.1;
        Ok(end - place.offset().to_raw().unwrap_or(0).max(0))
    });
    behind.collect()
}

/// Whether the connection failed, and no record was passed over.
fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let passing = [Code::AllBrokersDown, Code::BrokerTransportFailure, Code::OperationTimedOut];
    matches!(error, KafkaError::MessageConsumption(code) if passing.contains(code))
}

/// What the engines have written: topic, then partition, then order.
#[derive(Debug, Clone)]
pub(crate) struct Written(pub(crate) BTreeMap<String, Vec<Vec<Read>>>);

impl Written {
    pub(crate) fn read(topics: &Topics, names: impl Iterator<Item = String>, partitions: i32) -> Self {
        Self(names.map(|name| (name.clone(), topics.read(&name, partitions))).collect())
    }

    /// A verdict that cannot fail is worth nothing: one record dropped, doubled, or out of order must be seen, anywhere.
    pub(crate) fn assert_that_faults_are_noticed(&self, expected: &Expected) {
        let faults: [fn(&mut Vec<Read>); 3] =
            [|records| drop(records.pop()), |records| records.push(records[0].clone()), |records| records.swap(0, 1)];
        for (topic, partitions) in &self.0 {
            for (partition, whole) in partitions.iter().enumerate() {
                assert!(whole.len() > 1 && whole[0] != whole[1], "{topic} has too little to prove anything");
                for fault in faults {
                    let mut faulty = whole.clone();
                    fault(&mut faulty);
                    assert!(
                        expected.difference(topic, partition, &faulty).is_some(),
                        "a fault in {topic} was not noticed"
                    );
                }
            }
        }
    }
}

fn copy(message: &BorrowedMessage<'_>) -> Read {
    let headers = message.headers().map(|headers| headers.iter().collect::<Vec<_>>()).unwrap_or_default();
    let headers = headers
        .into_iter()
        .map(|header| (header.key.to_owned(), String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned()));
    Read {
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis(),
        headers: headers.collect(),
    }
}
