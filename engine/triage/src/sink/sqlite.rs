//! The embedded store: one `SQLite` file, a table for each collection with `_id` and `document`, a transaction for each
//! batch.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction};

use super::{Document, Refusal, Removed, Sink, Unavailable, Which, Written};

/// How long a write waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);

/// The most documents of one transaction that removes: a writer waits for it.
const MOST_REMOVED: usize = 5_000;

/// A `SQLite` file; opened at the first write and again after a failure.
#[derive(Debug)]
pub struct SqliteSink {
    path: PathBuf,
    connection: Option<Connection>,
    upserts: HashMap<Arc<str>, String>,
}

impl SqliteSink {
    /// The file at `path`, made with its folder where it is not there.
    ///
    /// # Errors
    /// It cannot be opened, or is no `SQLite` file.
    pub fn open(path: &Path) -> Result<Self, Unavailable> {
        let mut sink = Self { path: path.to_owned(), connection: None, upserts: HashMap::new() };
        sink.connection()?;
        Ok(sink)
    }

    fn connection(&mut self) -> Result<&mut Connection, Unavailable> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.path).map_err(|error| self.unavailable(&error))?,
        };
        Ok(self.connection.insert(connection))
    }

    /// The error in words, and a fresh connection for the next try.
    fn unavailable(&mut self, error: &rusqlite::Error) -> Unavailable {
        self.connection = None;
        self.upserts.clear();
        Unavailable(format!("{}: {error}", self.path.display()))
    }

    fn try_write(&mut self, batch: &[Document]) -> Result<Result<Vec<Refusal>, rusqlite::Error>, Unavailable> {
        self.connection()?;
        let Self { connection: Some(connection), upserts, .. } = self else { return Ok(Ok(Vec::new())) };
        Ok(write_batch(connection, upserts, batch))
    }
}

impl Sink for SqliteSink {
    fn write(&mut self, batch: &[Document]) -> Result<Written, Unavailable> {
        let refusals = self.try_write(batch)?.map_err(|error| self.unavailable(&error))?;
        Ok(Written { refusals, waiting: Vec::new() })
    }

    fn counts(&mut self) -> Result<Vec<(String, u64)>, Unavailable> {
        let counted = count_all(self.connection()?);
        counted.map_err(|error| self.unavailable(&error))
    }

    fn of_patient(&mut self, patient: &str) -> Result<BTreeMap<String, u64>, Unavailable> {
        let counted = count_patient(self.connection()?, patient);
        counted.map_err(|error| self.unavailable(&error))
    }

    fn remove(&mut self, which: Which<'_>) -> Result<Removed, Unavailable> {
        let connection = self.connection()?;
        let removed = match which {
            Which::Patient(patient) => remove_patient(connection, patient),
            Which::Before(time, collections) => remove_before(connection, time, collections),
        };
        removed.map_err(|error| self.unavailable(&error))
    }
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    if let Some(folder) = path.parent() {
        // Where this fails, opening the file fails too, and says why.
        let _ = std::fs::create_dir_all(folder);
    }
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // Kafka's offsets are committed after the write: it must have reached the disk by then.
    connection.pragma_update(None, "synchronous", "full")?;
    // What is removed is overwritten, and not only unlinked.
    connection.pragma_update(None, "secure_delete", "on")?;
    Ok(connection)
}

fn write_batch(
    connection: &mut Connection,
    upserts: &mut HashMap<Arc<str>, String>,
    batch: &[Document],
) -> Result<Vec<Refusal>, rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let mut refusals = Vec::new();
    for (position, document) in batch.iter().enumerate() {
        if let Some(reason) = write_document(&transaction, upserts, document)? {
            refusals.push(Refusal { position, reason });
        }
    }
    transaction.commit()?;
    Ok(refusals)
}

/// Writes one document, or says why it is refused: a statement that fails leaves nothing behind, the transaction goes on.
fn write_document(
    transaction: &Transaction<'_>,
    upserts: &mut HashMap<Arc<str>, String>,
    document: &Document,
) -> Result<Option<String>, rusqlite::Error> {
    if !upserts.contains_key(&document.collection) {
        if let Some(reason) = make_table(transaction, &document.collection)? {
            return Ok(Some(reason));
        }
        // Kept even if this transaction fails: `unavailable` forgets all of them.
        upserts.insert(Arc::clone(&document.collection), upsert_into(&document.collection));
    }
    let mut statement = transaction.prepare_cached(&upserts[&document.collection])?;
    match statement.execute([&document.id, &document.json]) {
        Ok(_) => Ok(None),
        Err(error) if is_documents_fault(&error) => Ok(Some(format!("SQLite refused the document: {error}"))),
        Err(error) => Err(error),
    }
}

/// Makes the collection's table; says why where no table may have that name.
fn make_table(transaction: &Transaction<'_>, collection: &str) -> Result<Option<String>, rusqlite::Error> {
    if collection.is_empty() || collection.contains('\0') || collection.to_ascii_lowercase().starts_with("sqlite_") {
        return Ok(Some("SQLite has no table of that name".to_owned()));
    }
    let columns = "_id TEXT PRIMARY KEY NOT NULL, document TEXT NOT NULL";
    transaction.execute(&format!("CREATE TABLE IF NOT EXISTS {} ({columns})", quoted(collection)), [])?;
    let exact = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1";
    let found: i64 = transaction.query_row(exact, [collection], |row| row.get(0))?;
    // SQLite does not tell `Stroke` from `stroke`: two collections in one table would overwrite each other.
    Ok((found == 0).then(|| "another collection has the same name but for capitals".to_owned()))
}

fn upsert_into(collection: &str) -> String {
    let table = quoted(collection);
    format!(
        "INSERT INTO {table} (_id, document) VALUES (?1, ?2) ON CONFLICT (_id) DO UPDATE SET document = excluded.document"
    )
}

/// Whether another document could still be written; anything else is the file's or the disk's failure.
fn is_documents_fault(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::TooBig | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch)
    )
}

/// An identifier in `SQLite`'s quotes.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The collections: tables with documents in them.
fn tables(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema AS one WHERE type = 'table' AND EXISTS \
         (SELECT 1 FROM pragma_table_info(one.name) AS info WHERE info.name = 'document') ORDER BY name",
    )?;
    tables.query_map([], |row| row.get(0))?.collect()
}

fn count_all(connection: &Connection) -> Result<Vec<(String, u64)>, rusqlite::Error> {
    let mut counts = Vec::new();
    for name in tables(connection)? {
        let count: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {}", quoted(&name)), [], |row| row.get(0))?;
        counts.push((name, count.unsigned_abs()));
    }
    Ok(counts)
}

fn count_patient(connection: &Connection, patient: &str) -> Result<BTreeMap<String, u64>, rusqlite::Error> {
    let mut counts = BTreeMap::new();
    for name in tables(connection)? {
        let count = format!("SELECT count(*) FROM {} WHERE {OF_PATIENT}", quoted(&name));
        let count: i64 = connection.query_row(&count, [patient], |row| row.get(0))?;
        if count > 0 {
            counts.insert(name, count.unsigned_abs());
        }
    }
    Ok(counts)
}

const OF_PATIENT: &str = "document ->> 'patient' = ?1";

fn remove_patient(connection: &mut Connection, patient: &str) -> Result<Removed, rusqlite::Error> {
    let mut removed = Removed::default();
    for name in tables(connection)? {
        let documents = remove_by(connection, &name, OF_PATIENT, patient)?;
        removed.add(&name, documents);
    }
    // The documents stand in the log of writes too, until that is taken over and emptied.
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy {
        let why = "another process reads the file, whose `-wal` keeps what was removed until it does not: ask again";
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
            Some(why.into()),
        ));
    }
    Ok(removed)
}

fn remove_before(connection: &mut Connection, time: i64, collections: &[Arc<str>]) -> Result<Removed, rusqlite::Error> {
    let mut removed = Removed::default();
    let there = tables(connection)?;
    for name in collections.iter().filter(|name| there.iter().any(|table| **table == ***name)) {
        // A name that no collection has: tables and indexes share their names.
        let index = quoted(&format!("triage:{name}:ts"));
        connection
            .execute(&format!("CREATE INDEX IF NOT EXISTS {index} ON {} (document ->> 'ts')", quoted(name)), [])?;
        // A number is less than any text, so that none is taken for old.
        let documents = remove_by(connection, name, "document ->> 'ts' < ?1", time)?;
        removed.add(name, documents);
    }
    Ok(removed)
}

/// Some at a time, so that whoever writes comes in between.
fn remove_by(
    connection: &Connection,
    table: &str,
    condition: &str,
    value: impl rusqlite::ToSql + Copy,
) -> Result<u64, rusqlite::Error> {
    let table = quoted(table);
    let some = format!("SELECT rowid FROM {table} WHERE {condition} LIMIT {MOST_REMOVED}");
    let mut remove = connection.prepare(&format!("DELETE FROM {table} WHERE rowid IN ({some})"))?;
    let mut removed = 0;
    loop {
        let documents = remove.execute([value])?;
        removed += documents as u64;
        if documents < MOST_REMOVED {
            return Ok(removed);
        }
    }
}
