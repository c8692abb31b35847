//! State that outlives its process, on the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};
use serde_json::Value;
use triage::config::HttpConfig;
use triage::engine::Engine;
use triage::http::ask_check;
use triage::reload::ReloadOutcome;

const RULES: &str = r#"
every.one when v is known
high.sustained when v > 100 for 3 readings alert high "v is {v}, {mean:.1} on average"
every.mean when mean > 150
let mean = avg(v, 1h)
"#;

fn bed(partitions: i32) -> Bed {
    let bed = Bed::new(partitions);
    bed.write("b.rules", RULES);
    bed
}

fn send(bed: &Bed, patient: &str, values: &[u64]) {
    let producer = bed.producer();
    for value in values {
        producer.raw(0, Some(patient.as_bytes()), Some(format!("{{\"v\":{value}}}").as_bytes()));
    }
    producer.flush();
}

fn states(bed: &Bed, least: usize) -> Vec<String> {
    let alerts = bed.read("alerts.high", least);
    alerts.iter().map(|alert| alert.json()["state"].as_str().unwrap().to_owned()).collect()
}

fn start(bed: &Bed) -> Engine {
    let engine = bed.start_with(bed.layers(1).flag("engine.snapshot_age", "200ms"));
    wait_for("the engine to be ready", || engine.is_ready());
    engine
}

/// A run, an episode and a window go on over restarts; snapshots are older than some of it, so that readings are judged again.
#[test]
fn runs_episodes_and_windows_go_on_over_restarts() {
    let bed = bed(1);
    for (values, seen) in [(&[110, 120][..], 2), (&[130], 3), (&[140, 150], 5), (&[50], 6), (&[160, 170, 180], 9)] {
        let engine = start(&bed);
        send(&bed, "p1", values);
        assert_eq!(bed.read("every", seen).len(), seen);
        stop(engine);
    }
    assert_eq!(states(&bed, 3), ["raised", "resolved", "raised"]);
    let messages: Vec<String> = bed.read("alerts.high", 3).iter().map(message).collect();
    assert_eq!(messages, ["v is 130, 120.0 on average", "v is 130, 120.0 on average", "v is 180, 134.4 on average"]);
}

fn message(alert: &Seen) -> String {
    alert.json()["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_acknowledgement_is_judged_once_over_restarts() {
    let bed = bed(1);
    let engine = start(&bed);
    send(&bed, "p1", &[110, 120, 130]);
    let id = bed.read("alerts.high", 1)[0].json()["id"].as_str().unwrap().to_owned();
    stop(engine);
    let word = format!("{{\"id\":\"{id}\",\"by\":\"eve\",\"ts\":1700000000000}}");
    bed.send_value("acknowledgements", &word);
    bed.send_value("acknowledgements", "{\"id\":7}");
    for readings in [4, 5] {
        let engine = start(&bed);
        send(&bed, "p2", &[1]);
        assert_eq!(bed.read("every", readings).len(), readings);
        assert_eq!(states(&bed, 2), ["raised", "acknowledged"]);
        let letters = bed.read("dead-letters", 1);
        assert_eq!(letters.len(), 1);
        assert_eq!(
            (&*letters[0].headers["stage"], &*letters[0].headers["topic"]),
            ("acknowledgement", "acknowledgements")
        );
        stop(engine);
    }
    assert_eq!(bed.read("alerts.high", 2)[1].json()["by"], "eve");
}

/// Nothing comes, and the stream's time goes on all the same; a restart does not make a silence, and does not tell one twice.
#[test]
fn a_silence_is_told_once_though_nothing_comes() {
    let bed = bed(1);
    bed.write("b.rules", "every.one when v is known\nhigh.silent when no reading for 2s alert low \"nothing heard\"\n");
    let engine = start(&bed);
    send(&bed, "p1", &[1]);
    assert_eq!(states(&bed, 1), ["raised"]);
    stop(engine);
    let engine = start(&bed);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(states(&bed, 1), ["raised"]);
    send(&bed, "p1", &[2]);
    let told: Vec<Value> = bed.read("alerts.high", 2).iter().map(Seen::json).collect();
    assert_eq!((&told[0]["state"], &told[1]["state"]), (&"raised".into(), &"resolved".into()));
    // The silence after that reading may have been told of by now.
    assert!(told.len() <= 3 && told[2..].iter().all(|next| next["state"] == "raised" && next["id"] != told[0]["id"]));
    stop(engine);
}

/// What is kept goes when a rule set keeps none, and begins afresh when one does again; readings in between are none of it.
#[test]
fn a_rule_set_without_state_ends_what_was_kept() {
    let bed = bed(1);
    let engine = start(&bed);
    send(&bed, "p1", &[110, 120, 130]);
    assert_eq!(states(&bed, 1), ["raised"]);
    bed.write("b.rules", "every.one when v is known\nhigh.big when v > 900 alert high \"x\" each reading\n");
    assert_eq!(engine.reload("test").name(), "applied");
    assert_eq!(states(&bed, 2), ["raised", "resolved"]);
    send(&bed, "p1", &[140, 150]);
    assert_eq!(bed.read("every", 5).len(), 5);
    stop(engine);
    let engine = start(&bed);
    bed.write("b.rules", RULES);
    assert_eq!(engine.reload("test").name(), "applied");
    send(&bed, "p1", &[160, 170]);
    assert_eq!(bed.read("every", 7).len(), 7);
    stop(engine);
    let engine = start(&bed);
    send(&bed, "p1", &[180]);
    assert_eq!(states(&bed, 3), ["raised", "resolved", "raised"]);
    assert_eq!(message(&bed.read("alerts.high", 3)[2]), "v is 180, 170.0 on average");
    stop(engine);
}

/// A pause ends in a stream that brings nothing, and what is open is told then.
#[test]
fn a_pause_ends_though_nothing_comes() {
    let bed = bed(1);
    let engine = start(&bed);
    let begun = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let until = begun + 10_000;
    let pause = format!("{{\"pause\":{{\"patient\":\"p1\",\"by\":\"eve\",\"why\":\"moved\",\"until\":{until}}}}}");
    bed.send_value("acknowledgements", &pause);
    wait_for("the pause to be judged", || bed.acknowledged(0) == 1);
    let producer = bed.producer();
    for value in [110, 120, 130] {
        producer.raw(0, Some(b"p1"), Some(format!("{{\"v\":{value},\"ts\":{begun}}}").as_bytes()));
    }
    producer.flush();
    assert_eq!(bed.read("every", 3).len(), 3);
    assert_eq!(states(&bed, 1), ["raised"]);
    assert_eq!(bed.read("alerts.high", 1)[0].json()["ts"].to_string(), until.to_string());
    stop(engine);
}

/// The state goes with its partition, whichever process has it.
#[test]
fn state_moves_between_processes() {
    let bed = bed(4);
    let first = start(&bed);
    let enough = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let sending = bed.send_until(&enough, 40, Duration::from_millis(40));
    for visitor in 0..3 {
        let prefix = format!("visitor-{visitor}");
        let layers = bed.layers(1).flag("kafka.transactional_id_prefix", prefix).flag("engine.snapshot_age", "300ms");
        let second = bed.start_with(layers);
        std::thread::sleep(Duration::from_millis(2_500));
        stop(second);
    }
    enough.store(true, std::sync::atomic::Ordering::Relaxed);
    let sent = sending.join().unwrap();
    assert_eq!(bed.read("every", sent).len(), sent);
    stop(first);
    // Each of the four patients begins low and rises for good: one episode each, with the average of all its readings.
    let alerts = bed.read("alerts.high", 4);
    assert_eq!(alerts.len(), 4, "{:?}", alerts.iter().map(Seen::json).collect::<Vec<_>>());
    let mut messages: Vec<String> = alerts.iter().map(message).collect();
    messages.sort();
    let expected = [
        "v is 109, 55.0 on average",
        "v is 110, 56.0 on average",
        "v is 111, 57.0 on average",
        "v is 112, 56.0 on average",
    ];
    assert_eq!(messages, expected);
}

#[test]
fn a_reload_keeps_what_stays_and_resolves_what_goes() {
    let bed = bed(1);
    let engine = start(&bed);
    send(&bed, "p1", &[110, 120]);
    assert_eq!(bed.read("every", 2).len(), 2);
    bed.write("b.rules", &RULES.replace("v is {v}", "now {v}"));
    assert_eq!(engine.reload("test").name(), "applied");
    send(&bed, "p1", &[130]);
    assert_eq!(states(&bed, 1), ["raised"]);
    assert_eq!(message(&bed.read("alerts.high", 1)[0]), "now 130, 120.0 on average");
    bed.write("b.rules", &RULES.replace("high.sustained", "high.held"));
    match engine.reload("test") {
        ReloadOutcome::Applied { difference, episodes, .. } => {
            let cells = "  state kept: 2: v > 100 for …; avg(v, 1h)\n";
            assert_eq!(difference.cells.to_string(), cells);
            assert_eq!(episodes.to_string(), "  episodes moved: high.sustained -> high.held: 1\n");
        }
        other => panic!("{other:?}"),
    }
    bed.write("b.rules", "every.one when v is known\nhigh.other when v > 1000 for 3 readings alert low \"x\"\n");
    let checked = ask_check(&HttpConfig { listen: engine.address(), ..HttpConfig::default() }).unwrap();
    let ReloadOutcome::Checked { difference: expected } = &checked else { panic!("{checked:?}") };
    match engine.reload("test") {
        ReloadOutcome::Applied { difference, episodes, behind } => {
            assert_eq!((&difference, behind.len()), (expected, 0));
            let cells = "  state started: 1: v > 1000 for …\n  state dropped: 2: v > 100 for …; avg(v, 1h)\n";
            assert_eq!(difference.cells.to_string(), cells);
            assert_eq!(episodes.to_string(), "  episodes resolved: high.held: 1\n");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(states(&bed, 2), ["raised", "resolved"]);
    wait_for("both alerts to be counted", || {
        let metrics = String::from_utf8(engine.metrics().render().unwrap()).unwrap();
        metrics.contains("triage_outputs_total{topic=\"alerts.high\"} 2\n")
    });
    let alerts = bed.read("alerts.high", 2);
    assert_eq!(alerts[1].json()["reason"], "rule removed");
    assert_eq!(alerts[1].key, alerts[0].key, "an id outlives the name of its rule");
    stop(engine);
}
