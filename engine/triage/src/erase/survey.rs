//! What there is of a patient on the topics. Every record of every topic is looked at: no index leads to a patient there.

use std::collections::BTreeMap;

use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::Offset;
use triage_core::program::Program;

use super::EraseError;
use super::whose::{Kind, Whose};
use crate::alerts::alert::{Head, State};
use crate::kafka::records::Records;
use crate::kafka::topics::{
    ACKNOWLEDGEMENTS, DEAD_LETTERS, JOURNAL, RESENT_ALERTS, RESENT_DOCUMENTS, SNAPSHOTS, topic_of_alerts,
};

/// What was found on one topic.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) topic: String,
    pub(crate) kind: Kind,
    /// Whether it is the stream.
    pub(crate) is_stream: bool,
    /// How many records are the patient's, of those that are not overwritten by a tombstone.
    pub(crate) records: u64,
    /// The Kafka time of the newest of them, in milliseconds since 1970.
    pub(crate) newest: Option<i64>,
    /// The offset behind the last record of each partition, anybody's.
    pub(crate) ends: BTreeMap<i32, i64>,
    /// The offset behind the patient's last record of each partition.
    pub(crate) last: BTreeMap<i32, i64>,
    /// On topics that go by keys: the keys of the patient's records that have no tombstone, with their partition.
    pub(crate) alive: BTreeMap<(i32, Vec<u8>), Alive>,
}

/// The records of one key.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Alive {
    records: u64,
    /// Whether it is an alert that is open.
    pub(crate) open: bool,
}

/// The topics that may have something of a patient.
pub(crate) fn topics(records: &Records, program: &Program) -> Result<Vec<(String, Kind)>, EraseError> {
    let there = records.topics()?;
    let derived = |topic: &str| program.topics().iter().any(|derived| derived.name == topic);
    let kind = |topic: &str| match topic {
        _ if topic == program.stream() => Some(Kind::Readings),
        DEAD_LETTERS | RESENT_DOCUMENTS | RESENT_ALERTS => Some(Kind::Readings),
        ACKNOWLEDGEMENTS => Some(Kind::Acknowledgements),
        JOURNAL => Some(Kind::Journal),
        SNAPSHOTS => Some(Kind::Snapshots),
        _ if topic_of_alerts(topic).is_some() => Some(Kind::Alerts),
        _ if derived(topic) => Some(Kind::Derived),
        _ => None,
    };
    Ok(there.into_iter().filter_map(|topic| kind(&topic).map(|kind| (topic, kind))).collect())
}

/// Looks at all of a topic.
pub(crate) fn look(
    records: &Records,
    whose: &Whose<'_>,
    (topic, kind): (&str, Kind),
    is_stream: bool,
) -> Result<Found, EraseError> {
    let mut found = Found {
        topic: topic.to_owned(),
        kind,
        is_stream,
        records: 0,
        newest: None,
        ends: BTreeMap::new(),
        last: BTreeMap::new(),
        alive: BTreeMap::new(),
    };
    for partition in 0..records.partitions(topic)? {
        let end = records.bounds(topic, partition)?.1;
        records.read::<EraseError>((topic, partition), Offset::Beginning, end, &mut |message| {
            found.take(whose, message);
            Ok(())
        })?;
    }
    Ok(found)
}

/// Whether all keys that were alive have a tombstone by now.
pub(crate) fn is_buried(records: &Records, found: &Found) -> Result<bool, EraseError> {
    for (partition, key) in found.alive.keys() {
        let (mut buried, from) = (false, found.last.get(partition).copied().unwrap_or(0));
        let end = records.bounds(&found.topic, *partition)?.1;
        records.read::<EraseError>((&found.topic, *partition), Offset::Offset(from), end, &mut |message| {
            if message.key() == Some(key) {
                buried = message.payload().is_none();
            }
            Ok(())
        })?;
        if !buried {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Found {
    fn take(&mut self, whose: &Whose<'_>, message: &BorrowedMessage<'_>) {
        let (partition, next) = (message.partition(), message.offset() + 1);
        self.ends.insert(partition, next);
        let goes_by_keys = matches!(self.kind, Kind::Alerts | Kind::Snapshots);
        let place = (partition, message.key().unwrap_or_default().to_vec());
        if goes_by_keys && message.payload().is_none() {
            self.records -= self.alive.remove(&place).map_or(0, |alive| alive.records);
            return;
        }
        if !whose.has(self.kind, message) {
            return;
        }
        self.records += 1;
        self.last.insert(partition, next);
        self.newest = self.newest.max(message.timestamp().to_millis());
        if goes_by_keys {
            let alive = self.alive.entry(place).or_default();
            alive.records += 1;
            alive.open = is_open(message);
        }
    }

    /// How many alerts are open.
    pub(crate) fn open(&self) -> usize {
        self.alive.values().filter(|alive| alive.open).count()
    }
}

fn is_open(message: &BorrowedMessage<'_>) -> bool {
    let head = Head::read(message.key(), message.payload().unwrap_or_default());
    head.is_ok_and(|(head, _)| !head.single && head.state != State::Resolved)
}
