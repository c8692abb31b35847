//! One rule set for all processes: published, found at start, taken up by each.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::{BTreeMap, BTreeSet};

use bed::{Bed, Seen, stop, wait_for};
use triage::engine::{Engine, StartError};
use triage::reload::ReloadOutcome;
use triage::shutdown::Shutdown;

const OTHER: &str = "every.one when v is known\nhigh.big when v > 500 alert high \"v is {v}\" each reading\n";

fn metrics(engine: &Engine) -> String {
    String::from_utf8(engine.metrics().render().unwrap()).unwrap()
}

fn differs(engine: &Engine) -> bool {
    metrics(engine).lines().any(|line| line == "triage_rules_folder_differs 1")
}

/// Another process of the same group: a folder of its own, the same broker.
fn second(bed: &Bed) -> Bed {
    bed.another()
}

fn start_second(bed: &Bed) -> Engine {
    let engine = bed.start_with(bed.layers(1).flag("kafka.transactional_id_prefix", "second"));
    wait_for("the second engine", || engine.is_ready());
    engine
}

#[test]
fn a_start_with_another_or_a_broken_folder_runs_what_is_published_and_says_so() {
    let bed = Bed::new(1);
    let first = bed.start_ready(1);
    let version = first.version();
    assert!(!differs(&first));
    stop(first);
    for text in [OTHER, "high.big when v >"] {
        bed.write("b.rules", text);
        let engine = bed.start_ready(1);
        assert_eq!(engine.version(), version);
        assert!(differs(&engine));
        stop(engine);
    }
}

#[test]
fn a_broken_folder_with_nothing_published_is_an_error() {
    let bed = Bed::new(1);
    bed.write("b.rules", "high.big when v >");
    let started = Engine::start(bed.layers(1).build().unwrap(), Shutdown::new());
    assert!(matches!(started, Err(StartError::Rules(_))), "{started:?}");
}

#[test]
fn another_group_runs_its_own_rules() {
    let bed = Bed::new(1);
    let first = bed.start_ready(1);
    let other = second(&bed);
    other.write("b.rules", OTHER);
    let layers = other.layers(1).flag("kafka.group", "elsewhere").flag("kafka.transactional_id_prefix", "second");
    let engine = other.start_with(layers);
    wait_for("the other group", || engine.is_ready());
    assert_ne!(engine.version(), first.version());
    assert!(!differs(&engine));
    stop(engine);
    stop(first);
}

#[test]
fn a_reload_of_one_process_is_taken_up_by_the_other_once_and_nothing_is_lost() {
    let bed = Bed::new(2);
    let first = bed.start_ready(1);
    let other = second(&bed);
    let engine = start_second(&other);
    let readings = bed.producer();
    readings.send(0..200);
    let before = first.version();
    bed.read("every", 200);
    bed.write("b.rules", OTHER);
    let outcome = first.reload("test");
    assert!(matches!(&outcome, ReloadOutcome::Applied { behind, .. } if behind.is_empty()), "{outcome:?}");
    wait_for("the other process", || engine.version() == first.version());
    wait_for("the other folder to be known as another", || differs(&engine));
    assert!(!differs(&first));
    let mut sent = 200;
    // Its worker takes it up at the next turn.
    wait_for("readings of both partitions under the new rules", || {
        readings.send(sent..sent + 20);
        sent += 20;
        [&first, &engine].iter().all(|engine| engine.rulesets().values().all(|ruleset| *ruleset == engine.version()))
    });
    let sent = sent as usize;
    let seen = bed.read("every", sent);
    assert_eq!(seen.iter().map(Seen::origin).collect::<BTreeSet<_>>().len(), sent);
    assert_eq!(seen.len(), sent);
    let mut by_partition: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for record in &seen {
        let ruleset = record.json()["origin"]["ruleset"].as_str().unwrap().to_owned();
        by_partition.entry(record.partition).or_default().push(ruleset);
    }
    for rulesets in by_partition.values_mut() {
        rulesets.dedup();
        assert_eq!(*rulesets, [before.clone(), first.version()]);
    }
    stop(engine);
    stop(first);
}
