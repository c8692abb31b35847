//! Alerts and people, on the embedded broker: what is open, acknowledging, pausing, and what is let go.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assert_cmd::Command;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde_json::{Value, json};

use bed::{Bed, stop, wait_for};
use web::{ask, say};

const RULES: &str = r#"
every.one when v is known
high.crisis when v > 200 alert high "v is {v}"
high.raised when v > 100 alert low "v is {v}"
every.big when v > 300 alert medium "v is {v}"
"#;

fn bed(partitions: i32) -> Bed {
    let bed = Bed::new(partitions);
    bed.write("b.rules", RULES);
    bed
}

fn send(bed: &Bed, partition: i32, patient: &str, v: u64) {
    let producer = bed.producer();
    producer.raw(partition, Some(patient.as_bytes()), Some(format!("{{\"v\":{v}}}").as_bytes()));
    producer.flush();
}

/// Everything that is known, once it is all.
fn known(address: SocketAddr, query: &str) -> Value {
    let mut known = Value::Null;
    wait_for("the alerts to be complete", || {
        let (status, _, body) = ask(address, &format!("GET /alerts{query}"), "");
        known = serde_json::from_str(&body).unwrap_or_else(|_| panic!("{body}"));
        assert_eq!(status == 200, known["complete"] == true, "{body}");
        status == 200
    });
    known
}

/// Patients and rules of the open alerts, once there are so many.
fn open(address: SocketAddr, query: &str, number: usize) -> Vec<(String, String, String)> {
    let mut seen = Vec::new();
    wait_for(&format!("{number} open alerts with `{query}`"), || {
        let known = known(address, query);
        let text = |alert: &Value, name: &str| alert[name].as_str().unwrap_or_default().to_owned();
        let alerts = known["alerts"].as_array().unwrap();
        seen = alerts.iter().map(|alert| (text(alert, "patient"), text(alert, "rule"), text(alert, "state"))).collect();
        seen.len() == number
    });
    seen
}

fn ids(address: SocketAddr, query: &str) -> Vec<String> {
    let known = known(address, query);
    known["alerts"].as_array().unwrap().iter().map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

fn rules_of(open: &[(String, String, String)]) -> Vec<&str> {
    open.iter().map(|(_, rule, _)| rule.as_str()).collect()
}

#[test]
fn what_is_open_is_shown_in_order_until_it_is_over() {
    let bed = bed(2);
    let engine = bed.start_ready(1);
    let address = engine.address();
    assert_eq!(known(address, "")["alerts"], json!([]));
    send(&bed, 0, "p1", 150);
    send(&bed, 1, "p 2", 350);
    let shown = open(address, "", 4);
    assert_eq!(rules_of(&shown), ["high.crisis", "every.big", "high.raised", "high.raised"]);
    assert_eq!(open(address, "?priority=high&priority=medium", 2).len(), 2);
    assert_eq!(rules_of(&open(address, "?topic=every", 1)), ["every.big"]);
    assert_eq!(open(address, "?patient=p%202&state=raised", 3).len(), 3);
    let (status, _, told) = ask(address, "GET /alerts?topic=hihg", "");
    assert_eq!((status, told.contains("`every`, `high`")), (400, true), "{told}");
    assert_eq!(ask(address, "GET /alerts?prio=high", "").0, 400);
    // The bytes are those of the topic, with the topic behind.
    let sent = bed.read("alerts.every", 1)[0].json();
    let mut seen = known(address, "?topic=every")["alerts"][0].clone();
    assert_eq!(seen.as_object_mut().unwrap().remove("topic"), Some(json!("every")));
    assert_eq!(seen, sent);
    send(&bed, 1, "p 2", 50);
    assert_eq!(open(address, "", 1)[0].0, "p1");
    let (_, _, lines) = ask(address, "GET /alerts", "Accept: text/plain\r\n");
    assert!(lines.starts_with("LOW ") && lines.ends_with("\n1 open alert\n"), "{lines}");
    let counted = "triage_open_alerts{priority=\"low\"} 1\n";
    wait_for("the open alert to be counted", || ask(address, "GET /metrics", "").2.contains(counted));
    stop(engine);
}

#[test]
fn an_alert_is_acknowledged_once() {
    let bed = bed(2);
    let engine = bed.start_ready(1);
    let address = engine.address();
    send(&bed, 1, "p1", 150);
    open(address, "", 1);
    let id = ids(address, "")[0].clone();
    let body = json!({"id": id, "by": "eve"}).to_string();
    let (status, answer) = say(address, "/alerts/acknowledge", &body);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["said"]["by"], &answer["places"][0]["partition"]), (202, &json!("eve"), &json!(1)));
    assert_eq!(open(address, "?state=acknowledged", 1)[0].2, "acknowledged");
    let (status, told) = say(address, "/alerts/acknowledge", &body);
    assert_eq!((status, told.contains("by eve")), (409, true), "{told}");
    let (status, _) = say(address, "/alerts/acknowledge", &json!({"id": format!("{id}x"), "by": "eve"}).to_string());
    assert_eq!(status, 404);
    send(&bed, 1, "p1", 50);
    assert!(open(address, "", 0).is_empty());
    assert_eq!(bed.read("dead-letters", 0).len(), 0);
    stop(engine);
}

#[test]
fn a_pause_is_shown_and_silences() {
    let bed = bed(2);
    let engine = bed.start_ready(1);
    let address = engine.address();
    send(&bed, 0, "p1", 150);
    open(address, "", 1);
    let pause =
        |members: &str| say(address, "/alerts/pause", &format!("{{{members},\"by\":\"eve\",\"why\":\"moved\"}}"));
    assert_eq!(pause("\"rule\":\"high.crisis\",\"for\":\"1h\"").0, 400);
    assert_eq!(pause("\"rule\":\"high.raise\",\"for\":\"1h\"").0, 404);
    let (status, answer) = pause("\"rule\":\"high.raised\",\"for\":\"1h\"");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, answer["places"].as_array().unwrap().len()), (202, 2));
    wait_for("the pause on both partitions", || known(address, "")["pauses"][0]["partitions"] == json!([0, 1]));
    let counted = ["triage_pauses{kind=\"rule\"} 1\n", "triage_pauses{kind=\"patient\"} 0\n"];
    wait_for("the pause to be counted", || {
        let (_, _, metrics) = ask(address, "GET /metrics", "");
        counted.iter().all(|line| metrics.contains(line))
    });
    assert_eq!(known(address, "")["alerts"][0]["paused"]["by"], "eve");
    let shown = known(address, "");
    assert_eq!(
        (&shown["pauses"][0]["rule"], &shown["pauses"][0]["partitions"]),
        (&json!("high.raised"), &json!([0, 1]))
    );
    let (_, _, ready) = ask(address, "GET /readyz", "");
    assert_eq!(serde_json::from_str::<Value>(&ready).unwrap()["alerts"]["pauses"], 1);
    wait_for("the pause to be judged", || (0..2).all(|partition| bed.acknowledged(partition) == 1));
    send(&bed, 1, "p2", 150);
    send(&bed, 1, "p3", 250);
    assert_eq!(rules_of(&open(address, "", 2)), ["high.crisis", "high.raised"]);
    assert_eq!(open(address, "?patient=p2", 0), []);
    stop(engine);
}

#[test]
fn every_process_knows_what_is_open_in_all_and_after_a_restart() {
    let bed = bed(2);
    let first = bed.start_ready(1);
    send(&bed, 0, "p1", 150);
    send(&bed, 1, "p2", 150);
    let other = bed.another();
    other.write("b.rules", RULES);
    let second = other.start_with(other.layers(1).flag("kafka.transactional_id_prefix", "other"));
    wait_for("the second engine", || second.is_ready());
    assert_eq!(open(second.address(), "", 2), open(first.address(), "", 2));
    stop(first);
    let id = ids(second.address(), "?patient=p1")[0].clone();
    assert_eq!(say(second.address(), "/alerts/acknowledge", &json!({"id": id, "by": "eve"}).to_string()).0, 202);
    assert_eq!(open(second.address(), "?state=acknowledged", 1)[0].0, "p1");
    stop(second);
}

#[test]
fn topics_of_a_reload_are_followed_and_rules_that_go_close_theirs() {
    let bed = bed(1);
    let engine = bed.start_ready(1);
    send(&bed, 0, "p1", 150);
    open(engine.address(), "", 1);
    bed.write("b.rules", "every.one when v is known\nother.new when v > 10 alert info \"v is {v}\"\n");
    assert_eq!(engine.reload("test").name(), "applied");
    send(&bed, 0, "p2", 50);
    assert_eq!(rules_of(&open(engine.address(), "", 1)), ["other.new"]);
    stop(engine);
}

#[test]
fn what_is_no_alert_is_counted_and_not_shown() {
    let bed = bed(1);
    let engine = bed.start_ready(1);
    for value in [" ", "7", "{}", "{\"id\":\"x\",\"state\":\"melting\"}"] {
        bed.send_keyed("alerts.high", "x", value);
    }
    send(&bed, 0, "p1", 150);
    assert_eq!(open(engine.address(), "", 1).len(), 1);
    let (_, _, metrics) = ask(engine.address(), "GET /metrics", "");
    assert!(metrics.contains("triage_foreign_alerts_total 4"));
    stop(engine);
}

#[test]
fn what_is_not_known_is_never_an_empty_list() {
    let bed = bed(1);
    let off = bed.start_with(bed.layers(1).flag("alerts.follow", "false"));
    wait_for("the follower to be off", || ask(off.address(), "GET /alerts", "").2.contains("alerts.follow"));
    let (status, _, body) = ask(off.address(), "GET /alerts", "");
    assert_eq!((status, serde_json::from_str::<Value>(&body).unwrap()["complete"].clone()), (503, json!(false)));
    let body = r#"{"id":"research/0/0@1/high.raised","by":"eve"}"#;
    assert_eq!(say(off.address(), "/alerts/acknowledge", body).0, 503);
    stop(off);
    let away = Bed::at(std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap(), 1);
    let engine = away.start(1);
    assert_eq!(ask(engine.address(), "GET /alerts", "").0, 503);
    stop(engine);
}

fn days_ago(days: u64) -> i64 {
    let time = SystemTime::now() - Duration::from_hours(24 * days);
    time.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A reading of the patient, whose Kafka time is that.
fn send_at(bed: &Bed, time: i64, patient: &str, v: u64) {
    let producer: BaseProducer = bed.client().create().unwrap();
    let value = format!("{{\"v\":{v}}}");
    let record = BaseRecord::to("research").partition(0).key(patient).payload(&value).timestamp(time);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_mins(2)).unwrap();
}

#[test]
fn what_was_closed_long_ago_is_let_go_and_what_is_open_stays() {
    let bed = bed(1);
    let start = || {
        let layers = bed.layers(1).flag("retention.readings", "forever").flag("retention.acknowledgements", "forever");
        let engine = bed.start_with(layers);
        wait_for("the engine to be ready", || engine.is_ready());
        engine
    };
    let engine = start();
    send_at(&bed, days_ago(10), "old", 150);
    send_at(&bed, days_ago(9), "old", 50);
    send_at(&bed, days_ago(8), "open", 150);
    send_at(&bed, days_ago(6), "young", 150);
    send_at(&bed, days_ago(5), "young", 50);
    let alerts = bed.read("alerts.high", 5);
    let old = alerts[0].key.clone();
    assert_eq!(alerts[0].headers["delayed"], "true");
    assert_eq!(alerts[0].headers["age_seconds"].parse::<i64>().unwrap() / 86_400, 10);
    stop(engine);
    for all in [8, 10] {
        let engine = start();
        send(&bed, 0, "fresh", 150);
        send(&bed, 0, "fresh", 50);
        assert_eq!(open(engine.address(), "", 1)[0].0, "open");
        bed.read("alerts.high", all);
        stop(engine);
    }
    let tombstones: Vec<_> = bed.read("alerts.high", 10).into_iter().filter(|seen| seen.value.is_none()).collect();
    assert_eq!(tombstones.len(), 1);
    assert_eq!(tombstones[0].key, old);
    let fresh = bed.read("alerts.high", 10).into_iter().rfind(|seen| seen.value.is_some()).unwrap();
    assert!(fresh.headers.is_empty(), "{fresh:?}");
}

#[test]
fn the_command_line_shows_acknowledges_and_pauses() {
    let bed = bed(1);
    let engine = bed.start_ready(1);
    let address = engine.address().to_string();
    send(&bed, 0, "p1", 250);
    open(engine.address(), "", 2);
    let folder = tempfile::tempdir().unwrap();
    let triage = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("triage").unwrap();
        command.args(["alerts"]).args(arguments).args(["--listen", &address]).current_dir(folder.path());
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let (code, shown, _) = triage(&["--priority", "high"]);
    assert_eq!((code, shown.contains("v is 250  [high.crisis, for the nurse]  raised")), (0, true), "{shown}");
    let (code, _, told) = triage(&["--priority", "urgent"]);
    assert_eq!((code, told.contains("`high`, `medium`")), (2, true), "{told}");
    let id = &ids(engine.address(), "?priority=high")[0];
    assert_eq!(triage(&["acknowledge", id, "--by", "eve"]).0, 0);
    assert_eq!(open(engine.address(), "?state=acknowledged", 1).len(), 1);
    assert_eq!(triage(&["acknowledge", id, "--by", "eve"]).0, 2);
    let pause = ["pause", "--patient", "p1", "--by", "eve", "--why", "moved", "--for", "1h"];
    let (code, _, told) = triage(&pause);
    assert_eq!((code, told.contains("\"high\":true")), (2, true), "{told}");
    assert_eq!(triage(&[&pause[..], &["--high"]].concat()).0, 0);
    wait_for("the pause", || triage(&[]).1.contains("the patient p1, by eve: moved"));
    let (code, json, _) = triage(&["--json"]);
    assert_eq!((code, serde_json::from_str::<Value>(&json).unwrap()["complete"].clone()), (0, json!(true)));
    stop(engine);
    assert_eq!(triage(&[]).0, 3);
}
