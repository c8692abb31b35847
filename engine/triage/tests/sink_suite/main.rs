//! What every sink must hold, on `SQLite` and, with the feature `services`, on a `MongoDB` server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[cfg(feature = "services")]
mod mongo;
mod sqlite;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use triage::sink::{Document, Removed, Sink, Unavailable, Which, Written};

/// Documents in a batch of the writer that is killed.
const BATCH: u64 = 1000;

/// What a line of the writer begins with.
const TOLD: &str = "written so far: ";

fn document(collection: &str, id: &str, body: &str) -> Document {
    Document {
        collection: Arc::from(collection),
        id: id.to_owned(),
        json: format!(r#"{{"_id":{},"body":"{body}"}}"#, serde_json::Value::from(id)),
    }
}

fn documents(collection: &str, numbers: std::ops::Range<usize>) -> Vec<Document> {
    numbers.map(|number| document(collection, &format!("research/0/{number}@17"), "x")).collect()
}

fn counts(sink: &mut dyn Sink) -> BTreeMap<String, u64> {
    sink.counts().unwrap().into_iter().collect()
}

fn expected(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

/// A store that tests can look into: how to open it, and how to read a document back.
trait Store {
    type Sink: Sink;
    fn open(&self) -> Self::Sink;
    fn read(&self, collection: &str, id: &str) -> Option<String>;
}

fn replays_change_nothing(store: &impl Store) {
    let batch: Vec<_> = documents("stroke", 0..50).into_iter().chain(documents("vitals", 0..20)).collect();
    for _ in 0..3 {
        assert_eq!(store.open().write(&batch).unwrap(), Written::default());
    }
    assert_eq!(store.open().write(&batch[10..60]).unwrap(), Written::default());
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", 50), ("vitals", 20)]));
    assert_eq!(store.read("stroke", "research/0/7@17").unwrap(), batch[7].json);
}

fn of_equal_ids_the_later_stays(store: &impl Store) {
    let batch = [document("stroke", "a", "first"), document("vitals", "a", "other"), document("stroke", "a", "second")];
    assert_eq!(store.open().write(&batch).unwrap(), Written::default());
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", 1), ("vitals", 1)]));
    assert!(store.read("stroke", "a").unwrap().contains("second"));
}

fn ten_thousand_at_once(store: &impl Store) {
    let mut sink = store.open();
    assert_eq!(sink.write(&documents("stroke", 0..10_000)).unwrap(), Written::default());
    assert_eq!(counts(&mut sink), expected(&[("stroke", 10_000)]));
}

fn an_empty_batch_is_nothing(store: &impl Store) {
    let mut sink = store.open();
    assert_eq!(sink.write(&[]).unwrap(), Written::default());
    assert_eq!(counts(&mut sink), expected(&[]));
}

fn odd_names_are_names(store: &impl Store) {
    let names =
        ["select", "a b", "dash-ed", "dot.ted", "quo\"te", "ti'ck", "Ünïcode", "back\\slash", "semi;DROP TABLE x"];
    let batch: Vec<_> = names.iter().map(|name| document(name, "odd'id\\u0041", "x")).collect();
    let mut sink = store.open();
    assert_eq!(sink.write(&batch).unwrap(), Written::default());
    assert_eq!(sink.write(&batch).unwrap(), Written::default());
    let mut all: Vec<_> = names.iter().map(|name| (*name, 1)).collect();
    all.sort_unstable();
    assert_eq!(counts(&mut sink), expected(&all));
}

fn a_refused_document_does_not_hold_up_the_others(store: &impl Store) {
    let batch = [document("stroke", "a", "x"), document("", "b", "x"), document("stroke", "c", "x")];
    let mut sink = store.open();
    let refused: Vec<_> = sink.write(&batch).unwrap().refusals.into_iter().map(|refusal| refusal.position).collect();
    assert_eq!(refused, [1]);
    assert_eq!(counts(&mut sink), expected(&[("stroke", 2)]));
}

/// A document of a patient at a time.
fn of(collection: &str, patient: &str, ts: i64) -> Document {
    let id = format!("research/0/{ts}@{ts}/{patient}");
    let json = format!(r#"{{"_id":"{id}","patient":"{patient}","ts":{ts}}}"#);
    Document { collection: Arc::from(collection), id, json }
}

fn removed(counts: &[(&str, u64)]) -> Removed {
    Removed { documents: expected(counts), waiting: Vec::new() }
}

fn a_patient_is_found_and_removed_everywhere(store: &impl Store) {
    let mut batch: Vec<_> = (0..12_000).map(|ts| of("stroke", "p1", ts)).collect();
    batch.extend([of("stroke", "p2", 1), of("vitals", "p1", 1), of("vitals", "p10", 1), of("calm", "p2", 1)]);
    batch.push(document("calm", "a", "no patient, p1"));
    let mut sink = store.open();
    assert_eq!(sink.write(&batch).unwrap(), Written::default());
    assert_eq!(sink.of_patient("p1").unwrap(), expected(&[("stroke", 12_000), ("vitals", 1)]));
    assert_eq!(sink.remove(Which::Patient("p1")).unwrap(), removed(&[("stroke", 12_000), ("vitals", 1)]));
    assert_eq!(sink.of_patient("p1").unwrap(), expected(&[]));
    assert_eq!(counts(&mut store.open()), expected(&[("calm", 2), ("stroke", 1), ("vitals", 1)]));
    assert_eq!(sink.remove(Which::Patient("p1")).unwrap(), removed(&[]));
    assert_eq!(sink.remove(Which::Patient("' OR 1 = 1 --")).unwrap(), removed(&[]));
}

fn what_is_old_goes_and_what_is_younger_stays(store: &impl Store) {
    let mut batch: Vec<_> = (0..20).map(|ts| of("stroke", "p1", ts)).collect();
    batch.extend([of("vitals", "p1", 3), of("kept", "p1", 3), document("stroke", "a", "no time")]);
    let text = Document { json: r#"{"_id":"b","ts":"1970"}"#.to_owned(), ..document("stroke", "b", "") };
    let half = Document { json: r#"{"_id":"c","ts":12.5}"#.to_owned(), ..document("stroke", "c", "") };
    batch.extend([text, half]);
    let mut sink = store.open();
    assert_eq!(sink.write(&batch).unwrap(), Written::default());
    let collections = ["stroke", "vitals", "not there"].map(Arc::from);
    let which = Which::Before(12, &collections);
    assert_eq!(sink.remove(which).unwrap(), removed(&[("stroke", 12), ("vitals", 1)]));
    assert_eq!(sink.remove(which).unwrap(), removed(&[]));
    // The rest is written again as ever.
    assert_eq!(sink.write(&batch[10..]).unwrap(), Written::default());
    assert!(store.read("stroke", "research/0/12@12/p1").is_some() && store.read("kept", "research/0/3@3/p1").is_some());
    assert_eq!(counts(&mut sink).get("stroke"), Some(&13));
}

/// A writer of its own process is killed in the middle of a batch, again and again, and `trouble` is made meanwhile. What it
/// had reported as written is there, and after the rest of the batch at hand nothing is missing and nothing there twice.
fn killed_in_the_middle_of_a_batch(store: &impl Store, child: &str, place: &str, mut trouble: impl FnMut(u64)) {
    let mut written = 0;
    for round in 0..20 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--nocapture"])
            .envs([("SINK_SUITE_PLACE", place), ("SINK_SUITE_FIRST", &written.to_string())])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(writer.stdout.take().unwrap());
        let (begun, has_begun) = std::sync::mpsc::channel();
        let told = std::thread::spawn(move || {
            let mut last = None;
            for written in output.lines().filter_map(|line| told(&line.ok()?)) {
                last = Some(written);
                // Nobody listens any more after the first.
                let _ = begun.send(());
            }
            last
        });
        has_begun.recv_timeout(Duration::from_mins(3)).unwrap();
        std::thread::sleep(Duration::from_millis(17 * round));
        trouble(round);
        writer.kill().unwrap();
        writer.wait().unwrap();
        written = told.join().unwrap().unwrap_or(written);
        let there = counts(&mut store.open()).get("stroke").copied().unwrap_or(0);
        assert!(
            (written..=written + BATCH).contains(&there),
            "round {round}: {written} were told of, {there} are there"
        );
    }
    assert!(written >= 20 * BATCH, "only {written} documents were written");
    assert_eq!(store.open().write(&documents("stroke", 0..BATCH as usize)).unwrap(), Written::default());
    let last = written as usize..(written + BATCH) as usize;
    assert_eq!(store.open().write(&documents("stroke", last)).unwrap(), Written::default());
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", written + BATCH)]));
}

/// Where the process that is killed writes to; none in an ordinary run of the tests.
fn place_to_write() -> Option<String> {
    std::env::var("SINK_SUITE_PLACE").ok()
}

/// Batch after batch of new documents; tells after each how many there are now.
fn write_without_end<S: Sink>(open: impl Fn() -> Result<S, Unavailable>) {
    let mut sink = open().unwrap();
    let mut first: u64 = std::env::var("SINK_SUITE_FIRST").unwrap().parse().unwrap();
    loop {
        let batch = documents("stroke", first as usize..(first + BATCH) as usize);
        match sink.write(&batch) {
            Ok(written) => assert_eq!(written, Written::default()),
            Err(_) => continue,
        }
        first += BATCH;
        println!("{TOLD}{first}");
    }
}

fn told(line: &str) -> Option<u64> {
    line.rsplit_once(TOLD)?.1.parse().ok()
}
