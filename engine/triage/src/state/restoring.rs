//! The thread on which a worker's partitions are restored, one after another, while the worker goes on with those that it
//! has. It only reads; what becomes of an answer is the worker's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use triage_core::program::Limits;

use super::restore::{RestoreError, Restored, Restorer};
use crate::config::Config;
use crate::kafka::records::Records;
use crate::shared::{Current, Shared};

/// A partition to restore.
struct Ask {
    partition: i32,
    current: Arc<Current>,
    may_begin_afresh: bool,
    wanted: Arc<AtomicBool>,
}

/// A partition as it was when its last transaction committed, under the rule set that was asked for.
pub(crate) struct Answer {
    pub(crate) partition: i32,
    pub(crate) current: Arc<Current>,
    pub(crate) restored: Result<Restored, RestoreError>,
    wanted: Arc<AtomicBool>,
}

/// The thread is not there any more: a bug.
#[derive(Debug, thiserror::Error)]
#[error("the thread that restores partitions broke off")]
pub(crate) struct BrokenOff;

/// Asks the thread, which ends with it.
pub(crate) struct Restoring {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
    under_way: BTreeMap<i32, Arc<AtomicBool>>,
}

impl Restoring {
    /// For a stream of so many partitions.
    pub(crate) fn start(shared: &Arc<Shared>, limits: Limits, partitions: i32) -> std::io::Result<Self> {
        let (asks, asked) = channel();
        let (answer, answers) = channel();
        let shared = Arc::clone(shared);
        // Not waited for: it may be within a question to the broker, and has nothing to finish.
        std::thread::Builder::new()
            .name("restore".to_owned())
            .spawn(move || serve(&shared.config, limits, partitions, &asked, &answer))?;
        Ok(Self { asks, answers, under_way: BTreeMap::new() })
    }

    /// An earlier answer of that partition is not given any more.
    pub(crate) fn ask(&mut self, partition: i32, current: Arc<Current>, may_begin_afresh: bool) {
        self.forget(partition);
        let wanted = Arc::new(AtomicBool::new(true));
        self.under_way.insert(partition, Arc::clone(&wanted));
        // If nobody hears it, the next look for an answer says so.
        let _ = self.asks.send(Ask { partition, current, may_begin_afresh, wanted });
    }

    /// The partition is not ours any more.
    pub(crate) fn forget(&mut self, partition: i32) {
        if let Some(wanted) = self.under_way.remove(&partition) {
            wanted.store(false, Ordering::Relaxed);
        }
    }

    /// The partitions that are being restored, in order.
    pub(crate) fn under_way(&self) -> Vec<i32> {
        self.under_way.keys().copied().collect()
    }

    /// The next answer that is still wanted, if there is one.
    pub(crate) fn answer(&mut self) -> Result<Option<Answer>, BrokenOff> {
        loop {
            match self.answers.try_recv() {
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => return Err(BrokenOff),
                Ok(answer) if answer.wanted.load(Ordering::Relaxed) => {
                    self.under_way.remove(&answer.partition);
                    return Ok(Some(answer));
                }
                Ok(_) => {}
            }
        }
    }
}

impl Drop for Restoring {
    fn drop(&mut self) {
        self.under_way.values().for_each(|wanted| wanted.store(false, Ordering::Relaxed));
    }
}

/// How long clients are kept for another partition.
const KEEPING: Duration = Duration::from_secs(1);

fn serve(config: &Config, limits: Limits, partitions: i32, asks: &Receiver<Ask>, answers: &Sender<Answer>) {
    let mut clients = None;
    while let Some(Ask { partition, current, may_begin_afresh, wanted }) = next(asks, &mut clients) {
        if !wanted.load(Ordering::Relaxed) {
            continue;
        }
        let records = match clients.take() {
            Some(records) => Ok(records),
            None => Records::new(&config.kafka),
        };
        let restored = records.map_err(RestoreError::from).and_then(|records| {
            let program = &current.program;
            let wanted = &*wanted;
            let restorer = Restorer {
                config,
                records: &records,
                program,
                limits,
                partition,
                partitions,
                may_begin_afresh,
                wanted,
            };
            let restored = restorer.restore();
            // After an error others are made.
            clients = restored.as_ref().map_or_else(RestoreError::is_passing, |_| true).then_some(records);
            restored
        });
        if answers.send(Answer { partition, current, restored, wanted }).is_err() {
            return;
        }
    }
}

/// What is asked next, if anybody asks any more.
fn next(asks: &Receiver<Ask>, clients: &mut Option<Records>) -> Option<Ask> {
    if clients.is_some() {
        match asks.recv_timeout(KEEPING) {
            Ok(ask) => return Some(ask),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => *clients = None,
        }
    }
    asks.recv().ok()
}
