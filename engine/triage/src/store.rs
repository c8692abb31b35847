//! The store: downstream of Kafka, in a consumer group of its own, so that it neither delays the engine nor is delayed by
//! it. Writes first, commits offsets afterwards; what is read twice is written under the same `_id` twice.

mod batch;
mod document;
mod expiry;
mod places;
mod rebuild;
mod route;
mod session;
mod waiting;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use triage_core::program::Program;

use crate::config::StoreConfig;
use crate::erase::erased::ErasedError;
use crate::kafka::login::refused_user;
use crate::kafka::records::ReadError;
use crate::kafka::rights::explained;
use crate::kafka::transaction::TransactionError;
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::sink::mongo::MongoSink;
use crate::sink::sqlite::SqliteSink;
use crate::sink::{Sink, Unavailable};
use rebuild::Rebuild;
use session::Session;

/// How long the store waits for the engine to have made the topics.
const TOPICS: Duration = Duration::from_secs(5);

/// Why the store begins anew, at the offsets that are committed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// A Kafka client failed.
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// The broker does not let the store in.
    #[error(
        "the broker refuses the user or the password of `{0}`: see `store.sasl_username` and `store.sasl_password_file`"
    )]
    Login(String),
    /// The sink was away for too long.
    #[error("the documents cannot be written: {0}")]
    Sink(#[from] Unavailable),
    /// Dead letters and their offsets were not committed together.
    #[error("dead letters are not sent: {0}")]
    Letters(#[from] TransactionError),
    /// A topic cannot be read beside the consumer.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Who has been erased cannot be told.
    #[error(transparent)]
    Erased(#[from] ErasedError),
    /// Somebody reads in the store's name.
    #[error("the store cannot be rebuilt while another process reads in the group `{0}`: stop that one's engine first")]
    Busy(String),
    /// A record came that nobody asked for.
    #[error("a record of the topic `{0}` came, which is not stored")]
    Unasked(String),
    /// A partition went to another process while documents or dead letters of it were waiting; they are its to write.
    #[error("a partition has moved while something of it was waiting")]
    Moved,
}

/// Starts the store's threads, if a store is configured. A store that is away does not keep the engine from starting.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Vec<JoinHandle<()>>, std::io::Error> {
    let (Some(connect), Some(connect_too)) = (connector(&shared.config.store), connector(&shared.config.store)) else {
        return Ok(Vec::new());
    };
    let expiry = expiry::start(shared, connect_too)?;
    let shared = Arc::clone(shared);
    let body = move || run(&shared, &connect);
    let store = std::thread::Builder::new().name("store".to_owned()).spawn(body)?;
    Ok([store].into_iter().chain(expiry).collect())
}

/// The Kafka topics that are stored under a rule set.
pub(crate) fn stored_topics(program: &Program) -> Vec<String> {
    route::of(program).into_keys().collect()
}

pub(crate) type Connector = Box<dyn Fn() -> Result<Box<dyn Sink>, Unavailable> + Send>;

/// What opens the store's place for documents; none if no store is configured.
pub(crate) fn connector(config: &StoreConfig) -> Option<Connector> {
    if let Some(path) = config.sqlite.clone() {
        return Some(Box::new(move || Ok(Box::new(SqliteSink::open(&path)?))));
    }
    let uri = config.mongodb.uri.clone()?;
    let (database, tls) = (config.mongodb.database.clone(), config.mongodb.tls.clone());
    Some(Box::new(move || Ok(Box::new(MongoSink::open(&uri, &database, &tls)?))))
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
    let mut again = Again { wanted: shared.config.store.rebuild, under_way: None };
    while !shared.shutdown.is_asked() {
        let mut progressed = false;
        let Err(error) = serve(shared, connect, &mut again, &mut progressed) else { continue };
        if progressed {
            backoff = fresh_backoff();
        }
        tracing::error!(%error, "the store begins anew");
        shared.metrics.store_retried();
        shared.shutdown.sleep(backoff.take());
    }
}

/// A rebuild: it is begun once, and goes on whatever fails.
struct Again {
    wanted: bool,
    under_way: Option<Rebuild>,
}

fn serve(shared: &Shared, connect: &Connector, again: &mut Again, progressed: &mut bool) -> Result<(), StoreError> {
    let sink = connect().inspect_err(|_| {
        shared.metrics.store_failed();
        shared.technical.store_fails(true);
    })?;
    if again.wanted {
        again.under_way = Some(rebuild::begin(shared, &session::reader(shared)?)?);
        again.wanted = false;
    }
    let mut session = Session::open(shared, sink).map_err(|error| not_let_in(shared).unwrap_or(error))?;
    session.rebuild = again.under_way.take();
    let result = session.serve();
    again.under_way = session.rebuild.take();
    *progressed = session.has_committed();
    result
}

/// A user of the engine's who is refused is told of where the engine looks at its topics.
fn not_let_in(shared: &Shared) -> Option<StoreError> {
    shared.config.store.sasl_username.as_ref()?;
    refused_user(&shared.config.kafka_of_store()).map(StoreError::Login)
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
}
