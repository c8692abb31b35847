//! The engine on Apache Kafka.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use bed::{Bed, Seen, path, stop, wait_for};
use services::Kafka;

/// A script of `deploy/readers`, with what it prints.
fn reader(script: &str, arguments: &[&str]) -> std::process::Child {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/readers").join(script);
    let mut command = std::process::Command::new(services::required("SERVICES_PYTHON"));
    command.arg(path).args(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_nurse_sees_each_alert_once_and_goes_on_where_she_left() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let engine = bed.start_ready(1);
    let bootstrap = kafka.bootstrap();
    let arguments = ["--bootstrap-servers", &bootstrap, "--topic", "alerts.high", "--count", "3"];
    bed.producer().send(98..104);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let output = reader("nurse.py", &arguments).wait_with_output().unwrap();
        assert!(output.status.success());
        seen.extend(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>());
        bed.producer().send(104..107);
    }
    seen.sort_by_key(|line| line[line.len() - 3..].to_owned());
    let words: Vec<Vec<&str>> = seen.iter().map(|line| line.split_whitespace().skip(2).collect()).collect();
    let expected: Vec<String> = (101..107).map(|v| format!("high p{} v is {v}", v % 2)).collect();
    assert_eq!(words.iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
    stop(engine);
}

/// The broker puts its own time in place of the record's, and ours agrees with it.
#[test]
fn a_heartbeat_bears_the_brokers_time() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 1);
    // Makes the topics and the group, so that the next one judges before anybody is told that it does not.
    stop(bed.start_ready(1));
    let engine = bed.start_with(bed.layers(1).flag("heartbeat.every", "1s").flag("technical.no_readings", "3s"));
    let beats = bed.read("heartbeat", 3);
    let producer: BaseProducer = bed.client().create().unwrap();
    let old = BaseRecord::<[u8], str>::to("heartbeat").partition(0).timestamp(5).payload("{}");
    producer.send(old).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_mins(2)).unwrap();
    wait_for("the record to have the broker's time", || {
        let seen = bed.read("heartbeat", beats.len());
        seen.iter().any(|seen| seen.value.as_deref() == Some(b"{}".as_slice()) && seen.timestamp.unwrap() > 5)
    });
    let alerts = bed.read("alerts.technical", 1);
    assert!(alerts.iter().all(|alert| alert.json()["rule"] == "technical.no_readings"), "{alerts:?}");
    stop(engine);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_no_reading_and_doubles_none() {
    let mut kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let engine = bed.start_ready(2);
    let readings = bed.producer();
    readings.send(0..2_000);
    kafka.kill();
    kafka.restart();
    readings.send(2_000..4_000);
    let seen = bed.read("every", 4_000);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (4_000, 4_000));
    wait_for("the engine to be ready again", || engine.is_ready());
    stop(engine);
}

/// Longer than the session and the transaction may be silent: both are over when the broker goes on.
#[test]
fn a_broker_that_hangs_for_longer_than_session_and_transaction_costs_and_doubles_nothing() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let layers = bed.layers(2).flag("kafka.properties.transaction.timeout.ms", "8000");
    let engine = bed.start_with(layers.flag("kafka.properties.message.timeout.ms", "8000"));
    wait_for("the engine to be ready", || engine.is_ready());
    let readings = bed.producer();
    let sending = std::thread::spawn(move || {
        for chunk in 0..400 {
            readings.send(chunk * 20..chunk * 20 + 20);
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    wait_for("both partitions to be judged", || engine.rulesets().len() == 2);
    std::thread::sleep(Duration::from_secs(4));
    kafka.signal("-STOP");
    std::thread::sleep(Duration::from_secs(15));
    kafka.signal("-CONT");
    sending.join().unwrap();
    let seen = bed.read("every", 8_000);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (8_000, 8_000));
    wait_for("the engine to be ready again", || engine.is_ready());
    stop(engine);
}

#[test]
fn topics_that_would_lose_records_are_refused_all_at_once() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let admin = Admin::new(&bed);
    admin.make("research", 2, &[("cleanup.policy", "compact")]);
    admin.make("every", 1, &[("message.timestamp.type", "LogAppendTime"), ("max.message.bytes", "1000")]);
    admin.make("alerts.high", 2, &[("message.timestamp.before.max.ms", "1000")]);
    let error = bed.start(1).join().unwrap_err().to_string();
    for expected in [
        "topic `research` is compacted",
        "topic `every` has 1 partitions, and the stream `research` has 2",
        "topic `every` takes records of 1000 bytes",
        "topic `every` replaces the time of a reading",
        "topic `alerts.high` has `message.timestamp.before.max.ms` at 1000",
    ] {
        assert!(error.contains(expected), "{expected} is not in: {error}");
    }
}

/// New partitions of the stream are found; what comes on them waits, and is neither lost nor sent elsewhere.
#[test]
fn a_stream_that_grows_is_told_and_goes_on_when_its_topics_have_grown_too() {
    let kafka = Kafka::start();
    let mut bed = Bed::at(kafka.bootstrap().parse().unwrap(), 1);
    let engine = bed.start_ready(1);
    let admin = Admin::new(&bed);
    bed.producer().send(0..10);
    admin.grow("research", 2);
    bed.partitions = 2;
    bed.producer().send(10..20);
    wait_for("the engine to say so", || engine.trouble().is_some_and(|trouble| trouble.contains("`every` has 1")));
    for topic in ["every", "high", "alerts.high", "dead-letters", "acknowledgements"] {
        admin.grow(topic, 2);
    }
    let seen = bed.read("every", 20);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (20, 20));
    wait_for("the trouble to be over", || engine.trouble().is_none() && engine.is_ready());
    stop(engine);
}

struct Admin {
    client: AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
}

impl Admin {
    fn new(bed: &Bed) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Self { client: bed.client().create().unwrap(), runtime }
    }

    fn make(&self, topic: &str, partitions: i32, settings: &[(&str, &str)]) {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let new = settings.iter().fold(new, |new, (name, value)| new.set(name, value));
        let made = self.runtime.block_on(self.client.create_topics([&new], &AdminOptions::new())).unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    fn grow(&self, topic: &str, partitions: usize) {
        let new = NewPartitions::new(topic, partitions);
        let grown = self.runtime.block_on(self.client.create_partitions([&new], &AdminOptions::new())).unwrap();
        assert!(grown.iter().all(Result::is_ok), "{grown:?}");
        wait_for("the new partitions to be shown", || {
            let shown = self.client.inner().fetch_metadata(Some(topic), Duration::from_secs(20));
            shown.is_ok_and(|shown| shown.topics()[0].partitions().len() == partitions)
        });
    }
}

/// Members that leave while the group is still finding itself.
#[test]
fn engines_that_start_and_stop_in_a_row_cost_and_double_nothing() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    stop(bed.start_ready(1));
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 20, Duration::from_millis(20));
    for round in 0..12_u64 {
        let engine = bed.start(2);
        if round % 4 == 0 {
            wait_for("the engine to be ready", || engine.is_ready());
        }
        std::thread::sleep(Duration::from_millis(round * 71));
        stop(engine);
    }
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let engine = bed.start(1);
    let seen = bed.read("every", sent);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (sent, sent));
    stop(engine);
}

/// The broker hangs while transactions are under way. What was judged and not committed is judged again, once.
#[test]
fn a_stop_while_the_broker_hangs_ends_after_its_grace_and_costs_nothing() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    stop(bed.start_ready(1));
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 50, Duration::from_millis(10));
    let mut process: services::Process = std::process::Command::new(env!("CARGO_BIN_EXE_triage"))
        .args(["run", "--listen", "127.0.0.1:0", "--set", "engine.workers=1", "--set", "engine.stop_grace=3s"])
        .args(["--set", "kafka.transactional_id_prefix=bed", "--rules", &path(bed.rules.path())])
        .args(["--bootstrap-servers", &kafka.bootstrap()])
        .current_dir(bed.rules.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
        .into();
    bed.read("every", 200);
    kafka.signal("-STOP");
    std::thread::sleep(Duration::from_millis(500));
    process.signal("-TERM");
    let begun = Instant::now();
    wait_for("the process to end", || process.has_ended());
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    kafka.signal("-CONT");
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let engine = bed.start(1);
    let seen = bed.read("every", sent);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (sent, sent));
    stop(engine);
}

/// Devices, gateways and the broker have clocks of their own. What comes of a reading keeps the reading's Kafka time, however
/// far that is from the broker's; a reading that is ahead of its Kafka time by more than the limit is a dead letter.
#[test]
fn clocks_that_disagree_lose_nothing() {
    const MINUTE: i64 = 60_000;
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 1);
    let engine = bed.start_ready(1);
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64;
    let producer: BaseProducer = bed.client().create().unwrap();
    let cases =
        [(0, 0), (50, 0), (50, 50), (-10_000, 0), (-10_000, -10_000), (0, -10_000), (0, 4), (0, 6), (-10_000, -9_994)];
    for (number, (kafka, event)) in cases.iter().enumerate() {
        let value = format!("{{\"v\":{number},\"ts\":{}}}", now + event * MINUTE);
        let record = BaseRecord::to("research").partition(0).key("p0").payload(&value).timestamp(now + kafka * MINUTE);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_mins(2)).unwrap();
    let judged: Vec<(i64, i64)> = bed
        .read("every", 6)
        .iter()
        .map(|seen| ((seen.timestamp.unwrap() - now) / MINUTE, (seen.json()["ts"].as_i64().unwrap() - now) / MINUTE))
        .collect();
    let is_dead = |(kafka, event): &(i64, i64)| event - kafka > 5;
    assert_eq!(judged, cases.iter().copied().filter(|case| !is_dead(case)).collect::<Vec<_>>());
    let dead = bed.read("dead-letters", 3);
    assert!(dead.iter().all(|letter| letter.headers["reason"] == "too-far-ahead"), "{dead:?}");
    assert_eq!(dead.len(), cases.iter().filter(|case| is_dead(case)).count());
    stop(engine);
}

/// What the engine's user must be allowed to do, as `docs/configuration.md` says, except on one topic.
const RIGHTS: &[(&str, &str, &str)] = &[
    ("TOPIC", "research", "READ,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "rule-sets", "READ,WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "high", "WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "alerts.high", "WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "dead-letters", "WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "alerts.technical", "READ,WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "heartbeat", "READ,WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("TOPIC", "acknowledgements", "READ,WRITE,DESCRIBE,DESCRIBE_CONFIGS"),
    ("GROUP", "triage", "READ,DESCRIBE"),
    ("TRANSACTIONAL_ID", "bed-0", "WRITE,DESCRIBE"),
    ("TRANSACTIONAL_ID", "triage-rule-sets", "WRITE,DESCRIBE"),
];

/// A user without a right on one topic: the start names it; with `Describe` alone nothing is judged, the missing right is
/// named, and once it is there every reading is judged once.
#[test]
fn a_right_that_is_missing_is_named_and_nothing_is_lost_without_it() {
    let kafka = Kafka::start_guarded(&[("triage", "hush")]);
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    stop(bed.start_ready(1));
    kafka.allow("triage", RIGHTS);
    let password = bed.rules.path().join("password");
    std::fs::write(&password, "hush\n").unwrap();
    let layers = || {
        bed.layers(1)
            .flag("kafka.bootstrap_servers", kafka.guarded())
            .flag("kafka.security_protocol", "sasl_plaintext")
            .flag("kafka.properties.sasl.mechanisms", "PLAIN")
            .flag("kafka.properties.sasl.username", "triage")
            .flag("kafka.sasl_password_file", path(&password))
    };
    let error = bed.start_with(layers()).join().unwrap_err().to_string();
    assert!(error.contains("topic `every` cannot be made") && error.contains("lacks the right `Create`"), "{error}");

    kafka.allow("triage", &[("TOPIC", "every", "DESCRIBE,DESCRIBE_CONFIGS")]);
    bed.producer().send(0..300);
    let engine = bed.start_with(layers());
    wait_for("the right to be named", || {
        let answer = ready(&engine);
        answer.contains("this user lacks the right `Write` on the topic `every`") && answer.starts_with("HTTP/1.1 503")
    });
    assert_eq!(bed.read("high", 0).len(), 0);
    kafka.allow("triage", &[("TOPIC", "every", "WRITE")]);
    let seen = bed.read("every", 300);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len(), bed.read("alerts.high", 199).len()), (300, 300, 199));
    // The gateway logs in too.
    kafka.allow("triage", &[("TOPIC", "research", "WRITE")]);
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/patients.csv");
    let mut gateway = std::process::Command::new(env!("CARGO_BIN_EXE_triage"));
    gateway.args(["gateway", table, "--once", "--every", "1ms", "--bootstrap-servers", &kafka.guarded()]);
    gateway.env("TRIAGE_KAFKA_SECURITY_PROTOCOL", "sasl_plaintext");
    gateway.env("TRIAGE_KAFKA_PROPERTIES_SASL_MECHANISMS", "PLAIN");
    gateway.env("TRIAGE_KAFKA_PROPERTIES_SASL_USERNAME", "triage");
    gateway.env("TRIAGE_KAFKA_SASL_PASSWORD_FILE", &password).current_dir(bed.rules.path());
    let output = gateway.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    wait_for("the engine to be ready", || engine.is_ready());
    stop(engine);
}

/// What `/readyz` says.
fn ready(engine: &triage::engine::Engine) -> String {
    let mut connection = std::net::TcpStream::connect(engine.address()).unwrap();
    connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer
}
