//! Where documents are kept: one small interface, which every kind of store fulfils and one suite of tests holds them to
//! (`tests/sink_suite.rs`). Knows nothing of Kafka.

pub mod mongo;
pub mod sqlite;

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
}
