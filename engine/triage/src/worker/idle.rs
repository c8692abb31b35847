//! Time in a stream that brings nothing: once a partition's end has been held for a second, its time goes on as the clock
//! does, from where it was. Time in which the end could not be reached does not count: it is no silence.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use triage_core::program::States;

/// How long the end must have been held.
const HOLD: Duration = Duration::from_secs(1);

/// Partitions whose end is held: since when, and the stream's time there.
#[derive(Debug, Default)]
pub(crate) struct Idle(BTreeMap<i32, (Instant, Option<i64>)>);

impl Idle {
    /// The end of a partition has been reached.
    pub(crate) fn reached(&mut self, partition: i32) {
        self.0.entry(partition).or_insert_with(|| (Instant::now(), None));
    }

    /// Something came, or the partition is another's.
    pub(crate) fn left(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// The broker does not answer: nobody knows what has come.
    pub(crate) fn unknown(&mut self) {
        self.0.clear();
    }

    /// The partitions whose time is to pass now because something waits for it, and until when.
    pub(crate) fn steps(&mut self, states: &States) -> Vec<(i32, i64)> {
        let mut steps = Vec::new();
        for (partition, (since, time)) in &mut self.0 {
            // Before the first reading there is no time that could pass.
            let Some(begun) = time.or_else(|| states.stream_time(*partition)) else { continue };
            *time = Some(begun);
            let Some(passed) = since.elapsed().checked_sub(HOLD) else { continue };
            let passed = i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
            let to = begun.saturating_add(passed);
            if states.next_timer(*partition).is_some_and(|moment| moment < to) {
                steps.push((*partition, to));
            }
        }
        steps
    }
}
