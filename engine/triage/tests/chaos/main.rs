//! Exactly once on Apache Kafka, while engines, the broker and the connections between them fail: every topic must hold
//! what the plain interpreter of the language says, nothing missing, nothing twice, in order, and every acknowledgement must
//! have been heard once.
//!
//! `make test-services` runs the short plan, `make chaos` the long one. The seed is printed; `CHAOS_SEED` repeats it. A
//! run that fails leaves its folder: the logs of the engines and of the broker, and the broker's data.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod engines;
mod faults;
mod journal;
mod plan;
mod proxy;
mod readings;
mod topics;
mod verdict;
mod words;

#[path = "../support/hospital.rs"]
mod hospital;
#[path = "../support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

/// The plain interpreter, as the core's own tests use it.
#[path = "../../../core/tests/equivalence"]
#[allow(
    dead_code,
    unused_imports,
    clippy::format_collect,
    clippy::format_push_string,
    clippy::needless_for_each,
    reason = "plain rather than fast"
)]
mod interpreter {
    pub(crate) mod oracle;
}

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engines::Engines;
use faults::Faults;
use plan::Plan;
use proxy::Proxy;
use services::Kafka;
use topics::{Topics, Written};
use verdict::{Expected, Verdict};
use words::People;

/// The hospital's rules, and those that keep every kind of state.
fn rules(folder: &Path) -> PathBuf {
    let rules = hospital::copied_to(folder);
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chaos/rules")).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, rules.join(path.file_name().unwrap())).unwrap();
    }
    rules
}

#[test]
fn nothing_is_lost_or_doubled_whatever_fails() {
    let plan = Plan::of_environment();
    println!("{plan}");
    let proxy = Proxy::listen();
    let mut kafka = Kafka::start_behind(Some(proxy.port()));
    proxy.forward_to(kafka.advertised);
    let folder = kafka.keep();
    println!("folder: {}", folder.display());

    let topics = Topics::new(&kafka.bootstrap());
    topics.make_stream(plan.partitions);
    let rules = rules(&folder);
    let engines = Engines::start(plan.engines, proxy.port(), &rules, &folder);
    let people = People::start(&kafka.bootstrap(), &["alerts.vitals", "alerts.stroke"], plan.seed);
    let sending = readings::send(&plan, &kafka.bootstrap());
    let mut faults = Faults::new(&plan, kafka, engines, proxy);
    faults.run();
    let (mut kafka, engines, proxy) = faults.end();
    let sent = sending.join().unwrap();
    println!("{} readings sent; waiting for the engines to have judged them", sent.len());

    let begun = Instant::now();
    topics.wait_until_judged("research", plan.partitions, Duration::from_mins(5));
    println!("judged {:.1} s after the last fault", begun.elapsed().as_secs_f64());
    // Time in which nothing comes: silences, and escalations of what nobody acknowledges.
    std::thread::sleep(Duration::from_secs(12));
    println!("{} acknowledgements sent", people.stop());
    topics.wait_until_judged("acknowledgements", plan.partitions, Duration::from_mins(3));
    engines.stop();
    let stream = topics.read("research", plan.partitions);
    readings::assert_all_arrived(&sent, &stream);
    let said = topics.read("acknowledgements", plan.partitions);
    assert!(said.iter().all(|words| words.len() > 1), "too little was said to prove anything");
    let journal = topics.read("triage-journal", plan.partitions);
    let begun = Instant::now();
    let expected = Expected::of(&rules, &stream, &journal);
    println!("interpreted in {:.1} s", begun.elapsed().as_secs_f64());
    let written = Written::read(&topics, expected.topics(), plan.partitions);
    let mut verdict = Verdict::of(&expected, &written);
    verdict.hear(&said, &journal);
    println!("{verdict}");
    assert!(verdict.is_right(), "seed {}, see {}\n{verdict}", plan.seed, folder.display());

    written.assert_that_faults_are_noticed(&expected);
    topics.double_one_record("vitals");
    let doubled = Written::read(&topics, expected.topics(), plan.partitions);
    assert!(!Verdict::of(&expected, &doubled).is_right(), "a record doubled by hand was not noticed");

    drop(proxy);
    kafka.kill();
    std::fs::remove_dir_all(&folder).unwrap();
}
