//! Where documents are kept: one small interface, which every kind of store fulfils and one suite of tests holds them to
//! (`tests/sink_suite.rs`). Knows nothing of Kafka.

pub mod mongo;
pub mod sqlite;

use std::collections::BTreeMap;
use std::sync::Arc;

/// One document of one collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The collection.
    pub collection: Arc<str>,
    /// `_id`: the same document always has the same, so that writing it again changes nothing.
    pub id: String,
    /// The JSON object, `_id` first.
    pub json: String,
}

/// A document that the store refused, while it took the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its position in the batch.
    pub position: usize,
    /// A sentence without any value of the document.
    pub reason: String,
}

/// A collection that nothing can be written to for now, while the others can be: rights that are missing, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The collection. Some of its documents may have been written; all of them are to be written again later.
    pub collection: Arc<str>,
    /// What is wrong, without any value of a document.
    pub reason: String,
}

/// What became of a batch: everything that is not told of here is kept for good.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// In the order of the batch; none is of a collection that waits.
    pub refusals: Vec<Refusal>,
    /// Each collection once.
    pub waiting: Vec<Waiting>,
}

/// Which documents are to be removed.
#[derive(Debug, Clone, Copy)]
pub enum Which<'a> {
    /// Those whose `patient` it is, in every collection.
    Patient(&'a str),
    /// Those whose `ts` is a whole number below this, in epoch milliseconds, in these collections.
    Before(i64, &'a [Arc<str>]),
}

/// What became of a removal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Removed {
    /// How many documents there were, by collection; none is told of with none.
    pub documents: BTreeMap<String, u64>,
    /// Collections of which nothing could be removed.
    pub waiting: Vec<Waiting>,
}

impl Removed {
    fn add(&mut self, collection: &str, documents: u64) {
        if documents > 0 {
            *self.documents.entry(collection.to_owned()).or_default() += documents;
        }
    }
}

/// The store itself failed: nothing of the batch can be relied on, and writing it again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A place for documents.
pub trait Sink: Send {
    /// Writes the batch, in order: of two documents with one `_id` in one collection the later stays. When it returns
    /// without an error, everything but what it tells of is kept for good, and a write of the same batch again changes
    /// nothing.
    ///
    /// # Errors
    /// The store cannot be reached or cannot write at all; the same batch is to be written again later.
    fn write(&mut self, batch: &[Document]) -> Result<Written, Unavailable>;

    /// How many documents each collection holds, by name.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn counts(&mut self) -> Result<Vec<(String, u64)>, Unavailable>;

    /// How many documents of a patient each collection holds, by name; none is told of with none.
    ///
    /// # Errors
    /// The store cannot be reached, or does not show a collection.
    fn of_patient(&mut self, patient: &str) -> Result<BTreeMap<String, u64>, Unavailable>;

    /// Removes documents for good. What it tells of as removed stays so.
    ///
    /// # Errors
    /// The store cannot be reached, or went away meanwhile: some may have been removed, and removing again is safe.
    fn remove(&mut self, which: Which<'_>) -> Result<Removed, Unavailable>;
}
