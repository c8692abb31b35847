//! What cannot be stored goes to the dead letters, with the stage `document`: it is in nobody's way there, and not lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};

use crate::kafka::topics::DEAD_LETTERS;

/// How long a letter may take before the batch counts as failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// A record that is no document.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) record: Arc<OwnedMessage>,
    /// The short code.
    pub(crate) reason: &'static str,
    /// One sentence, without any value.
    pub(crate) sentence: String,
}

/// Sends letters, and waits until they have arrived.
pub(crate) struct Letters {
    producer: BaseProducer<Failures>,
}

impl Letters {
    pub(crate) fn open(properties: &ClientConfig) -> KafkaResult<Self> {
        Ok(Self { producer: properties.create_with_context(Failures::default())? })
    }

    /// Returns when all have been acknowledged; one that was not fails all, and they are sent again with their batch.
    pub(crate) fn send(&self, letters: &[Letter]) -> KafkaResult<()> {
        let deadline = Instant::now() + PATIENCE;
        for letter in letters {
            self.enqueue(letter, deadline)?;
        }
        while self.producer.in_flight_count() > 0 && Instant::now() < deadline {
            self.producer.poll(Duration::from_millis(1));
        }
        if self.producer.in_flight_count() > 0 || self.producer.context().0.swap(0, Ordering::Relaxed) > 0 {
            return Err(KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut));
        }
        Ok(())
    }

    fn enqueue(&self, letter: &Letter, deadline: Instant) -> KafkaResult<()> {
        let headers = headers(letter);
        loop {
            let mut record = BaseRecord::<[u8], [u8]>::to(DEAD_LETTERS).partition(letter.record.partition());
            record.key = letter.record.key();
            record.payload = letter.record.payload();
            record.timestamp = letter.record.timestamp().to_millis();
            record.headers = Some(headers.clone());
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if Instant::now() < deadline => {
                    self.producer.poll(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error),
            }
        }
    }
}

/// The same headers as those of a reading's dead letter.
fn headers(letter: &Letter) -> OwnedHeaders {
    let record = &letter.record;
    let timestamp = record.timestamp().to_millis().map(|timestamp| timestamp.to_string());
    let (partition, offset) = (record.partition().to_string(), record.offset().to_string());
    let known = [
        ("stage", Some("document")),
        ("reason", Some(letter.reason)),
        ("sentence", Some(letter.sentence.as_str())),
        ("topic", Some(record.topic())),
        ("partition", Some(partition.as_str())),
        ("offset", Some(offset.as_str())),
        ("timestamp", timestamp.as_deref()),
    ];
    let mut headers = OwnedHeaders::new_with_capacity(known.len());
    for (key, value) in known.into_iter().filter(|(_, value)| value.is_some()) {
        headers = headers.insert(Header { key, value });
    }
    headers
}

/// Counts letters that did not arrive.
#[derive(Debug, Default)]
struct Failures(AtomicU64);

impl ClientContext for Failures {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "the broker reports a problem to the store");
    }
}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            tracing::warn!(%error, "a dead letter was not delivered");
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
