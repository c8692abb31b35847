//! Partitions that are taken over, or cannot be, while the others go on: on the embedded broker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::io::{Read, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use bed::{Bed, stop, wait_for};
use triage::config::Layers;
use triage::engine::Engine;

const RULES: &str = r#"
every.one when v is known
high.sustained when v > 100 for 3 readings alert high "v is {v}"
"#;

fn bed(partitions: i32) -> Bed {
    let bed = Bed::new(partitions);
    bed.write("b.rules", RULES);
    bed
}

/// Has judged a reading of each partition, so that state is kept of all.
fn with_state(bed: &Bed) {
    let engine = bed.start_ready(1);
    bed.producer().send(0..bed.partitions as u64);
    assert_eq!(bed.read("every", bed.partitions as usize).len(), bed.partitions as usize);
    stop(engine);
}

/// The partition of each record of `every`.
fn judged(bed: &Bed, least: usize) -> Vec<i32> {
    let mut partitions: Vec<i32> = bed.read("every", least).iter().map(|seen| seen.partition).collect();
    partitions.sort_unstable();
    partitions
}

fn body(engine: &Engine, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(engine.address()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: triage\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn foreign_bytes_hold_up_their_own_partition_alone() {
    for topic in ["triage-snapshots", "triage-journal"] {
        let bed = bed(2);
        with_state(&bed);
        let foreign: BaseProducer = bed.client().create().unwrap();
        // A compacted topic takes nothing without a key.
        let record = BaseRecord::to(topic).partition(0).key("a patient's secret").payload("another");
        foreign.send(record).map_err(|(error, _)| error).unwrap();
        foreign.flush(Duration::from_mins(1)).unwrap();
        let engine = bed.start(1);
        bed.producer().send(2..4);
        assert_eq!(judged(&bed, 3), [0, 1, 1]);
        let told = format!("partition 0: a record of `{topic}` at ");
        wait_for(&told, || body(&engine, "/readyz").contains(&told));
        assert!(!engine.is_ready());
        let ready = body(&engine, "/readyz");
        let awaited = ready.replace(char::is_whitespace, "").contains("\"restoring\":[0]");
        assert!(awaited && !ready.contains("secret"), "{ready}");
        stop(engine);
        let engine = bed.start_with(bed.layers(1).flag("engine.fresh_state", "true"));
        assert_eq!(judged(&bed, 4), [0, 0, 1, 1]);
        stop(engine);
        // What lies before the new beginning is not needed any more.
        let engine = bed.start(1);
        wait_for("the engine to be ready without the setting", || engine.is_ready());
        bed.producer().send(4..6);
        assert_eq!(judged(&bed, 6), [0, 0, 0, 1, 1, 1]);
        stop(engine);
    }
}

#[test]
fn snapshots_that_were_deleted_are_missed() {
    let bed = bed(1);
    with_state(&bed);
    let admin: AdminClient<DefaultClientContext> = bed.client().create().unwrap();
    let deleting = admin.delete_topics(&["triage-snapshots"], &AdminOptions::new());
    let deleted = tokio::runtime::Runtime::new().unwrap().block_on(deleting).unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
    let engine = bed.start(1);
    wait_for("the refusal", || body(&engine, "/readyz").contains("was deleted or made anew"));
    assert!(!engine.is_ready());
    stop(engine);
    let engine = bed.start_with(bed.layers(1).flag("engine.fresh_state", "true"));
    wait_for("the engine to be ready", || engine.is_ready());
    stop(engine);
}

/// Whoever dies leaves a transaction open; its partitions wait for that, and no other does.
#[test]
fn an_open_transaction_holds_up_its_own_partition_alone() {
    let bed = bed(2);
    with_state(&bed);
    let dead: BaseProducer = bed.client().set("transactional.id", "dead").create().unwrap();
    dead.init_transactions(Duration::from_mins(1)).unwrap();
    dead.begin_transaction().unwrap();
    let open = BaseRecord::<[u8], str>::to("triage-journal").partition(0).payload("never to be seen");
    dead.send(open).map_err(|(error, _)| error).unwrap();
    dead.flush(Duration::from_mins(1)).unwrap();
    let engine = bed.start(1);
    bed.producer().send(2..4);
    assert_eq!(judged(&bed, 3), [0, 1, 1]);
    assert!(!engine.is_ready());
    dead.abort_transaction(Duration::from_mins(1)).unwrap();
    wait_for("the partition to be here", || engine.is_ready());
    assert_eq!(judged(&bed, 4), [0, 0, 1, 1]);
    stop(engine);
}

/// Sends readings of one patient to partition 0.
fn send(bed: &Bed, values: &[u64]) {
    let producer = bed.producer();
    for value in values {
        producer.raw(0, Some(b"p"), Some(format!("{{\"v\":{value}}}").as_bytes()));
    }
    producer.flush();
}

/// Has judged two readings of a run, and a word that nothing hangs on; state and journal have them.
fn with_a_run(bed: &Bed) {
    send(bed, &[110, 120]);
    let engine = bed.start_with(keeping(bed));
    wait_for("a mark behind both readings", || mark(bed) == Some(2));
    bed.send_value("acknowledgements", r#"{"id":"research/0/7@7/high.sustained","by":"eve","ts":7}"#);
    wait_for("the word to be judged", || committed(bed) == (2, 1));
    stop(engine);
}

/// State is kept at once.
fn keeping(bed: &Bed) -> Layers {
    bed.layers(1).flag("engine.snapshot_age", "200ms")
}

/// The next reading of the state that is kept.
fn mark(bed: &Bed) -> Option<i64> {
    let own = br#"["triage","partition"]"#;
    let kept = bed.read("triage-snapshots", 0);
    kept.iter().rfind(|seen| seen.key.as_deref() == Some(own))?.json()["place"]["next"].as_i64()
}

/// What the group has committed of the stream: the next reading, and the number of the last entry of the journal.
fn committed(bed: &Bed) -> (i64, u64) {
    let group: BaseConsumer = bed.client().set("group.id", "triage").create().unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition("research", 0);
    let committed = group.committed_offsets(place, Duration::from_mins(1)).unwrap();
    let place = &committed.elements()[0];
    (place.offset().to_raw().unwrap(), place.metadata().parse().unwrap())
}

/// Sets them by hand.
fn commit(bed: &Bed, (next, entry): (i64, u64)) {
    let group: BaseConsumer = bed.client().set("group.id", "triage").create().unwrap();
    let mut place = TopicPartitionList::new();
    let mut of = place.add_partition("research", 0);
    of.set_offset(Offset::Offset(next)).unwrap();
    of.set_metadata(entry.to_string());
    group.commit(&place, CommitMode::Sync).unwrap();
}

/// An engine that cannot take partition 0 over, for this reason.
fn assert_refused(bed: &Bed, why: &str) {
    let engine = bed.start(1);
    let told = format!("partition 0: {why}");
    wait_for(why, || body(&engine, "/readyz").contains(&told));
    assert!(!engine.is_ready());
    stop(engine);
}

#[test]
fn offsets_and_a_stream_that_do_not_fit_the_state_are_refused() {
    let bed = bed(1);
    with_a_run(&bed);
    for (by_hand, why) in [
        ((1, 1), "its state is of 2, which is past 1, the next reading"),
        ((100, 1), "readings up to 100 are needed to restore its state, and the stream ends at 2"),
        ((2, 2), "entry 2 of `triage-journal` is missing"),
        ((2, 0), "entry 1 of `triage-journal` is past 0, the last that"),
    ] {
        commit(&bed, by_hand);
        assert_refused(&bed, why);
        assert_eq!(committed(&bed), by_hand, "what is refused is left as it was");
    }

    // The state is there all the while.
    commit(&bed, (2, 1));
    send(&bed, &[130]);
    let engine = bed.start_with(keeping(&bed));
    assert_eq!(bed.read("alerts.high", 1).len(), 1);
    wait_for("a mark behind the third reading", || mark(&bed) == Some(3));
    stop(engine);

    send(&bed, &[50, 60]);
    bed.delete_readings(0, 4);
    commit(&bed, (5, 1));
    assert_refused(&bed, "readings from 3 on are needed to restore its state, and the stream begins at 4");

    let later = r#"{"format":2,"group":"triage","number":3,"before":3,"event":{"advance":{"to":7}}}"#;
    bed.send_value("triage-journal", later);
    assert_refused(&bed, "entry 2 of `triage-journal` is missing");
}

/// What engines have logged at `warn` and above.
static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether it has been logged that partition 0 begins at this reading without its state.
fn begun_afresh(next: i64) -> bool {
    let log = String::from_utf8(LOG.lock().unwrap().clone()).unwrap();
    let (told, place) =
        ("a partition begins without the state that was kept of it", format!(" partition=0 next={next}"));
    log.lines().any(|line| line.contains("WARN") && line.contains(told) && line.ends_with(&place))
}

/// Has judged these with a state of its own or none, as `fresh` says; the alerts since the beginning, by state.
fn judge(bed: &Bed, fresh: &str, values: &[u64], alerts: usize) -> Vec<String> {
    let all = committed(bed).0 as usize + values.len();
    send(bed, values);
    let engine = bed.start_with(keeping(bed).flag("engine.fresh_state", fresh));
    assert_eq!(bed.read("every", all).len(), all);
    wait_for("the engine to be ready", || engine.is_ready());
    let told = bed.read("alerts.high", alerts);
    stop(engine);
    told.iter().map(|alert| alert.json()["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn fresh_state_is_the_way_out_of_a_refusal_and_keeps_what_can_be_had() {
    let _ =
        tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false).with_writer(|| Log).try_init();
    let bed = bed(1);
    with_a_run(&bed);
    commit(&bed, (2, 2));
    assert_refused(&bed, "entry 2 of `triage-journal` is missing");

    // The run of two is lost: it takes three more. With the setting left on, none of them is lost at the next start.
    assert!(!begun_afresh(2));
    assert_eq!(judge(&bed, "true", &[130, 140], 0), [""; 0]);
    assert!(begun_afresh(2));
    assert_eq!(judge(&bed, "true", &[150], 1), ["raised"]);
    assert_eq!(judge(&bed, "false", &[50, 160, 170, 180], 3), ["raised", "resolved", "raised"]);
    assert!(!begun_afresh(4) && !begun_afresh(5) && !begun_afresh(9));

    // The open episode is lost: its alert does not look as if it were alive.
    let (next, entry) = committed(&bed);
    commit(&bed, (next, entry + 1));
    assert_refused(&bed, &format!("entry {} of `triage-journal` is missing", entry + 1));
    let engine = bed.start_with(keeping(&bed).flag("engine.fresh_state", "true"));
    let told: Vec<_> = bed.read("alerts.high", 4).iter().map(bed::Seen::json).collect();
    let (raised, lost) = (&told[2], &told[3]);
    let mut expected = raised.clone();
    expected["state"] = "resolved".into();
    expected["reason"] = "state lost".into();
    expected["ts"] = lost["ts"].clone();
    assert_eq!(*lost, expected);
    assert!(begun_afresh(next));
    wait_for("nothing to be open", || {
        body(&engine, "/alerts").contains("\"complete\":true") && body(&engine, "/alerts").contains("\"alerts\":[]")
    });
    stop(engine);
    // It is raised anew by three more, and its state is kept.
    assert_eq!(judge(&bed, "true", &[190, 200, 210], 5)[4], "raised");
    assert_eq!(judge(&bed, "false", &[50], 6)[5], "resolved");
}

/// `make bench-restore`
#[test]
#[ignore = "a benchmark: it wants an optimised build"]
fn a_hundred_thousand_patients() {
    const PATIENTS: usize = 100_000;
    const READINGS: usize = 5;
    /// Of a ward that is restarted nobody may wait longer for its alarms.
    const MOST: Duration = Duration::from_secs(5);
    let bed = Bed::new(4);
    bed.write("b.rules", include_str!("restoring/ward.rules"));
    let fast = || bed.layers(2).flag("engine.snapshot_age", "1s");
    let engine = bed.start_with(fast());
    wait_for("the engine to be ready", || engine.is_ready());
    let producer = bed.producer();
    for round in 0..READINGS {
        for patient in 0..PATIENTS {
            let value = format!("{{\"v\":{},\"ts\":{}}}", 40 + patient % 60, 1_700_000_000_000 + 5_000 * round as u64);
            producer.raw((patient % 4) as i32, Some(format!("patient-{patient}").as_bytes()), Some(value.as_bytes()));
        }
    }
    producer.flush();
    let readings = |engine: &Engine| {
        let metrics = body(engine, "/metrics");
        let line = metrics.lines().find(|line| line.starts_with("triage_readings_total "));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0)
    };
    wait_for("all to be judged", || readings(&engine) as usize == PATIENTS * READINGS);
    std::thread::sleep(Duration::from_secs(15));
    stop(engine);
    let (records, bytes) = bed.size("triage-snapshots");
    let begun = Instant::now();
    let engine = bed.start_with(fast());
    wait_for("all to be restored", || engine.is_ready());
    let took = begun.elapsed();
    println!(
        "{PATIENTS} patients restored {:.1} s after the start; {records} records and {:.0} MB of snapshots were read",
        took.as_secs_f64(),
        bytes as f64 / 1e6
    );
    stop(engine);
    assert!(took < MOST, "it took {took:?}, and {MOST:?} are the most");
}
