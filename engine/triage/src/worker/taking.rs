//! Partitions that are the worker's and whose state is not here yet: asked for, waited for, and asked for again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use triage_core::program::Limits;

use crate::shared::{Current, Shared};
use crate::state::{Answer, BrokenOff, RestoreError, Restored, Restoring};

/// How long a partition waits that cannot be taken over.
const RETRY: Duration = Duration::from_secs(5);

/// How long a partition waits for a transaction of whoever had it before to end.
const SETTLING: Duration = Duration::from_millis(250);

/// The partitions.
pub(super) struct Taking {
    worker: usize,
    restoring: Restoring,
    expected: BTreeMap<i32, Expected>,
}

/// When a partition is asked for next, and why it could not be taken over the last time.
struct Expected {
    next: Instant,
    refused: Option<String>,
}

/// A partition whose state is here.
pub(super) struct Taken {
    pub(super) partition: i32,
    /// What it was restored under.
    pub(super) current: Arc<Current>,
    pub(super) restored: Restored,
}

impl Taking {
    pub(super) fn new(worker: usize, shared: &Arc<Shared>, limits: Limits, partitions: i32) -> std::io::Result<Self> {
        let restoring = Restoring::start(shared, limits, partitions)?;
        Ok(Self { worker, restoring, expected: BTreeMap::new() })
    }

    /// The state of a partition is needed.
    pub(super) fn expect(&mut self, partition: i32) {
        self.restoring.forget(partition);
        self.expected.insert(partition, Expected { next: Instant::now(), refused: None });
    }

    /// The partitions that are to be asked for now.
    pub(super) fn due(&self) -> Vec<i32> {
        let (now, under_way) = (Instant::now(), self.restoring.under_way());
        let due = self.expected.iter().filter(|(partition, one)| one.next <= now && !under_way.contains(partition));
        due.map(|(partition, _)| *partition).collect()
    }

    pub(super) fn ask(&mut self, partition: i32, current: &Arc<Current>, shared: &Shared) {
        let may_begin_afresh = shared.config.engine.fresh_state && shared.board.may_begin_afresh(partition);
        self.restoring.ask(partition, Arc::clone(current), may_begin_afresh);
    }

    /// What has come: of each partition its state, or nothing where it is refused.
    pub(super) fn arrived(&mut self) -> Result<Vec<Option<Taken>>, BrokenOff> {
        let mut arrived = Vec::new();
        while let Some(Answer { partition, current, restored, .. }) = self.restoring.answer()? {
            arrived.push(match restored {
                Ok(restored) => {
                    self.expected.remove(&partition);
                    Some(Taken { partition, current, restored })
                }
                Err(error) => {
                    self.refuse(partition, &error);
                    None
                }
            });
        }
        Ok(arrived)
    }

    /// Partitions are not expected any more; whether one of them had been refused.
    pub(super) fn drop_partitions(&mut self, partitions: &[i32]) -> bool {
        let dropped = partitions.iter().filter_map(|partition| {
            self.restoring.forget(*partition);
            self.expected.remove(partition)
        });
        dropped.filter(|one| one.refused.is_some()).count() > 0
    }

    /// The partitions whose state is not here yet, in order.
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.expected.keys().copied().collect()
    }

    /// Why partitions cannot be taken over.
    pub(super) fn troubles(&self) -> impl Iterator<Item = &str> {
        self.expected.values().filter_map(|one| one.refused.as_deref())
    }

    fn refuse(&mut self, partition: i32, error: &RestoreError) {
        let worker = self.worker;
        let refused = Some(format!("partition {partition}: {error}"));
        let wait = if error.is_passing() { SETTLING } else { RETRY };
        let before =
            self.expected.insert(partition, Expected { next: Instant::now() + wait, refused: refused.clone() });
        if !error.is_passing() {
            tracing::error!(worker, partition, %error, "a partition cannot be taken over, and is tried again");
        } else if before.is_none_or(|before| before.refused != refused) {
            tracing::warn!(worker, partition, %error, "a partition is taken over once nothing is open on it");
        }
    }
}
