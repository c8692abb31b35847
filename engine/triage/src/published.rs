//! The rule set that all processes of a group run, published on the compacted topic `rule-sets`: found or published at
//! start, before any reading is judged, and followed from then on.

mod base64;
mod follow;
mod set;
mod topic;

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use serde::Serialize;
use triage_core::program::Program;

use crate::kafka::rights::explained;

pub(crate) use follow::{Found, find, follow, latest, of_version, settle};
pub(crate) use set::{PART_BYTES, RuleSet};
pub(crate) use topic::publish;

/// Why the topic `rule-sets` cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PublishError {
    /// A Kafka client failed.
    #[error("the broker does not take part: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// The end of the topic was not reached in time.
    #[error("the topic `rule-sets` cannot be read to its end: {0}")]
    Unread(String),
    /// The broker did not say where a record went.
    #[error("the broker does not say whether the rules are published")]
    Unconfirmed,
    /// The runtime that waits for the broker cannot be made.
    #[error("cannot wait for the broker: {0}")]
    Runtime(std::io::Error),
    /// A set cannot be written as JSON.
    #[error("the rule set cannot be written: {0}")]
    Form(#[from] serde_json::Error),
}

/// What this process knows of the published set and of its own folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Known {
    /// The place of the last publication that this process has dealt with.
    pub(crate) offset: Option<i64>,
    /// The version published there.
    pub(crate) version: Option<String>,
    /// The machine that published it.
    pub(crate) by: Option<String>,
    /// When, in milliseconds since 1970.
    pub(crate) at: Option<u64>,
    /// Why the published set does not run here.
    pub(crate) trouble: Option<String>,
    /// The version of the folder; none while it does not compile.
    pub(crate) folder: Option<String>,
}

/// [`Known`], shared.
#[derive(Debug, Default)]
pub(crate) struct Board {
    known: Mutex<Known>,
    changed: Condvar,
    /// The set that this process is about to publish, compiled: it comes back as published, and is not compiled twice.
    aside: Mutex<Option<(RuleSet, Program)>>,
}

impl Board {
    pub(crate) fn known(&self) -> Known {
        self.lock().clone()
    }

    pub(crate) fn set_folder(&self, version: Option<String>) {
        self.lock().folder = version;
    }

    pub(crate) fn set_aside(&self, set: RuleSet, program: Program) {
        *self.aside.lock().unwrap_or_else(PoisonError::into_inner) = Some((set, program));
    }

    /// The program of exactly that set, if it was put aside; what else was put aside is of no use any more.
    pub(crate) fn take_aside(&self, set: &RuleSet) -> Option<Program> {
        let aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner).take();
        aside.filter(|(of, _)| of == set).map(|(_, program)| program)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dealt_with(&self, publication: &set::Publication, trouble: Option<String>) {
        let mut known = self.lock();
        known.offset = Some(publication.offset);
        known.version = Some(publication.pointer.version.clone());
        known.by = Some(publication.pointer.by.clone());
        known.at = Some(publication.pointer.at);
        known.trouble = trouble;
        drop(known);
        self.changed.notify_all();
    }

    /// Nothing is known until the topic is read again, which also ends the trouble.
    fn lost(&self, trouble: String) {
        let mut known = self.lock();
        known.offset = None;
        known.trouble = Some(trouble);
    }

    fn set_trouble(&self, trouble: String) {
        self.lock().trouble = Some(trouble);
    }

    /// Waits until the publication at `offset`, or a later one, is dealt with; none if `patience` ends before.
    pub(crate) fn wait(&self, offset: i64, patience: Duration) -> Option<Known> {
        let until = Instant::now() + patience;
        let mut known = self.lock();
        while known.offset.is_none_or(|dealt| dealt < offset) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            known = self.changed.wait_timeout(known, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some(known.clone())
    }
}
