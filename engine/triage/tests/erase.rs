//! `triage erase` on the embedded broker: what it finds, what it leaves, and that nothing comes back.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeMap;
use std::path::PathBuf;

use bed::{Bed, Seen, path, stop, wait_for};
use serde_json::Value;
use triage::engine::Engine;
use triage::sink::Sink;
use triage::sink::sqlite::SqliteSink;

const STREAM: &str = r#"
stream research { patient: text key ts: time event v: int 0..1000000000 store readings }
topic high { fields v store high notify "nurse" }
topic every { fields all }
"#;

const RULES: &str = r#"
every.one when v is known
high.sustained when v > 100 for 3 readings alert high "v is {v}, {mean:.1} on average"
let mean = avg(v, 1h)
"#;

struct Hospital {
    bed: Bed,
    folder: tempfile::TempDir,
}

impl Hospital {
    fn new() -> Self {
        let hospital = Self { bed: Bed::new(1), folder: tempfile::tempdir().unwrap() };
        hospital.bed.write("a.rules", STREAM);
        hospital.bed.write("b.rules", RULES);
        hospital
    }

    fn sqlite(&self) -> PathBuf {
        self.folder.path().join("ehealth.sqlite")
    }

    fn start(&self) -> Engine {
        let layers = self.bed.layers(1).flag("engine.snapshot_age", "1s").flag("store.batch_age", "20ms");
        let engine = self.bed.start_with(layers.flag("store.sqlite", path(&self.sqlite())));
        wait_for("the engine to be ready", || engine.is_ready());
        engine
    }

    fn send(&self, patient: &str, values: &[u64]) {
        let producer = self.bed.producer();
        for value in values {
            producer.raw(0, Some(patient.as_bytes()), Some(format!("{{\"v\":{value}}}").as_bytes()));
        }
        producer.flush();
    }

    /// Readings at these minutes of a stream's time that has gone for long, and no other of the patient: those of a block of ten
    /// minutes together, and the next when they are judged.
    fn send_at(&self, patient: &str, blocks: &[&[i64]]) {
        let (producer, mut sent) = (self.bed.producer(), 0);
        for minutes in blocks {
            for minute in *minutes {
                let ts = 1_700_000_400_000 + minute * 60_000;
                producer.raw(0, Some(patient.as_bytes()), Some(format!("{{\"ts\":{ts},\"v\":1}}").as_bytes()));
            }
            producer.flush();
            sent += minutes.len() as u64;
            self.wait_for_documents(patient, &[("readings", sent)]);
        }
    }

    fn erase(&self, patient: &str) {
        let (code, _, told) =
            self.triage(&["erase", patient, "--yes", "--by", "eve", "--why", "asked for", "--watched"]);
        assert_eq!(code, 0, "{told}");
    }

    /// Of a file that an engine is making there is nothing to be known.
    fn documents(&self, patient: &str) -> Option<BTreeMap<String, u64>> {
        if !self.sqlite().exists() {
            return Some(BTreeMap::new());
        }
        SqliteSink::open(&self.sqlite()).and_then(|mut stored| stored.of_patient(patient)).ok()
    }

    fn wait_for_documents(&self, patient: &str, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> = expected.iter().map(|(name, count)| ((*name).into(), *count)).collect();
        wait_for("documents", || self.documents(patient).as_ref() == Some(&expected));
    }

    /// Exit code, standard output and standard error of `triage` with the hospital's configuration.
    fn triage(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = assert_cmd::Command::cargo_bin("triage").unwrap();
        command.args(arguments).args(["--bootstrap-servers", &self.bed.broker.to_string()]);
        command.arg("--set").arg(format!("store.sqlite={}", path(&self.sqlite())));
        command.arg("--set").arg(format!("log.access_file={}", path(&self.access())));
        let output = command.current_dir("/").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn access(&self) -> PathBuf {
        self.folder.path().join("access.log")
    }

    fn accesses(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.access()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn records(report: &Value, topic: &str) -> u64 {
    let topics = report["topics"].as_array().unwrap();
    topics.iter().find(|found| found["name"] == topic).map_or(0, |found| found["records"].as_u64().unwrap())
}

#[test]
fn a_patient_is_erased_and_does_not_come_back() {
    let hospital = Hospital::new();
    let engine = hospital.start();
    hospital.send("secret-1", &[110, 120, 130]);
    hospital.send("p2", &[110, 120, 130]);
    for patient in ["secret-1", "p2"] {
        hospital.wait_for_documents(patient, &[("high", 1), ("high_alerts", 1), ("readings", 3)]);
    }

    // Looking changes nothing.
    let (code, report, told) = hospital.triage(&["erase", "secret-1", "--json"]);
    assert_eq!((code, told.contains("nothing was changed")), (0, true), "{told}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((report["done"].as_bool(), report["open_alerts"].as_u64()), (Some(false), Some(1)));
    let found = ["research", "high", "every", "alerts.high"].map(|topic| records(&report, topic));
    assert_eq!(found, [3, 1, 3, 1]);

    // A patient with an open alert is refused, and so is a word without a reason.
    let order = ["erase", "secret-1", "--yes", "--by", "eve", "--why", "asked for"];
    let (code, _, told) = hospital.triage(&order);
    assert_eq!((code, told.contains("is being watched (1 alerts are open)")), (2, true), "{told}");
    assert_eq!(hospital.triage(&["erase", "secret-1", "--yes", "--by", "eve"]).0, 2);
    assert_eq!(hospital.documents("secret-1").unwrap().len(), 3);

    let (code, report, told) = hospital.triage(&[&order[..], &["--watched", "--json"]].concat());
    assert_eq!(code, 0, "{told}");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["done"], true);
    assert_eq!(hospital.documents("secret-1"), Some(BTreeMap::new()));
    hospital.wait_for_documents("p2", &[("high", 1), ("high_alerts", 1), ("readings", 3)]);
    let alerts = hospital.bed.read("alerts.high", 3);
    let buried = alerts.iter().filter(|alert| alert.value.is_none()).count();
    assert_eq!((alerts.len(), buried), (3, 1));
    wait_for("the engine to have forgotten the patient", || {
        let snapshots = hospital.bed.read("triage-snapshots", 1);
        let own = |one: &&Seen| one.key.as_deref() == Some(br#"["triage","patient","secret-1"]"#);
        snapshots.iter().rfind(own).is_some_and(|last| last.value.is_none())
    });

    // Neither a restart nor a rebuild brings the patient back; one who comes again begins anew.
    stop(engine);
    let engine = hospital.start();
    hospital.send("secret-1", &[140, 150]);
    hospital.send("p2", &[50]);
    hospital.wait_for_documents("secret-1", &[("readings", 2)]);
    stop(engine);
    std::fs::remove_file(hospital.sqlite()).unwrap();
    let mut config = hospital.bed.layers(1).flag("store.sqlite", path(&hospital.sqlite())).build().unwrap();
    config.store.rebuild = true;
    let engine = Engine::start(config, triage::shutdown::Shutdown::new()).unwrap();
    hospital.wait_for_documents("p2", &[("high", 1), ("high_alerts", 2), ("readings", 4)]);
    hospital.wait_for_documents("secret-1", &[("readings", 2)]);
    stop(engine);

    let accesses = hospital.accesses();
    let outcomes: Vec<&str> = accesses.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert!(outcomes[0].starts_with("looked at: 5 documents"), "{outcomes:?}");
    assert!(outcomes[1].starts_with("failed: the patient is being watched"), "{outcomes:?}");
    assert!(outcomes[2].starts_with("erased for eve, asked for: 5 documents"), "{outcomes:?}");
    assert!(accesses.iter().all(|line| line["what"] == "triage erase" && line["of"] == accesses[0]["of"]));
    let log = std::fs::read_to_string(hospital.access()).unwrap();
    assert!(!log.contains("secret-1"), "{log}");
}

#[test]
fn a_patient_is_erased_under_rules_without_state_and_does_not_come_back() {
    let hospital = Hospital::new();
    hospital.bed.write("b.rules", "every.one when v is known\nhigh.big when v > 100 alert high \"{v}\" each reading\n");
    let engine = hospital.start();
    hospital.send("secret-1", &[110, 50]);
    hospital.send("p2", &[110]);
    hospital.wait_for_documents("secret-1", &[("high", 1), ("high_alerts", 1), ("readings", 2)]);
    hospital.wait_for_documents("p2", &[("high", 1), ("high_alerts", 1), ("readings", 1)]);
    hospital.erase("secret-1");
    assert_eq!(hospital.documents("secret-1"), Some(BTreeMap::new()));
    stop(engine);
    std::fs::remove_file(hospital.sqlite()).unwrap();
    let mut config = hospital.bed.layers(1).flag("store.sqlite", path(&hospital.sqlite())).build().unwrap();
    config.store.rebuild = true;
    let engine = Engine::start(config, triage::shutdown::Shutdown::new()).unwrap();
    hospital.wait_for_documents("p2", &[("high", 1), ("high_alerts", 1), ("readings", 1)]);
    assert_eq!(hospital.documents("secret-1"), Some(BTreeMap::new()));
    stop(engine);
}

/// The clock of a device is off; the alert that says so ends in the block after, with the patient's id.
#[test]
fn an_open_technical_alert_of_an_erased_patient_is_taken_away_and_not_resolved() {
    const TECHNICAL: &str = "alerts.technical";
    let hospital = Hospital::new();
    let engine = hospital.start();
    hospital.send_at("secret-1", &[&[0], &[10, 11, 12], &[20]]);
    let of = |patient: &str| {
        let alerts = hospital.bed.read(TECHNICAL, 0).into_iter().filter(|alert| alert.value.is_some());
        alerts.filter(|alert| alert.json()["patient"] == patient).collect::<Vec<_>>()
    };
    wait_for("the alert", || !of("secret-1").is_empty());
    let raised = of("secret-1").remove(0);
    assert_eq!(raised.json()["state"], "raised");
    hospital.erase("secret-1");
    wait_for("its tombstone", || {
        hospital.bed.read(TECHNICAL, 0).iter().any(|alert| alert.key == raised.key && alert.value.is_none())
    });
    // The block in which it would be over, and one that says of another patient what is told afterwards.
    hospital.send_at("p2", &[&[30, 31, 32], &[40]]);
    wait_for("the alert of another", || !of("p2").is_empty());
    stop(engine);
    assert_eq!(of("secret-1").len(), 1);
    let last = hospital.bed.read(TECHNICAL, 0).into_iter().rfind(|alert| alert.key == raised.key).unwrap();
    assert_eq!(last.value, None);
}

#[test]
fn without_an_engine_nothing_is_erased() {
    let hospital = Hospital::new();
    let (code, _, told) = hospital.triage(&["erase", "p1"]);
    assert_eq!((code, told.contains("no rules are published")), (2, true), "{told}");
}
