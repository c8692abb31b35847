//! Webhooks, on the embedded broker: nothing lost, each patient's in order, one key for one alert, and the way out of trouble.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/pager.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod pager;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use assert_cmd::Command;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::Value;
use sha2::Sha256;
use triage::config::Layers;
use triage::engine::Engine;

use bed::{Bed, stop, wait_for};
use pager::{Answer, OK, Pager, Received};
use web::ask;

const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

const RULES: &str = r#"
every.one when v is known
every.noted when v is known alert info "{v}" each reading
high.big when v > 100 alert high "v is {v}" each reading
"#;

fn bed(partitions: i32) -> Bed {
    let bed = Bed::new(partitions);
    bed.write("b.rules", RULES);
    bed
}

fn layers(bed: &Bed, topic: &str, pager: &Pager) -> Layers {
    webhook(bed.layers(1), topic, pager)
}

fn webhook(layers: Layers, topic: &str, pager: &Pager) -> Layers {
    layers
        .flag(&format!("webhook.{topic}.url"), pager.url())
        .flag(&format!("webhook.{topic}.secret"), SECRET)
        .flag(&format!("webhook.{topic}.give_up_after"), "10m")
}

fn start(bed: &Bed, layers: Layers) -> Engine {
    let engine = bed.start_with(layers);
    wait_for("the engine to be ready", || engine.is_ready());
    engine
}

fn send(bed: &Bed, partition: i32, values: impl IntoIterator<Item = u64>) {
    let producer = bed.producer();
    for value in values {
        let patient = format!("p{partition}");
        producer.raw(partition, Some(patient.as_bytes()), Some(format!("{{\"v\":{value}}}").as_bytes()));
    }
    producer.flush();
}

fn messages(received: &[Received]) -> Vec<String> {
    received.iter().map(|received| received.json()["message"].as_str().unwrap().to_owned()).collect()
}

fn said(values: impl IntoIterator<Item = u64>) -> Vec<String> {
    values.into_iter().map(|value| format!("v is {value}")).collect()
}

/// By their keys; one whose answer came late was sent again.
fn once(received: Vec<Received>) -> Vec<Received> {
    let mut seen = BTreeSet::new();
    received.into_iter().filter(|received| seen.insert(received.headers["idempotency-key"].clone())).collect()
}

fn of_patient(received: &[Received], patient: &str) -> Vec<Received> {
    received.iter().filter(|received| received.json()["patient"] == patient).cloned().collect()
}

fn metrics(engine: &Engine) -> String {
    ask(engine.address(), "GET /metrics", "").2
}

#[test]
fn an_alert_is_sent_whole_signed_and_under_its_name() {
    let (bed, pager) = (bed(1), Pager::new(|_, _| OK));
    let engine = start(&bed, layers(&bed, "high", &pager));
    send(&bed, 0, [150]);
    wait_for("the page", || !pager.taken().is_empty());
    let page = &pager.taken()[0];
    let alert = &bed.read("alerts.high", 1)[0];
    assert_eq!((page.path.as_str(), page.body.as_bytes()), ("/page?key=hush", alert.value.as_deref().unwrap()));
    let header = |name: &str| page.headers[name].as_str();
    let alert = alert.json();
    let name = format!("{}/raised/{}", alert["id"].as_str().unwrap(), alert["ts"]);
    assert_eq!((header("idempotency-key"), header("content-type")), (name.as_str(), "application/json"));
    assert_eq!(header("webhook-id"), name.replace('.', "%2E"));
    let key: Vec<u8> = (0..24).collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), page.body).as_bytes());
    assert_eq!(header("webhook-signature"), format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    let counted = "triage_webhook_deliveries_total{topic=\"high\"} 1\n";
    wait_for("the page to be counted", || metrics(&engine).contains(counted));
    stop(engine);
}

/// Fails in every way that passes, at the first attempts of each alert.
#[test]
fn what_fails_is_tried_again_in_order_and_under_the_same_key() {
    let bed = bed(2);
    let pager = Pager::new(|request, before| {
        let of_this = |received: &&Received| received.headers["idempotency-key"] == request.headers["idempotency-key"];
        match before.iter().filter(of_this).count() {
            0 => Answer::Status(500, ""),
            1 => Answer::Silence(Duration::from_secs(2)),
            2 => Answer::Status(429, "Retry-After: 1\r\n"),
            _ => OK,
        }
    });
    let engine = start(&bed, layers(&bed, "high", &pager).flag("webhook.high.timeout", "500ms"));
    send(&bed, 0, 101..104);
    send(&bed, 1, 201..204);
    wait_for("all pages", || once(pager.taken()).len() == 6);
    let pages = once(pager.taken());
    assert_eq!(messages(&of_patient(&pages, "p0")), said(101..104));
    assert_eq!(messages(&of_patient(&pages, "p1")), said(201..204));
    assert_eq!(once(pager.received()).len(), 6);
    let told = metrics(&engine);
    assert!(told.contains("triage_webhook_retries_total{topic=\"high\"}"));
    assert!(!told.contains("triage_webhook_dead_letters_total{"));
    stop(engine);
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    let bed = bed(1);
    let pager = Pager::new(|_, before| if before.is_empty() { Answer::Status(503, "Retry-After: 3\r\n") } else { OK });
    let engine = start(&bed, layers(&bed, "high", &pager));
    send(&bed, 0, [150]);
    wait_for("the page", || !pager.taken().is_empty());
    let attempts = pager.received();
    assert_eq!(attempts.len(), 2);
    assert!(attempts[1].at - attempts[0].at >= Duration::from_millis(2_900));
    stop(engine);
}

/// The letter holds the alert, holds up nobody, and goes back to the webhook when it is asked for.
#[test]
fn what_is_refused_is_a_dead_letter_that_can_be_sent_again() {
    let bed = bed(1);
    let pager =
        Pager::new(
            |request, before| {
                if request.body.contains("v is 150") && before.len() < 2 { Answer::Status(410, "") } else { OK }
            },
        );
    let engine = start(&bed, layers(&bed, "high", &pager));
    send(&bed, 0, [150, 160]);
    wait_for("the second page", || !pager.taken().is_empty());
    assert_eq!(messages(&pager.taken()), said([160]));
    let letters = bed.read("dead-letters", 1);
    let header = |name: &str| letters[0].headers[name].as_str();
    assert_eq!((header("stage"), header("reason"), header("topic")), ("webhook", "refused", "alerts.high"));
    assert_eq!(header("sentence"), "the answer is 410");
    assert_eq!(letters[0].value, bed.read("alerts.high", 2)[0].value);
    wait_for("it to be told of", || {
        let (_, _, ready) = ask(engine.address(), "GET /readyz", "");
        serde_json::from_str::<Value>(&ready).unwrap()["webhooks"]["high"]["given_up"] == 1
    });
    assert!(metrics(&engine).contains("triage_webhook_dead_letters_total{reason=\"refused\",topic=\"high\"} 1"));
    let resend = ["dead-letters", "resend", "--stage", "webhook", "--bootstrap-servers", &bed.broker.to_string()];
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        Command::cargo_bin("triage").unwrap().args(resend).current_dir(folder.path()).assert().success();
    }
    wait_for("the first page", || pager.taken().len() == 2);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(messages(&pager.taken()), said([160, 150]));
    stop(engine);
}

#[test]
fn what_nobody_takes_is_given_up_after_a_while() {
    let bed = bed(1);
    let pager = Pager::new(|request, _| if request.body.contains("v is 150") { Answer::Status(503, "") } else { OK });
    let engine = start(&bed, layers(&bed, "high", &pager).flag("webhook.high.give_up_after", "10s"));
    send(&bed, 0, [150, 160]);
    wait_for("the second page", || !pager.taken().is_empty());
    let letter = &bed.read("dead-letters", 1)[0];
    assert_eq!(letter.headers["reason"], "unavailable");
    assert!(letter.headers["sentence"].contains("attempts"), "{:?}", letter.headers);
    assert!(pager.received().len() >= 3);
    stop(engine);
}

#[test]
fn what_is_no_alert_is_a_dead_letter() {
    let (bed, pager) = (bed(1), Pager::new(|_, _| OK));
    let engine = start(&bed, layers(&bed, "high", &pager));
    bed.send_keyed("alerts.high", "x", "{\"id\":7}");
    send(&bed, 0, [150]);
    wait_for("the page", || !pager.taken().is_empty());
    let letter = &bed.read("dead-letters", 1)[0];
    assert_eq!((&*letter.headers["stage"], &*letter.headers["reason"]), ("webhook", "not-an-alert"));
    stop(engine);
}

#[test]
fn a_slow_webhook_delays_no_other() {
    let bed = bed(1);
    let slow = Pager::new(|_, _| Answer::Silence(Duration::from_mins(10)));
    let quick = Pager::new(|_, _| OK);
    let layers = webhook(layers(&bed, "every", &slow).flag("webhook.every.timeout", "2m"), "high", &quick);
    let engine = start(&bed, layers);
    send(&bed, 0, [101]);
    wait_for("the slow one to be asked", || slow.received().len() == 1);
    send(&bed, 0, 102..111);
    wait_for("the pages", || quick.taken().len() == 10);
    assert_eq!(messages(&quick.taken()), said(101..111));
    assert_eq!((slow.received().len(), slow.taken().len()), (1, 0), "its first attempt is still under way");
    let begun = Instant::now();
    stop(engine);
    assert!(begun.elapsed() < Duration::from_mins(1), "{:?}", begun.elapsed());
}

/// A week's old alarms ring at no pager; from then on none is left out, whoever is away.
#[test]
fn it_begins_at_the_end_and_goes_on_where_it_was() {
    let bed = bed(1);
    let engine = bed.start_ready(1);
    send(&bed, 0, 101..104);
    assert_eq!(bed.read("alerts.high", 3).len(), 3);
    stop(engine);
    let taken = Pager::new(|_, _| OK);
    let engine = start(&bed, layers(&bed, "high", &taken));
    send(&bed, 0, 201..204);
    wait_for("the pages", || taken.taken().len() >= 3);
    stop(engine);
    let engine = bed.start_ready(1);
    send(&bed, 0, 301..304);
    assert_eq!(bed.read("alerts.high", 9).len(), 9);
    stop(engine);
    let engine = start(&bed, layers(&bed, "high", &taken));
    wait_for("what was missed", || taken.taken().len() >= 6);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(messages(&taken.taken()), said((201..204).chain(301..304)));
    stop(engine);
}

#[test]
fn nothing_is_lost_over_restarts_while_it_fails() {
    let bed = bed(2);
    let pager = Pager::new(|_, before| if before.len() % 3 == 0 { Answer::Status(502, "") } else { OK });
    for round in 0..3 {
        let engine = start(&bed, layers(&bed, "high", &pager));
        send(&bed, 0, 1_000 + round * 10..1_005 + round * 10);
        send(&bed, 1, 2_000 + round * 10..2_005 + round * 10);
        wait_for("some pages", || pager.taken().len() as u64 >= round * 10 + 4);
        stop(engine);
    }
    let engine = start(&bed, layers(&bed, "high", &pager));
    wait_for("all pages", || once(pager.taken()).len() == 30);
    let pages = once(pager.taken());
    for (patient, first) in [("p0", 1_000), ("p1", 2_000)] {
        let expected = (0..3).flat_map(|round| first + round * 10..first + round * 10 + 5);
        assert_eq!(messages(&of_patient(&pages, patient)), said(expected));
    }
    stop(engine);
}

#[test]
fn an_old_alert_is_no_fresh_page() {
    let (bed, pager) = (bed(1), Pager::new(|_, _| OK));
    let engine = start(&bed, layers(&bed, "high", &pager).flag("alerts.delayed_after", "30m"));
    let producer: BaseProducer = bed.client().create().unwrap();
    let hour_ago = std::time::SystemTime::now() - Duration::from_hours(1);
    let time = hour_ago.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    for (time, value) in [(time, "{\"v\":150}"), (time + 3_600_000, "{\"v\":160}")] {
        let record = BaseRecord::to("research").partition(0).key("p0").payload(value).timestamp(time);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_mins(2)).unwrap();
    wait_for("the pages", || pager.taken().len() == 2);
    let oldest = hour_ago.elapsed().unwrap().as_secs() as i64;
    let taken = pager.taken();
    let (old, fresh) = (taken[0].json(), taken[1].json());
    assert_eq!((&old["message"], &old["delayed"]), (&"v is 150".into(), &true.into()));
    assert!((3_600..=oldest).contains(&old["age_seconds"].as_i64().unwrap()), "{old}");
    assert_eq!((&fresh["message"], &fresh["delayed"]), (&"v is 160".into(), &Value::Null));
    let alerts = bed.read("alerts.high", 2);
    assert_eq!(alerts[0].headers["delayed"], "true");
    assert!(alerts[1].headers.is_empty());
    assert!(alerts[0].json()["delayed"].is_null());
    stop(engine);
}

#[test]
fn a_topic_of_a_reload_is_read_from_its_beginning() {
    let (bed, pager) = (bed(1), Pager::new(|_, _| OK));
    let layers = layers(&bed, "later", &pager).flag("kafka.properties.topic.metadata.refresh.interval.ms", "1000");
    let engine = start(&bed, layers);
    let (_, _, ready) = ask(engine.address(), "GET /readyz", "");
    assert!(ready.contains("no rule of the topic `later` has an alert"), "{ready}");
    bed.write("c.rules", "later.big when v > 100 alert high \"v is {v}\" each reading\n");
    assert_eq!(engine.reload("test").name(), "applied");
    send(&bed, 0, [150]);
    wait_for("the page", || pager.taken().len() == 1);
    stop(engine);
}
