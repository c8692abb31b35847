//! What the threads of an engine share: the current rule set, and the board on which workers say where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use dashmap::DashMap;
use serde::Serialize;
use triage_core::program::{Migration, Program};

use crate::alerts;
use crate::config::Config;
use crate::kafka::topics::Topics;
use crate::metrics::Metrics;
use crate::published;
use crate::scores;
use crate::shutdown::Shutdown;
use crate::technical;
use crate::webhook;

/// A rule set in use. Generations count up, so that going back to an earlier version is a change too.
#[derive(Debug)]
pub(crate) struct Current {
    pub(crate) generation: u64,
    pub(crate) program: Program,
}

/// What the threads of an engine share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Workers look at it between two transactions, and never within one.
    pub(crate) current: ArcSwap<Current>,
    pub(crate) board: Board,
    pub(crate) metrics: std::sync::Arc<Metrics>,
    pub(crate) shutdown: Shutdown,
    pub(crate) topics: Topics,
    /// The set that all processes run, as far as this one knows.
    pub(crate) published: published::Board,
    /// Which alerts are open, in all processes.
    pub(crate) alerts: alerts::Board,
    /// How scores fare in this process.
    pub(crate) scores: scores::Board,
    /// How webhooks fare in this process.
    pub(crate) webhooks: webhook::Board,
    /// How the parts of the engine are, for technical alerts.
    pub(crate) technical: technical::Board,
}

impl Shared {
    /// Says loudly when the folder is not what runs: at start, and at each reload.
    pub(crate) fn compare_folder(&self) {
        let folder = self.published.known().folder;
        let current = self.current.load();
        let runs = current.program.version();
        let differs = folder.as_deref() != Some(runs);
        self.metrics.folder_differs(differs);
        match folder {
            None => tracing::error!(runs, "the rules folder is broken; the published rules run"),
            Some(folder) if differs => {
                tracing::error!(runs, folder, "the rules folder differs; the published rules run");
            }
            Some(_) => {}
        }
    }
}

/// Where a worker is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum WorkerState {
    /// It makes its clients, and has no rule set.
    Starting,
    /// It judges readings by the rule set of this generation; `joined` once the group has said which partitions are its own,
    /// be it none; `restoring` are partitions whose state is not here yet; `trouble` is why its transactions are aborted again
    /// and again, or partitions cannot be restored.
    Running {
        generation: u64,
        connected: bool,
        joined: bool,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        restoring: Vec<i32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        trouble: Option<String>,
    },
    /// It waits before it makes new clients.
    Failing { error: String },
    /// It has ended, as asked.
    Ended,
    /// It broke off: a bug.
    Broken,
}

impl WorkerState {
    /// Why it does not judge readings, if it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        match self {
            Self::Running { trouble: Some(trouble), .. } => Some(trouble.clone()),
            Self::Running { connected: false, .. } => Some("the broker is away".to_owned()),
            Self::Running { joined: false, .. } => Some("it waits for the group".to_owned()),
            Self::Running { .. } => None,
            Self::Starting => Some("it makes its clients".to_owned()),
            Self::Failing { error } => Some(error.clone()),
            Self::Ended | Self::Broken => Some("it has ended".to_owned()),
        }
    }

    fn is_ready(&self) -> bool {
        matches!(self, Self::Running { connected: true, joined: true, restoring, trouble: None, .. } if restoring.is_empty())
    }
}

/// How far a partition has come; published after each commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Position {
    pub(crate) worker: usize,
    /// The offset that is committed: the next to be judged.
    pub(crate) next: i64,
    pub(crate) ruleset: String,
}

/// What workers publish for the web and for reloads.
#[derive(Debug, Default)]
pub(crate) struct Board {
    workers: Mutex<BTreeMap<usize, WorkerState>>,
    changed: Condvar,
    positions: DashMap<i32, Position>,
    trouble: Mutex<Option<String>>,
    /// Partitions whose state this process has had.
    begun: Mutex<BTreeSet<i32>>,
    /// What became of open episodes since the current rule set is the current one.
    episodes: Mutex<Migration>,
}

impl Board {
    /// A board on which every worker is starting.
    pub(crate) fn new(workers: usize) -> Self {
        let workers = (0..workers).map(|index| (index, WorkerState::Starting)).collect();
        Self { workers: Mutex::new(workers), ..Self::default() }
    }

    pub(crate) fn set(&self, worker: usize, state: WorkerState) {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).insert(worker, state);
        self.changed.notify_all();
    }

    pub(crate) fn workers(&self) -> BTreeMap<usize, WorkerState> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn all_ready(&self) -> bool {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.values().all(WorkerState::is_ready)
    }

    /// What keeps the workers from starting, if anything does.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Waits until no worker judges by an older generation; the numbers of those that still do when `patience` is over.
    /// A worker that is starting or failing has no rule set and will take the newest.
    pub(crate) fn taken_up(&self, generation: u64, patience: Duration) -> Vec<usize> {
        let until = Instant::now() + patience;
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let behind = behind(&workers, generation);
            let left = until.saturating_duration_since(Instant::now());
            if behind.is_empty() || left.is_zero() {
                return behind;
            }
            workers = self.changed.wait_timeout(workers, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A new rule set is about to be the current one.
    pub(crate) fn forget_episodes(&self) {
        *self.episodes.lock().unwrap_or_else(PoisonError::into_inner) = Migration::default();
    }

    /// A worker has taken the state over; before it says that it has the rule set.
    pub(crate) fn took_over(&self, migration: Migration) {
        self.episodes.lock().unwrap_or_else(PoisonError::into_inner).add(migration);
    }

    /// What became of open episodes in the hands of this process's workers.
    pub(crate) fn episodes(&self) -> Migration {
        self.episodes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this process has not had the partition's state yet; what it has kept itself is never given up.
    pub(crate) fn may_begin_afresh(&self, partition: i32) -> bool {
        !self.begun.lock().unwrap_or_else(PoisonError::into_inner).contains(&partition)
    }

    pub(crate) fn has_begun(&self, partition: i32) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
    }

    pub(crate) fn publish(&self, partition: i32, position: Position) {
        self.positions.insert(partition, position);
    }

    /// Takes a partition off the board, unless another worker has it by now.
    pub(crate) fn withdraw(&self, partition: i32, worker: usize) -> bool {
        self.positions.remove_if(&partition, |_, position| position.worker == worker).is_some()
    }

    pub(crate) fn positions(&self) -> BTreeMap<i32, Position> {
        self.positions.iter().map(|entry| (*entry.key(), entry.value().clone())).collect()
    }
}

fn behind(workers: &BTreeMap<usize, WorkerState>, wanted: u64) -> Vec<usize> {
    let behind = workers.iter().filter(|(_, state)| match state {
        WorkerState::Running { generation, .. } => *generation < wanted,
        _ => false,
    });
    behind.map(|(index, _)| *index).collect()
}
