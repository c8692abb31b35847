//! Where documents are kept: one small interface, which every kind of store fulfils and one suite of tests holds them to
//! (`tests/sink_suite.rs`). Knows nothing of Kafka.

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

/// The store itself failed: nothing of the batch can be relied on, and writing it again is safe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);

/// A place for documents.
pub trait Sink: Send {
    /// Writes the batch, in order: of two documents with one `_id` in one collection the later stays. When it returns
    /// without an error, everything but the refusals is kept for good, and a write of the same batch again changes nothing.
    ///
    /// # Errors
    /// The store cannot be reached or cannot write at all; the same batch is to be written again later.
    fn write(&mut self, batch: &[Document]) -> Result<Vec<Refusal>, Unavailable>;

    /// How many documents each collection holds, by name.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn counts(&mut self) -> Result<Vec<(String, u64)>, Unavailable>;
}
