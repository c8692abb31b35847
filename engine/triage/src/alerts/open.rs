//! The episodes that are open, by what their topics say. Knows nothing of how the records are read.

use std::collections::BTreeMap;

use super::alert::{Foreign, Head, Priority, State};

/// An open episode, as it was last told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenAlert {
    /// The topic of its rule: `stroke` for `alerts.stroke`.
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) id: String,
    pub(crate) rule: String,
    pub(crate) state: State,
    pub(crate) priority: Priority,
    pub(crate) patient: Option<String>,
    /// When it was raised, in epoch milliseconds.
    pub(crate) since: i64,
    pub(crate) message: String,
    pub(crate) notify: Option<String>,
    /// Who has acknowledged it.
    pub(crate) by: Option<String>,
    /// The record's own JSON.
    pub(crate) json: String,
}

/// The open episodes of all topics; nothing is kept of the others.
#[derive(Debug, Default)]
pub(crate) struct OpenAlerts {
    /// By topic, then by id.
    topics: BTreeMap<String, BTreeMap<String, OpenAlert>>,
}

impl OpenAlerts {
    /// Takes a record of a topic's alerts in; without a value it is the tombstone of an episode that was closed long ago.
    pub(crate) fn take(
        &mut self,
        (topic, partition): (&str, i32),
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), Foreign> {
        let Some(value) = value else {
            if let Some(key) = key.and_then(|key| std::str::from_utf8(key).ok()) {
                self.close(topic, key);
            }
            return Ok(());
        };
        let (head, json) = Head::read(key, value)?;
        if head.single {
            return Ok(());
        }
        if head.state == State::Resolved {
            self.close(topic, &head.id);
            return Ok(());
        }
        let open = OpenAlert {
            topic: topic.to_owned(),
            partition,
            id: head.id.clone().into_owned(),
            rule: head.rule.into_owned(),
            state: head.state,
            priority: head.priority,
            patient: head.patient.map(Into::into),
            since: head.since,
            message: head.message.into_owned(),
            notify: head.notify.map(Into::into),
            by: head.by.map(Into::into),
            json: json.to_owned(),
        };
        self.topics.entry(topic.to_owned()).or_default().insert(head.id.into_owned(), open);
        Ok(())
    }

    /// A topic is no longer there.
    pub(crate) fn forget(&mut self, topic: &str) {
        self.topics.remove(topic);
    }

    /// The most urgent first, then the oldest, then by id.
    pub(crate) fn in_order(&self) -> Vec<&OpenAlert> {
        let mut open: Vec<&OpenAlert> = self.topics.values().flat_map(BTreeMap::values).collect();
        open.sort_by_key(|alert| (alert.priority, alert.since, alert.id.as_str(), alert.topic.as_str()));
        open
    }

    pub(crate) fn find(&self, id: &str) -> Option<&OpenAlert> {
        self.topics.values().find_map(|topic| topic.get(id))
    }

    /// How many are open, by priority.
    pub(crate) fn counts(&self) -> [usize; Priority::ALL.len()] {
        let mut counts = [0; Priority::ALL.len()];
        for alert in self.topics.values().flat_map(BTreeMap::values) {
            counts[alert.priority as usize] += 1;
        }
        counts
    }

    fn close(&mut self, topic: &str, id: &str) {
        if let Some(open) = self.topics.get_mut(topic) {
            open.remove(id);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn take(open: &mut OpenAlerts, id: &str, state: &str, priority: &str, since: i64, marks: &str) {
        let value = format!(
            r#"{{"id":"{id}","rule":"t.r","state":"{state}","priority":"{priority}","ts":9,"since":{since},"message":"m",{marks}"values":{{}}}}"#
        );
        open.take(("t", 0), Some(id.as_bytes()), Some(value.as_bytes())).unwrap();
    }

    fn ids(open: &OpenAlerts) -> Vec<&str> {
        open.in_order().into_iter().map(|alert| alert.id.as_str()).collect()
    }

    #[test]
    fn the_most_urgent_is_first_then_the_oldest() {
        let mut open = OpenAlerts::default();
        for (id, priority, since) in
            [("d", "low", 1), ("b", "high", 7), ("c", "high", 7), ("a", "high", 8), ("e", "info", 0)]
        {
            take(&mut open, id, "raised", priority, since, "");
        }
        assert_eq!(ids(&open), ["b", "c", "a", "d", "e"]);
        assert_eq!(open.counts(), [3, 0, 1, 1]);
    }

    #[test]
    fn only_what_is_open_is_kept() {
        let mut open = OpenAlerts::default();
        for (id, state) in
            [("a", "raised"), ("a", "escalated"), ("b", "raised"), ("b", "acknowledged"), ("c", "repeated")]
        {
            take(&mut open, id, state, "low", 1, "");
        }
        take(&mut open, "single", "raised", "high", 1, "\"single\":true,");
        assert_eq!(ids(&open), ["a", "b", "c"]);
        assert_eq!(open.find("b").unwrap().state, State::Acknowledged);
        take(&mut open, "a", "resolved", "low", 1, "");
        take(&mut open, "a", "resolved", "low", 1, "");
        open.take(("t", 0), Some(b"b"), None).unwrap();
        open.take(("t", 0), None, None).unwrap();
        assert_eq!(ids(&open), ["c"]);
        open.forget("t");
        assert!(open.in_order().is_empty());
    }
}
