//! The suite on `SQLite`.

use std::path::Path;

use triage::sink::sqlite::SqliteSink;

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
fn a_patient() {
    let file = File::new();
    a_patient_is_found_and_removed_everywhere(&file);
    let bytes = |name: &str| std::fs::read(file.path().with_file_name(name)).unwrap_or_default();
    let all = [bytes("ehealth.sqlite"), bytes("ehealth.sqlite-wal")].concat();
    assert!(!all.windows(14).any(|window| window == br#""patient":"p1""#), "bytes of the patient are in the file");
}

#[test]
fn old_documents() {
    what_is_old_goes_and_what_is_younger_stays(&File::new());
}

#[test]
fn killed() {
    let file = File::new();
    let path = file.path().display().to_string();
    killed_in_the_middle_of_a_batch(&file, "sqlite::writer_to_be_killed", &path, |_| {});
}

/// Not a test: the process that `killed` starts and kills.
#[test]
fn writer_to_be_killed() {
    let Some(place) = place_to_write() else { return };
    write_without_end(|| SqliteSink::open(Path::new(&place)));
}

#[test]
fn names_that_differ_in_capitals_are_not_mixed() {
    let batch = [document("stroke", "a", "x"), document("Stroke", "a", "y"), document("sqlite_x", "a", "z")];
    let file = File::new();
    let refused: Vec<_> =
        file.open().write(&batch).unwrap().refusals.into_iter().map(|refusal| refusal.position).collect();
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
