//! Encrypted connections to Apache Kafka and to a server that speaks `MongoDB`'s protocol.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/authority.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod authority;
#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/front.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod front;
#[path = "support/mongo_server.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod mongo_server;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use triage::config::{Layers, Secret};
use triage::engine::Engine;
use triage::sink::mongo::MongoSink;
use triage::sink::{Document, Sink};
use triage::tls::Credentials;

use authority::{Authority, GOOD, HERE, Issued, OVER, write};
use bed::{Bed, Seen, stop, wait_for};
use front::Front;
use mongo_server::MongoServer;
use services::{Encrypted, Kafka, free_port};

/// Flags that name Kafka's files.
fn to_kafka(layers: Layers, address: &str, authority: &str, own: Option<(String, String)>) -> Layers {
    let layers = layers
        .flag("kafka.bootstrap_servers", address)
        .flag("kafka.security_protocol", "ssl")
        .flag("kafka.ssl_ca_file", authority);
    match own {
        None => layers,
        Some((certificate, key)) => {
            layers.flag("kafka.ssl_certificate_file", certificate).flag("kafka.ssl_key_file", key)
        }
    }
}

/// A listener that trusts certificates by `trusts`.
fn listener(name: &'static str, shows: &Issued, trusts: &Authority, asks: bool) -> Encrypted {
    Encrypted { name, port: free_port(), shows: shows.both(), trusts: trusts.pem(), asks }
}

fn metrics(engine: &Engine) -> String {
    String::from_utf8(engine.metrics().render().unwrap()).unwrap()
}

fn readings_judged(engine: &Engine) -> i64 {
    let metrics = metrics(engine);
    metrics.lines().find_map(|line| line.strip_prefix("triage_readings_total ")).unwrap().parse().unwrap()
}

fn readings_sent(bed: &Bed) -> i64 {
    let client: BaseConsumer = bed.client().create().unwrap();
    let end = |partition| client.fetch_watermarks("research", partition, Duration::from_mins(1)).unwrap().1;
    (0..bed.partitions).map(end).sum()
}

fn is_refused(engine: &Engine, used_for: &str) -> bool {
    metrics(engine).contains(&format!("triage_certificates_refused{{use=\"{used_for}\"}} 1"))
}

#[test]
fn a_broker_that_is_not_trusted_or_does_not_trust_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (hospital, stranger) = (Authority::new("hospital"), Authority::new("stranger"));
    let good = listener("GOOD", &hospital.issue(HERE, GOOD), &hospital, false);
    let other = listener("OTHER", &hospital.issue(&["broker.ward"], GOOD), &hospital, false);
    let over = listener("OVER", &hospital.issue(HERE, OVER), &hospital, false);
    let asking = listener("ASKING", &hospital.issue(HERE, GOOD), &hospital, true);
    let listeners = [good, other, over, asking];
    let kafka = Kafka::start_encrypted(&listeners);
    let [good, other, over, asking] = &listeners;
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let trusted = write(folder.path(), "ca.pem", &hospital.pem());
    let untrusted = write(folder.path(), "stranger.pem", &stranger.pem());
    let own = |authority: &Authority, name: &str| Some(authority.issue(&[name], GOOD).write(folder.path(), name));
    for (listener, authority, own, expected) in [
        (other, &trusted, None, "its certificate is for `broker.ward` and not for `127.0.0.1`"),
        (over, &trusted, None, "the certificate of `CN=localhost` has expired, on "),
        (
            good,
            &untrusted,
            None,
            "its certificate is by `CN=hospital`, which is not trusted: if it should be, add that authority's certificate to \
             `kafka.ssl_ca_file`",
        ),
        (
            asking,
            &trusted,
            None,
            "it asks for a client certificate: name ours by `kafka.ssl_certificate_file` and its key by `kafka.ssl_key_file`",
        ),
        (asking, &trusted, own(&stranger, "eve"), "it refuses our certificate, that of `kafka.ssl_certificate_file`"),
    ] {
        let engine = bed.start_with(to_kafka(bed.layers(1), &listener.address(), authority, own));
        let mut trouble = String::new();
        wait_for(expected, || {
            trouble = engine.trouble().unwrap_or_default();
            trouble.contains(expected)
        });
        assert!(trouble.contains("no encrypted connection to the broker"), "{trouble}");
        stop(engine);
    }
    for (listener, own) in [(good, None), (asking, own(&hospital, "engine"))] {
        let engine = bed.start_with(to_kafka(bed.layers(1), &listener.address(), &trusted, own));
        wait_for("the engine to be ready", || engine.is_ready());
        stop(engine);
    }
    // The gateway connects by itself.
    let mut gateway = Command::new(env!("CARGO_BIN_EXE_triage"));
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/patients.csv");
    gateway.args(["gateway", table, "--once", "--every", "1ms", "--bootstrap-servers", &good.address()]);
    gateway.env("TRIAGE_KAFKA_SECURITY_PROTOCOL", "ssl").env("TRIAGE_KAFKA_SSL_CA_FILE", &trusted);
    let output = gateway.current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Readings come all the time while certificates are broken, replaced, and those before no longer trusted.
#[test]
fn new_certificates_for_the_broker_are_taken_up_and_every_reading_is_judged_once() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let mut asking = listener("ASKING", &before.issue(HERE, GOOD), &before, true);
    asking.trusts = format!("{}{}", before.pem(), after.pem());
    let listeners = [asking];
    let mut kafka = Kafka::start_encrypted(&listeners);
    let [mut asking] = listeners;
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let authorities = write(folder.path(), "ca.pem", &before.pem());
    let first = before.issue(&["engine"], GOOD);
    let own = first.write(folder.path(), "engine");
    let store = folder.path().join("documents.sqlite").display().to_string();
    let layers = to_kafka(bed.layers(2), &asking.address(), &authorities, Some(own)).flag("store.sqlite", store);
    let engine = bed.start_with(layers);
    wait_for("the engine to be ready", || engine.is_ready());
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 50, Duration::from_millis(100));
    std::thread::sleep(Duration::from_secs(2));

    write(folder.path(), "engine.pem", "garbage");
    wait_for("the garbage to be told", || is_refused(&engine, "kafka"));
    let sent = readings_sent(&bed);
    wait_for("readings behind the garbage to be judged", || readings_judged(&engine) > sent);
    first.write(folder.path(), "engine");
    wait_for("the garbage to be gone", || !is_refused(&engine, "kafka"));

    after.issue(&["engine"], GOOD).write(folder.path(), "engine");
    write(folder.path(), "ca.pem", &format!("{}{}", before.pem(), after.pem()));
    std::thread::sleep(Duration::from_secs(10));
    wait_for("the engine to be ready again", || engine.is_ready());
    // Nobody is let in any more who shows, or trusts, only what was there before.
    (asking.shows, asking.trusts) = (after.issue(HERE, GOOD).both(), after.pem());
    kafka.kill();
    kafka.encrypt(&asking);
    kafka.restart();
    wait_for("the engine to be ready with the new broker", || engine.is_ready());
    std::thread::sleep(Duration::from_secs(3));
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let seen = bed.read("every", sent);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (sent, sent));
    stop(engine);
}

/// As the configuration makes them.
fn credentials(folder: &Path, authority: &str, own: Option<&Issued>) -> Credentials {
    let mut layers = Layers::new().flag("store.mongodb.tls_ca_file", write(folder, "ca.pem", authority));
    if let Some(own) = own {
        let (certificate, key) = own.write(folder, "own");
        layers = layers.flag("store.mongodb.tls_certificate_file", certificate).flag("store.mongodb.tls_key_file", key);
    }
    layers.build().unwrap().store.mongodb.tls
}

fn document(id: &str) -> Document {
    Document { collection: Arc::from("stroke"), id: id.to_owned(), json: format!("{{\"_id\":\"{id}\"}}") }
}

struct Behind {
    server: MongoServer,
    front: Front,
}

impl Behind {
    fn new(shows: &Issued, asks: Option<&Authority>) -> Self {
        let server = MongoServer::start();
        let front = Front::before(([127, 0, 0, 1], server.port).into(), shows, asks);
        Self { server, front }
    }

    fn open(&self, credentials: &Credentials) -> Result<MongoSink, String> {
        let port = self.front.address.port();
        let uri = self.server.root().replace(&format!(":{}/", self.server.port), &format!(":{port}/"));
        MongoSink::open(&Secret::new(uri), "Ehealth", credentials).map_err(|error| error.to_string())
    }
}

#[test]
fn a_document_store_that_is_not_trusted_or_does_not_trust_is_told_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let (hospital, stranger) = (Authority::new("hospital"), Authority::new("stranger"));
    let good = hospital.issue(HERE, GOOD);
    let place = Behind::new(&good, None);
    let (own, eve) = (hospital.issue(&["engine"], GOOD), stranger.issue(&["eve"], GOOD));
    for (shows, asks, authority, own, expected) in [
        (&good, None, &hospital, None, None),
        (&good, Some(&hospital), &hospital, Some(&own), None),
        (
            &hospital.issue(&["mongo.ward"], GOOD),
            None,
            &hospital,
            None,
            Some("its certificate is for `mongo.ward` and not for `127.0.0.1`"),
        ),
        (
            &hospital.issue(HERE, OVER),
            None,
            &hospital,
            None,
            Some("the certificate of `CN=localhost` has expired, on "),
        ),
        (
            &good,
            None,
            &stranger,
            None,
            Some(
                "is by `CN=hospital`, which is not trusted: if it should be, add that authority's certificate to `store.mongodb.tls_ca_file`",
            ),
        ),
        (
            &good,
            Some(&hospital),
            &hospital,
            None,
            Some("it asks for a client certificate: name ours by `store.mongodb.tls_certificate_file`"),
        ),
        (
            &good,
            Some(&hospital),
            &hospital,
            Some(&eve),
            Some("it refuses our certificate, that of `store.mongodb.tls_certificate_file`"),
        ),
    ] {
        place.front.change(shows, asks);
        let credentials = credentials(folder.path(), &authority.pem(), own);
        let Some(expected) = expected else {
            let mut sink = place.open(&credentials).unwrap();
            assert_eq!(sink.write(&[document("a")]), Ok(triage::sink::Written::default()));
            continue;
        };
        wait_for(expected, || {
            let told = place.open(&credentials).err().expect("nobody is let in");
            println!("{told}");
            told.contains(expected)
        });
    }
}

#[test]
fn new_certificates_for_the_document_store_are_taken_up_between_two_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (Authority::new("before"), Authority::new("after"));
    let place = Behind::new(&before.issue(HERE, GOOD), Some(&before));
    let credentials = credentials(folder.path(), &before.pem(), Some(&before.issue(&["first"], GOOD)));
    let mut sink = place.open(&credentials).unwrap();
    sink.write(&[document("a")]).unwrap();
    // What is in the files is nobody's business before it has been taken up.
    write(folder.path(), "own.pem", "garbage");
    assert!(credentials.load().is_err());
    sink.write(&[document("b")]).unwrap();
    assert!(place.front.visitors().iter().all(|visitor| visitor == "first"), "{:?}", place.front.visitors());

    place.front.change(&after.issue(HERE, GOOD), Some(&after));
    after.issue(&["second"], GOOD).write(folder.path(), "own");
    write(folder.path(), "ca.pem", &after.pem());
    credentials.load().unwrap();
    sink.write(&[document("c")]).unwrap();
    assert_eq!(place.front.visitors().last().map(String::as_str), Some("second"));
    let stroke = sink.counts().unwrap().into_iter().find(|(name, _)| name == "stroke");
    assert_eq!(stroke, Some(("stroke".to_owned(), 3)));
}
