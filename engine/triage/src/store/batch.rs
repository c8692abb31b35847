//! Records on their way into the store: documents, and what is none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::message::{Message, OwnedMessage};
use triage_core::program::{Limits, Program, Workspace};

use super::document::{self, Body, Unfit};
use super::places::Places;
use super::route::{Content, Routes};
use crate::dead_letters::post::Refused;
use crate::dead_letters::taken::Taken;
use crate::erase::erased::Erased;
use crate::kafka::records::record as kafka_record;
use crate::sink::{Document, Refusal, Waiting};

/// A batch is full at this many bytes, however few documents they are.
const FULL_BYTES: usize = 16 << 20;

/// What has been read and not yet written.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) documents: Vec<Document>,
    /// The record of each document.
    records: Vec<Arc<Taken>>,
    /// Records that are no documents.
    unfit: Vec<Refused>,
    /// How far each partition has been read.
    pub(crate) ends: Places,
    bytes: usize,
    begun: Option<Instant>,
}

impl Batch {
    /// Adds a record, as a document, as a dead letter, or as nothing at all where it is neither: readings that the engine
    /// made dead letters of, and the tombstones of a compacted topic.
    pub(crate) fn add(&mut self, taken: Taken, routes: &Routes, maker: &mut Maker) {
        self.begun.get_or_insert_with(Instant::now);
        let record = &taken.record;
        self.bytes += record.payload().map_or(0, <[u8]>::len);
        let (topic, partition, offset) = taken.place();
        self.ends.passed(topic, partition, offset);
        let Some(route) = routes.get(record.topic()) else {
            let sentence = format!("records of the topic `{}` are not stored", record.topic());
            return self.unfit.push(Refused { taken: Arc::new(taken), reason: "not-stored", sentence });
        };
        let made = match route.content {
            Content::Readings => Ok(maker.reading(record)),
            Content::Derived => document::of_derived(record.payload(), maker.program()).map(Some),
            Content::Alerts if record.payload().is_none() => Ok(None),
            Content::Alerts => document::of_alert(record.payload()).map(Some),
        };
        match made {
            Ok(None) => {}
            // It is still on the topic, and must not come back from there.
            Ok(Some(body)) if maker.is_erased(&body, record) => {}
            Ok(Some(Body { id, json })) => {
                self.documents.push(Document { collection: Arc::clone(&route.collection), id, json });
                self.records.push(Arc::new(taken));
            }
            Err(unfit) => self.unfit.push(unfit_letter(taken, &unfit)),
        }
    }

    /// Whether it should be written now.
    pub(crate) fn is_due(&self, most: usize, age: Duration) -> bool {
        self.documents.len() + self.unfit.len() >= most
            || self.bytes >= FULL_BYTES
            || self.begun.is_some_and(|begun| begun.elapsed() >= age)
    }

    /// Whether nothing has been added, not even nothing at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.begun.is_none()
    }

    /// How long until it is due by age.
    pub(crate) fn time_left(&self, age: Duration) -> Option<Duration> {
        self.begun.map(|begun| age.saturating_sub(begun.elapsed()))
    }

    /// Where the documents of collections that wait begin.
    pub(crate) fn first_waiting(&self, waiting: &[Waiting]) -> Places {
        let mut first = Places::default();
        for (document, taken) in self.documents.iter().zip(&self.records) {
            if waiting.iter().any(|waiting| waiting.collection == document.collection) {
                let (topic, partition, offset) = taken.place();
                first.back_to(topic, partition, offset);
            }
        }
        first
    }

    /// What is to be sent to the dead letters, after the sink has refused some. What comes after a place in `waiting` is read
    /// again, and becomes a letter then.
    pub(crate) fn letters(&mut self, refusals: &[Refusal], waiting: &Places) -> Vec<Refused> {
        let refused = refusals.iter().filter_map(|refusal| {
            let taken = Arc::clone(self.records.get(refusal.position)?);
            Some(Refused { taken, reason: "refused", sentence: refusal.reason.clone() })
        });
        let refused: Vec<Refused> = refused.collect();
        let is_read_again = |taken: &Taken| {
            let (topic, partition, offset) = taken.place();
            waiting.get(topic, partition).is_some_and(|first| offset >= first)
        };
        self.unfit.drain(..).chain(refused).filter(|letter| !is_read_again(&letter.taken)).collect()
    }
}

fn unfit_letter(taken: Taken, unfit: &Unfit) -> Refused {
    Refused { taken: Arc::new(taken), reason: "not-a-document", sentence: unfit.to_string() }
}

/// Makes the stored form of readings by the rule set, and leaves out what is of erased patients.
#[derive(Debug)]
pub(crate) struct Maker {
    current: Arc<crate::shared::Current>,
    limits: Limits,
    erased: Erased,
    workspace: Workspace,
    document: Vec<u8>,
}

impl Maker {
    pub(crate) fn new(current: Arc<crate::shared::Current>, limits: Limits, erased: Erased) -> Self {
        Self { current, limits, erased, workspace: Workspace::default(), document: Vec::new() }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.current.generation
    }

    pub(crate) fn program(&self) -> &Program {
        &self.current.program
    }

    /// Whether it is of a patient who was erased after it had come.
    fn is_erased(&self, body: &Body, record: &OwnedMessage) -> bool {
        self.erased.covers("patient", None, body.json.as_bytes(), record.timestamp().to_millis())
    }

    fn reading(&mut self, record: &OwnedMessage) -> Option<Body> {
        let Self { current, limits, workspace, document, .. } = self;
        let id = current.program.store_reading(&kafka_record(record), limits, workspace, document)?;
        // The engine has judged the same bytes to be a reading, which is UTF-8.
        Some(Body { id, json: String::from_utf8_lossy(document).into_owned() })
    }
}
