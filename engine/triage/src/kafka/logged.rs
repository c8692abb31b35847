//! The context of clients that only ask or read: what librdkafka has to say goes to our log. Its default goes to a log that
//! nobody keeps.

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;

use super::consumer::log;

/// Logs, and does nothing else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logged;

impl ClientContext for Logged {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "the broker reports a problem");
    }
}

impl ConsumerContext for Logged {}
