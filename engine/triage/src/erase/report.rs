//! What was found of a patient, what became of it, and what remains until when.

use std::fmt::{self, Write as _};

use serde::Serialize;

use super::survey::Found;
use crate::kafka::topics::{Gone, Lifetime};
use crate::terminal::{printable, time};

/// The report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// The first 16 digits of the SHA-256 of the patient's id: what the access log has in its place.
    pub(crate) fingerprint: String,
    /// Whether it was done, and not only looked at.
    pub(crate) done: bool,
    /// The Kafka time of the newest reading, in milliseconds since 1970.
    pub(crate) last_reading: Option<i64>,
    /// How many alerts are open, or were.
    pub(crate) open_alerts: usize,
    pub(crate) collections: Vec<Collection>,
    pub(crate) topics: Vec<Topic>,
}

/// A collection of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Collection {
    pub(crate) name: String,
    /// How many documents there are, or were.
    pub(crate) documents: u64,
}

/// A Kafka topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) records: u64,
    /// How they go.
    pub(crate) way: Way,
    /// When the last is gone; none if there is none.
    pub(crate) gone: Option<Gone>,
}

/// How records of a topic go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Way {
    /// By the topic's retention.
    Retention,
    /// By a tombstone that an erasure writes.
    Tombstone,
    /// The engine forgets the patient, and writes the tombstone itself.
    Forgotten,
}

impl Topic {
    pub(crate) fn new(found: &Found, way: Way, lifetime: Lifetime, now: i64) -> Self {
        let gone = (found.records > 0).then(|| lifetime.gone(found.newest.unwrap_or(now), now));
        Self { name: found.topic.clone(), records: found.records, way, gone }
    }
}

impl Report {
    /// How many documents there are, or were.
    pub(crate) fn documents(&self) -> u64 {
        self.collections.iter().map(|collection| collection.documents).sum()
    }

    /// Topics on which something remains for good, or for nobody knows how long.
    pub(crate) fn endless(&self) -> impl Iterator<Item = &Topic> {
        self.topics.iter().filter(|topic| matches!(topic.gone, Some(Gone::Never | Gone::Unknown)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, last_reading, open_alerts, .. } = self;
        let last = last_reading.map_or("no reading is on the stream".to_owned(), |last| {
            format!("the last reading is of {}", time(Some(last)))
        });
        writeln!(formatter, "patient {}: {last}, {open_alerts} alerts were open", self.fingerprint)?;
        for Collection { name, documents } in &self.collections {
            let became = if *done { "removed" } else { "would be removed" };
            writeln!(formatter, "  store   {:28} {documents:>9}  {became}", printable(name))?;
        }
        for Topic { name, records, way, gone } in self.topics.iter().filter(|topic| topic.records > 0) {
            let mut became = match (way, done) {
                (Way::Retention, _) => "by the topic's retention".to_owned(),
                (Way::Tombstone, true) => "tombstones are written".to_owned(),
                (Way::Tombstone, false) => "tombstones would be written".to_owned(),
                (Way::Forgotten, true) => "the engine has forgotten the patient".to_owned(),
                (Way::Forgotten, false) => "the engine would forget the patient".to_owned(),
            };
            match gone {
                Some(Gone::By(at)) => write!(became, "; gone at the latest {}", time(Some(*at)))?,
                Some(Gone::Never) => became.push_str("; REMAINS: the topic keeps it for good"),
                Some(Gone::Unknown) => became.push_str("; REMAINS: the broker does not tell for how long"),
                None => {}
            }
            writeln!(formatter, "  topic   {:28} {records:>9}  {became}", printable(name))?;
        }
        Ok(())
    }
}
