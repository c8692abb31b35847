//! What this process knows of open alerts and pauses: written by the follower, read by the web side.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use triage_core::program::Pause;

use super::alert::{Foreign, Priority};
use super::filter::Filter;
use super::open::{OpenAlert, OpenAlerts};
use super::pauses::Pauses;
use super::view::{Shown, View};

/// What is known, shared.
#[derive(Debug, Default)]
pub(crate) struct Board {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    open: OpenAlerts,
    pauses: Pauses,
    /// The topics that are followed, without `alerts.`.
    topics: BTreeSet<String>,
    reach: Reach,
}

/// How far the topics have been read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum Reach {
    /// Not at all yet.
    #[default]
    Nothing,
    /// So many partitions are not read to their end.
    Behind(usize),
    /// To their ends.
    Ends,
    /// It is not known: the broker does not answer, say.
    Unknown(String),
    /// Nobody is to read them here.
    Off,
}

impl Reach {
    /// Why there may be alerts that are not known.
    fn trouble(&self) -> Option<String> {
        match self {
            Self::Ends => None,
            Self::Nothing => Some("the topics of alerts have not been read yet".to_owned()),
            Self::Behind(partitions) => {
                Some(format!("the topics of alerts are still being read: {partitions} partitions are not at their end"))
            }
            Self::Unknown(error) => Some(format!("the topics of alerts cannot be read: {error}")),
            Self::Off => Some("alerts are not followed here: `alerts.follow` is `false`".to_owned()),
        }
    }
}

impl Board {
    /// Everything at one moment, as far as the filter takes it.
    pub(crate) fn view(&self, filter: &Filter, now: i64) -> View {
        let known = self.lock();
        let pauses = known.pauses.lasting(now);
        let paused = |alert: &OpenAlert| {
            let covering = pauses.iter().find(|(pause, partitions)| {
                pause.covers(&alert.rule, alert.patient.as_deref()) && partitions.contains(&alert.partition)
            });
            covering.map(|(pause, _)| pause.clone())
        };
        let alerts = known.open.in_order().into_iter().filter(|alert| filter.takes(alert));
        let alerts = alerts.map(|alert| Shown { alert: alert.clone(), paused: paused(alert) }).collect();
        View { trouble: known.reach.trouble(), as_of: now, alerts, pauses }
    }

    /// The open alert of that id; an error if it is not known whether there is one.
    pub(crate) fn find(&self, id: &str) -> Result<Option<OpenAlert>, String> {
        let known = self.lock();
        match (known.open.find(id), known.reach.trouble()) {
            (Some(alert), _) => Ok(Some(alert.clone())),
            (None, Some(trouble)) => Err(trouble),
            (None, None) => Ok(None),
        }
    }

    /// The topics that are followed.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.lock().topics.iter().cloned().collect()
    }

    /// How many alerts are open, by priority.
    pub(crate) fn counts(&self) -> [usize; Priority::ALL.len()] {
        self.lock().open.counts()
    }

    /// How many pauses are in force, by what they are of.
    pub(crate) fn pauses(&self, now: i64) -> [(&'static str, usize); 2] {
        self.lock().pauses.counts(now)
    }

    /// Nothing is known any more: the topics are read from their beginning.
    pub(super) fn clear(&self) {
        let mut known = self.lock();
        known.open = OpenAlerts::default();
        known.pauses = Pauses::default();
        known.topics.clear();
        known.reach = Reach::Nothing;
    }

    pub(super) fn take(&self, place: (&str, i32), key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Foreign> {
        self.lock().open.take(place, key, value)
    }

    pub(super) fn take_pause(&self, partition: i32, pause: Pause, now: i64) {
        self.lock().pauses.take(partition, pause, now);
    }

    /// A patient's pauses are over; tombstones take the alerts.
    pub(super) fn erase(&self, partition: i32, patient: &str) {
        self.lock().pauses.erase(partition, patient);
    }

    pub(super) fn follows(&self, topics: BTreeSet<String>) {
        let mut known = self.lock();
        for gone in known.topics.difference(&topics).cloned().collect::<Vec<_>>() {
            known.open.forget(&gone);
        }
        known.topics = topics;
    }

    /// So many partitions are not read to their end.
    pub(super) fn behind(&self, partitions: usize) {
        self.lock().reach = if partitions == 0 { Reach::Ends } else { Reach::Behind(partitions) };
    }

    pub(super) fn unknown(&self, error: String) {
        self.lock().reach = Reach::Unknown(error);
    }

    pub(super) fn off(&self) {
        self.lock().reach = Reach::Off;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_anew_is_not_complete() {
        let board = Board::default();
        board.behind(0);
        assert_eq!(board.find("a"), Ok(None));
        board.clear();
        assert_eq!(board.find("a"), Err("the topics of alerts have not been read yet".to_owned()));
    }
}
