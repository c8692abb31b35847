//! One life of the store's clients: read, write, commit, again. An error that leaves here means new clients.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;
use triage_core::program::Limits;

use super::StoreError;
use super::batch::{Batch, Maker};
use super::places::Places;
use super::rebuild::Rebuild;
use super::route::{self, Routes};
use super::waiting::WaitingTopics;
use crate::config::{Config, KafkaConfig};
use crate::dead_letters::post::{Post, Refused};
use crate::dead_letters::taken::Taken;
use crate::dead_letters::{self, Stage};
use crate::erase::erased::Erased;
use crate::kafka::consumer::is_passing;
use crate::kafka::measure::{Measured, Measures, Place};
use crate::kafka::properties;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::rights::{explained, is_of_a_topic};
use crate::kafka::topics::RESENT_DOCUMENTS;
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::sink::{Sink, Waiting, Written};
use crate::tls::InUse;

/// How long a wait for a record is at most: the rule set and the shutdown are looked at in between.
const IDLE: Duration = Duration::from_millis(100);

/// How long the same batch is tried again before the clients are given up; below Kafka's `max.poll.interval.ms`.
const SINK_PATIENCE: Duration = Duration::from_mins(1);

/// A removed topic is left when it has been found empty so often, a second apart: a worker may still be writing to it.
const FOUND_EMPTY: u32 = 10;

/// One life of the store's clients.
pub(crate) struct Session<'s> {
    shared: &'s Shared,
    sink: Box<dyn Sink>,
    consumer: BaseConsumer<Measures>,
    /// The certificates of the Kafka clients.
    in_use: InUse,
    letters: Post,
    maker: Maker,
    routes: Routes,
    /// Topics that the rule set has no more, and how often they were found empty.
    leaving: BTreeMap<String, u32>,
    waiting: WaitingTopics,
    /// How many rebalances there had been when the batch at hand was begun.
    read_since: u64,
    committed: BTreeMap<(String, i32), i64>,
    /// If the store is being rebuilt.
    pub(super) rebuild: Option<Rebuild>,
}

impl<'s> Session<'s> {
    pub(crate) fn open(shared: &'s Shared, sink: Box<dyn Sink>) -> Result<Self, StoreError> {
        let in_use = shared.config.kafka.tls.in_use();
        let maker = maker(shared)?;
        // Before the consumer: it fences an earlier self, so that offsets of an open transaction are settled when they are
        // asked for.
        let id = shared.config.store_transactional_id();
        let producer = properties::producer(&shared.config.kafka_of_store(), &id, dead_letters::LARGEST);
        let letters = Post::open(Stage::Document, &producer)?;
        let consumer: BaseConsumer<Measures> =
            consumer_properties(&shared.config).create_with_context(Measures::default())?;
        let routes = route::of(maker.program());
        let session = Self {
            shared,
            sink,
            consumer,
            in_use,
            letters,
            maker,
            routes,
            leaving: BTreeMap::new(),
            waiting: WaitingTopics::default(),
            read_since: 0,
            committed: BTreeMap::new(),
            rebuild: None,
        };
        session.subscribe()?;
        Ok(session)
    }

    pub(crate) fn has_committed(&self) -> bool {
        !self.committed.is_empty()
    }

    /// Runs until the shutdown is asked for, or new certificates have been taken up; the batch at hand is written first.
    pub(crate) fn serve(&mut self) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        while !self.shared.shutdown.is_asked() && !self.in_use.is_outdated() {
            if self.shared.current.load().generation != self.maker.generation() {
                self.flush(&mut batch)?;
                self.take_up()?;
            }
            self.waiting.resume(&self.consumer, &self.routes)?;
            self.gather(&mut batch)?;
            let config = &self.shared.config.store;
            if batch.is_due(config.batch_documents, config.batch_age) {
                self.flush(&mut batch)?;
            }
            self.measure()?;
        }
        self.flush(&mut batch)
    }

    fn gather(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        let patience = batch.time_left(self.shared.config.store.batch_age).unwrap_or(IDLE).min(IDLE);
        match self.consumer.poll(patience) {
            None => Ok(()),
            Some(Ok(message)) => {
                if batch.is_empty() {
                    self.read_since = self.consumer.context().rebalances();
                }
                if message.topic() != RESENT_DOCUMENTS && !self.routes.contains_key(message.topic()) {
                    return Err(StoreError::Unasked(message.topic().to_owned()));
                }
                batch.add(Taken::new(message.detach(), RESENT_DOCUMENTS), &self.routes, &mut self.maker);
                Ok(())
            }
            Some(Err(error)) if !is_passing(&error) => Err(error.into()),
            Some(Err(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownTopicOrPartition))) => {
                tracing::debug!("a topic of the store is not there yet");
                Ok(())
            }
            Some(Err(error)) if is_of_a_topic(&error) => {
                let topics: Vec<&str> = self.routes.keys().map(String::as_str).chain([RESENT_DOCUMENTS]).collect();
                tracing::error!(%error, ?topics, "the store lacks the right `Read` on one of its topics, which waits");
                Ok(())
            }
            Some(Err(error)) => {
                tracing::warn!(error = explained(&error), "the store's poll failed, and is tried again");
                Ok(())
            }
        }
    }

    /// Another rule set: its topics are read from their beginning, those it lacks until they are empty.
    fn take_up(&mut self) -> Result<(), StoreError> {
        self.maker = maker(self.shared)?;
        let wanted = route::of(self.maker.program());
        for (topic, route) in std::mem::take(&mut self.routes) {
            if !wanted.contains_key(&topic) {
                self.leaving.entry(topic.clone()).or_insert(0);
                self.routes.insert(topic, route);
            }
        }
        self.leaving.retain(|topic, _| !wanted.contains_key(topic));
        self.waiting.end(&self.consumer, &self.routes, &self.shared.metrics)?;
        self.routes.extend(wanted);
        Ok(self.subscribe()?)
    }

    fn subscribe(&self) -> KafkaResult<()> {
        let topics: Vec<&str> = self.routes.keys().map(String::as_str).chain([RESENT_DOCUMENTS]).collect();
        tracing::info!(?topics, "the store reads");
        self.consumer.subscribe(&topics)
    }

    /// Writes the batch, sends what is no document to the dead letters, commits. In this order, so that nothing is skipped.
    fn flush(&mut self, batch: &mut Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut batch = std::mem::take(batch);
        let written = self.write(&batch)?;
        self.count(&batch, &written);
        let first_waiting = batch.first_waiting(&written.waiting);
        let letters = batch.letters(&written.refusals, &first_waiting);
        if letters.is_empty() {
            self.commit(&batch.ends, &first_waiting);
        } else {
            tracing::warn!(records = letters.len(), "records that cannot be stored go to the dead letters");
            self.send(&letters, &batch, &first_waiting)?;
            for letter in &letters {
                self.shared.metrics.store_dead_letter(letter.reason);
            }
        }
        self.wait(&batch, written.waiting, &first_waiting)
    }

    /// Letters never go without the offsets of their batch. What another process may have read since, it sends.
    fn send(&mut self, letters: &[Refused], batch: &Batch, first_waiting: &Places) -> Result<(), StoreError> {
        if self.consumer.context().rebalances() != self.read_since {
            return Err(StoreError::Moved);
        }
        let places = batch.ends.to_commit(&self.consumer.position()?, first_waiting)?;
        let group = self.consumer.group_metadata().ok_or(StoreError::Moved)?;
        self.letters.send(letters, &places, &group)?;
        self.committed.extend(offsets(&places));
        Ok(())
    }

    /// Puts the topics of collections that wait aside, and brings those back that are written again.
    fn wait(&mut self, batch: &Batch, waiting: Vec<Waiting>, first: &Places) -> Result<(), StoreError> {
        for document in &batch.documents {
            if waiting.iter().all(|waiting| waiting.collection != document.collection) {
                self.waiting.is_written(&document.collection, &self.shared.metrics);
            }
        }
        for waiting in waiting {
            self.waiting.put_aside(waiting, &self.shared.metrics);
        }
        Ok(self.waiting.pause(&self.consumer, &self.routes, first)?)
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, StoreError> {
        let deadline = Instant::now() + SINK_PATIENCE;
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        let mut held = false;
        loop {
            let error = match self.sink.write(&batch.documents) {
                Ok(written) => {
                    self.shared.technical.store_fails(false);
                    if held {
                        // Topics whose collections wait are paused again when the batch is done.
                        self.consumer.resume(&self.consumer.assignment()?)?;
                    }
                    return Ok(written);
                }
                Err(error) => error,
            };
            self.shared.metrics.store_failed();
            self.shared.technical.store_fails(true);
            if self.shared.shutdown.is_asked() || Instant::now() > deadline {
                return Err(error.into());
            }
            tracing::warn!(%error, documents = batch.documents.len(), "a write to the store failed, and is tried again");
            self.hold(backoff.take())?;
            held = true;
            self.shared.metrics.store_retried();
        }
    }

    /// Waits with every partition paused: nothing more is fetched. Polls all the same, so that the group keeps this member.
    fn hold(&self, pause: Duration) -> Result<(), StoreError> {
        let until = Instant::now() + pause;
        while !self.shared.shutdown.is_asked() {
            // A rebalance may have brought partitions that are not paused yet.
            self.consumer.pause(&self.consumer.assignment()?)?;
            let left = until.saturating_duration_since(Instant::now());
            match self.consumer.poll(left.min(IDLE)) {
                Some(Ok(_)) => return Err(StoreError::Moved),
                Some(Err(error)) if !is_passing(&error) => return Err(error.into()),
                Some(Err(_)) | None if left.is_zero() => return Ok(()),
                Some(Err(_)) | None => {}
            }
        }
        Ok(())
    }

    fn count(&self, batch: &Batch, written: &Written) {
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for document in &batch.documents {
            *counts.entry(&document.collection).or_default() += 1;
        }
        for refusal in &written.refusals {
            if let Some(document) = batch.documents.get(refusal.position) {
                counts.entry(&document.collection).and_modify(|count| *count -= 1);
            }
        }
        for waiting in &written.waiting {
            counts.remove(&*waiting.collection);
        }
        for (collection, count) in counts {
            self.shared.metrics.store_written(collection, count);
        }
        tracing::debug!(documents = batch.documents.len(), "documents written");
    }

    /// Commits how far the batch has come: all of it is written. A commit that fails costs only a second write of the same
    /// documents.
    fn commit(&mut self, ends: &Places, first_waiting: &Places) {
        let result = self.consumer.position().and_then(|position| {
            let places = ends.to_commit(&position, first_waiting)?;
            if places.count() > 0 {
                self.consumer.commit(&places, CommitMode::Sync)?;
            }
            Ok(places)
        });
        match result {
            Ok(places) => self.committed.extend(offsets(&places)),
            Err(error) => {
                tracing::warn!(
                    error = explained(&error),
                    "offsets are not committed; they will be with the next batch"
                );
            }
        }
    }

    /// Publishes the lag, and leaves topics that are gone and empty.
    fn measure(&mut self) -> Result<(), StoreError> {
        let Some(measured) = self.consumer.context().take() else { return Ok(()) };
        let mut behind = 0;
        for ((topic, partition), place) in &measured {
            let lag = self.lag(topic, *partition, *place).max(0);
            self.shared.metrics.store_lag(topic, *partition, lag);
            behind += lag;
        }
        self.shared.technical.store_is_behind_by(behind);
        if let Some(rebuild) = &mut self.rebuild
            && rebuild.is_over(&self.consumer.position()?)
        {
            self.rebuild = None;
        }
        self.leave_empty_topics(&measured)
    }

    /// A topic is empty if every partition of it that we have is; while a rebalance leaves us with none, nothing is known.
    fn leave_empty_topics(&mut self, measured: &Measured) -> Result<(), StoreError> {
        let assigned = self.consumer.assignment()?;
        if self.leaving.is_empty() || assigned.count() == 0 {
            return Ok(());
        }
        let assigned: Vec<(String, i32)> =
            assigned.elements().iter().map(|place| (place.topic().to_owned(), place.partition())).collect();
        let mut left = false;
        for (topic, found_empty) in std::mem::take(&mut self.leaving) {
            let mut ours = assigned.iter().filter(|(of, _)| *of == topic);
            let empty =
                ours.all(|place| measured.get(place).is_some_and(|known| self.lag(&topic, place.1, *known) <= 0));
            let found_empty = if empty { found_empty + 1 } else { 0 };
            if found_empty < FOUND_EMPTY {
                self.leaving.insert(topic, found_empty);
                continue;
            }
            tracing::info!(topic, "the topic is gone and empty; the store leaves it");
            self.routes.remove(&topic);
            left = true;
        }
        if left {
            self.subscribe()?;
        }
        Ok(())
    }

    fn lag(&self, topic: &str, partition: i32, place: Place) -> i64 {
        let ours = self.committed.get(&(topic.to_owned(), partition)).copied().unwrap_or(0);
        place.end - place.committed.max(ours)
    }
}

fn limits(config: &Config) -> Limits {
    let skew = i64::try_from(config.engine.max_skew.as_millis()).unwrap_or(i64::MAX);
    Limits { value_bytes: config.engine.max_record_bytes, skew_ms: Some(skew) }
}

/// By the rule set that runs, and with all who have been erased until now: a topic that is new is read from its beginning.
fn maker(shared: &Shared) -> Result<Maker, StoreError> {
    let current = shared.current.load_full();
    let records = reader(shared)?;
    let erased = Erased::read(&records)?;
    Ok(Maker::new(current, limits(&shared.config), erased))
}

/// Reads topics with the store's own rights.
pub(super) fn reader(shared: &Shared) -> Result<Records, ReadError> {
    let group = shared.config.store.group.clone();
    Records::new(&KafkaConfig { group, ..shared.config.kafka_of_store() })
}

pub(super) fn consumer_properties(config: &Config) -> ClientConfig {
    let mut properties = properties::consumer(&config.kafka_of_store());
    properties.set("group.id", &config.store.group);
    // A topic that is made after the subscription is found soon.
    properties.set("topic.metadata.refresh.interval.ms", "2000");
    properties.remove("group.instance.id"); // it names a worker's consumer
    // What is fetched ahead: a few batches.
    if !config.kafka.properties.contains_key("queued.max.messages.kbytes") {
        properties.set("queued.max.messages.kbytes", "2048");
    }
    properties
}

fn offsets(places: &TopicPartitionList) -> BTreeMap<(String, i32), i64> {
    let elements = places.elements();
    let known = elements
        .iter()
        .filter_map(|place| Some(((place.topic().to_owned(), place.partition()), place.offset().to_raw()?)));
    known.collect()
}
