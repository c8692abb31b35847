//! The embedded store: one `SQLite` file, a table for each collection with `_id` and `document`, a transaction for each
//! batch.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, Transaction};

use super::{Document, Refusal, Sink, Unavailable, Written};

/// How long a write waits for another process that is writing.
const BUSY: Duration = Duration::from_secs(5);

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

fn count_all(connection: &Connection) -> Result<Vec<(String, u64)>, rusqlite::Error> {
    let mut tables = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut counts = Vec::new();
    for name in names {
        let count: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {}", quoted(&name)), [], |row| row.get(0))?;
        counts.push((name, count.unsigned_abs()));
    }
    Ok(counts)
}
