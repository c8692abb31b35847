//! Technical alerts and the heartbeat of real engines on the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};
use serde_json::Value;
use triage::config::Layers;
use triage::engine::Engine;
use web::{ask, say};

const ALERTS: &str = "alerts.technical";

fn layers(bed: &Bed) -> Layers {
    bed.layers(1).flag("heartbeat.every", "1s").flag("technical.no_readings", "3s")
}

/// The alerts of that rule, oldest first.
fn alerts(bed: &Bed, rule: &str, least: usize) -> Vec<Value> {
    let of_rule = |seen: &Seen| seen.value.is_some() && seen.json()["rule"] == rule;
    let mut found = Vec::new();
    wait_for(rule, || {
        found = bed.read(ALERTS, 1).into_iter().filter(of_rule).collect();
        found.len() >= least
    });
    for seen in &found {
        assert_eq!(seen.key.as_deref(), seen.json()["id"].as_str().map(str::as_bytes));
    }
    found.iter().map(Seen::json).collect()
}

fn metrics(engine: &Engine) -> String {
    String::from_utf8(engine.metrics().render().unwrap()).unwrap()
}

#[test]
fn no_readings_are_an_alert_in_the_form_of_all_until_one_comes() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    let raised = alerts(&bed, "technical.no_readings", 1).remove(0);
    let text = raised.to_string();
    for (key, expected) in [
        ("state", Value::from("raised")),
        ("priority", "high".into()),
        ("message", "no readings at all for 3s".into()),
        ("notify", "clinical engineer".into()),
        ("technical", true.into()),
    ] {
        assert_eq!(raised[key], expected, "{text}");
    }
    assert_eq!(
        (&raised["origin"]["process"], raised["origin"]["ruleset"].as_str()),
        (&"bed".into(), Some(&*engine.version()))
    );
    assert!(raised["id"].as_str().unwrap().starts_with("technical/bed/0@"), "{text}");
    bed.producer().send(0..1);
    let both = alerts(&bed, "technical.no_readings", 2);
    assert_eq!(
        (&both[1]["state"], &both[1]["id"], &both[1]["since"]),
        (&"resolved".into(), &raised["id"], &raised["ts"])
    );
    stop(engine);
}

#[test]
fn readings_that_were_deleted_before_they_were_judged_are_told_of() {
    let bed = Bed::new(1);
    let judging = bed.start_ready(1);
    bed.producer().send(0..2);
    bed.read("every", 2);
    stop(judging);
    bed.producer().send(2..7);
    bed.delete_readings(0, 5);
    let engine = bed.start_with(layers(&bed));
    let raised = alerts(&bed, "technical.readings_deleted", 1).remove(0);
    assert_eq!(raised["priority"], "high");
    let message = raised["message"].as_str().unwrap();
    assert!(message.starts_with("up to 3 readings of partition 0 were deleted before they were judged:"), "{message}");
    assert!(metrics(&engine).contains("triage_readings_deleted_total 3\n"));
    assert_eq!(bed.read("every", 4).len(), 4);
    stop(engine);
}

#[test]
fn a_refused_reload_is_an_alert_until_one_is_applied() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    wait_for("the engine to be ready", || engine.is_ready());
    bed.write("b.rules", "high.big when v >\n");
    engine.reload("test");
    let raised = alerts(&bed, "technical.rules_refused", 1).remove(0);
    assert!(
        raised["message"].as_str().unwrap().starts_with("a reload was refused, the old rules run: error"),
        "{raised}"
    );
    let open = "triage_technical_alerts_open{priority=\"medium\",rule=\"technical.rules_refused\"}";
    wait_for("the open alert to be counted", || metrics(&engine).contains(&format!("{open} 1\n")));
    bed.write("b.rules", bed::RULES);
    engine.reload("test");
    assert_eq!(alerts(&bed, "technical.rules_refused", 2)[1]["state"], "resolved");
    wait_for("its end to be counted", || metrics(&engine).contains(&format!("{open} 0\n")));
    stop(engine);
}

/// One that is not ready sends no heartbeat, and whoever starts meanwhile takes it for gone.
#[test]
fn an_alert_that_another_process_takes_for_over_is_raised_anew() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    wait_for("the engine to be ready", || engine.is_ready());
    bed.write("b.rules", "high.big when v >\n");
    engine.reload("test");
    let mut alert = alerts(&bed, "technical.rules_refused", 1).remove(0);
    let id = alert["id"].as_str().unwrap().to_owned();
    alert["state"] = "resolved".into();
    bed.send_keyed(ALERTS, &id, &alert.to_string());
    let told = alerts(&bed, "technical.rules_refused", 3);
    assert_eq!((&told[2]["state"], told[2]["id"] == alert["id"]), (&"raised".into(), false));
    stop(engine);
}

#[test]
fn an_engine_that_stops_resolves_its_alerts_and_a_new_one_those_of_a_dead_one() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    alerts(&bed, "technical.no_readings", 1);
    stop(engine);
    let stopped = alerts(&bed, "technical.no_readings", 2);
    assert_eq!((&stopped[1]["state"], &stopped[1]["reason"]), (&"resolved".into(), &"process stopped".into()));
    // As a killed process of the same name, one that has been gone for long, and one that is alive leave them.
    for process in ["bed", "gone", "alive"] {
        let left = serde_json::json!({
            "id": format!("technical/{process}/7@5/technical.x"), "rule": "technical.x", "state": "raised", "priority": "low",
            "ts": 5, "since": 5, "message": "m", "technical": true, "values": {},
            "origin": {"process": process, "ruleset": "r"},
        });
        bed.send_keyed(ALERTS, left["id"].as_str().unwrap(), &left.to_string());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let beat = |process: &str, ts: u128| {
        format!(
            r#"{{"process":"{process}","ts":{ts},"ruleset":"r","partitions":[],"readings":0,"technical_open":1,"every_ms":1000}}"#
        )
    };
    bed.send_keyed("heartbeat", "gone", &beat("gone", now - 3_600_000));
    bed.send_keyed("heartbeat", "alive", &beat("alive", now + 3_600_000));
    let engine = bed.start_with(layers(&bed));
    let over = alerts(&bed, "technical.x", 5);
    let over: Vec<(&str, &str)> = over[3..]
        .iter()
        .map(|alert| (alert["origin"]["process"].as_str().unwrap(), alert["reason"].as_str().unwrap()))
        .collect();
    assert_eq!(over, [("bed", "process restarted"), ("gone", "process gone")]);
    stop(engine);
}

#[test]
fn the_heart_beats_while_readings_are_judged_and_not_when_a_worker_does_not() {
    let bed = Bed::new(1);
    bed.write("b.rules", "high.big when v > 100\n  alert high \"v is {v}\"\n");
    let engine = bed.start_with(layers(&bed));
    let beats = bed.read("heartbeat", 3);
    let beat = beats[2].json();
    let expected = serde_json::json!({
        "process": "bed", "ts": beat["ts"], "ruleset": engine.version(), "partitions": [0], "readings": 0,
        "technical_open": beat["technical_open"], "every_ms": 1_000,
    });
    assert_eq!((&beat, beats[2].key.as_deref()), (&expected, Some(b"bed".as_slice())));
    stop(engine);
    // A state that cannot be read: the partition stays paused, and nobody judges its readings.
    let torn = [r#"["triage","partition"]"#, r#"{"format":99}"#];
    bed.send_keyed("triage-snapshots", torn[0], torn[1]);
    let beats = bed.read("heartbeat", 3).len();
    let engine = bed.start_with(layers(&bed));
    wait_for("the worker to be in trouble", || {
        !engine.is_ready() && metrics(&engine).contains("triage_heartbeat_timestamp_seconds 0")
    });
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!((bed.read("heartbeat", 0).len(), engine.is_ready()), (beats, false));
    // It says that it is there, or its alerts would be taken for those of nobody.
    alerts(&bed, "technical.no_readings", 1);
    let is_there = |seen: &Seen| seen.value.is_none() && seen.key.as_deref() == Some(b"process/bed");
    wait_for("the process to say that it is there", || bed.read(ALERTS, 1).iter().any(is_there));
    stop(engine);
}

#[test]
fn a_technical_alert_is_acknowledged_by_whoever_is_asked_once() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    wait_for("the engine to be ready", || engine.is_ready());
    bed.write("b.rules", "high.big when v >\n");
    engine.reload("test");
    let raised = alerts(&bed, "technical.rules_refused", 1).remove(0);
    let other = bed.another();
    let asked = other.start_with(layers(&other).flag("kafka.transactional_id_prefix", "other"));
    let id = raised["id"].as_str().unwrap();
    let body = |id: &str| serde_json::json!({"id": id, "by": "eve"}).to_string();
    let mut answer = (0, String::new());
    wait_for("the alert to be known there", || {
        answer = say(asked.address(), "/alerts/acknowledge", &body(id));
        answer.0 != 404 && answer.0 != 503
    });
    assert_eq!(answer.0, 202, "{}", answer.1);
    let told = alerts(&bed, "technical.rules_refused", 2);
    let mut seen = raised.clone();
    seen["state"] = "acknowledged".into();
    seen["by"] = "eve".into();
    seen["ts"] = told[1]["ts"].clone();
    assert_eq!(told[1..], [seen]);
    for address in [asked.address(), engine.address()] {
        wait_for("the acknowledgement to be known", || {
            ask(address, "GET /alerts?state=acknowledged", "").2.contains(id)
        });
        let (status, told) = say(address, "/alerts/acknowledge", &body(id));
        assert_eq!((status, told.contains("by eve")), (409, true), "{told}");
    }
    assert_eq!(say(asked.address(), "/alerts/acknowledge", &body("technical/bed/9@5/technical.x")).0, 404);
    assert_eq!(bed.read("dead-letters", 0).len(), 0);
    bed.write("b.rules", bed::RULES);
    engine.reload("test");
    let over = &alerts(&bed, "technical.rules_refused", 3)[2];
    assert_eq!((&over["state"], &over["id"], over.get("by")), (&"resolved".into(), &raised["id"], None));
    stop(asked);
    stop(engine);
}

#[test]
fn an_alert_of_a_process_that_is_gone_is_resolved_while_others_run() {
    let bed = Bed::new(1);
    let engine = bed.start_with(layers(&bed));
    wait_for("the engine to be ready", || engine.is_ready());
    bed.read("heartbeat", 3);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    // Three were heard of last when they told of it, one of them an hour from now; one has just said that it is there.
    bed.send_tombstone(ALERTS, "process/stuck");
    for (process, ts) in [("gone", now - 3_600_000), ("stuck", now - 3_600_000), ("alive", now + 3_600_000)] {
        let left = serde_json::json!({
            "id": format!("technical/{process}/7@{ts}/technical.x"), "rule": "technical.x", "state": "acknowledged",
            "priority": "low", "ts": ts, "since": ts, "message": "m", "technical": true, "by": "eve", "values": {},
            "origin": {"process": process, "ruleset": "r"},
        });
        bed.send_keyed(ALERTS, left["id"].as_str().unwrap(), &left.to_string());
    }
    let gone = |seen: &Seen| seen.value.is_some() && seen.json()["reason"] == "process gone";
    wait_for("the alert that nobody has to be over", || bed.read(ALERTS, 4).iter().any(gone));
    bed.send_tombstone(ALERTS, "process/stuck");
    std::thread::sleep(Duration::from_secs(15));
    let told: Vec<Value> = bed.read(ALERTS, 4).iter().filter(|seen| gone(seen)).map(Seen::json).collect();
    let told: Vec<_> =
        told.iter().map(|alert| (&alert["origin"]["process"], &alert["state"], alert.get("by"))).collect();
    assert_eq!(told, [(&"gone".into(), &"resolved".into(), None)]);
    stop(engine);
}
