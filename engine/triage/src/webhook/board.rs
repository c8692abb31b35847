//! How webhooks fare in this process: for `/readyz`, and for whoever raises technical alerts.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::clock::now;

/// How one webhook fares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Condition {
    /// Why alerts do not arrive; none after one has. Names no patient.
    pub(crate) trouble: Option<String>,
    /// Since when it is so, in epoch milliseconds.
    pub(crate) since: Option<i64>,
    /// How many alerts were given up since the process began: they are dead letters.
    pub(crate) given_up: u64,
    /// When the last was, in epoch milliseconds.
    pub(crate) last_given_up: Option<i64>,
    /// Why the last was.
    pub(crate) because: Option<String>,
}

/// By topic.
#[derive(Debug, Default)]
pub(crate) struct Board {
    webhooks: Mutex<BTreeMap<String, Condition>>,
}

impl Board {
    /// Every webhook that has tried something, by topic.
    pub(crate) fn conditions(&self) -> BTreeMap<String, Condition> {
        self.lock().clone()
    }

    /// An attempt failed, or the webhook itself did.
    pub(super) fn failed(&self, topic: &str, trouble: String) {
        let mut webhooks = self.lock();
        let condition = webhooks.entry(topic.to_owned()).or_default();
        condition.since = condition.since.or_else(|| Some(now()));
        condition.trouble = Some(trouble);
    }

    pub(super) fn delivered(&self, topic: &str) {
        let mut webhooks = self.lock();
        let condition = webhooks.entry(topic.to_owned()).or_default();
        (condition.trouble, condition.since) = (None, None);
    }

    pub(super) fn gave_up(&self, topic: &str, because: String) {
        let mut webhooks = self.lock();
        let condition = webhooks.entry(topic.to_owned()).or_default();
        condition.given_up += 1;
        condition.last_given_up = Some(now());
        condition.because = Some(because);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Condition>> {
        self.webhooks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_lasts_until_something_arrives() {
        let board = Board::default();
        board.failed("stroke", "503".to_owned());
        let first = board.conditions()["stroke"].clone();
        board.failed("stroke", "timeout".to_owned());
        board.gave_up("stroke", "too old".to_owned());
        let second = board.conditions()["stroke"].clone();
        assert_eq!((second.trouble.as_deref(), second.since, second.given_up), (Some("timeout"), first.since, 1));
        board.delivered("stroke");
        let last = board.conditions()["stroke"].clone();
        assert_eq!((last.trouble, last.since, last.given_up), (None, None, 1));
        assert_eq!(last.because.as_deref(), Some("too old"));
    }
}
