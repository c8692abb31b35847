//! A running engine: workers, web side and reloads of one process, from start to end. `triage run`, the demonstration and
//! the tests all use this.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use triage_core::diagnostic::Style;

use crate::alerts::{self, Speaker, tombstones};
use crate::config::Config;
use crate::http::{BindError, Listening, Site, watch_tokens};
use crate::kafka::properties::{self, PropertyError};
use crate::kafka::topics::{Layout, TopicError, Topics};
use crate::metrics::Metrics;
use crate::published::{self, Found, RuleSet};
use crate::reload::watch::{WatchError, watch};
use crate::reload::{ReloadOutcome, Reloads};
use crate::rules::{Compiled, Rejected, RuleFiles};
use crate::scores;
use crate::shared::{Board, Current, Shared};
use crate::shutdown::{Backoff, Shutdown};
use crate::store;
use crate::technical;
use crate::tls::{Condition, FileError, watch as watch_certificates};
use crate::webhook;
use crate::worker;

/// How often a running engine looks at its topics.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why an engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The rules are wrong.
    #[error("{}", .0.render(Style::Plain))]
    Rules(Box<Rejected>),
    /// The web side would be open to everybody.
    #[error("`http.listen` is {0}, which other machines can reach: set `http.token` or `http.token_file`")]
    Unguarded(SocketAddr),
    /// A property of librdkafka cannot be passed through.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The client that makes topics cannot be made.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// Certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] FileError),
    /// The web side cannot begin.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// The published rules do not compile here: they may be those of a newer engine.
    #[error("the rules folder is broken, and the published rules cannot run here:\n{}", .0.render(Style::Plain))]
    Published(Box<Rejected>),
    /// The rules folder cannot be watched.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A metric is declared wrongly.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The system gives no thread.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Why an engine ended without being asked.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// A topic is not as it must be, and waiting does not help.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The published rules do not compile here: they may be those of a newer engine.
    #[error("the published rules cannot run here:\n{0}")]
    Published(String),
    /// The published rules were withdrawn, and there is no folder to publish.
    #[error("no rules are published, and the rules folder is broken")]
    Withdrawn,
    /// A thread broke off: a bug.
    #[error("{0} broke off; this is a bug")]
    Broken(String),
    /// The system gives no thread.
    #[error("no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running engine. Dropping it without [`Engine::join`] leaves its threads running until the process ends.
#[derive(Debug)]
pub struct Engine {
    shared: Arc<Shared>,
    reloads: Arc<Reloads>,
    address: SocketAddr,
    supervisor: JoinHandle<Result<(), EndError>>,
    others: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Compiles the rules and starts; returns at once, also when the broker is away. `shutdown` ends it.
    ///
    /// # Errors
    /// The rules or the configuration are wrong, or the port is taken.
    pub fn start(config: Config, shutdown: Shutdown) -> Result<Self, StartError> {
        if config.is_unguarded() {
            return Err(StartError::Unguarded(config.http.listen));
        }
        properties::check(&config.kafka)?;
        config.kafka.tls.load()?;
        config.http.tls.load()?;
        let topics = Topics::new(&config.kafka)?;
        let read = RuleFiles::read(&config.rules.path).compile();
        let folder = read.as_ref().ok().map(|compiled| Folder {
            set: RuleSet::new(&compiled.files, &compiled.models),
            version: compiled.program.version().to_owned(),
        });
        let looks = read.as_ref().map_or_else(|rejected| &rejected.looks, |compiled| &compiled.looks).clone();
        let compiled = match read {
            Ok(compiled) => compiled,
            Err(rejected) => published_instead(&config, &topics, rejected, &shutdown)?,
        };
        let metrics = Arc::new(Metrics::new()?);
        metrics.ruleset(compiled.program.version());
        let listening = Listening::bind(&config.http)?;
        let address = listening.address();
        tracing::info!(
            version = compiled.program.version(),
            rules = compiled.program.rules().len(),
            stream = compiled.program.stream(),
            warnings = compiled.warnings.len(),
            "rules compiled"
        );
        let shared = Arc::new(Shared {
            board: Board::new(config.workers()),
            current: ArcSwap::from_pointee(Current { generation: 0, program: compiled.program }),
            topics,
            published: published::Board::default(),
            alerts: alerts::Board::default(),
            scores: scores::Board::default(),
            webhooks: webhook::Board::default(),
            technical: technical::Board::new(config.workers()),
            config,
            metrics,
            shutdown,
        });
        shared.published.set_folder(folder.as_ref().map(|folder| folder.version.clone()));
        let reloads = Arc::new(Reloads::new(Arc::clone(&shared), looks));
        let mut others = vec![serve(listening, &shared, &reloads)?];
        others.extend(watcher(&shared, &reloads)?);
        let metrics = Arc::clone(&shared.metrics);
        let tell = move |condition: &Condition| metrics.certificates(condition);
        others.push(watch_certificates(shared.config.credentials(), shared.shutdown.clone(), tell)?);
        let metrics = Arc::clone(&shared.metrics);
        let tell = move |refused: bool| metrics.tokens(refused);
        others.extend(watch_tokens(shared.config.http.tokens.clone(), shared.shutdown.clone(), tell)?);
        let supervised = Arc::clone(&shared);
        let supervisor = named("supervisor".to_owned(), move || supervise(&supervised, folder.as_ref()))?;
        Ok(Self { shared, reloads, address, supervisor, others })
    }

    /// Where the web side listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The metrics, for whoever else counts in this process.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.shared.metrics)
    }

    /// The version of the rule set that runs.
    pub fn version(&self) -> String {
        self.shared.current.load().program.version().to_owned()
    }

    /// Per partition the version of the rule set that judged its last committed reading.
    pub fn rulesets(&self) -> BTreeMap<i32, String> {
        let positions = self.shared.board.positions();
        positions.into_iter().map(|(partition, position)| (partition, position.ruleset)).collect()
    }

    /// Whether every worker judges readings.
    pub fn is_ready(&self) -> bool {
        self.shared.board.all_ready()
    }

    /// What is wrong with the broker or its topics, if anything is.
    pub fn trouble(&self) -> Option<String> {
        self.shared.board.trouble()
    }

    /// Reads the rules again; blocks until every worker has taken them up.
    pub fn reload(&self, asked_by: &str) -> ReloadOutcome {
        self.reloads.reload(asked_by)
    }

    /// How many reloads have been asked for, and what came of the last.
    pub fn last_reload(&self) -> (u64, Option<ReloadOutcome>) {
        self.reloads.last_numbered()
    }

    /// The Kafka topics that the store reads under the current rule set.
    pub fn stored_topics(&self) -> Vec<String> {
        store::stored_topics(&self.shared.current.load().program)
    }

    /// What asks for reloads, to be given to another thread.
    pub fn reloader(&self) -> Reloader {
        Reloader { reloads: Arc::clone(&self.reloads) }
    }

    /// Asks every thread to stop; batches at hand are committed first.
    pub fn shutdown(&self) {
        self.shared.shutdown.ask();
    }

    /// Waits until everything has ended.
    ///
    /// # Errors
    /// It ended without being asked.
    pub fn join(self) -> Result<(), EndError> {
        let result = self.supervisor.join().unwrap_or_else(|_| Err(EndError::Broken("the supervisor".to_owned())));
        self.shared.shutdown.ask();
        for thread in self.others {
            thread.join().map_err(|_| EndError::Broken("a thread of the web side".to_owned()))?;
        }
        result
    }
}

/// Asks a running engine for reloads.
#[derive(Debug, Clone)]
pub struct Reloader {
    reloads: Arc<Reloads>,
}

impl Reloader {
    /// Reads the rules again; blocks until every worker has taken them up.
    pub fn reload(&self, asked_by: &str) -> ReloadOutcome {
        self.reloads.reload(asked_by)
    }
}

fn serve(listening: Listening, shared: &Arc<Shared>, reloads: &Arc<Reloads>) -> Result<JoinHandle<()>, StartError> {
    let encrypted = shared.config.http.is_encrypted();
    tracing::info!(address = %listening.address(), encrypted, "web side listens");
    let speaker = Speaker::new(&shared.config.kafka).map_err(TopicError::Broker)?;
    let site = Site { shared: Arc::clone(shared), reloads: Arc::clone(reloads), speaker };
    Ok(listening.serve(site, shared.shutdown.clone())?)
}

fn watcher(shared: &Arc<Shared>, reloads: &Arc<Reloads>) -> Result<Option<JoinHandle<()>>, StartError> {
    if !shared.config.rules.watch {
        return Ok(None);
    }
    let watching = watch(&shared.config.rules.path, Arc::clone(reloads), shared.shutdown.clone())?;
    Ok(Some(named("watch".to_owned(), watching)?))
}

/// A rules folder that compiled.
struct Folder {
    set: RuleSet,
    version: String,
}

/// The published rules, because the folder is broken; waits for the broker.
fn published_instead(
    config: &Config,
    topics: &Topics,
    rejected: Rejected,
    shutdown: &Shutdown,
) -> Result<Compiled, StartError> {
    let problems = rejected.render(Style::Plain);
    tracing::error!(problems, "the rules folder is broken; looking for published rules");
    match published::find((config, topics), None, shutdown, |_| {})? {
        Found::Published(publication, _) => {
            publication.compile().map_err(|rejected| StartError::Published(Box::new(rejected)))
        }
        Found::Nothing | Found::Stopped => Err(StartError::Rules(Box::new(rejected))),
    }
}

/// Waits for the broker, makes the topics, runs the workers to their end.
fn supervise(shared: &Arc<Shared>, folder: Option<&Folder>) -> Result<(), EndError> {
    let result = run_workers(shared, folder);
    if let Err(error) = &result {
        tracing::error!(%error, "the engine ends");
    }
    shared.shutdown.ask();
    result
}

fn run_workers(shared: &Arc<Shared>, folder: Option<&Folder>) -> Result<(), EndError> {
    let folder = folder.map(|folder| (&folder.set, folder.version.as_str()));
    let Some(reader) = published::settle(shared, folder)? else { return Ok(()) };
    let Some(layout) = wait_for_topics(shared)? else { return Ok(()) };
    let (looking, following) = (Arc::clone(shared), Arc::clone(shared));
    let mut others = vec![
        named("topics".to_owned(), move || look_at_topics(&looking))?,
        named("rule-sets".to_owned(), move || published::follow(&following, reader))?,
    ];
    others.extend(store::start(shared)?);
    others.extend(alerts::start(shared)?);
    others.push(tombstones::start(shared)?);
    // Before the workers: alerts that they send from now on are a webhook's to deliver, and none before that.
    others.extend(webhook::start(shared)?);
    others.push(technical::start(shared, layout)?);
    let mut workers = Vec::new();
    for index in 0..shared.config.workers() {
        let shared = Arc::clone(shared);
        workers.push(named(format!("worker-{index}"), move || worker::run(index, &shared, layout))?);
    }
    let mut broken = None;
    for (index, worker) in workers.into_iter().enumerate() {
        if worker.join().is_err() {
            broken = Some(EndError::Broken(format!("worker {index}")));
        }
    }
    shared.shutdown.ask();
    for other in others {
        let name = other.thread().name().unwrap_or("a thread").to_owned();
        if other.join().is_err() {
            broken = broken.or(Some(EndError::Broken(name)));
        }
    }
    broken.map_or(Ok(()), Err)
}

/// None if the shutdown was asked for meanwhile.
fn wait_for_topics(shared: &Shared) -> Result<Option<Layout>, TopicError> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
    while !shared.shutdown.is_asked() {
        let current = shared.current.load_full();
        match shared.topics.ensure(&shared.config, &current.program) {
            Ok(layout) => {
                shared.board.set_trouble(None);
                return Ok(Some(layout));
            }
            Err(error) if error.is_passing() => {
                let servers = shared.config.kafka.bootstrap_servers.as_str();
                tracing::warn!(%error, servers, "the topics cannot be looked at or made; trying again");
                shared.board.set_trouble(Some(error.to_string()));
            }
            Err(error) => return Err(error),
        }
        shared.shutdown.sleep(backoff.take());
    }
    Ok(None)
}

/// Others change topics while the engine runs. What does not fit any more is said before a record fails on it, if it can
/// be; the workers go on: what they cannot send they try again.
fn look_at_topics(shared: &Shared) {
    while !shared.shutdown.sleep(LOOK_EVERY) {
        match shared.topics.look(&shared.config, &shared.current.load_full().program) {
            Ok(()) => shared.board.set_trouble(None),
            Err(error) if error.is_passing() && !error.is_refusal() => {
                tracing::debug!(%error, "topics cannot be looked at");
            }
            Err(error) => {
                tracing::error!(%error, "topics are not as they must be any more, or the broker does not let us in");
                shared.board.set_trouble(Some(error.to_string()));
            }
        }
    }
}

fn named<T: Send + 'static>(
    name: String,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, std::io::Error> {
    std::thread::Builder::new().name(name).spawn(body)
}
