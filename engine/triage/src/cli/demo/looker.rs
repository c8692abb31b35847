//! Somebody who looks at every topic from outside, as any reader would: counts records, prints alerts as they come,
//! and what people say about them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::{BorrowedMessage, Message};
use triage_core::program::{Limits, read_pause};

use super::paint::Paint;
use crate::config::KafkaConfig;
use crate::kafka::properties;
use crate::kafka::records::record;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, is_for_people, topic_of_alerts};

/// The looker's thread.
pub(super) struct Looker {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    counts: Mutex<BTreeMap<String, u64>>,
    /// One past the last offset seen, by topic and partition.
    seen: Mutex<BTreeMap<(String, i32), i64>>,
    stop: AtomicBool,
}

impl Looker {
    pub(super) fn start(kafka: &KafkaConfig, paint: Paint) -> KafkaResult<Self> {
        let mut settings = properties::consumer(kafka);
        settings.set("group.id", "triage-demo");
        settings.set("topic.metadata.refresh.interval.ms", "500"); // topics of a reload are found soon
        let consumer: BaseConsumer = settings.create()?;
        consumer.subscribe(&["^[^_].*"])?;
        let shared = Arc::new(Shared::default());
        let body = {
            let shared = Arc::clone(&shared);
            move || look(&consumer, &shared, paint)
        };
        Ok(Self { shared, thread: std::thread::spawn(body) })
    }

    /// Whether everything before `end` has been seen.
    pub(super) fn has_reached(&self, topic: &str, partition: i32, end: i64) -> bool {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&(topic.to_owned(), partition)).is_some_and(|seen| *seen >= end)
    }

    /// Stops looking; how many records were seen, by topic.
    pub(super) fn finish(self) -> Vec<(String, u64)> {
        self.shared.stop.store(true, Ordering::Relaxed);
        // A looker that broke off has still counted.
        let _ = self.thread.join();
        let counts = self.shared.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let for_people = counts.iter().filter(|(topic, _)| is_for_people(topic));
        for_people.map(|(topic, count)| (topic.clone(), *count)).collect()
    }
}

fn look(consumer: &BaseConsumer, shared: &Shared, paint: Paint) {
    while !shared.stop.load(Ordering::Relaxed) {
        match consumer.poll(Duration::from_millis(50)) {
            Some(Ok(message)) => show(&message, shared, paint),
            Some(Err(error)) => tracing::debug!(%error, "the demonstration's reader"),
            None => {}
        }
        note_position(consumer, shared);
    }
}

fn show(message: &BorrowedMessage<'_>, shared: &Shared, paint: Paint) {
    *shared.counts.lock().unwrap_or_else(PoisonError::into_inner).entry(message.topic().to_owned()).or_default() += 1;
    if message.topic() == ACKNOWLEDGEMENTS {
        let limits = Limits::default();
        if let Some(pause) = read_pause(&record(message), &limits).filter(|_| message.partition() == 0) {
            println!("{}", paint.pause(&pause));
        }
        return;
    }
    if topic_of_alerts(message.topic()).is_none() {
        return;
    }
    match message.payload().map(serde_json::from_slice) {
        Some(Ok(alert)) => println!("{}", paint.alert(&alert)),
        Some(Err(error)) => tracing::error!(topic = message.topic(), %error, "an alert cannot be read"),
        None => {}
    }
}

fn note_position(consumer: &BaseConsumer, shared: &Shared) {
    let Ok(position) = consumer.position() else { return };
    let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
    for place in position.elements() {
        if let rdkafka::Offset::Offset(offset) = place.offset() {
            seen.insert((place.topic().to_owned(), place.partition()), offset);
        }
    }
}
