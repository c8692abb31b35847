//! Time in a stream that brings nothing: once a partition's end has been held for a second, its time goes on as the clock
//! does, from where it was. Time in which nobody looked, or the broker was away, does not count: it is no silence. What has
//! passed before that is not lost by it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use triage_core::program::States;

/// How long the end must have been held.
const HOLD: Duration = Duration::from_secs(1);

/// Who has not polled for so long has not looked.
const LOOKING: Duration = Duration::from_secs(1);

/// Partitions whose end is held.
#[derive(Debug)]
pub(crate) struct Idle {
    held: BTreeMap<i32, Held>,
    /// When somebody last looked.
    looked: Instant,
    away: bool,
}

/// Since when without a break, what passed before the last break, and the stream's time when it began to pass.
#[derive(Debug, Clone, Copy)]
struct Held {
    since: Instant,
    before: Duration,
    time: Option<i64>,
}

impl Held {
    fn now() -> Self {
        Self { since: Instant::now(), before: Duration::ZERO, time: None }
    }

    /// The time that has passed until then, once the end has been held long enough.
    fn passed(&self, until: Instant) -> Option<Duration> {
        let held = until.saturating_duration_since(self.since).checked_sub(HOLD)?;
        Some(self.before + held)
    }
}

impl Default for Idle {
    fn default() -> Self {
        Self { held: BTreeMap::new(), looked: Instant::now(), away: false }
    }
}

impl Idle {
    /// The worker has polled.
    pub(crate) fn looked(&mut self) {
        if self.looked.elapsed() > LOOKING {
            self.begin_again();
        }
        self.looked = Instant::now();
    }

    /// The end of a partition has been reached. It is told once for each end.
    pub(crate) fn reached(&mut self, partition: i32) {
        self.held.entry(partition).or_insert_with(Held::now);
    }

    /// Something came or is to be read again, or the partition is another's.
    pub(crate) fn left(&mut self, partition: i32) {
        self.held.remove(&partition);
    }

    /// Whether the broker answers. While it is away nobody knows what has come.
    pub(crate) fn broker(&mut self, connected: bool) {
        self.begin_again();
        self.away = !connected;
    }

    /// The partitions whose time is to pass now because something waits for it, and until when; none of those that have
    /// readings which are to be judged first.
    pub(crate) fn steps(&mut self, states: &States, has_readings: impl Fn(i32) -> bool) -> Vec<(i32, i64)> {
        if self.away {
            return Vec::new();
        }
        if self.looked.elapsed() > LOOKING {
            self.begin_again();
            return Vec::new();
        }
        let mut steps = Vec::new();
        for (partition, held) in &mut self.held {
            let Some(passed) = held.passed(Instant::now()) else { continue };
            if has_readings(*partition) {
                continue;
            }
            // Before the first reading there is no time that could pass.
            let Some(begun) = held.time.or_else(|| states.stream_time(*partition)) else { continue };
            held.time = Some(begun);
            let to = begun.saturating_add(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX));
            if states.next_timer(*partition).is_some_and(|moment| moment < to) {
                steps.push((*partition, to));
            }
        }
        steps
    }

    /// What has passed until somebody last looked stays; while the broker was away nothing has.
    fn begin_again(&mut self) {
        for held in self.held.values_mut() {
            if !self.away {
                held.before = held.passed(self.looked).unwrap_or(held.before);
            }
            held.since = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_nobody_looked_is_not_counted() {
        let mut idle = Idle::default();
        idle.reached(0);
        let long_ago = Instant::now().checked_sub(Duration::from_mins(1));
        let (Some(held), Some(long_ago)) = (idle.held.get_mut(&0), long_ago) else { return };
        held.since = long_ago;
        idle.looked = long_ago;
        idle.looked();
        assert!(idle.held[&0].since.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn what_has_passed_before_a_break_counts_after_it() {
        let mut idle = Idle::default();
        idle.reached(0);
        idle.looked = idle.held[&0].since + Duration::from_mins(1);
        idle.begin_again();
        let passed = Duration::from_secs(59);
        assert_eq!(idle.held[&0].before, passed);

        idle.looked = idle.held[&0].since;
        idle.broker(false);
        idle.looked += Duration::from_mins(1);
        idle.broker(true);
        assert_eq!(idle.held[&0].before, passed, "the broker was away");
    }

    #[test]
    fn an_end_that_was_told_once_is_held_when_the_broker_is_back() {
        let mut idle = Idle::default();
        idle.reached(0);
        idle.broker(false);
        assert!(idle.steps(&States::new(1), |_| false).is_empty());
        idle.broker(true);
        assert!(idle.held.contains_key(&0));
        idle.left(0);
        assert!(idle.held.is_empty());
    }
}
