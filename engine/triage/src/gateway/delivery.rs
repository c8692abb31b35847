//! What the broker answered: every reading ends as delivered or failed, and nothing is swallowed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::Status;
use crate::kafka::rights::explained_on;

/// Counts of answers, and the broker's state as last heard.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    delivered: AtomicU64,
    failed: Mutex<BTreeMap<String, u64>>,
    away: Mutex<Option<String>>,
}

impl Deliveries {
    /// How it goes after `sent` readings.
    pub(super) fn status(&self, sent: u64) -> Status {
        // `failed` and `delivered` are read before they can grow past `sent`, which only the caller raises.
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let waiting = self.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status { sent, delivered: self.delivered.load(Ordering::Acquire), failed, waiting }
    }

    fn delivered(&self) {
        self.delivered.fetch_add(1, Ordering::Release);
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn failed(&self, reason: String) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += 1;
    }

    fn away(&self, reason: &str) {
        let text = format!("the broker does not answer ({reason}), trying again");
        *self.away.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// librdkafka's way to tell us.
pub(super) struct DeliveryContext(pub(super) Arc<Deliveries>);

impl ClientContext for DeliveryContext {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "gateway's broker connection failed");
        self.0.away(reason);
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): Self::DeliveryOpaque) {
        match result {
            Ok(_) => self.0.delivered(),
            Err((error, message)) => self.0.failed(explained_on(error, message.topic())),
        }
    }
}
