//! `triage erase`: finds what there is of a patient, and removes it. The engine forgets the patient by a word on
//! `acknowledgements`, so that nothing of the state comes back, whatever fails; documents are removed from the store; alerts get
//! tombstones. What else is on topics goes by their retention, and the report says when. Whatever breaks off, asking again goes
//! on: each step finds nothing the second time.

pub(crate) mod erased;
pub(crate) mod report;
mod survey;
mod whose;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::TokioRuntime;
use serde_json::json;
use triage_core::diagnostic::Style;
use triage_core::program::Program;

use crate::access::fingerprint;
use crate::alerts::{Refusal, Said, Speaker};
use crate::clock::now;
use crate::config::{Config, KafkaConfig};
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::rights::explained;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, RESENT_DOCUMENTS, RULE_SETS, SNAPSHOTS, TopicError, Topics};
use crate::published::{self, PublishError};
use crate::sink::{Sink, Unavailable, Which};
use crate::store;
use report::{Collection, Report, Topic, Way};
use survey::Found;
use whose::{Kind, Whose};

/// Whose last reading is younger is being watched.
const WATCHED: Duration = Duration::from_hours(1);

/// How long the engine, or the store, may take for what it is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// How often it is looked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) patient: &'a str,
    /// Who asks, and why.
    pub(crate) by: &'a str,
    pub(crate) why: &'a str,
    /// Whether the patient may be one who is being watched.
    pub(crate) watched: bool,
}

/// Why a patient is not erased, or not wholly. None of these shows the patient's id.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EraseError {
    /// A Kafka client failed.
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The topics cannot be looked at.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The published rules cannot be read.
    #[error(transparent)]
    Published(#[from] PublishError),
    /// There are no rules that say what the topics are.
    #[error("no rules are published for the group `{0}`: set `kafka.group` to that of the engine")]
    NoRules(String),
    /// They do not compile here.
    #[error("the published rules cannot be compiled here:\n{0}")]
    Rules(String),
    /// The store failed.
    #[error("{0}")]
    Store(#[from] Unavailable),
    /// Some collections are left.
    #[error("nothing can be removed from the collection `{collection}`: {reason}")]
    Collection {
        /// Its name.
        collection: String,
        /// The store's reason.
        reason: String,
    },
    /// Somebody is looking after this patient.
    #[error(
        "the patient is being watched ({0}): windows, holds and open alerts would be lost. End that first, or say `--watched` to \
         erase all the same; what comes afterwards is kept anew"
    )]
    Watched(String),
    /// The word cannot be written.
    #[error("the engine cannot be asked to forget the patient: {0}")]
    NotSaid(String),
    /// The patient's id makes a word that is too long for the engine.
    #[error("`--why` is too long: the engine takes 2 KiB with all around it")]
    TooLong,
    /// Somebody did not get there in time.
    #[error("{0} within {seconds} s; ask again when it has", seconds = PATIENCE.as_secs())]
    Late(&'static str),
    /// The runtime that waits for the broker cannot be made.
    #[error("cannot wait for the broker: {0}")]
    Runtime(std::io::Error),
}

/// What there is of the patient; changes nothing.
pub(crate) fn look(config: &Config, patient: &str, tell: &mut dyn FnMut(&str)) -> Result<Report, EraseError> {
    let eraser = Eraser::new(config, patient)?;
    let found = eraser.survey(tell)?;
    let documents = match eraser.sink()? {
        Some(mut sink) => sink.of_patient(patient)?,
        None => BTreeMap::new(),
    };
    eraser.report(&found, documents, false)
}

/// Erases the patient. `tell` is told each step.
pub(crate) fn erase(config: &Config, order: Order<'_>, tell: &mut dyn FnMut(&str)) -> Result<Report, EraseError> {
    let eraser = Eraser::new(config, order.patient)?;
    let before = eraser.survey(tell)?;
    if !order.watched {
        watched(&before, now()).map_or(Ok(()), |why| Err(EraseError::Watched(why)))?;
    }
    // First of all: who cannot remove the documents is not to begin.
    let sink = eraser.sink()?;
    tell("waiting until the engine has judged all readings that are there");
    eraser.wait_until_judged(&before)?;
    tell("asking the engine to forget the patient");
    eraser.forget(order)?;
    let found = eraser.survey(tell)?;
    let documents = match sink {
        Some(sink) => eraser.remove_documents(sink, &found, tell)?,
        None => BTreeMap::new(),
    };
    tell("writing tombstones");
    eraser.bury(&found)?;
    eraser.report(&found, documents, true)
}

/// Why the patient counts as watched.
fn watched(found: &[Found], now: i64) -> Option<String> {
    let open: usize = found.iter().map(Found::open).sum();
    if open > 0 {
        return Some(format!("{open} alerts are open"));
    }
    let age = now - last_reading(found)?;
    let is_young = age < i64::try_from(WATCHED.as_millis()).unwrap_or(i64::MAX);
    is_young.then(|| format!("a reading came {} minutes ago", age / 60_000))
}

/// The stream is the only topic of readings that is not of dead letters.
fn last_reading(found: &[Found]) -> Option<i64> {
    found.iter().filter(|found| found.kind == Kind::Readings && found.is_stream).filter_map(|found| found.newest).max()
}

struct Eraser<'a> {
    config: &'a Config,
    patient: &'a str,
    program: Program,
    records: Records,
    topics: Topics,
}

impl<'a> Eraser<'a> {
    fn new(config: &'a Config, patient: &'a str) -> Result<Self, EraseError> {
        let none = || EraseError::NoRules(config.kafka.group.clone());
        let (records, topics) = (Records::new(&config.kafka)?, Topics::new(&config.kafka)?);
        if records.partitions(RULE_SETS)? == 0 {
            return Err(none());
        }
        let published = published::latest(config)?.ok_or_else(none)?;
        let compiled = published.compile().map_err(|rejected| EraseError::Rules(rejected.render(Style::Plain)))?;
        Ok(Self { config, patient, program: compiled.program, records, topics })
    }

    fn whose(&self) -> Whose<'_> {
        let field = self.program.key_field().unwrap_or("patient");
        Whose { patient: self.patient, field, group: &self.config.kafka.group }
    }

    fn survey(&self, tell: &mut dyn FnMut(&str)) -> Result<Vec<Found>, EraseError> {
        let mut found = Vec::new();
        for (topic, kind) in survey::topics(&self.records, &self.program)? {
            tell(&format!("reading `{topic}`"));
            let is_stream = topic == self.program.stream();
            found.push(survey::look(&self.records, &self.whose(), (&topic, kind), is_stream)?);
        }
        Ok(found)
    }

    fn sink(&self) -> Result<Option<Box<dyn Sink>>, EraseError> {
        Ok(store::connector(&self.config.store).map(|connect| connect()).transpose()?)
    }

    /// What is behind would bring the patient back.
    fn wait_until_judged(&self, found: &[Found]) -> Result<(), EraseError> {
        let stream = self.program.stream();
        let ends = found.iter().filter(|found| found.is_stream).flat_map(|found| &found.ends);
        let ends: Vec<(&str, i32, i64)> = ends.map(|(partition, end)| (stream, *partition, *end)).collect();
        wait("the engine has not judged all readings (does it run? `triage health`)", || {
            have_passed(&self.records, &ends)
        })
    }

    /// The engine takes the word up between two readings, and writes the tombstone of the state itself.
    fn forget(&self, order: Order<'_>) -> Result<(), EraseError> {
        let Order { patient, by, why, .. } = order;
        let said = Said::to_all(json!({"erase": {"patient": patient, "by": by, "why": why}}))
            .map_err(|_| EraseError::TooLong)?;
        let speaker = Speaker::new(&self.config.kafka)?;
        let not_said = |refusal: Refusal| EraseError::NotSaid(refusal.to_string());
        let places = runtime()?.block_on(speaker.say(&said)).map_err(not_said)?;
        let ends: Vec<(&str, i32, i64)> =
            places.iter().map(|place| (ACKNOWLEDGEMENTS, place.partition, place.offset + 1)).collect();
        wait("the engine has not taken up that the patient is to be forgotten", || have_passed(&self.records, &ends))?;
        if !self.program.keeps_state() {
            return Ok(());
        }
        let kept = survey::look(&self.records, &self.whose(), (SNAPSHOTS, Kind::Snapshots), false)?;
        wait("the engine has not written down that it has forgotten the patient", || {
            survey::is_buried(&self.records, &kept)
        })
    }

    /// The store has to have come to the patient's last record, or it would write it afterwards.
    fn remove_documents(
        &self,
        mut sink: Box<dyn Sink>,
        found: &[Found],
        tell: &mut dyn FnMut(&str),
    ) -> Result<BTreeMap<String, u64>, EraseError> {
        tell("waiting until the store has come to the patient's last record");
        let group = self.config.store.group.clone();
        let records = Records::new(&KafkaConfig { group, ..self.config.kafka.clone() })?;
        let stored = store::stored_topics(&self.program);
        let of_store = |found: &&Found| stored.contains(&found.topic) || found.topic == RESENT_DOCUMENTS;
        let ends: Vec<(&str, i32, i64)> = found
            .iter()
            .filter(of_store)
            .flat_map(|found| found.last.iter().map(|(partition, end)| (found.topic.as_str(), *partition, *end)))
            .collect();
        wait("the store has not stored the patient's last record", || have_passed(&records, &ends))?;
        tell("removing documents");
        let removed = sink.remove(Which::Patient(self.patient))?;
        match removed.waiting.into_iter().next() {
            Some(waiting) => {
                Err(EraseError::Collection { collection: waiting.collection.to_string(), reason: waiting.reason })
            }
            None => Ok(removed.documents),
        }
    }

    /// Tombstones under the ids of the patient's alerts; an id names no patient. And of a state that rules of before have left, which
    /// no engine writes any more.
    fn bury(&self, found: &[Found]) -> Result<(), EraseError> {
        let producer: FutureProducer<Logged, TokioRuntime> =
            properties::speaker(&self.config.kafka).create_with_context(Logged)?;
        let runtime = runtime()?;
        for found in found.iter().filter(|found| self.way(found) == Way::Tombstone) {
            for (partition, key) in found.alive.keys() {
                let tombstone = FutureRecord::<[u8], [u8]>::to(&found.topic).partition(*partition).key(key.as_slice());
                let delivery = producer.send_result(tombstone).map_err(|(error, _)| error)?;
                let delivered = runtime.block_on(delivery).map_err(|_| KafkaError::Canceled)?;
                delivered.map_err(|(error, _)| error)?;
            }
        }
        Ok(())
    }

    /// How what was found goes.
    fn way(&self, found: &Found) -> Way {
        match found.kind {
            Kind::Snapshots if self.program.keeps_state() => Way::Forgotten,
            Kind::Alerts | Kind::Snapshots => Way::Tombstone,
            Kind::Readings | Kind::Derived | Kind::Acknowledgements | Kind::Journal => Way::Retention,
        }
    }

    fn report(&self, found: &[Found], documents: BTreeMap<String, u64>, done: bool) -> Result<Report, EraseError> {
        let names: Vec<String> = found.iter().map(|found| found.topic.clone()).collect();
        let lifetimes = self.topics.lifetimes(self.config, &names)?;
        let topic = |found: &Found| Topic::new(found, self.way(found), lifetimes[&found.topic], now());
        let collections = documents.into_iter().map(|(name, documents)| Collection { name, documents });
        Ok(Report {
            fingerprint: fingerprint(self.patient),
            done,
            last_reading: last_reading(found),
            open_alerts: found.iter().map(Found::open).sum(),
            collections: collections.collect(),
            topics: found.iter().map(topic).collect(),
        })
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, EraseError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(EraseError::Runtime)
}

/// Whether a group has committed as far as that on each partition. While a transaction is open, it has not.
fn have_passed(records: &Records, ends: &[(&str, i32, i64)]) -> Result<bool, EraseError> {
    for (topic, partition, end) in ends {
        match records.committed(topic, *partition) {
            Ok(Some((next, _))) if next >= *end => {}
            Ok(_) | Err(ReadError::Unsettled { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

fn wait(late: &'static str, mut is_done: impl FnMut() -> Result<bool, EraseError>) -> Result<(), EraseError> {
    let until = Instant::now() + PATIENCE;
    while !is_done()? {
        if Instant::now() > until {
            return Err(EraseError::Late(late));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
