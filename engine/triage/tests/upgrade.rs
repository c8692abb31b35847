//! State that an engine of an earlier commit has left on its topics is taken over by this one, and goes back again: what this one
//! writes has the form that the earlier one wrote. On the embedded broker.
//!
//! `tests/fixtures/upgrade/form-2.jsonl` is what an earlier engine left, made by the ignored test below in its folder:
//! `UPGRADE_FIXTURE=FILE cargo test --package triage --test upgrade -- --ignored`. A new form is a new file beside it, made by the
//! last commit that wrote the old one; none is ever made again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use bed::{Bed, Seen, path, stop, wait_for};
use triage::engine::Engine;

/// A run, a window, an episode, a silence, and a pause.
const RULES: &str = r#"
every.one when v is known
high.sustained when v > 100 for 3 readings alert high "v is {v}, {mean:.1} on average"
high.silent when no reading for 10m alert low "nothing heard"
every.mean when mean > 150
let mean = avg(v, 1h)
"#;

/// The topics that are taken over, and whether they are compacted.
const TOPICS: [(&str, bool); 6] = [
    ("research", false),
    ("rule-sets", true),
    ("acknowledgements", false),
    ("triage-journal", false),
    ("triage-snapshots", true),
    ("alerts.high", true),
];

/// A line of the fixture.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// What stands on a topic's only partition.
    Record { topic: String, offset: i64, timestamp: i64, key: Option<Vec<u8>>, value: Option<Vec<u8>> },
    /// What the engine's group has committed.
    Committed { topic: String, next: i64, noted: String },
}

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/upgrade/form-2.jsonl")
}

fn bed() -> Bed {
    let bed = Bed::new(1);
    bed.write("b.rules", RULES);
    bed
}

fn start(bed: &Bed) -> Engine {
    let engine = bed.start_with(bed.layers(1).flag("engine.snapshot_age", "500ms"));
    wait_for("the engine to be ready", || engine.is_ready());
    engine
}

fn send(bed: &Bed, time: i64, patient: &str, values: &[u64]) {
    let producer: BaseProducer = bed.client().create().unwrap();
    for (value, time) in values.iter().zip(time..) {
        let value = format!("{{\"v\":{value}}}");
        let record = BaseRecord::to("research").partition(0).key(patient).payload(&value).timestamp(time);
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_mins(2)).unwrap();
}

fn now() -> i64 {
    std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as i64
}

/// Makes the fixture; to be run at the commit whose form it is to be.
#[test]
#[ignore = "makes the fixture, see above"]
fn leaves_state_behind() {
    let bed = bed();
    let engine = start(&bed);
    send(&bed, now(), "run", &[110, 120]);
    send(&bed, now(), "open", &[110, 120, 130]);
    assert_eq!(bed.read("alerts.high", 1).len(), 1);
    let until = now() + 3_600_000;
    let pause =
        format!("{{\"pause\":{{\"patient\":\"paused\",\"by\":\"eve\",\"why\":\"washing\",\"until\":{until}}}}}");
    bed.send_value("acknowledgements", &pause);
    bed.send_value(
        "acknowledgements",
        "{\"id\":\"research/0/0@0/high.sustained\",\"by\":\"eve\",\"ts\":1700000000000}",
    );
    std::thread::sleep(Duration::from_secs(3));
    // Under the pause: nobody is told.
    send(&bed, now(), "paused", &[110, 120, 130]);
    assert_eq!(bed.read("every", 8).len(), 8);
    stop(engine);
    let lines = TOPICS.iter().flat_map(|(topic, _)| records(&bed, topic)).chain(committed(&bed));
    let lines: Vec<String> = lines.map(|line| serde_json::to_string(&line).unwrap()).collect();
    std::fs::write(std::env::var("UPGRADE_FIXTURE").unwrap(), lines.join("\n") + "\n").unwrap();
}

fn records(bed: &Bed, topic: &str) -> Vec<Line> {
    let consumer: BaseConsumer =
        bed.client().set("group.id", "fixture").set("isolation.level", "read_committed").create().unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(topic, 0, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let mut lines = Vec::new();
    while let Some(message) = consumer.poll(Duration::from_secs(2)) {
        let message = message.unwrap();
        lines.push(Line::Record {
            topic: topic.to_owned(),
            offset: message.offset(),
            timestamp: message.timestamp().to_millis().unwrap(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
        });
    }
    lines
}

fn committed(bed: &Bed) -> Vec<Line> {
    let consumer: BaseConsumer = bed.client().set("group.id", "triage").create().unwrap();
    let of = |topic: &str| {
        let mut place = TopicPartitionList::new();
        place.add_partition(topic, 0);
        let committed = consumer.committed_offsets(place, Duration::from_mins(1)).unwrap();
        let place = &committed.elements()[0];
        let next = place.offset().to_raw().unwrap();
        Line::Committed { topic: topic.to_owned(), next, noted: place.metadata().to_owned() }
    };
    ["research", "acknowledgements"].map(of).into()
}

/// Puts the fixture onto a broker, every record at its own offset; the time of the last reading.
fn load(bed: &Bed) -> i64 {
    make_topics(bed);
    let producer: BaseProducer = bed.client().create().unwrap();
    let (mut ends, mut last) = (BTreeMap::<String, i64>::new(), 0);
    let text = std::fs::read_to_string(fixture()).unwrap();
    for line in text.lines().map(|line| serde_json::from_str(line).unwrap()) {
        match line {
            Line::Record { topic, offset, timestamp, key, value } => {
                let end = ends.entry(topic.clone()).or_default();
                // The ends of transactions had offsets too. What stands there now is another group's.
                for _ in *end..offset {
                    let filler = r#"{"group":"another","number":0}"#;
                    let record = BaseRecord::to(&topic).partition(0).key(r#"["another","partition"]"#).payload(filler);
                    producer.send(record).map_err(|(error, _)| error).unwrap();
                }
                *end = offset + 1;
                let mut record = BaseRecord::<[u8], [u8]>::to(&topic).partition(0).timestamp(timestamp);
                (record.key, record.payload) = (key.as_deref(), value.as_deref());
                producer.send(record).map_err(|(error, _)| error).unwrap();
                last = if topic == "research" { timestamp } else { last };
            }
            Line::Committed { topic, next, noted } => {
                producer.flush(Duration::from_mins(2)).unwrap();
                let consumer: BaseConsumer = bed.client().set("group.id", "triage").create().unwrap();
                let mut place = TopicPartitionList::new();
                let mut of = place.add_partition(&topic, 0);
                of.set_offset(Offset::Offset(next)).unwrap();
                of.set_metadata(noted);
                consumer.commit(&place, CommitMode::Sync).unwrap();
            }
        }
    }
    last
}

/// As the engine makes them, but that nothing is too old for them.
fn make_topics(bed: &Bed) {
    let admin: AdminClient<DefaultClientContext> = bed.client().create().unwrap();
    let topics = TOPICS.map(|(topic, compacted)| {
        let policy = if compacted { "compact" } else { "delete" };
        let made = NewTopic::new(topic, 1, TopicReplication::Fixed(1)).set("cleanup.policy", policy);
        made.set("retention.ms", "-1").set("max.message.bytes", "2200000")
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for made in runtime.block_on(admin.create_topics(&topics, &AdminOptions::new())).unwrap() {
        made.unwrap();
    }
}

fn told(alert: &Seen) -> (String, String, String) {
    let alert = alert.json();
    let text = |name: &str| alert[name].as_str().unwrap().to_owned();
    (text("patient"), text("state"), text("message"))
}

#[test]
fn state_of_an_earlier_commit_goes_on_and_back() {
    let bed = bed();
    let last = load(&bed);
    let before = bed.read("triage-snapshots", 12);
    // There when the engine begins, so that no idle time passes before.
    send(&bed, last + 1_000, "run", &[130]);
    send(&bed, last + 2_000, "open", &[50]);
    send(&bed, last + 3_000, "paused", &[140]);
    let engine = start(&bed);
    let alerts: Vec<_> = bed.read("alerts.high", 3).iter().map(told).collect();
    let of = |patient: &str, state: &str, message: &str| (patient.to_owned(), state.to_owned(), message.to_owned());
    let expected = [
        of("open", "raised", "v is 130, 120.0 on average"),
        of("run", "raised", "v is 130, 120.0 on average"),
        of("open", "resolved", "v is 130, 120.0 on average"),
    ];
    assert_eq!(alerts, expected, "what was paused is silent, runs and windows go on, and nothing is told twice");
    let written = || -> Vec<_> {
        bed.read("triage-snapshots", before.len()).split_off(before.len()).iter().filter_map(forms).collect()
    };
    wait_for("a snapshot of each patient", || written().len() >= 3);
    stop(engine);

    // What is written now is what the earlier engine reads: the same form, and the core's bytes of the same version.
    let (earlier, now) = (before.iter().find_map(forms), written());
    assert!(now.len() >= 3 && now.iter().all(|form| Some(*form) == earlier), "{now:?} instead of {earlier:?}");
}

/// The first byte of a patient's snapshot, and that of the core's bytes in it.
fn forms(seen: &Seen) -> Option<(u8, u8)> {
    let is_a_patient = seen.key.as_deref()?.starts_with(br#"["triage","patient""#);
    let value = seen.value.as_deref().filter(|_| is_a_patient)?;
    Some((*value.first()?, *value.get(17)?))
}

/// An engine as a process, of any build.
struct Process(std::process::Child);

impl Process {
    fn start(program: &str, bed: &Bed, folder: &Path) -> Self {
        let mut command = std::process::Command::new(program);
        command.args(["run", "--rules", &path(bed.rules.path()), "--bootstrap-servers", &bed.broker.to_string()]);
        command.args(["--listen", "127.0.0.1:0", "--log-level", "error"]);
        for setting in [
            "engine.snapshot_age=500ms",
            "engine.workers=1",
            "kafka.transactional_id_prefix=bed",
            "kafka.properties.session.timeout.ms=6000",
            // As the bed has it for its own engines.
            "kafka.properties.partition.assignment.strategy=range",
        ] {
            command.args(["--set", setting]);
        }
        Self(command.current_dir(folder).spawn().unwrap())
    }

    /// As an administrator stops it.
    fn stop(mut self) {
        let stopped = std::process::Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(stopped.success());
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Upgrade, back, and upgrade again, by programs: a run, a window and an open episode go on through all of it, and nothing is told
/// twice. `make upgrade-check EARLIER=COMMIT` builds the earlier one, and runs this.
#[test]
#[ignore = "needs the program of an earlier commit, UPGRADE_EARLIER"]
fn an_earlier_program_goes_on_with_the_state_of_this_one() {
    let earlier = std::env::var("UPGRADE_EARLIER").unwrap();
    let this = env!("CARGO_BIN_EXE_triage");
    let (bed, folder) = (bed(), tempfile::tempdir().unwrap());
    let mut alerts = Vec::new();
    let mut readings = 0;
    for (program, patients, expected) in [
        (
            earlier.as_str(),
            vec![("open", vec![110, 120, 130]), ("run", vec![110])],
            Some(("open", "raised", "130", "120.0")),
        ),
        (this, vec![("open", vec![140]), ("run", vec![120])], None),
        (&earlier, vec![("open", vec![150]), ("run", vec![130])], Some(("run", "raised", "130", "120.0"))),
        (this, vec![("open", vec![160]), ("run", vec![50])], Some(("run", "resolved", "130", "120.0"))),
        (&earlier, vec![("open", vec![40])], Some(("open", "resolved", "130", "120.0"))),
    ] {
        println!("{program}");
        let process = Process::start(program, &bed, folder.path());
        for (patient, values) in patients {
            send(&bed, now(), patient, &values);
            readings += values.len();
        }
        assert_eq!(bed.read("every", readings).len(), readings);
        alerts.extend(expected.map(|(patient, state, value, mean)| {
            (patient.to_owned(), state.to_owned(), format!("v is {value}, {mean} on average"))
        }));
        assert_eq!(bed.read("alerts.high", alerts.len()).iter().map(told).collect::<Vec<_>>(), alerts);
        // Longer than a snapshot may be old, so that the next program goes on from one of this.
        std::thread::sleep(Duration::from_secs(2));
        process.stop();
    }
    let of_patients: Vec<String> =
        bed.read("alerts.high", 4).iter().map(|seen| seen.json()["id"].to_string()).collect();
    assert_eq!((&of_patients[0], &of_patients[1]), (&of_patients[3], &of_patients[2]), "one episode each, by its id");
}
