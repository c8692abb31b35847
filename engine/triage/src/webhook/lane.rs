//! The alerts of one partition on their way: one at a time, in order, so that a patient's come in order. Knows nothing of how they
//! are delivered.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::AbortHandle;

use crate::dead_letters::taken::Taken;

/// A lane that has so many waiting is full.
const FULL: usize = 100;

/// A partition's alerts.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: VecDeque<(Arc<Taken>, Instant)>,
    running: Option<AbortHandle>,
    /// The next offset to be taken in: after a rebalance some come once more.
    next: i64,
    /// Whether nothing is fetched for it.
    pub(super) paused: bool,
}

impl Lane {
    /// Takes in what was read at `offset`, unless it was before.
    pub(super) fn take(&mut self, offset: i64, taken: Taken) {
        if offset >= self.next {
            self.next = offset + 1;
            self.waiting.push_back((Arc::new(taken), Instant::now()));
        }
    }

    /// The next one, and when it came, if nothing runs.
    pub(super) fn pop(&mut self) -> Option<(Arc<Taken>, Instant)> {
        if self.running.is_some() { None } else { self.waiting.pop_front() }
    }

    pub(super) fn begun(&mut self, handle: AbortHandle) {
        self.running = Some(handle);
    }

    /// Whether that is what ran here; nothing does any more then.
    pub(super) fn ended(&mut self, task: tokio::task::Id) -> bool {
        let ours = self.running.as_ref().is_some_and(|running| running.id() == task);
        if ours {
            self.running = None;
        }
        ours
    }

    /// Whether fetching is to be changed: on if it had enough and has room again, off if it has enough.
    pub(super) fn pause_changes(&mut self) -> bool {
        let change = if self.paused { self.waiting.len() < FULL / 2 } else { self.waiting.len() >= FULL };
        self.paused ^= change;
        change
    }
}

/// An attempt that is under way when the partition goes is broken off: its next owner makes its own.
impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use rdkafka::message::{OwnedMessage, Timestamp};

    use super::*;

    fn taken(offset: i64) -> Taken {
        let record = OwnedMessage::new(None, None, "t".to_owned(), Timestamp::NotAvailable, 0, offset, None);
        Taken::new(record, "other")
    }

    fn popped(lane: &mut Lane) -> Option<i64> {
        lane.pop().map(|(taken, _)| taken.place().2)
    }

    #[test]
    fn what_comes_twice_is_taken_once() {
        let mut lane = Lane::default();
        for offset in [3, 4, 3, 4, 5] {
            lane.take(offset, taken(offset));
        }
        assert_eq!([popped(&mut lane), popped(&mut lane), popped(&mut lane)], [Some(3), Some(4), Some(5)]);
        assert_eq!(popped(&mut lane), None);
    }

    #[tokio::test]
    async fn one_runs_at_a_time() {
        let mut lane = Lane::default();
        (0..2).for_each(|offset| lane.take(offset, taken(offset)));
        assert_eq!(popped(&mut lane), Some(0));
        let (mine, other) = (tokio::spawn(async {}), tokio::spawn(async {}));
        lane.begun(mine.abort_handle());
        assert_eq!(popped(&mut lane), None);
        assert!(!lane.ended(other.id()) && lane.ended(mine.id()));
        assert_eq!(popped(&mut lane), Some(1));
    }

    #[test]
    fn a_full_lane_is_paused_until_half_is_gone() {
        let mut lane = Lane::default();
        (0..100).for_each(|offset| lane.take(offset, taken(offset)));
        assert!(lane.pause_changes() && lane.paused && !lane.pause_changes());
        while lane.waiting.len() >= 50 {
            lane.pop().unwrap();
        }
        assert!(lane.pause_changes() && !lane.paused);
    }
}
