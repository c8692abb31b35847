//! Everybody on every topic.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::runtime::{Builder, Runtime};

use super::bed::wait_for;
use super::script::{Script, password};
use super::services::Kafka;

const TOPICS: [&str; 22] = [
    "research",
    "stroke",
    "vitals",
    "cardiology",
    "diabete",
    "dyslipidemia",
    "alerts.stroke",
    "alerts.vitals",
    "alerts.cardiology",
    "alerts.diabete",
    "alerts.dyslipidemia",
    "alerts.technical",
    "heartbeat",
    "dead-letters",
    "dead-letters-resent",
    "resent-documents",
    "resent-alerts",
    "acknowledgements",
    "triage-journal",
    "triage-snapshots",
    "rule-sets",
    "another",
];

/// A user, what may be read, what may be written, and a group to read in.
type Rights = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

pub(crate) const USERS: [Rights; 9] = [
    ("nurse", &["vitals", "alerts.vitals"], &[], "nurse-2nd-floor"),
    ("emergency_doctor", &["stroke", "alerts.stroke", "alerts.vitals"], &[], "emergency_doctor"),
    ("cardiologist", &["alerts.cardiology", "alerts.stroke"], &[], "cardiologist"),
    ("endocrinologist", &["alerts.diabete"], &[], "endocrinologist"),
    ("lipidologist", &["alerts.dyslipidemia"], &[], "lipidologist"),
    (
        "engineer",
        &["acknowledgements", "alerts.technical", "rule-sets", "dead-letters", "dead-letters-resent"],
        &["research", "resent-documents", "resent-alerts", "dead-letters-resent"],
        "engineer",
    ),
    ("gateway", &[], &["research"], "none is needed"),
    (
        "engine",
        &[
            "research",
            "alerts.stroke",
            "alerts.vitals",
            "alerts.cardiology",
            "alerts.diabete",
            "alerts.dyslipidemia",
            "alerts.technical",
            "heartbeat",
            "resent-alerts",
            "acknowledgements",
            "triage-journal",
            "triage-snapshots",
            "rule-sets",
        ],
        &[
            "stroke",
            "vitals",
            "cardiology",
            "diabete",
            "dyslipidemia",
            "alerts.stroke",
            "alerts.vitals",
            "alerts.cardiology",
            "alerts.diabete",
            "alerts.dyslipidemia",
            "alerts.technical",
            "heartbeat",
            "dead-letters",
            "acknowledgements",
            "triage-journal",
            "triage-snapshots",
            "rule-sets",
        ],
        "triage",
    ),
    (
        "store",
        &[
            "research",
            "stroke",
            "vitals",
            "cardiology",
            "diabete",
            "dyslipidemia",
            "alerts.stroke",
            "alerts.vitals",
            "alerts.cardiology",
            "alerts.diabete",
            "alerts.dyslipidemia",
            "resent-documents",
            "acknowledgements",
        ],
        &["dead-letters"],
        "triage-store",
    ),
];

/// How long the broker may take to allow or refuse.
const PATIENCE: Duration = Duration::from_mins(1);

pub(crate) fn script(kafka: &Kafka) -> Script {
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/../services/bin");
    Script::new("kafka/users.sh").with("KAFKA_BIN", tools).with("BOOTSTRAP_SERVERS", kafka.bootstrap())
}

/// A client that logs in.
pub(crate) fn client(kafka: &Kafka, user: &str, password: &str) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", kafka.guarded())
        .set("security.protocol", "sasl_plaintext")
        .set("sasl.mechanism", "SCRAM-SHA-512")
        .set("sasl.username", user)
        .set("sasl.password", password);
    client
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Those that the engine has not made.
fn make_topics(kafka: &Kafka) {
    let mut client = ClientConfig::new();
    let admin: AdminClient<DefaultClientContext> = client.set("bootstrap.servers", kafka.bootstrap()).create().unwrap();
    let topics = TOPICS.map(|topic| NewTopic::new(topic, 1, TopicReplication::Fixed(1)));
    let made = runtime().block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap();
    for outcome in made {
        assert!(matches!(outcome, Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))), "{outcome:?}");
    }
}

/// Whether a topic is shown at all.
fn is_shown(metadata: &rdkafka::metadata::Metadata) -> bool {
    match metadata.topics()[0].error().map(RDKafkaErrorCode::from) {
        None => true,
        Some(RDKafkaErrorCode::TopicAuthorizationFailed) => false,
        Some(other) => panic!("{other}"),
    }
}

struct Reader(BaseConsumer);

impl Reader {
    fn new(kafka: &Kafka, user: &str, group: &str) -> Self {
        let mut client = client(kafka, user, &password(user));
        client.set("group.id", group).set("enable.partition.eof", "true").set("fetch.wait.max.ms", "10");
        Self(client.create().unwrap())
    }

    fn may_read(&self, topic: &str) -> bool {
        if !is_shown(&self.0.fetch_metadata(Some(topic), PATIENCE).unwrap()) {
            return false;
        }
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(topic, 0, Offset::Offset(0)).unwrap();
        self.0.assign(&place).unwrap();
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.0.poll(Duration::from_millis(200)) {
                Some(Ok(_) | Err(KafkaError::PartitionEOF(_))) => return true,
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::TopicAuthorizationFailed))) => return false,
                // Who brings readings has no group.
                Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::GroupAuthorizationFailed))) | None => {}
                Some(Err(error)) => panic!("{topic}: {error}"),
            }
        }
        panic!("neither allowed nor refused: {topic}");
    }
}

struct Writer {
    producer: FutureProducer,
    runtime: Runtime,
}

impl Writer {
    fn new(kafka: &Kafka, user: &str) -> Self {
        let mut client = client(kafka, user, &password(user));
        Self { producer: client.set("linger.ms", "0").create().unwrap(), runtime: runtime() }
    }

    fn may_write(&self, topic: &str) -> bool {
        if !is_shown(&self.producer.client().fetch_metadata(Some(topic), PATIENCE).unwrap()) {
            return false;
        }
        let record = FutureRecord::to(topic).key("p1").payload("{}");
        match self.runtime.block_on(self.producer.send(record, PATIENCE)) {
            Ok(_) => true,
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::TopicAuthorizationFailed), _)) => false,
            Err((error, _)) => panic!("{topic}: {error}"),
        }
    }
}

pub(crate) fn everybody_may_read_and_write_the_topics_of_the_table_and_no_other(kafka: &Kafka) {
    make_topics(kafka);
    for (user, reads, writes, group) in USERS {
        let (reader, writer) = (Reader::new(kafka, user, group), Writer::new(kafka, user));
        let may_read: Vec<&str> = TOPICS.into_iter().filter(|topic| reader.may_read(topic)).collect();
        assert_eq!(sorted(&may_read), sorted(reads), "{user} reads");
        let may_write: Vec<&str> = TOPICS.into_iter().filter(|topic| writer.may_write(topic)).collect();
        assert_eq!(sorted(&may_write), sorted(writes), "{user} writes");
    }
}

fn sorted<'a>(topics: &[&'a str]) -> Vec<&'a str> {
    let mut topics = topics.to_vec();
    topics.sort_unstable();
    topics
}

pub(crate) fn a_user_comes_is_blocked_and_goes(kafka: &Kafka) {
    let users = || script(kafka).with("PASSWORD_ANNA", password("anna"));
    let reads = |user| {
        let reader = Reader::new(kafka, user, "nurse-anna");
        TOPICS.into_iter().filter(|topic| reader.may_read(topic)).collect::<Vec<_>>()
    };
    users().run(&["add", "anna", "nurse"]);
    wait_for("anna's rights", || reads("anna") == ["vitals", "alerts.vitals"]);
    let open = Reader::new(kafka, "anna", "nurse-anna");
    assert!(open.may_read("vitals"));
    users().run(&["block", "anna"]);
    wait_for("the connection that is open to be blocked", || !open.may_read("vitals"));
    assert_eq!(users().run(&["add", "anna", "nurse"]), "", "who is blocked stays so");
    let list = users().run(&["list"]);
    assert!(list.lines().any(|line| line == "anna blocked") && list.lines().any(|line| line == "nurse"), "{list}");
    users().run(&["unblock", "anna"]);
    wait_for("anna's rights again", || reads("anna") == ["vitals", "alerts.vitals"]);
    users().with("PASSWORD_ANNA", "another").run(&["password", "anna"]);
    wait_for("another password", || logs_in(kafka, "another"));
    assert!(!logs_in(kafka, &password("anna")));
    users().run(&["remove", "anna"]);
    wait_for("nobody to be let in", || !logs_in(kafka, "another"));
    let refused = users().refusal(&["block", "anna"]);
    assert_eq!(refused, "users.sh: there is no user `anna`\n");
    let refused = users().refusal(&["add", "anna", "pope"]);
    assert!(refused.starts_with("users.sh: there is no role `pope`, only: cardiologist emergency_doctor"), "{refused}");
    let refused = script(kafka).refusal(&["add", "berta", "nurse"]);
    assert_eq!(refused, "users.sh: no password for `berta`: set PASSWORD_BERTA or PASSWORD_BERTA_FILE\n");
}

/// Whether the broker has refused a password: only whoever polls a client hears of it.
#[derive(Default)]
struct Refusal(AtomicBool);

impl ClientContext for Refusal {
    fn error(&self, error: KafkaError, _: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl ConsumerContext for Refusal {}

fn logs_in(kafka: &Kafka, password: &str) -> bool {
    let client: BaseConsumer<Refusal> =
        client(kafka, "anna", password).create_with_context(Refusal::default()).unwrap();
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if client.fetch_metadata(None, Duration::from_secs(1)).is_ok() {
            return true;
        }
        // Whatever comes of this, only the context counts.
        let _ = client.poll(Duration::from_millis(100));
        if client.context().0.load(Ordering::Relaxed) {
            return false;
        }
    }
    panic!("neither let in nor refused");
}
