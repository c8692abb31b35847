//! Whether the broker refuses user and password. librdkafka says so only to whoever polls a client; to a question that is asked
//! meanwhile it says that nobody answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::properties;
use crate::config::KafkaConfig;

/// How long a broker may take to refuse.
const PATIENCE: Duration = Duration::from_secs(3);

/// Hears of a refusal.
#[derive(Default)]
struct Listener(AtomicBool);

impl ClientContext for Listener {
    /// The clients whose trouble this is have said it all.
    fn log(&self, _: RDKafkaLogLevel, _: &str, _: &str) {}

    fn error(&self, error: KafkaError, _: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Authentication) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl ConsumerContext for Listener {}

/// The user whom the broker refuses; none if nobody logs in, or if that is not what is wrong. Blocks.
pub(crate) fn refused_user(config: &KafkaConfig) -> Option<String> {
    let user = config.properties.get("sasl.username")?.expose().to_owned();
    let client: BaseConsumer<Listener> = properties::plain(config).create_with_context(Listener::default()).ok()?;
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        // Whatever comes of this, only the context counts.
        let _ = client.poll(Duration::from_millis(100));
        if client.context().0.load(Ordering::Relaxed) {
            return Some(user);
        }
    }
    None
}
