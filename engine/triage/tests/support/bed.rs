//! A test bed: the embedded broker, a rules folder, engines in this process, and a reader that sees committed records only.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Headers, Message, OwnedHeaders, ToBytes};
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tempfile::TempDir;
use triage::config::Layers;
use triage::engine::Engine;
use triage::shutdown::Shutdown;

pub(crate) const STREAM: &str = r#"
stream research {
  patient: text key
  ts:      time event
  v:       int 0..1000000000
}
topic high { fields v  notify "nurse" }
topic every { fields all }
"#;

/// Every reading goes to `every`; those above 100 to `high`, with an alert.
pub(crate) const RULES: &str =
    "every.one when v is known\nhigh.big when v > 100 alert high \"v is {v}\" each reading\n";

pub(crate) struct Bed {
    pub(crate) broker: SocketAddr,
    pub(crate) rules: TempDir,
    pub(crate) partitions: i32,
    embedded: bool,
}

/// A committed record.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) partition: i32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) headers: BTreeMap<String, String>,
}

impl Seen {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(self.value.as_deref().unwrap()).unwrap()
    }

    /// The place of the reading it comes from.
    pub(crate) fn origin(&self) -> (i64, i64) {
        let origin = &self.json()["origin"];
        (origin["partition"].as_i64().unwrap(), origin["offset"].as_i64().unwrap())
    }
}

impl Bed {
    pub(crate) fn new(partitions: i32) -> Self {
        let broker = triage::embedded::spawn("127.0.0.1:0").unwrap();
        Self { embedded: true, ..Self::at(broker, partitions) }
    }

    pub(crate) fn at(broker: SocketAddr, partitions: i32) -> Self {
        if let Ok(level) = std::env::var("BED_LOG") {
            let _ = tracing_subscriber::fmt().with_env_filter(level).with_writer(std::io::stderr).try_init();
        }
        let bed = Self { broker, rules: tempfile::tempdir().unwrap(), partitions, embedded: false };
        bed.write("a.rules", STREAM);
        bed.write("b.rules", RULES);
        bed
    }

    /// Another rules folder beside the same broker, as of another process.
    pub(crate) fn another(&self) -> Self {
        Self { embedded: self.embedded, ..Self::at(self.broker, self.partitions) }
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        put(&self.rules.path().join(name), text);
    }

    pub(crate) fn layers(&self, workers: usize) -> Layers {
        let layers = Layers::new()
            .flag("kafka.bootstrap_servers", self.broker.to_string())
            .flag("kafka.partitions", self.partitions.to_string())
            .flag("kafka.transactional_id_prefix", "bed")
            .flag("rules.path", path(self.rules.path()))
            .flag("engine.workers", workers.to_string())
            .flag("http.listen", "127.0.0.1:0")
            // The embedded broker waits this long, not for the session, for a member that was stopped while it joined.
            .flag("kafka.properties.max.poll.interval.ms", "10000")
            .flag("kafka.properties.session.timeout.ms", "10000");
        if !self.embedded {
            return layers;
        }
        // A cooperative group of the embedded broker comes to a stop when members leave while they join.
        layers.flag("kafka.properties.partition.assignment.strategy", "range")
    }

    pub(crate) fn start(&self, workers: usize) -> Engine {
        self.start_with(self.layers(workers))
    }

    #[allow(clippy::unused_self, reason = "reads as the others do")]
    pub(crate) fn start_with(&self, layers: Layers) -> Engine {
        Engine::start(layers.build().unwrap(), Shutdown::new()).unwrap()
    }

    pub(crate) fn start_ready(&self, workers: usize) -> Engine {
        let engine = self.start(workers);
        wait_for("the engine to be ready", || engine.is_ready());
        engine
    }

    pub(crate) fn producer(&self) -> Readings {
        Readings { producer: self.sender(), partitions: self.partitions }
    }

    fn sender(&self) -> Sender {
        self.client().set("linger.ms", "0").create_with_context(Deliveries::default()).unwrap()
    }

    /// Deletes the readings of a partition before `first`, as retention does.
    pub(crate) fn delete_readings(&self, partition: i32, first: i64) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let mut before = TopicPartitionList::new();
        before.add_partition_offset("research", partition, Offset::Offset(first)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(admin.delete_records(&before, &AdminOptions::new())).unwrap();
    }

    /// Sends `chunk` readings again and again until there is enough; how many there were.
    pub(crate) fn send_until(&self, enough: &Arc<AtomicBool>, chunk: u64, pause: Duration) -> JoinHandle<usize> {
        let readings = self.producer();
        let enough = Arc::clone(enough);
        std::thread::spawn(move || {
            let mut sent = 0;
            while !enough.load(Ordering::Relaxed) {
                readings.send(sent..sent + chunk);
                sent += chunk;
                std::thread::sleep(pause);
            }
            sent as usize
        })
    }

    /// A record without key and value on partition 0.
    pub(crate) fn send_with_headers(&self, topic: &str, headers: &[(&str, &str)]) {
        let headers = headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(*value) }));
        self.send_record(BaseRecord::<[u8], [u8]>::to(topic).partition(0).headers(headers));
    }

    /// A value without key on partition 0.
    pub(crate) fn send_value(&self, topic: &str, value: &str) {
        self.send_record(BaseRecord::<[u8], str>::to(topic).partition(0).payload(value));
    }

    /// A key without a value on partition 0.
    pub(crate) fn send_tombstone(&self, topic: &str, key: &str) {
        self.send_record(BaseRecord::<str, [u8]>::to(topic).partition(0).key(key));
    }

    /// A value with its key on partition 0.
    pub(crate) fn send_keyed(&self, topic: &str, key: &str, value: &str) {
        self.send_record(BaseRecord::to(topic).partition(0).key(key).payload(value));
    }

    fn send_record<K: ToBytes + ?Sized, V: ToBytes + ?Sized>(&self, record: BaseRecord<'_, K, V>) {
        let sender = self.sender();
        sender.send(record).map_err(|(error, _)| error).unwrap();
        flush(&sender);
    }

    pub(crate) fn client(&self) -> ClientConfig {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", self.broker.to_string());
        client
    }

    /// Everything committed on `topic`, once there are `least` records; then once more, for what must not come.
    pub(crate) fn read(&self, topic: &str, least: usize) -> Vec<Seen> {
        let until = Instant::now() + Duration::from_mins(3);
        loop {
            let seen = self.look(topic);
            std::thread::sleep(Duration::from_millis(300));
            if seen.len() >= least {
                let again = self.look(topic);
                // A topic may have been compacted in between.
                if again.len() >= seen.len() {
                    return again;
                }
            }
            assert!(
                Instant::now() < until,
                "{topic} has {} of {least} records; the stream has {:?}",
                seen.len(),
                self.ends()
            );
        }
    }

    /// How many committed records a topic has, and how many bytes of keys and values.
    pub(crate) fn size(&self, topic: &str) -> (usize, usize) {
        let seen = self.look(topic);
        let bytes = |seen: &Seen| [&seen.key, &seen.value].into_iter().flatten().map(Vec::len).sum::<usize>();
        (seen.len(), seen.iter().map(bytes).sum())
    }

    /// How many records each partition of the stream has.
    fn ends(&self) -> Vec<i64> {
        let consumer: BaseConsumer = self.client().set("group.id", "reader").create().unwrap();
        let end = |partition| consumer.fetch_watermarks("research", partition, Duration::from_secs(20)).unwrap().1;
        (0..self.partitions).map(end).collect()
    }

    fn look(&self, topic: &str) -> Vec<Seen> {
        look(&self.client(), topic)
    }

    /// How many records of a partition of `acknowledgements` the engine has committed.
    pub(crate) fn acknowledged(&self, partition: i32) -> i64 {
        let asker: BaseConsumer = self.client().set("group.id", "triage").create().unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition("acknowledgements", partition);
        // What cannot be asked for yet is not committed yet.
        let committed = asker.committed_offsets(place, Duration::from_secs(10)).ok();
        committed.and_then(|committed| committed.elements()[0].offset().to_raw()).map_or(0, |next| next.max(0))
    }
}

/// Everything committed on `topic`, to the ends of its partitions; nothing where there is no such topic.
///
/// Each look begins at the beginning: the embedded broker lists aborted transactions that ended before the place of
/// a fetch, so that a reader that goes on after one would take later, committed records for aborted ones.
pub(crate) fn look(client: &ClientConfig, topic: &str) -> Vec<Seen> {
    let mut reading = client.clone();
    reading.set("group.id", "reader").set("isolation.level", "read_committed").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = reading.create().unwrap();
    let mut left = partitions(&consumer, topic);
    let mut from = TopicPartitionList::new();
    for partition in &left {
        from.add_partition_offset(topic, *partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&from).unwrap();
    let until = Instant::now() + Duration::from_mins(3);
    let (mut seen, mut places) = (Vec::new(), HashSet::new());
    while !left.is_empty() {
        assert!(Instant::now() < until, "partitions {left:?} of {topic} are not read to their ends");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let place = (message.partition(), message.offset());
                assert!(
                    places.insert(place),
                    "the reader of {topic} came to {place:?} twice: nothing was written twice there"
                );
                seen.push(copy(&message));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => drop(left.remove(&partition)),
            // Whatever it is passes, or the time does.
            Some(Err(_)) | None => {}
        }
    }
    seen
}

/// All topics are asked for, because asking for one by name may make it.
fn partitions(consumer: &BaseConsumer, topic: &str) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    wait_for("the topics to be known", || {
        let Ok(metadata) = consumer.fetch_metadata(None, Duration::from_secs(10)) else { return false };
        let topics = metadata.topics().iter().filter(|there| there.name() == topic);
        found = topics.flat_map(MetadataTopic::partitions).map(MetadataPartition::id).collect();
        true
    });
    found
}

type Sender = BaseProducer<Deliveries>;

/// What was not delivered: its absence would be laid at the engine's door.
#[derive(Default)]
struct Deliveries {
    failed: Mutex<Vec<String>>,
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.failed.lock().unwrap().push(error.to_string());
        }
    }
}

/// Everything is delivered. A broker that was killed takes its time until it serves again.
fn flush(sender: &Sender) {
    sender.flush(Duration::from_mins(2)).unwrap();
    assert_eq!(*sender.context().failed.lock().unwrap(), Vec::<String>::new());
}

pub(crate) struct Readings {
    producer: Sender,
    partitions: i32,
}

impl Readings {
    /// Readings `numbers`, spread over the partitions by patient.
    pub(crate) fn send(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            let partition = (number % self.partitions as u64) as i32;
            let key = format!("p{partition}");
            self.raw(partition, Some(key.as_bytes()), Some(format!("{{\"v\":{number}}}").as_bytes()));
        }
        self.flush();
    }

    pub(crate) fn raw(&self, partition: i32, key: Option<&[u8]>, value: Option<&[u8]>) {
        let mut record = BaseRecord::<[u8], [u8]>::to("research").partition(partition);
        record.key = key;
        record.payload = value;
        while let Err((_, again)) = self.producer.send(record) {
            record = again;
            self.producer.poll(Duration::from_millis(5));
        }
    }

    /// Lets what is waiting go out.
    pub(crate) fn poll(&self) {
        self.producer.poll(Duration::ZERO);
    }

    pub(crate) fn flush(&self) {
        flush(&self.producer);
    }
}

fn copy(message: &rdkafka::message::BorrowedMessage<'_>) -> Seen {
    let headers = message.headers().map(|headers| headers.iter().collect::<Vec<_>>()).unwrap_or_default();
    let headers = headers
        .into_iter()
        .map(|header| (header.key.to_owned(), String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned()));
    Seen {
        partition: message.partition(),
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        timestamp: message.timestamp().to_millis(),
        headers: headers.collect(),
    }
}

pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_mins(3);
    while !condition() {
        assert!(Instant::now() < until, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whoever reads the file finds the old one or the new one.
pub(crate) fn put(path: &Path, contents: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    std::fs::write(&new, contents).unwrap();
    std::fs::rename(new, path).unwrap();
}

pub(crate) fn path(path: &Path) -> String {
    path.display().to_string()
}

pub(crate) fn stop(engine: Engine) {
    engine.shutdown();
    engine.join().unwrap();
}
