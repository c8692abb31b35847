//! What every sink must hold. Each kind of store has a line per check at the end of the file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use triage::sink::sqlite::SqliteSink;
use triage::sink::{Document, Sink};

fn document(collection: &str, id: &str, body: &str) -> Document {
    Document {
        collection: Arc::from(collection),
        id: id.to_owned(),
        json: format!(r#"{{"_id":"{id}","body":"{body}"}}"#),
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
        assert_eq!(store.open().write(&batch).unwrap(), []);
    }
    assert_eq!(store.open().write(&batch[10..60]).unwrap(), []);
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", 50), ("vitals", 20)]));
    assert_eq!(store.read("stroke", "research/0/7@17").unwrap(), batch[7].json);
}

fn of_equal_ids_the_later_stays(store: &impl Store) {
    let batch = [document("stroke", "a", "first"), document("vitals", "a", "other"), document("stroke", "a", "second")];
    assert_eq!(store.open().write(&batch).unwrap(), []);
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", 1), ("vitals", 1)]));
    assert!(store.read("stroke", "a").unwrap().contains("second"));
}

fn ten_thousand_at_once(store: &impl Store) {
    let mut sink = store.open();
    assert_eq!(sink.write(&documents("stroke", 0..10_000)).unwrap(), []);
    assert_eq!(counts(&mut sink), expected(&[("stroke", 10_000)]));
}

fn an_empty_batch_is_nothing(store: &impl Store) {
    let mut sink = store.open();
    assert_eq!(sink.write(&[]).unwrap(), []);
    assert_eq!(counts(&mut sink), expected(&[]));
}

fn odd_names_are_names(store: &impl Store) {
    let names =
        ["select", "a b", "dash-ed", "dot.ted", "quo\"te", "ti'ck", "Ünïcode", "back\\slash", "semi;DROP TABLE x"];
    let batch: Vec<_> = names.iter().map(|name| document(name, "odd'id\\u0041", "x")).collect();
    let mut sink = store.open();
    assert_eq!(sink.write(&batch).unwrap(), []);
    assert_eq!(sink.write(&batch).unwrap(), []);
    let mut all: Vec<_> = names.iter().map(|name| (*name, 1)).collect();
    all.sort_unstable();
    assert_eq!(counts(&mut sink), expected(&all));
}

fn a_refused_document_does_not_hold_up_the_others(store: &impl Store) {
    let batch = [document("stroke", "a", "x"), document("", "b", "x"), document("stroke", "c", "x")];
    let mut sink = store.open();
    let refused: Vec<_> = sink.write(&batch).unwrap().into_iter().map(|refusal| refusal.position).collect();
    assert_eq!(refused, [1]);
    assert_eq!(counts(&mut sink), expected(&[("stroke", 2)]));
}

/// A writer of its own process is killed in the middle; a second one writes everything from the beginning.
fn killed_in_the_middle_of_a_batch(store: &impl Store, child: &str, place: &Path) {
    for round in 0..3 {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", child, "--nocapture"])
            .env("SINK_SUITE_PLACE", place)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while counts(&mut store.open()).is_empty() && begun.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(40 + 17 * round));
        writer.kill().unwrap();
        writer.wait().unwrap();
    }
    write_without_end(&mut store.open(), Some(20));
    assert_eq!(counts(&mut store.open()), expected(&[("stroke", 20_000)]));
}

/// Batches of a thousand, always the same documents.
fn write_without_end(sink: &mut dyn Sink, batches: Option<usize>) {
    for batch in 0..batches.unwrap_or(usize::MAX) {
        let first = (batch % 20) * 1000;
        assert_eq!(sink.write(&documents("stroke", first..first + 1000)).unwrap(), []);
    }
}

mod sqlite {
    use super::*;

    struct File(tempfile::TempDir);

    impl File {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }
        fn path(&self) -> std::path::PathBuf {
            self.0.path().join("deep/ehealth.sqlite")
        }
    }

    impl Store for File {
        type Sink = SqliteSink;
        fn open(&self) -> SqliteSink {
            SqliteSink::open(&self.path()).unwrap()
        }
        fn read(&self, collection: &str, id: &str) -> Option<String> {
            let connection = rusqlite::Connection::open(self.path()).unwrap();
            let select = format!("SELECT document FROM \"{collection}\" WHERE _id = ?1");
            connection.query_row(&select, [id], |row| row.get(0)).ok()
        }
    }

    #[test]
    fn replays() {
        replays_change_nothing(&File::new());
    }

    #[test]
    fn equal_ids() {
        of_equal_ids_the_later_stays(&File::new());
    }

    #[test]
    fn ten_thousand() {
        ten_thousand_at_once(&File::new());
    }

    #[test]
    fn empty() {
        an_empty_batch_is_nothing(&File::new());
    }

    #[test]
    fn odd_names() {
        odd_names_are_names(&File::new());
    }

    #[test]
    fn refused() {
        a_refused_document_does_not_hold_up_the_others(&File::new());
    }

    #[test]
    fn killed() {
        let file = File::new();
        killed_in_the_middle_of_a_batch(&file, "sqlite::writer_to_be_killed", &file.path());
    }

    /// Not a test: the process that `killed` starts and kills.
    #[test]
    fn writer_to_be_killed() {
        let Some(place) = std::env::var_os("SINK_SUITE_PLACE") else { return };
        write_without_end(&mut SqliteSink::open(Path::new(&place)).unwrap(), None);
    }

    #[test]
    fn names_that_differ_in_capitals_are_not_mixed() {
        let batch = [document("stroke", "a", "x"), document("Stroke", "a", "y"), document("sqlite_x", "a", "z")];
        let file = File::new();
        let refused: Vec<_> = file.open().write(&batch).unwrap().into_iter().map(|refusal| refusal.position).collect();
        assert_eq!(refused, [1, 2]);
        assert!(file.read("stroke", "a").unwrap().contains("\"x\""));
    }

    #[test]
    fn a_file_that_is_no_database_is_unavailable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "x".repeat(5000)).unwrap();
        let error = SqliteSink::open(&path).unwrap_err().to_string();
        assert!(error.contains("notes.txt") && error.contains("not a database"), "{error}");
    }

    #[test]
    fn a_store_that_comes_back_is_written_to_again() {
        let file = File::new();
        let mut sink = file.open();
        sink.write(&documents("stroke", 0..5)).unwrap();
        std::fs::remove_file(file.path()).unwrap();
        std::fs::create_dir(file.path()).unwrap();
        drop(sink);
        let mut sink = SqliteSink::open(&file.path()).err();
        assert!(sink.take().is_some());
        std::fs::remove_dir(file.path()).unwrap();
        let mut sink = file.open();
        sink.write(&documents("stroke", 0..5)).unwrap();
        assert_eq!(counts(&mut sink), expected(&[("stroke", 5)]));
    }
}
