//! The commands, as they go over the wire.

use mongodb::bson::raw::cstr;
use mongodb::bson::{RawArrayBuf, RawDocument, RawDocumentBuf, rawdoc};

use super::document::{self, Unfit};
use crate::sink::Document;

/// The server takes 48,000,000 bytes a command; some are not ours.
const MOST_BYTES: usize = 40_000_000;

/// The most updates of one command: `MongoDB` takes a hundred times as many, but a slow server is to answer in time.
const MOST_UPDATES: usize = 1_000;

/// `database.collection` may have 255 bytes.
const LONGEST_NAME: usize = 190;

/// One document on its way.
pub(super) struct Upsert {
    /// In the batch.
    pub(super) position: usize,
    update: RawDocumentBuf,
}

impl Upsert {
    pub(super) fn new(position: usize, document: &Document) -> Result<Self, Unfit> {
        let mut update = RawDocumentBuf::new();
        update.append(cstr!("q"), rawdoc! { "_id": document.id.as_str() });
        update.append(cstr!("u"), document::of_json(&document.json)?);
        update.append(cstr!("upsert"), true);
        Ok(Self { position, update })
    }
}

/// As many upserts at once as a command may have.
pub(super) fn portions(mut upserts: &[Upsert]) -> impl Iterator<Item = &[Upsert]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |upsert: &&Upsert| {
            bytes += upsert.update.as_bytes().len();
            bytes <= MOST_BYTES
        };
        // The largest document is smaller than a command.
        let count = upserts.iter().take(MOST_UPDATES).take_while(fits).count();
        let (portion, rest) = upserts.split_at(count);
        upserts = rest;
        (count > 0).then_some(portion)
    })
}

/// Unordered: the server goes on after a document that it refuses.
pub(super) fn update(collection: &str, concern: &RawDocument, upserts: &[Upsert]) -> RawDocumentBuf {
    let mut updates = RawArrayBuf::new();
    for upsert in upserts {
        updates.push(upsert.update.as_ref());
    }
    updates_of(collection, concern, updates)
}

/// An update that finds nothing and changes nothing, which needs the same rights as any other.
pub(super) fn probe(collection: &str, concern: &RawDocument) -> RawDocumentBuf {
    let nothing = "triage finds nothing by this id";
    let mut updates = RawArrayBuf::new();
    updates.push(rawdoc! { "q": { "_id": nothing }, "u": { "_id": nothing }, "upsert": false });
    updates_of(collection, concern, updates)
}

fn updates_of(collection: &str, concern: &RawDocument, updates: RawArrayBuf) -> RawDocumentBuf {
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("update"), collection);
    command.append(cstr!("ordered"), false);
    command.append(cstr!("writeConcern"), concern);
    command.append(cstr!("updates"), updates);
    command
}

pub(super) fn index(collection: &str) -> RawDocumentBuf {
    rawdoc! {
        "createIndexes": collection,
        "indexes": [{ "key": { "patient": 1, "ts": 1 }, "name": "patient_1_ts_1" }],
    }
}

pub(super) fn index_of_times(collection: &str) -> RawDocumentBuf {
    rawdoc! { "createIndexes": collection, "indexes": [{ "key": { "ts": 1 }, "name": "ts_1" }] }
}

/// How many documents fit `of`.
pub(super) fn count(collection: &str, of: &RawDocument) -> RawDocumentBuf {
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("count"), collection);
    command.append(cstr!("query"), of);
    command
}

/// Removes all documents that fit `of`.
pub(super) fn remove(collection: &str, concern: &RawDocument, of: &RawDocument) -> RawDocumentBuf {
    let mut each = RawDocumentBuf::new();
    each.append(cstr!("q"), of);
    each.append(cstr!("limit"), 0);
    let mut deletes = RawArrayBuf::new();
    deletes.push(each);
    let mut command = RawDocumentBuf::new();
    command.append(cstr!("delete"), collection);
    command.append(cstr!("writeConcern"), concern);
    command.append(cstr!("deletes"), deletes);
    command
}

pub(super) fn ping() -> RawDocumentBuf {
    rawdoc! { "ping": 1 }
}

/// Whether a collection may have the name.
pub(super) fn is_collection(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(['\0', '$']) && !name.starts_with("system.")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use super::*;

    #[test]
    fn large_documents_are_portioned_and_none_is_left_out() {
        let json = format!(r#"{{"_id":"a","text":"{}"}}"#, "x".repeat(15 << 20));
        let document = Document { collection: Arc::from("c"), id: "a".to_owned(), json };
        let upserts: Vec<Upsert> = (0..5).map(|position| Upsert::new(position, &document).unwrap()).collect();
        let portions: Vec<Vec<usize>> =
            portions(&upserts).map(|portion| portion.iter().map(|upsert| upsert.position).collect()).collect();
        assert_eq!(portions, [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    fn names_of_collections() {
        for name in ["stroke", "a b", "Ünïcode", "stroke_alerts", "dot.ted"] {
            assert!(is_collection(name), "{name}");
        }
        for name in ["", "a$b", "nul\0", "system.users", &"x".repeat(200)] {
            assert!(!is_collection(name), "{name}");
        }
    }
}
