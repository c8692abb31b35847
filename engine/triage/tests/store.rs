//! The store behind a running engine, on the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bed::{Bed, Seen, path, stop, wait_for};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use triage::config::Config;
use triage::engine::Engine;
use triage::shutdown::Shutdown;
use triage::sink::Sink;
use triage::sink::sqlite::SqliteSink;

const RULES: &str = "stream research { patient: text key ts: time event trestbps: int 30..300 store patients_record }
topic stroke { fields trestbps store stroke notify \"doctor\" }
stroke.high when trestbps > 140 alert high \"BP {trestbps}\" each reading
";

struct Place {
    folder: tempfile::TempDir,
    bed: Bed,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), bed: Bed::new(1) };
        std::fs::remove_file(place.bed.rules.path().join("b.rules")).unwrap();
        place.rules(RULES);
        place
    }

    fn rules(&self, text: &str) {
        self.bed.write("a.rules", text);
    }

    fn sqlite(&self) -> std::path::PathBuf {
        self.folder.path().join("store/ehealth.sqlite")
    }

    fn config(&self, store_group: &str) -> Config {
        let layers = self.bed.layers(1).flag("store.sqlite", path(&self.sqlite())).flag("store.batch_age", "20ms");
        layers.flag("store.group", store_group).build().unwrap()
    }

    fn start(&self, store_group: &str) -> Engine {
        Engine::start(self.config(store_group), Shutdown::new()).unwrap()
    }

    fn send(&self, topic: &str, values: impl Iterator<Item = String>) {
        let producer: BaseProducer = self.bed.client().create().unwrap();
        for value in values {
            producer.send(BaseRecord::to(topic).key("p1").payload(&value)).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    /// Where the only partition of `topic` ends. Each look is a client of its own: one that has once heard of a topic
    /// without partitions keeps to that.
    fn end_of(&self, topic: &str) -> i64 {
        let reader: BaseConsumer = self.bed.client().create().unwrap();
        reader.fetch_watermarks(topic, 0, Duration::from_mins(1)).map_or(0, |(_, end)| end)
    }

    /// Nothing of a file that is not there yet, or that an engine is making.
    fn counts(&self) -> BTreeMap<String, u64> {
        if !self.sqlite().exists() {
            return BTreeMap::new();
        }
        let counts = SqliteSink::open(&self.sqlite()).and_then(|mut stored| stored.counts());
        counts.unwrap_or_default().into_iter().collect()
    }

    fn wait_for(&self, expected: &[(&str, u64)]) {
        let expected: BTreeMap<String, u64> =
            expected.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        wait_for(&format!("{expected:?}"), || self.counts() == expected);
    }
}

fn readings(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    numbers.map(|number| {
        format!(
            r#"{{"patient":"p1","ts":{},"trestbps":{}}}"#,
            1_700_000_000_000_u64 + u64::from(number),
            100 + number % 100
        )
    })
}

/// 200 readings, of which 59 in each hundred are above 140.
const ALL: [(&str, u64); 3] = [("patients_record", 200), ("stroke", 118), ("stroke_alerts", 118)];

fn dump(path: &Path) -> Vec<(String, String)> {
    let stored = rusqlite::Connection::open(path).unwrap();
    let mut select = stored
        .prepare("SELECT _id, document FROM patients_record UNION ALL SELECT _id, document FROM stroke UNION ALL SELECT _id, document FROM stroke_alerts ORDER BY 1, 2")
        .unwrap();
    select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_restart_and_a_second_reading_of_everything_change_nothing() {
    let place = Place::new();
    let engine = place.start("store");
    place.send("research", readings(0..100));
    place.wait_for(&[("patients_record", 100), ("stroke", 59), ("stroke_alerts", 59)]);
    stop(engine);
    let engine = place.start("store");
    place.send("research", readings(100..200));
    place.wait_for(&ALL);
    stop(engine);
    let before = dump(&place.sqlite());
    // A group that has never committed reads every topic from its beginning.
    let engine = place.start("another-store");
    wait_until_committed(&place, "another-store", &["research", "stroke", "alerts.stroke"]);
    stop(engine);
    assert_eq!(dump(&place.sqlite()), before);
}

fn wait_until_committed(place: &Place, group: &str, topics: &[&str]) {
    let asker: BaseConsumer = place.bed.client().set("group.id", group).create().unwrap();
    let patience = Duration::from_mins(1);
    for topic in topics {
        wait_for(&format!("{topic} to be read to its end"), || {
            let (_, end) = asker.fetch_watermarks(topic, 0, patience).unwrap();
            let mut places = rdkafka::TopicPartitionList::new();
            places.add_partition(topic, 0);
            let committed = asker.committed_offsets(places, patience).unwrap();
            committed.find_partition(topic, 0).unwrap().offset() == rdkafka::Offset::Offset(end)
        });
    }
}

/// Of an empty store, and of one that has everything: it comes to the same.
#[test]
fn a_store_is_rebuilt_from_its_topics() {
    let place = Place::new();
    let engine = place.start("store");
    place.send("research", readings(0..200));
    place.wait_for(&ALL);
    let before = dump(&place.sqlite());
    let rebuilding = || {
        let mut config = place.config("store");
        config.store.rebuild = true;
        Engine::start(config, Shutdown::new()).unwrap()
    };
    // While another process has the group, its offsets stay.
    let busy = rebuilding();
    std::thread::sleep(Duration::from_secs(2));
    stop(busy);
    stop(engine);
    for empty in [true, false] {
        if empty {
            std::fs::remove_file(place.sqlite()).unwrap();
        }
        let engine = rebuilding();
        place.wait_for(&ALL);
        wait_until_committed(&place, "store", &["research", "stroke", "alerts.stroke"]);
        stop(engine);
        assert_eq!(dump(&place.sqlite()), before);
    }
}

const EPISODES: &str = "stream research { patient: text key ts: time event trestbps: int 30..300 }
topic stroke { fields trestbps store stroke notify \"doctor\" }
stroke.high when trestbps > 140 alert high \"BP {trestbps}\" repeat every 1m
";

impl Place {
    /// Readings of patients at minutes of one day.
    fn measure(&self, measured: &[(&str, u64, u32)]) {
        let producer: BaseProducer = self.bed.client().create().unwrap();
        for (patient, minute, trestbps) in measured {
            let ts = 1_700_000_000_000 + minute * 60_000;
            let value = format!(r#"{{"patient":"{patient}","ts":{ts},"trestbps":{trestbps}}}"#);
            let record = BaseRecord::to("research").key(*patient).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    /// Writes these as they were.
    fn keep(&self, topic: &str, records: &[Seen]) {
        let producer: BaseProducer = self.bed.client().create().unwrap();
        for seen in records {
            let mut record = BaseRecord::<[u8], [u8]>::to(topic);
            record.key = seen.key.as_deref();
            record.payload = seen.value.as_deref();
            record.timestamp = seen.timestamp;
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(Duration::from_mins(2)).unwrap();
    }

    /// The alerts that are stored, by their ids.
    fn alerts(&self) -> BTreeMap<String, String> {
        let stored = rusqlite::Connection::open(self.sqlite()).unwrap();
        let mut select = stored.prepare("SELECT _id, document FROM stroke_alerts").unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    }
}

/// What the broker's cleaner leaves of a topic of alerts: of what is older than the compaction lag the last state of each episode, or
/// nothing where a tombstone came; all of the rest.
#[test]
fn a_rebuild_from_a_compacted_topic_has_the_last_state_of_old_alerts_and_every_state_of_others() {
    let place = Place::new();
    place.rules(EPISODES);
    let engine = place.start("store");
    // Old: one that is over, one that is open and was repeated, one that was closed so long ago that it has a tombstone. Young: one of each state.
    place.measure(&[("closed", 0, 150), ("open", 0, 150), ("buried", 0, 150), ("buried", 1, 100), ("open", 2, 160)]);
    place.measure(&[("closed", 3, 110), ("young", 4, 170), ("young", 6, 180), ("young", 7, 120)]);
    place.wait_for(&[("stroke", 6), ("stroke_alerts", 9)]);
    let (before, all) = (place.alerts(), place.bed.read("alerts.stroke", 9));
    stop(engine);
    let of = |patient: &str, record: &Seen| record.json()["patient"] == patient;
    let last = |patient: &str| all.iter().rfind(|record| of(patient, record)).unwrap().clone();
    let tombstone = Seen { value: None, ..last("buried") };
    let mut left = vec![last("open"), last("closed"), tombstone];
    left.extend(all.iter().filter(|record| of("young", record)).cloned());

    let after = Place::new();
    after.rules(EPISODES);
    stop(after.start("store"));
    after.keep("alerts.stroke", &left);
    let _ = std::fs::remove_file(after.sqlite());
    let mut config = after.config("store");
    config.store.rebuild = true;
    let engine = Engine::start(config, Shutdown::new()).unwrap();
    wait_until_committed(&after, "store", &["alerts.stroke"]);
    stop(engine);

    let states = |alerts: &BTreeMap<String, String>| {
        let state = |id: &String| id.rsplit('/').nth(1).unwrap().to_owned();
        let mut states: Vec<String> = alerts.keys().map(state).collect();
        states.sort();
        states
    };
    let rebuilt = after.alerts();
    assert_eq!(states(&rebuilt), ["raised", "repeated", "repeated", "resolved", "resolved"]);
    for (id, document) in &rebuilt {
        assert_eq!(before.get(id), Some(document), "{id} is what it was");
    }
    assert_eq!(states(&before).len(), 9);
    assert_eq!(after.end_of("dead-letters"), 0);
}

#[test]
fn a_reload_brings_a_new_topic_in_from_its_beginning() {
    let place = Place::new();
    let engine = place.start("store");
    place.send("research", readings(0..10));
    place.wait_for(&[("patients_record", 10)]);
    // Written before anybody has heard of the topic.
    let early = r#"{"patient":"p0","ts":5,"rules":["calm"],"origin":{"topic":"research","partition":0,"offset":0,"ruleset":"0"}}"#;
    let admin: BaseConsumer = place.bed.client().set("allow.auto.create.topics", "true").create().unwrap();
    admin.fetch_metadata(Some("calm"), Duration::from_mins(1)).unwrap();
    place.send("calm", std::iter::once(early.to_owned()));
    place.rules(&format!("{RULES}topic calm {{ fields trestbps store calm_patients }}\ncalm when trestbps < 105\n"));
    let outcome = engine.reload("test");
    assert_eq!(outcome.name(), "applied", "{outcome}");
    place.send("research", readings(0..10));
    place.wait_for(&[("calm_patients", 6), ("patients_record", 20)]);
    stop(engine);
}

#[test]
fn what_is_still_in_a_removed_topic_is_stored() {
    let place = Place::new();
    let engine = place.start("store");
    place.send("research", readings(50..51));
    place.wait_for(&[("patients_record", 1), ("stroke", 1), ("stroke_alerts", 1)]);
    place.rules("stream research { patient: text key ts: time event trestbps: int 30..300 store patients_record }\n");
    let outcome = engine.reload("test");
    assert_eq!(outcome.name(), "applied", "{outcome}");
    let late = r#"{"ts":9,"origin":{"topic":"research","partition":0,"offset":7,"ruleset":"0"}}"#;
    place.send("stroke", std::iter::once(late.to_owned()));
    place.send("research", readings(51..52));
    place.wait_for(&[("patients_record", 2), ("stroke", 2), ("stroke_alerts", 1)]);
    stop(engine);
}

#[test]
fn what_is_no_document_goes_to_the_dead_letters_and_holds_nobody_up() {
    let place = Place::new();
    let engine = place.start("store");
    place.send("research", readings(50..51));
    place.wait_for(&[("patients_record", 1), ("stroke", 1), ("stroke_alerts", 1)]);
    place.send("stroke", ["not a record".to_owned()].into_iter());
    place.send("research", readings(51..52));
    place.wait_for(&[("patients_record", 2), ("stroke", 2), ("stroke_alerts", 2)]);
    let letter = &place.bed.read("dead-letters", 1)[0];
    assert_eq!(letter.value.as_deref(), Some(&b"not a record"[..]));
    assert_eq!(letter.key.as_deref(), Some(&b"p1"[..]));
    let header = |name: &str| letter.headers[name].as_str();
    assert_eq!((header("stage"), header("reason"), header("topic")), ("document", "not-a-document", "stroke"));
    stop(engine);
}

#[test]
fn a_store_that_is_away_delays_no_output_and_catches_up() {
    let place = Place::new();
    // A folder where the file should be.
    std::fs::create_dir_all(place.sqlite()).unwrap();
    let engine = place.start("store");
    place.send("research", readings(0..100));
    wait_for("the alerts, which do not wait for the store", || place.end_of("alerts.stroke") >= 59);
    std::fs::remove_dir(place.sqlite()).unwrap();
    place.wait_for(&[("patients_record", 100), ("stroke", 59), ("stroke_alerts", 59)]);
    stop(engine);
}
