//! The store on Apache Kafka and on a server that speaks `MongoDB`'s protocol, behind a running engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/mongo_server.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod mongo_server;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mongodb::bson::{Document, doc};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use triage::sink::Sink;

use bed::{Bed, path, stop, wait_for};
use mongo_server::MongoServer;
use services::{Kafka, required};

const DATABASE: &str = "Ehealth";

/// Each of three collections gets every reading; the alerts get those above 100.
const STREAM: &str = r#"
stream research {
  patient: text key
  ts:      time event
  v:       int 0..1000000000
  store patients_record
}
topic high { fields v  store high  notify "nurse" }
topic every { fields all  store every }
"#;

struct Place {
    kafka: Kafka,
    server: MongoServer,
    bed: Bed,
}

impl Place {
    fn new() -> Self {
        let (kafka, server) = (Kafka::start(), MongoServer::start());
        let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
        bed.write("a.rules", STREAM);
        Self { kafka, server, bed }
    }

    fn start(&self, uri: &str) -> triage::engine::Engine {
        self.bed.start_with(self.bed.layers(1).flag("store.mongodb.uri", uri).flag("store.batch_age", "50ms"))
    }

    fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = None;
        wait_for("the collections to be counted", || {
            counts = self.server.sink(DATABASE).counts().ok();
            counts.is_some()
        });
        counts.unwrap().into_iter().collect()
    }

    /// Waits until the collections hold `expected`, for as long as they grow: how fast is the machine's affair.
    fn wait_for(&self, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let mut counts = self.counts();
        let mut grew = Instant::now();
        while counts != expected {
            assert!(grew.elapsed() < Duration::from_mins(3), "waited for {expected:?} in vain: {counts:?}");
            std::thread::sleep(Duration::from_millis(100));
            let now = self.counts();
            if now != counts {
                (counts, grew) = (now, Instant::now());
            }
        }
    }

    fn send(&self, topic: &str, value: &str) {
        let producer: BaseProducer = self.bed.client().create().unwrap();
        producer.send(BaseRecord::to(topic).partition(0).key("p0").payload(value)).map_err(|(error, _)| error).unwrap();
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    /// Makes a user who may write to `collections` and to nothing else.
    fn user(&self, collections: &[&str]) -> String {
        let privileges: Vec<Document> = collections.iter().map(|collection| privilege(collection)).collect();
        let role = doc! { "createRole": "sinkrole", "roles": [], "privileges": privileges };
        self.server.command(DATABASE, role).unwrap();
        let roles = vec![doc! { "role": "sinkrole", "db": DATABASE }];
        self.server.command(DATABASE, doc! { "createUser": "sink", "pwd": "sinkpw", "roles": roles }).unwrap();
        self.server.uri("sink", "sinkpw").replace("/?", &format!("/{DATABASE}?"))
    }
}

fn privilege(collection: &str) -> Document {
    doc! {
        "resource": { "db": DATABASE, "collection": collection },
        "actions": ["find", "insert", "update", "createIndex"],
    }
}

#[test]
fn a_collection_without_rights_waits_over_a_restart_and_the_others_go_on() {
    let place = Place::new();
    let uri = place.user(&["patients_record", "high", "high_alerts"]);
    let engine = place.start(&uri);
    place.bed.producer().send(0..300);
    place.wait_for(&[("high", 199), ("high_alerts", 199), ("patients_record", 300)]);
    place.bed.producer().send(300..400);
    place.wait_for(&[("high", 299), ("high_alerts", 299), ("patients_record", 400)]);
    stop(engine);
    let engine = place.start(&uri);
    place.bed.producer().send(400..500);
    place.wait_for(&[("high", 399), ("high_alerts", 399), ("patients_record", 500)]);
    let grant = doc! { "grantPrivilegesToRole": "sinkrole", "privileges": [privilege("every")] };
    place.server.command(DATABASE, grant).unwrap();
    place.wait_for(&[("every", 500), ("high", 399), ("high_alerts", 399), ("patients_record", 500)]);
    place.bed.producer().send(500..600);
    place.wait_for(&[("every", 600), ("high", 499), ("high_alerts", 499), ("patients_record", 600)]);

    // A right that is taken while it runs.
    let change = |command: &str| {
        place.server.command(DATABASE, doc! { command: "sinkrole", "privileges": [privilege("high")] }).unwrap();
    };
    change("revokePrivilegesFromRole");
    place.bed.producer().send(600..700);
    place.wait_for(&[("every", 700), ("high", 499), ("high_alerts", 599), ("patients_record", 700)]);
    change("grantPrivilegesToRole");
    place.wait_for(&[("every", 700), ("high", 599), ("high_alerts", 599), ("patients_record", 700)]);
    stop(engine);
}

/// Two patients with an open alert each; one is erased, the collections are lost, and the topics bring back the other alone.
#[test]
fn a_store_is_rebuilt_and_an_erased_patient_stays_away() {
    let place = Place::new();
    let held = "every.one when v is known\nhigh.held when v > 100 for 2 readings alert high \"v is {v}\"\n";
    place.bed.write("b.rules", held);
    let uri = place.server.root();
    let layers = || place.bed.layers(1).flag("store.mongodb.uri", &uri).flag("engine.snapshot_age", "1s");
    let engine = place.bed.start_with(layers());
    place.bed.producer().send(0..200);
    place.wait_for(&[("every", 200), ("high", 97), ("high_alerts", 2), ("patients_record", 200)]);

    let mut erase = Command::new(env!("CARGO_BIN_EXE_triage"));
    erase.args(["erase", "p0", "--yes", "--by", "eve", "--why", "asked for", "--watched", "--bootstrap-servers"]);
    let erased = erase.arg(place.kafka.bootstrap()).env("TRIAGE_STORE_MONGODB_URI", &uri).current_dir("/").output();
    let erased = erased.unwrap();
    let told = String::from_utf8_lossy(&[erased.stdout, erased.stderr].concat()).into_owned();
    assert!(erased.status.success(), "{told}");
    assert!(!told.contains("REMAINS"), "every topic has an end: {told}");
    let left = [("every", 100), ("high", 49), ("high_alerts", 1), ("patients_record", 100)];
    place.wait_for(&left);
    stop(engine);

    for (collection, _) in left {
        place.server.command(DATABASE, doc! { "drop": collection }).unwrap();
    }
    let mut config = layers().build().unwrap();
    config.store.rebuild = true;
    let engine = triage::engine::Engine::start(config, triage::shutdown::Shutdown::new()).unwrap();
    place.wait_for(&left);
    // More readings than the rebuild has to read: none of the erased comes behind them.
    place.bed.producer().send(0..2);
    place.wait_for(&[("every", 102), ("high", 49), ("high_alerts", 2), ("patients_record", 102)]);
    stop(engine);
}

/// A store that is away for more than a minute: alerts go on, and it catches up.
#[test]
fn a_server_that_is_away_for_a_minute_delays_no_alert_and_catches_up() {
    let mut place = Place::new();
    let engine = place.start(&place.server.root());
    place.bed.producer().send(0..200);
    place.wait_for(&[("every", 200), ("high", 99), ("high_alerts", 99), ("patients_record", 200)]);
    place.server.kill();
    let enough = Arc::new(AtomicBool::new(false));
    let sending = place.bed.send_until(&enough, 100, Duration::from_millis(500));
    std::thread::sleep(Duration::from_secs(65));
    enough.store(true, Ordering::Relaxed);
    // The numbers begin again at 0: of the first hundred none is above 100, and 100 is not.
    let sent = 200 + sending.join().unwrap() as u64;
    let alerts = 99 + sent - 200 - 101;
    assert_eq!(place.bed.read("alerts.high", alerts as usize).len() as u64, alerts);
    place.server.restart();
    place.wait_for(&[("every", sent), ("high", alerts), ("high_alerts", alerts), ("patients_record", sent)]);
    stop(engine);
}

/// Somebody else wrote to a derived topic, and one document the server refuses: both are dead letters, once, and nobody
/// waits for them.
#[test]
fn poison_stops_nothing_and_is_a_dead_letter_once() {
    let place = Place::new();
    let unique = doc! { "createIndexes": "every", "indexes": [{ "key": { "v": 1 }, "name": "one", "unique": true }] };
    place.server.command(DATABASE, unique).unwrap();
    let engine = place.start(&place.server.root());
    place.bed.producer().send(0..50);
    place.wait_for(&[("every", 50), ("patients_record", 50)]);
    place.send("every", "not JSON");
    place.bed.producer().send(49..60);
    place.wait_for(&[("every", 60), ("patients_record", 61)]);
    stop(engine);
    let engine = place.start(&place.server.root());
    place.bed.producer().send(60..70);
    place.wait_for(&[("every", 70), ("patients_record", 71)]);
    stop(engine);
    let mut reasons: Vec<String> =
        place.bed.read("dead-letters", 2).iter().map(|letter| letter.headers["reason"].clone()).collect();
    reasons.sort();
    assert_eq!(reasons, ["not-a-document", "refused"]);
}

/// A document that the server refused goes to the store again when whoever was in its way has gone, and to no reader of the
/// topic; one that is refused again is a new dead letter.
#[test]
fn a_refused_document_is_sent_again_to_the_store_alone() {
    let place = Place::new();
    let unique = doc! { "createIndexes": "every", "indexes": [{ "key": { "v": 1 }, "name": "one", "unique": true }] };
    place.server.command(DATABASE, unique).unwrap();
    let engine = place.start(&place.server.root());
    for _ in 0..2 {
        place.bed.producer().send(0..30);
    }
    place.wait_for(&[("every", 30), ("patients_record", 60)]);
    place.send("every", "not JSON");
    assert_eq!(place.bed.read("dead-letters", 31).len(), 31);
    place.server.command(DATABASE, doc! { "dropIndexes": "every", "index": "one" }).unwrap();
    let resend = |expected: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
        command.args(["dead-letters", "resend", "--stage", "document", "--bootstrap-servers"]);
        let output = command.arg(place.kafka.bootstrap()).current_dir(place.bed.rules.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    };
    resend("31 documents resent to the store\n");
    place.wait_for(&[("every", 60), ("patients_record", 60)]);
    let letters = place.bed.read("dead-letters", 32);
    let again: Vec<_> = letters.iter().filter(|letter| letter.headers.contains_key("resent")).collect();
    assert_eq!((letters.len(), again.len()), (32, 1));
    let told = ["reason", "topic", "partition"].map(|name| again[0].headers[name].as_str());
    assert_eq!(told, ["not-a-document", "every", "0"]);
    resend("1 document resent to the store\n31 dead letters left alone: resent before\n");
    assert_eq!(place.bed.read("dead-letters", 33).len(), 33);
    assert_eq!(place.bed.read("every", 61).len(), 61);
    stop(engine);
}

/// A server that hangs while 90 MB wait for it: alerts go on, the process stays small, and everything is stored in the end.
#[test]
fn a_store_that_hangs_bounds_memory_and_drops_nothing() {
    const READINGS: u64 = 30_000;
    let place = Place::new();
    stop(place.bed.start_ready(1));
    let mut process: services::Process = Command::new(env!("CARGO_BIN_EXE_triage"))
        .args(["run", "--listen", "127.0.0.1:0", "--set", "engine.workers=1", "--rules", &path(place.bed.rules.path())])
        .args(["--set", "kafka.transactional_id_prefix=bed", "--bootstrap-servers", &place.kafka.bootstrap()])
        .env("TRIAGE_STORE_MONGODB_URI", place.server.root())
        .current_dir(place.bed.rules.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
        .into();
    place.bed.producer().send(0..200);
    place.wait_for(&[("every", 200), ("high", 99), ("high_alerts", 99), ("patients_record", 200)]);
    place.server.signal("-STOP");
    let readings = place.bed.producer();
    let note = "x".repeat(3_000);
    for number in 0..READINGS {
        let value = format!("{{\"v\":{},\"note\":\"{note}\"}}", number % 50);
        readings.raw((number % 2) as i32, Some(format!("p{}", number % 2).as_bytes()), Some(value.as_bytes()));
    }
    readings.send(300..301);
    readings.flush();
    assert_eq!(place.bed.read("alerts.high", 100).len(), 100);
    std::thread::sleep(Duration::from_secs(10));
    let peak = process.peak_mib();
    println!("peak memory {peak:.0} MiB");
    assert!(peak < 250.0, "{peak} MiB");
    place.server.signal("-CONT");
    let all = 200 + READINGS + 1;
    place.wait_for(&[("every", all), ("high", 100), ("high_alerts", 100), ("patients_record", all)]);
    process.terminate();
}

/// `docs/readers.md`: the researcher's table.
#[test]
fn the_researcher_reads_a_patient_oldest_first() {
    let place = Place::new();
    let engine = place.start(&place.server.root());
    place.bed.producer().send(0..40);
    place.wait_for(&[("every", 40), ("patients_record", 40)]);
    stop(engine);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/readers/researcher.py");
    let run = |arguments: &[&str]| {
        let mut command = Command::new(required("SERVICES_PYTHON"));
        let output = command.arg(script).args(arguments).env("MONGODB_URI", place.server.root()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(&["--count"]).trim(), "40");
    let lines = run(&["--patient", "p1"]);
    let values: Vec<u64> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["v"].as_u64().unwrap())
        .collect();
    assert_eq!(values, (0..40).filter(|number| number % 2 == 1).collect::<Vec<_>>());
    drop(place.kafka);
}
