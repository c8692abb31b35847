//! What a process does with the published set: finds it at start, takes each later one up.

use std::sync::Arc;
use std::time::Duration;

use triage_core::diagnostic::Style;

use super::set::Publication;
use super::topic::{Reader, publish};
use super::{PublishError, RuleSet};
use crate::config::Config;
use crate::engine::EndError;
use crate::kafka::topics::{TopicError, Topics};
use crate::rules::{Compiled, Rejected, RuleFiles};
use crate::shared::{Current, Shared};
use crate::shutdown::{Backoff, Shutdown};

/// How often the follower looks whether it is to end.
const IDLE: Duration = Duration::from_millis(100);

/// What the topic says at start.
pub(crate) enum Found {
    /// This is to run; the reader goes on behind it.
    Published(Box<Publication>, Box<Reader>),
    /// There is nothing, and there was nothing to publish.
    Nothing,
    /// The shutdown was asked for.
    Stopped,
}

/// Waits for the broker; the published set, or `folder` once it is published because nothing was.
pub(crate) fn find(
    (config, topics): (&Config, &Topics),
    folder: Option<(&RuleSet, &str)>,
    shutdown: &Shutdown,
    say: impl Fn(Option<String>),
) -> Result<Found, TopicError> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(5));
    while !shutdown.is_asked() {
        tracing::debug!("looking for published rules");
        let error = match topics.ensure_rule_sets(config) {
            Ok(()) => match look(config, folder) {
                Ok(Some(found)) => {
                    say(None);
                    return Ok(found);
                }
                Ok(None) => continue,
                Err(error) => error.to_string(),
            },
            Err(error) if error.is_passing() => error.to_string(),
            Err(error) => return Err(error),
        };
        let servers = config.kafka.bootstrap_servers.as_str();
        tracing::warn!(error, servers, "it is not known which rules are published; trying again");
        say(Some(error));
        shutdown.sleep(backoff.take());
    }
    Ok(Found::Stopped)
}

/// None after publishing: it is read again, for another may have been quicker.
fn look(config: &Config, folder: Option<(&RuleSet, &str)>) -> Result<Option<Found>, PublishError> {
    let reader = Reader::open(&config.kafka)?;
    if let Some((_, problem)) = reader.assembly.problem() {
        tracing::error!(%problem, "a published rule set is ignored");
    }
    if let Some(publication) = reader.assembly.latest() {
        return Ok(Some(Found::Published(Box::new(publication.clone()), Box::new(reader))));
    }
    let Some((set, version)) = folder else { return Ok(Some(Found::Nothing)) };
    if publish(&config.kafka, set, version, true)?.is_some() {
        tracing::info!(version, "rules published: nothing was");
    }
    Ok(None)
}

/// What is published for the group at this moment.
pub(crate) fn latest(config: &Config) -> Result<Option<Publication>, PublishError> {
    Ok(Reader::open(&config.kafka)?.assembly.latest().cloned())
}

/// What was published for the group under that version.
pub(crate) fn of_version(config: &Config, version: &str) -> Result<Option<RuleFiles>, PublishError> {
    let reader = Reader::looking_for(&config.kafka, version)?;
    Ok(reader.assembly.found().map(RuleSet::files))
}

impl Publication {
    pub(crate) fn compile(&self) -> Result<Compiled, Rejected> {
        self.set.files().compile_aside()
    }
}

/// Before any reading is judged: makes the published set the current one. None if the shutdown was asked for.
pub(crate) fn settle(shared: &Shared, folder: Option<(&RuleSet, &str)>) -> Result<Option<Box<Reader>>, EndError> {
    let say = |trouble| shared.board.set_trouble(trouble);
    let (publication, reader) = match find((&shared.config, &shared.topics), folder, &shared.shutdown, say)? {
        Found::Published(publication, reader) => (publication, reader),
        Found::Nothing => return Err(EndError::Withdrawn),
        Found::Stopped => return Ok(None),
    };
    let compiled = publication.compile().map_err(|rejected| EndError::Published(rejected.render(Style::Plain)))?;
    let current = shared.current.load_full();
    if compiled.program.version() != current.program.version() {
        shared.metrics.ruleset(compiled.program.version());
        shared.current.store(Arc::new(Current { generation: current.generation + 1, program: compiled.program }));
    }
    shared.published.dealt_with(&publication, None);
    shared.compare_folder();
    Ok(Some(reader))
}

/// Takes up what is published, until the shutdown is asked for.
pub(crate) fn follow(shared: &Shared, reader: Box<Reader>) {
    let mut reader = Some(reader);
    let mut complained = None;
    let mut retired = Vec::new();
    let mut backoff = fresh_backoff();
    while !shared.shutdown.is_asked() {
        retired.retain(|old| Arc::strong_count(old) > 1);
        reader.take_if(|reader| reader.is_outdated());
        let result = match reader.as_mut() {
            Some(reader) => reader.poll(IDLE).map(|_| ()),
            None => Reader::open(&shared.config.kafka).map(|opened| reader = Some(Box::new(opened))),
        };
        if let Err(error) = result {
            tracing::error!(%error, "published rules cannot be followed; trying again");
            shared.published.lost(error.to_string());
            reader = None;
            shared.shutdown.sleep(backoff.take());
            continue;
        }
        let Some(assembly) = reader.as_ref().map(|reader| &reader.assembly) else { continue };
        if let Some((offset, problem)) = assembly.problem().filter(|(offset, _)| complained != Some(*offset)) {
            complained = Some(*offset);
            tracing::error!(%problem, "a published rule set is ignored, the old rules stay");
            shared.published.set_trouble(problem.to_string());
        }
        if let Some(publication) = assembly.latest() {
            deal_with(shared, publication, &mut retired, &mut backoff);
        }
    }
}

/// A failure that passes is tried again at the next look. The rule set before is kept in `retired` until no worker has it: to free
/// a large one takes a while, which no reading is to wait for.
fn deal_with(shared: &Shared, publication: &Publication, retired: &mut Vec<Arc<Current>>, backoff: &mut Backoff) {
    if shared.published.known().offset == Some(publication.offset) {
        return;
    }
    match take_up(shared, publication) {
        Ok(old) => {
            retired.extend(old);
            shared.published.dealt_with(publication, None);
            *backoff = fresh_backoff();
        }
        Err(NotTakenUp::Topics(error)) if error.is_passing() => {
            tracing::warn!(%error, "published rules are not taken up yet; trying again");
            shared.published.set_trouble(error.to_string());
            shared.shutdown.sleep(backoff.take());
        }
        Err(reason) => {
            tracing::error!(version = publication.pointer.version, %reason, "published rules cannot run here, the old rules stay");
            shared.published.dealt_with(publication, Some(reason.to_string()));
        }
    }
    shared.compare_folder();
}

/// Why a published set does not run here.
#[derive(Debug, thiserror::Error)]
enum NotTakenUp {
    #[error("{}", .0.render(Style::Plain))]
    Rules(Box<Rejected>),
    #[error("the stream is `{0}`: its readings are somewhere else, so this needs a restart")]
    OtherStream(String),
    #[error(transparent)]
    Topics(#[from] TopicError),
}

/// Makes it the current one; the one before, unless it is the same.
fn take_up(shared: &Shared, publication: &Publication) -> Result<Option<Arc<Current>>, NotTakenUp> {
    let program = match shared.published.take_aside(&publication.set) {
        Some(program) => program,
        None => publication.compile().map_err(|rejected| NotTakenUp::Rules(Box::new(rejected)))?.program,
    };
    let old = shared.current.load_full();
    if program.version() == old.program.version() {
        return Ok(None);
    }
    if program.stream() != old.program.stream() {
        return Err(NotTakenUp::OtherStream(program.stream().to_owned()));
    }
    shared.topics.ensure(&shared.config, &program)?;
    shared.metrics.ruleset(program.version());
    tracing::info!(
        before = old.program.version(),
        after = program.version(),
        by = publication.pointer.by,
        "rules taken up"
    );
    shared.board.forget_episodes();
    shared.current.store(Arc::new(Current { generation: old.generation + 1, program }));
    Ok(Some(old))
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(250), Duration::from_secs(5))
}
