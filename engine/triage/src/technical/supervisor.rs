//! The thread that asks what is wrong and tells of it, once a second.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use triage_core::monitor::{Findings, Monitor, Settings};

use super::alert::{Alert, Left, Origin, Telling, priority};
use super::board::Told;
use super::conditions::{Conditions, Facts, Rounds};
use super::episode::Episodes;
use super::heartbeat::Heartbeat;
use super::topic::{Remains, SendError, Sender, remains, stream_end};
use super::words::Words;
use crate::clock::now;
use crate::kafka::records::{ReadError, Records};
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::webhook::Condition;

/// How often it asks.
const LOOK: Duration = Duration::from_secs(1);

/// Who was not heard of for so many periods of the heartbeat is gone, and what it left open is over.
const GONE: u32 = 60;

/// After so many periods of the heartbeat a process looks at what all have told: whether its own alerts still stand, and which have
/// nobody any more. As often it says that it is there while it sends no heartbeat.
const STANDING: u32 = 12;

/// For how long a webhook that gave an alert up is told of, though it takes others by now: that one has not arrived.
const GIVEN_UP_LASTS: Duration = Duration::from_mins(10);

/// Why it is not settled which technical alerts are open.
#[derive(Debug, thiserror::Error)]
enum ReconcileError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("one that nobody has cannot be resolved: {0}")]
    Send(#[from] SendError),
}

/// The episodes of one process.
struct Supervisor<'a> {
    shared: &'a Shared,
    /// The stream's partitions.
    partitions: i32,
    process: String,
    generation: u64,
    monitor: Monitor,
    conditions: Conditions,
    episodes: Episodes,
    words: Words,
    rounds: Rounds,
    /// When the next heartbeat is due.
    due: Instant,
    stream_end: Option<i64>,
    behind_broker: Option<i64>,
    /// When it is looked next at what all have told.
    standing: Instant,
    /// When this process says next that it is there, if it sends no heartbeat.
    presence: Instant,
    beats: bool,
    /// Workers that did not go round between the last two heartbeats.
    stuck: BTreeSet<usize>,
}

/// Until the shutdown is asked for; then what is open is resolved, since nobody watches it any more.
pub(super) fn run(shared: &Shared, partitions: i32) {
    let Some(sender) = open(shared) else { return };
    let mut supervisor = Supervisor::new(shared, partitions);
    while !shared.shutdown.sleep(LOOK) {
        supervisor.hear_people();
        let findings = supervisor.look();
        supervisor.episodes.update(&findings, now());
        supervisor.tell(&sender, None);
        supervisor.beat(&sender);
    }
    supervisor.hear();
    supervisor.episodes.update(&Findings::default(), now());
    supervisor.tell(&sender, Some("process stopped"));
}

/// None if the shutdown was asked for meanwhile.
fn open(shared: &Shared) -> Option<Sender> {
    let mut backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(10));
    while !shared.shutdown.is_asked() {
        match Sender::new(&shared.config.kafka) {
            Ok(sender) => return Some(sender),
            Err(error) => tracing::error!(%error, "technical alerts cannot be sent; trying again"),
        }
        shared.shutdown.sleep(backoff.take());
    }
    None
}

impl<'a> Supervisor<'a> {
    fn new(shared: &'a Shared, partitions: i32) -> Self {
        let config = &shared.config.technical;
        let settings = Settings {
            not_evaluable: config.not_evaluable,
            clock_skew: i64::try_from(config.clock_skew.as_millis()).unwrap_or(i64::MAX),
        };
        let current = shared.current.load();
        let process = shared.config.process();
        Self {
            shared,
            partitions,
            generation: current.generation,
            monitor: Monitor::new(&current.program, settings),
            conditions: Conditions::new(config, Instant::now()),
            episodes: Episodes::new(process.clone()),
            process,
            words: Words::new(&shared.config.kafka),
            rounds: Rounds::default(),
            due: Instant::now(),
            stream_end: None,
            behind_broker: None,
            standing: Instant::now(),
            presence: Instant::now(),
            beats: true,
            stuck: BTreeSet::new(),
        }
    }

    /// What people have said.
    fn hear_people(&mut self) {
        for said in self.words.read() {
            self.episodes.acknowledge(said);
        }
    }

    /// Resolves what an earlier self has left open, and what processes have that are gone.
    fn take_over(&self, remains: &Remains, sender: &Sender) -> Result<(), SendError> {
        let now = now();
        let gone = i64::try_from((self.shared.config.heartbeat.every * GONE).as_millis()).unwrap_or(i64::MAX);
        for left in &remains.open {
            let Left { process, told } = left;
            let reason = if *process == self.process { "process restarted" } else { "process gone" };
            let lives = *process != self.process && now.saturating_sub(remains.heard_of(left)) < gone;
            if lives || self.episodes.has(&told.id) {
                continue;
            }
            sender.alert(&told.id, &told.clone().resolved(now, reason))?;
            tracing::info!(id = told.id, reason, "a technical alert is over");
        }
        Ok(())
    }

    /// What is wrong now.
    fn look(&mut self) -> Findings {
        let current = self.shared.current.load_full();
        if current.generation != self.generation {
            self.generation = current.generation;
            self.monitor.take_up(&current.program);
            self.shared.scores.keep_only(&current.program);
            self.shared.metrics.forget_drift();
        }
        for (score, field, index) in self.shared.scores.drift(&current.program) {
            self.shared.metrics.drift(&score, &field, index);
        }
        self.hear();
        let mut findings = self.conditions.judge(&self.facts(), Instant::now());
        findings.extend(self.monitor.findings());
        findings
    }

    /// Takes in what the workers have seen, and who is erased.
    fn hear(&mut self) {
        for told in self.shared.technical.take_told() {
            match told {
                Told::Block(worker, tally) => self.monitor.take(worker, *tally),
                Told::Stuck(worker, stuck) => self.monitor.stuck(worker, &stuck),
                Told::Erased(patient) => {
                    self.monitor.forget(&patient);
                    self.episodes.forget(&patient);
                }
            }
        }
    }

    fn facts(&self) -> Facts {
        let Shared { config, technical, published, current, .. } = self.shared;
        let known = published.known();
        let lag = technical.store_lag();
        let usual = i64::try_from(config.store.batch_documents).unwrap_or(i64::MAX);
        Facts {
            readings: technical.readings(),
            has_partitions: !technical.held().is_empty(),
            stream_end: self.stream_end,
            deleted: technical.all_deleted(),
            workers: self.workers(),
            store_behind: Some(lag).filter(|lag| config.store.is_used() && *lag > usual),
            store_fails: config.store.is_used() && technical.does_store_fail(),
            refused_reload: technical.refused_reload(),
            webhooks: self.webhooks(),
            scores: self.shared.scores.totals(&current.load().program),
            folder_differs: known.folder.as_deref() != Some(current.load().program.version()),
            published_trouble: known.trouble,
            behind_broker: self.behind_broker,
        }
    }

    /// By topic, why a webhook has given up, for a while, and as long as nothing has arrived since.
    fn webhooks(&self) -> BTreeMap<String, String> {
        let conditions = self.shared.webhooks.conditions().into_iter();
        let lost = conditions.filter(|(_, Condition { since, last_given_up, .. })| {
            let is_recent = |last: i64| now() - last < GIVEN_UP_LASTS.as_millis() as i64;
            last_given_up.is_some_and(|last| is_recent(last) || since.is_some_and(|since| last >= since))
        });
        lost.map(|(topic, condition)| (topic, condition.because.unwrap_or_default())).collect()
    }

    /// By worker, why it does not judge.
    fn workers(&self) -> BTreeMap<usize, Option<String>> {
        let workers = self.shared.board.workers().into_iter();
        let stuck = |worker| self.stuck.contains(&worker).then(|| "it does not go round any more".to_owned());
        workers.map(|(worker, state)| (worker, state.trouble().or_else(|| stuck(worker)))).collect()
    }

    /// Tells of what nobody has heard of yet. What cannot be sent is tried again at the next look.
    fn tell(&mut self, sender: &Sender, reason: Option<&str>) {
        while let Some(id) = self.episodes.to_bury() {
            if let Err(error) = sender.bury(id) {
                tracing::error!(id, %error, "a technical alert of an erased patient cannot be taken away; trying again");
                break;
            }
            self.episodes.buried();
        }
        let ruleset = self.shared.current.load().program.version().to_owned();
        while let Some((episode, news)) = self.episodes.untold() {
            let telling = Telling {
                id: &episode.id,
                rule: episode.rule,
                since: episode.since,
                news,
                reason,
                notify: &self.shared.config.technical.notify,
                origin: Origin { process: self.process.as_str().into(), ruleset: ruleset.as_str().into() },
            };
            let alert = Alert::new(&episode.finding, telling);
            if let Err(error) = sender.alert(&episode.id, &alert) {
                tracing::error!(rule = episode.rule, %error, "a technical alert cannot be sent; trying again");
                break;
            }
            tracing::warn!(rule = episode.rule, state = alert.state, id = alert.id, "technical alert");
            let id = episode.id.clone();
            self.episodes.told(&id);
        }
        for ((rule, urgency), open) in self.episodes.counts() {
            self.shared.metrics.technical_open(rule, priority(urgency), open);
        }
    }

    /// Sends a heartbeat if one is due, and if every worker judges and has gone round since the last was due.
    fn beat(&mut self, sender: &Sender) {
        let looked = Instant::now();
        if looked < self.due {
            return;
        }
        let every = self.shared.config.heartbeat.every;
        self.due = looked + every;
        self.look_at_what_all_have_told(looked, sender);
        self.ask_for_the_end(looked);
        self.stuck = self.rounds.stuck(self.shared.technical.rounds());
        let beats = self.stuck.is_empty() && self.shared.board.all_ready();
        if self.beats != beats {
            tracing::warn!(beats, workers = ?self.stuck, "the heartbeat goes by whether every worker judges readings");
            self.beats = beats;
        }
        if !beats {
            self.be_present(looked, sender);
            return;
        }
        let technical = &self.shared.technical;
        let heartbeat = Heartbeat {
            process: self.process.clone(),
            ts: now(),
            ruleset: self.shared.current.load().program.version().to_owned(),
            partitions: technical.held().into_iter().collect(),
            readings: technical.readings(),
            technical_open: self.episodes.counts().values().sum(),
            store_lag: self.shared.config.store.is_used().then(|| technical.store_lag()),
            every_ms: every.as_millis() as u64,
        };
        match sender.heartbeat(&heartbeat) {
            Ok(behind) => {
                self.behind_broker = behind;
                self.shared.metrics.heartbeat(heartbeat.ts);
            }
            Err(error) => tracing::error!(%error, "a heartbeat cannot be sent"),
        }
    }

    /// What another process has resolved, and is true still, is raised anew; what nobody has any more is resolved.
    fn look_at_what_all_have_told(&mut self, now: Instant, sender: &Sender) {
        if now < self.standing {
            return;
        }
        self.standing = now + self.shared.config.heartbeat.every * STANDING;
        if let Err(error) = self.reconcile(sender) {
            tracing::error!(%error, "which technical alerts are still open is not known; trying again later");
        }
    }

    fn reconcile(&mut self, sender: &Sender) -> Result<(), ReconcileError> {
        let remains = remains(&self.shared.config.kafka)?;
        self.episodes.begin_anew(&remains.over);
        Ok(self.take_over(&remains, sender)?)
    }

    /// Whoever sends no heartbeat and has told of alerts says that it is there, or they would be taken for those of nobody.
    fn be_present(&mut self, now: Instant, sender: &Sender) {
        if now < self.presence || !self.episodes.is_any_told() {
            return;
        }
        match sender.presence(&self.process) {
            Ok(()) => self.presence = now + self.shared.config.heartbeat.every * STANDING,
            Err(error) => tracing::error!(%error, "it cannot be said that this process is there; trying again"),
        }
    }

    /// A process that has had no readings for long looks whether others have.
    fn ask_for_the_end(&mut self, now: Instant) {
        let has_all = self.shared.technical.held().len() as i32 == self.partitions;
        if has_all || !self.conditions.is_silent(now) {
            return;
        }
        let stream = self.shared.current.load().program.stream().to_owned();
        let end =
            Records::new(&self.shared.config.kafka).and_then(|records| stream_end(&records, &stream, self.partitions));
        match end {
            Ok(end) => self.stream_end = Some(end),
            Err(error) => tracing::warn!(%error, "it is not known whether others have readings"),
        }
    }
}
