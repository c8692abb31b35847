//! Webhooks: alerts of a topic sent on by `POST`, to a pager say. Each is downstream of Kafka, in a consumer group and on a thread
//! of its own, so that none delays the engine or another. Delivers first, commits offsets afterwards: what is sent twice
//! bears the same key twice.

mod attempt;
mod beginning;
mod board;
mod connection;
mod delivery;
mod lane;
mod session;
mod signature;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::error::KafkaError;
use triage_core::diagnostic::nearest;

use crate::config::{KafkaConfig, WebhookConfig};
use crate::kafka::rights::explained;
use crate::kafka::transaction::TransactionError;
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::tls::FileError;
pub(crate) use board::{Board, Condition};
use session::Session;

/// Why a webhook begins anew, at the offsets that are committed.
#[derive(Debug, thiserror::Error)]
enum WebhookError {
    /// A Kafka client failed.
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// A dead letter and its offset were not committed together.
    #[error("a dead letter is not sent: {0}")]
    Letter(#[from] TransactionError),
    /// The system gives no runtime.
    #[error("no runtime: {0}")]
    Runtime(#[from] std::io::Error),
    /// The configuration says half; it is refused before.
    #[error("`url` and `secret_file` are both needed")]
    Half,
    /// A delivery broke off: a bug.
    #[error("a delivery broke off; this is a bug: {0}")]
    Broken(tokio::task::JoinError),
    /// The certificate authorities that it is to trust cannot be used.
    #[error(transparent)]
    Authorities(#[from] FileError),
}

/// Settles where each webhook begins, and starts their threads.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>, std::io::Error> {
    let mut threads = Vec::new();
    for (topic, webhook) in &shared.config.webhooks {
        warn_of_unknown_topic(topic, shared);
        if let Err(error) = beginning::settle(&shared.config.kafka, topic) {
            tracing::error!(topic, %error, "where the webhook begins is not settled: older alerts may be sent too");
        }
        let (shared, topic, webhook) = (Arc::clone(shared), topic.clone(), webhook.clone());
        let thread = std::thread::Builder::new().name(format!("webhook-{topic}"));
        threads.push(thread.spawn(move || run(&shared, &topic, &webhook))?);
    }
    Ok(threads)
}

/// A webhook that waits for a topic which nobody writes to would be a pager that never rings.
fn warn_of_unknown_topic(topic: &str, shared: &Shared) {
    let current = shared.current.load();
    let with_alerts = || current.program.topics().iter().filter(|topic| topic.alerts).map(|topic| topic.name.as_str());
    if topic == "technical" || with_alerts().any(|known| known == topic) {
        return;
    }
    let meant = nearest(topic, with_alerts()).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    let trouble = format!("no rule of the topic `{topic}` has an alert{meant}");
    tracing::error!(topic, "the webhook has nothing to send: {trouble}");
    shared.webhooks.failed(topic, trouble);
}

/// Until the shutdown is asked for. Whatever fails, it begins anew where it had committed, and skips nothing.
fn run(shared: &Arc<Shared>, topic: &str, webhook: &WebhookConfig) {
    let mut backoff = fresh_backoff();
    while !shared.shutdown.is_asked() {
        let mut progressed = false;
        let Err(error) = serve(shared, topic, webhook, &mut progressed) else { continue };
        if progressed {
            backoff = fresh_backoff();
        }
        tracing::error!(topic, %error, "the webhook begins anew");
        shared.webhooks.failed(topic, error.to_string());
        shared.shutdown.sleep(backoff.take());
    }
}

fn serve(
    shared: &Arc<Shared>,
    topic: &str,
    webhook: &WebhookConfig,
    progressed: &mut bool,
) -> Result<(), WebhookError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut session = Session::open(shared, topic, webhook)?;
    let result = runtime.block_on(session.serve());
    *progressed = session.has_delivered();
    result
}

/// The consumer group of a topic's webhook: one each, so that none waits for another's rebalance.
fn group(config: &KafkaConfig, topic: &str) -> String {
    format!("{}-webhook-{topic}", config.group)
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(250), Duration::from_secs(10))
}
