//! Collections that cannot be written to for now, while the others can: their topics are paused where the first document
//! waits, and read again from there after a while. Nothing is kept in memory, and no offset beyond it is committed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::places::Places;
use super::route::Routes;
use crate::kafka::measure::Measures;
use crate::metrics::Metrics;
use crate::shutdown::Backoff;
use crate::sink::Waiting;

/// How long a collection waits the first time, and at most.
const FIRST: Duration = Duration::from_secs(1);
const MOST: Duration = Duration::from_secs(30);

/// How long librdkafka may take to go back.
const SEEKING: Duration = Duration::from_secs(10);

/// The collections that wait.
#[derive(Debug, Default)]
pub(crate) struct WaitingTopics(BTreeMap<Arc<str>, Wait>);

#[derive(Debug)]
struct Wait {
    backoff: Backoff,
    /// None while it is being tried again.
    until: Option<Instant>,
}

impl WaitingTopics {
    /// Nothing could be written to the collection.
    pub(crate) fn put_aside(&mut self, waiting: Waiting, metrics: &Metrics) {
        let fresh = || Wait { backoff: Backoff::new(FIRST, MOST), until: None };
        let wait = self.0.entry(Arc::clone(&waiting.collection)).or_insert_with(fresh);
        let pause = wait.backoff.take();
        wait.until = Some(Instant::now() + pause);
        let Waiting { collection, reason } = waiting;
        tracing::error!(%collection, reason, ?pause, "the collection cannot be written to; its documents wait");
        metrics.store_waits(&collection, true);
        metrics.store_failed();
    }

    /// The collection has been written to.
    pub(crate) fn is_written(&mut self, collection: &str, metrics: &Metrics) {
        if self.0.remove(collection).is_some() {
            tracing::info!(collection, "the collection is written to again");
            metrics.store_waits(collection, false);
        }
    }

    /// Pauses the topics of what waits; `first` says where to go on.
    pub(crate) fn pause(&self, consumer: &BaseConsumer<Measures>, routes: &Routes, first: &Places) -> KafkaResult<()> {
        let paused = self.partitions(consumer, routes, |wait| wait.until.is_some())?;
        if paused.count() == 0 {
            return Ok(());
        }
        consumer.pause(&paused)?;
        // A partition that is no longer ours is read from where it is committed, by whoever has it now.
        for place in first.within(&paused)?.elements() {
            let Offset::Offset(offset) = place.offset() else { continue };
            consumer.seek(place.topic(), place.partition(), Offset::Offset(offset), SEEKING)?;
        }
        Ok(())
    }

    /// Lets the topics go on whose time has come; none of them counts as written yet.
    pub(crate) fn resume(&mut self, consumer: &BaseConsumer<Measures>, routes: &Routes) -> KafkaResult<()> {
        let now = Instant::now();
        let is_due = |wait: &Wait| wait.until.is_some_and(|until| until <= now);
        if !self.0.values().any(is_due) {
            return Ok(());
        }
        consumer.resume(&self.partitions(consumer, routes, is_due)?)?;
        for wait in self.0.values_mut().filter(|wait| is_due(wait)) {
            wait.until = None;
        }
        Ok(())
    }

    /// Lets all go on at once: with another rule set, topics may have other collections.
    pub(crate) fn end(
        &mut self,
        consumer: &BaseConsumer<Measures>,
        routes: &Routes,
        metrics: &Metrics,
    ) -> KafkaResult<()> {
        consumer.resume(&self.partitions(consumer, routes, |_| true)?)?;
        for collection in std::mem::take(&mut self.0).into_keys() {
            metrics.store_waits(&collection, false);
        }
        Ok(())
    }

    /// The assigned partitions whose collection waits in the given way.
    fn partitions(
        &self,
        consumer: &BaseConsumer<Measures>,
        routes: &Routes,
        is_meant: impl Fn(&Wait) -> bool,
    ) -> KafkaResult<TopicPartitionList> {
        let mut partitions = TopicPartitionList::new();
        if self.0.is_empty() {
            return Ok(partitions);
        }
        for place in consumer.assignment()?.elements() {
            let is_meant = match routes.get(place.topic()) {
                Some(route) => self.0.get(&route.collection).is_some_and(&is_meant),
                // Resent documents may be of any collection.
                None => self.0.values().any(&is_meant),
            };
            if is_meant {
                partitions.add_partition(place.topic(), place.partition());
            }
        }
        Ok(partitions)
    }
}
