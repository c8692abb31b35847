//! The store: downstream of Kafka, in a consumer group of its own, so that it neither delays the engine nor is delayed by
//! it. Writes first, commits offsets afterwards; what is read twice is written under the same `_id` twice.

mod batch;
mod document;
mod places;
mod route;
mod session;
mod waiting;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use triage_core::program::Program;

use crate::config::StoreConfig;
use crate::kafka::transaction::TransactionError;
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::sink::mongo::MongoSink;
use crate::sink::sqlite::SqliteSink;
use crate::sink::{Sink, Unavailable};
use session::Session;

/// How long the store waits for the engine to have made the topics.
const TOPICS: Duration = Duration::from_secs(5);

/// Why the store begins anew, at the offsets that are committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A Kafka client failed.
    #[error("the broker cannot be used: {0}")]
    Kafka(#[from] KafkaError),
    /// The sink was away for too long.
    #[error("the documents cannot be written: {0}")]
    Sink(#[from] Unavailable),
    /// Dead letters and their offsets were not committed together.
    #[error("dead letters are not sent: {0}")]
    Letters(#[from] TransactionError),
    /// A record came that nobody asked for.
    #[error("a record of the topic `{0}` came, which is not stored")]
    Unasked(String),
    /// A partition went to another process while documents or dead letters of it were waiting; they are its to write.
    #[error("a partition has moved while something of it was waiting")]
    Moved,
}

/// Starts the store's thread, if a store is configured. A store that is away does not keep the engine from starting.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Option<JoinHandle<()>>, std::io::Error> {
    let Some(connect) = connector(&shared.config.store) else { return Ok(None) };
    let shared = Arc::clone(shared);
    let body = move || run(&shared, &connect);
    std::thread::Builder::new().name("store".to_owned()).spawn(body).map(Some)
}

/// The Kafka topics that are stored under a rule set.
pub(crate) fn stored_topics(program: &Program) -> Vec<String> {
    route::of(program).into_keys().collect()
}

type Connector = Box<dyn Fn() -> Result<Box<dyn Sink>, Unavailable> + Send>;

fn connector(config: &StoreConfig) -> Option<Connector> {
    if let Some(path) = config.sqlite.clone() {
        return Some(Box::new(move || Ok(Box::new(SqliteSink::open(&path)?))));
    }
    let uri = config.mongodb.uri.clone()?;
    let database = config.mongodb.database.clone();
    Some(Box::new(move || Ok(Box::new(MongoSink::open(&uri, &database)?))))
}

/// The engine makes the topics: a subscription to topics that are there is served at once. A broker or an engine in trouble
/// does not keep the store from what is already written.
fn wait_for_topics(shared: &Shared) {
    let deadline = Instant::now() + TOPICS;
    while !shared.board.all_ready() && Instant::now() < deadline && !shared.shutdown.sleep(Duration::from_millis(10)) {}
}

/// Until the shutdown is asked for. Whatever fails, it begins anew where it had committed, and skips nothing.
fn run(shared: &Shared, connect: &Connector) {
    wait_for_topics(shared);
    let mut backoff = fresh_backoff();
    while !shared.shutdown.is_asked() {
        let mut progressed = false;
        let Err(error) = serve(shared, connect, &mut progressed) else { return };
        if progressed {
            backoff = fresh_backoff();
        }
        tracing::error!(%error, "the store begins anew");
        shared.metrics.store_retried();
        shared.shutdown.sleep(backoff.take());
    }
}

fn serve(shared: &Shared, connect: &Connector, progressed: &mut bool) -> Result<(), StoreError> {
    let sink = connect().inspect_err(|_| {
        shared.metrics.store_failed();
        shared.technical.store_fails(true);
    })?;
    let mut session = Session::open(shared, sink)?;
    let result = session.serve();
    *progressed = session.has_committed();
    result
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
}
