//! What librdkafka measures for a consumer behind the engine: ends and committed places of its partitions.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use super::consumer;

/// Where a partition ends, and how far the group had committed, as librdkafka last heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) end: i64,
    pub(crate) committed: i64,
}

/// Places by topic and partition.
pub(crate) type Measured = BTreeMap<(String, i32), Place>;

/// Keeps librdkafka's last statistics until they are taken, and counts rebalances.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    last: Mutex<Option<Measured>>,
    rebalances: AtomicU64,
}

impl Measures {
    pub(crate) fn take(&self) -> Option<Measured> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Rebalances so far; they happen inside a poll.
    pub(crate) fn rebalances(&self) -> u64 {
        self.rebalances.load(Ordering::Relaxed)
    }
}

impl ClientContext for Measures {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        consumer::log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::UnknownTopicOrPartition) {
            tracing::debug!(reason, "a topic is not there yet");
            return;
        }
        tracing::warn!(%error, reason, "the broker reports a problem to a consumer");
    }

    fn stats(&self, statistics: Statistics) {
        let mut measured = Measured::new();
        for (topic, of_topic) in statistics.topics {
            for partition in of_topic.partitions.values().filter(|partition| partition.fetch_state == "active") {
                if partition.ls_offset >= 0 {
                    let place = Place { end: partition.ls_offset, committed: partition.committed_offset.max(0) };
                    measured.insert((topic.clone(), partition.partition), place);
                }
            }
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(measured);
    }
}

impl ConsumerContext for Measures {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, _: &Rebalance<'_>) {
        self.rebalances.fetch_add(1, Ordering::Relaxed);
    }
}
