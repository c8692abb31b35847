//! Reloads under load: every reading is judged once, by one rule set, and each rule set begins at one place per partition.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bed::{Bed, Seen, stop, wait_for};
use triage::reload::{Difference, Refusal, ReloadOutcome};

const RELOADS: usize = 300;

/// The rules with another threshold, so that each version is another one.
fn rules(threshold: usize) -> String {
    format!("every.one when v is known\nhigh.big when v > {threshold} alert high \"v is {{v}}\" each reading\n")
}

#[test]
fn three_hundred_reloads_under_load_lose_double_and_mix_nothing() {
    let bed = Bed::new(2);
    let engine = bed.start_ready(2);
    let enough = Arc::new(AtomicBool::new(false));
    let sending = bed.send_until(&enough, 20, Duration::from_millis(2));
    wait_for("readings of both partitions under the first rules", || engine.rulesets().len() == 2);
    let mut versions = vec![engine.version()];
    for reload in 0..RELOADS {
        let broken = reload % 7 == 3;
        bed.write("b.rules", &if broken { "high.big when nothing > 3\n".to_owned() } else { rules(200 + reload) });
        match engine.reload("test") {
            ReloadOutcome::Applied { difference: Difference { before, after, changed, .. }, behind, .. } => {
                assert!(!broken && behind.is_empty(), "reload {reload}");
                assert_eq!(
                    (&before, changed.as_slice()),
                    (versions.last().unwrap(), ["high.big".to_owned()].as_slice())
                );
                wait_for("readings of both partitions under the new rules", || {
                    let rulesets = engine.rulesets();
                    rulesets.len() == 2 && rulesets.values().all(|ruleset| *ruleset == after)
                });
                versions.push(after);
            }
            ReloadOutcome::Refused { version, refusal: Refusal::Rules { findings, .. } } => {
                assert!(broken, "reload {reload}: {findings:?}");
                assert_eq!(Some(&version), versions.last());
            }
            other => panic!("reload {reload}: {other:?}"),
        }
    }
    enough.store(true, Ordering::Relaxed);
    let sent = sending.join().unwrap();
    let seen = bed.read("every", sent);
    assert_eq!(seen.len(), sent);
    assert_eq!(seen.iter().map(Seen::origin).collect::<BTreeSet<_>>().len(), sent);
    assert_each_begins_once(&seen, &versions);
    stop(engine);
}

/// Along a partition the version only ever changes to a later one, and each version is seen.
fn assert_each_begins_once(seen: &[Seen], versions: &[String]) {
    let order: BTreeMap<&str, usize> =
        versions.iter().enumerate().map(|(at, version)| (version.as_str(), at)).collect();
    let mut visible = BTreeSet::new();
    for partition in 0..2 {
        let mut last = 0;
        let mut next_offset = 0;
        for record in seen.iter().filter(|record| record.partition == partition) {
            let version = record.json()["origin"]["ruleset"].as_str().unwrap().to_owned();
            let at = order[version.as_str()];
            assert!(at >= last, "partition {partition} went back from version {last} to {at}");
            assert_eq!(record.origin(), (i64::from(partition), next_offset));
            (last, next_offset) = (at, next_offset + 1);
            visible.insert((partition, at));
        }
    }
    assert_eq!(visible.len(), 2 * versions.len(), "each version that was taken up judged readings of each partition");
}

#[test]
fn a_new_topic_is_made_before_its_rules_run_and_another_stream_is_refused() {
    let bed = Bed::new(2);
    let engine = bed.start_ready(1);
    bed.write("c.rules", "low when v < 10\nlow.tiny when v < 5 alert low \"{v}\" each reading\n");
    match engine.reload("test") {
        ReloadOutcome::Applied { difference: Difference { added, changed, removed, .. }, .. } => {
            assert_eq!((added, changed, removed), (vec!["low".to_owned(), "low.tiny".to_owned()], vec![], vec![]));
        }
        other => panic!("{other:?}"),
    }
    bed.producer().send(0..20);
    assert_eq!(bed.read("low", 10).len(), 10);
    assert_eq!(bed.read("alerts.low", 5).len(), 5);
    let version = engine.version();
    bed.write("a.rules", &bed::STREAM.replace("stream research", "stream elsewhere"));
    let outcome = engine.reload("test");
    assert!(matches!(outcome, ReloadOutcome::Refused { refusal: Refusal::OtherStream { .. }, .. }), "{outcome:?}");
    assert_eq!(engine.version(), version);
    stop(engine);
}

#[test]
fn a_topic_that_cannot_be_made_refuses_the_reload() {
    let bed = Bed::new(2);
    let engine = bed.start_ready(1);
    let narrow = bed.client().create::<rdkafka::admin::AdminClient<_>>().unwrap();
    let topic = rdkafka::admin::NewTopic::new("narrow", 1, rdkafka::admin::TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(narrow.create_topics([&topic], &rdkafka::admin::AdminOptions::new())).unwrap();
    bed.write("c.rules", "narrow when v < 10\n");
    match engine.reload("test") {
        ReloadOutcome::Refused { refusal: Refusal::Topics { error }, .. } => {
            assert_eq!(
                error,
                "topic `narrow` has 1 partitions, and the stream `research` has 2: add partitions to `narrow`"
            );
        }
        other => panic!("{other:?}"),
    }
    stop(engine);
}

#[test]
fn a_watched_folder_is_taken_up_and_a_broken_edit_refused() {
    let bed = Bed::new(1);
    let engine = bed.start_with(bed.layers(1).flag("rules.watch", "true"));
    wait_for("readiness", || engine.is_ready());
    let first = engine.version();
    bed.write("b.rules", "high.big when v >");
    wait_for("the refusal", || metrics(&engine).contains("triage_reloads_total{outcome=\"refused\"}"));
    assert_eq!(engine.version(), first);
    bed.write("b.rules", &rules(500));
    wait_for("the new version", || engine.version() != first);
    stop(engine);
}

/// As the kubelet writes a `ConfigMap`: links to files behind `..data`, which is a link that is exchanged.
#[test]
fn a_config_map_is_taken_up_when_its_link_is_exchanged() {
    let bed = Bed::new(1);
    let folder = tempfile::tempdir().unwrap();
    let exchange = |version: &str, threshold: usize| {
        let files = folder.path().join(version);
        std::fs::create_dir(&files).unwrap();
        std::fs::write(files.join("a.rules"), bed::STREAM).unwrap();
        std::fs::write(files.join("b.rules"), rules(threshold)).unwrap();
        std::os::unix::fs::symlink(version, folder.path().join("..data_tmp")).unwrap();
        std::fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
    };
    exchange("..2026_01_01_08_00_00.1", 100);
    for name in ["a.rules", "b.rules"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
    }
    let layers = bed.layers(1).flag("rules.path", bed::path(folder.path())).flag("rules.watch", "true");
    let engine = bed.start_with(layers);
    wait_for("readiness", || engine.is_ready());
    let first = engine.version();
    exchange("..2026_01_01_09_00_00.2", 500);
    std::fs::remove_dir_all(folder.path().join("..2026_01_01_08_00_00.1")).unwrap();
    wait_for("the new version", || engine.version() != first);
    stop(engine);
}

fn metrics(engine: &triage::engine::Engine) -> String {
    String::from_utf8(engine.metrics().render().unwrap()).unwrap()
}
