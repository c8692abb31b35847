//! What a worker keeps beside its readings: how far partitions are and what of their state is to be written, what people
//! have said, and the time of idle partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::{Program, States};

use super::idle::Idle;
use super::judge::Judge;
use super::words::{MOST_BYTES, Words};
use crate::config::Config;
use crate::kafka::consumer::StreamConsumer;
use crate::kafka::records;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, JOURNAL, SNAPSHOTS};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::shared::Shared;
use crate::state::record::{self, Event, hex};
use crate::state::{Change, Keeper, RestoreError, Restored, Restorer};

/// How long the group's offsets may take: a transaction of a process that has died must end first.
const COMMITTED: Duration = Duration::from_secs(90);

/// What a worker keeps.
pub(super) struct Keeping {
    keeper: Keeper,
    words: Words,
    pub(super) idle: Idle,
    /// Partitions whose state is kept no more: their marks are to be taken away.
    ended: Vec<i32>,
}

/// What a transaction has done besides judging readings, and will be so when it has committed.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) change: Change,
    words: usize,
    written: Vec<i32>,
    ended: usize,
}

impl Keeping {
    pub(super) fn new(config: &Config) -> KafkaResult<Self> {
        let keeper = Keeper::new(&config.kafka.group, config.engine.snapshot_age);
        Ok(Self { keeper, words: Words::new(&config.kafka)?, idle: Idle::default(), ended: Vec::new() })
    }

    /// Takes over a partition with its state.
    pub(super) fn take_over(
        &mut self,
        partition: i32,
        shared: &Shared,
        stream_partitions: i32,
        consumer: &StreamConsumer,
        judge: &mut Judge,
    ) -> Result<(), RestoreError> {
        let kafka = |error| RestoreError::Kafka { partition, error };
        let (committed, acknowledged) = committed(consumer, judge.program(), partition).map_err(kafka)?;
        let restorer = Restorer {
            config: &shared.config,
            program: judge.program(),
            partition,
            partitions: stream_partitions,
            committed,
            acknowledged,
            afresh: shared.config.engine.fresh_state && shared.board.begins_afresh(partition),
        };
        let Restored { states, place, dirty, farewell } = restorer.restore()?;
        let patients = states.patients(partition).len();
        judge.adopt(states, farewell);
        self.ended.retain(|ended| *ended != partition);
        self.keeper.begin(partition, place, dirty);
        self.words.begin(partition, place.acknowledgement).map_err(kafka)?;
        shared.board.has_begun(partition);
        tracing::info!(partition, next = place.next, patients, "a partition's state is here");
        Ok(())
    }

    pub(super) fn drop_partitions(&mut self, partitions: &[i32]) {
        self.keeper.drop_partitions(partitions);
        for partition in partitions {
            self.idle.left(*partition);
        }
        self.ended.retain(|ended| !partitions.contains(ended));
        if let Err(error) = self.words.drop_partitions(partitions) {
            tracing::warn!(%error, "acknowledgements of partitions that have gone are still read");
        }
    }

    /// Another rule set has been taken up.
    pub(super) fn rules_changed(&mut self, states: &States) {
        self.keeper.all_are_due(states);
    }

    /// The rule set that has been taken up keeps no state.
    pub(super) fn end(&mut self) {
        let partitions: Vec<i32> = self.keeper.partitions().collect();
        self.drop_partitions(&partitions);
        self.ended = partitions;
    }

    pub(super) fn keeps(&self, partition: i32) -> bool {
        self.keeper.next(partition).is_some()
    }

    pub(super) fn read_words(&mut self) -> Result<(), KafkaError> {
        self.words.read()
    }

    /// Whether there is something to do without any reading.
    pub(super) fn has_work(&mut self, states: &States) -> bool {
        let something = !self.words.waiting().is_empty() || !self.ended.is_empty() || self.keeper.is_due();
        something || !self.idle.steps(states, |_| false).is_empty()
    }

    /// Before the readings of a transaction: what people have said, then the time of idle partitions. `ends` has the
    /// next reading of the partitions that readings are judged of.
    pub(super) fn happen(
        &mut self,
        judge: &mut Judge,
        ends: BTreeMap<i32, i64>,
        transactions: &Transactions,
    ) -> Result<Done, TransactionError> {
        let change = Change { ends, ..Change::default() };
        let mut done = Done { change, ended: self.ended.len(), ..Done::default() };
        for partition in &self.ended {
            transactions.send(own(SNAPSHOTS, *partition, Some(&self.keeper.mark_key()), None))?;
        }
        for word in self.words.waiting() {
            judge.acknowledge(&records::record(word), transactions)?;
            self.write_down(word.partition(), event(word), &mut done, transactions)?;
            done.change.acknowledged.insert(word.partition(), word.offset() + 1);
            done.words += 1;
        }
        let steps = self.idle.steps(judge.states(), |partition| done.change.ends.contains_key(&partition));
        for (partition, to) in steps {
            judge.advance(partition, to, transactions)?;
            self.write_down(partition, Event::Advance { to }, &mut done, transactions)?;
        }
        Ok(done)
    }

    fn write_down(
        &self,
        partition: i32,
        event: Event,
        done: &mut Done,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        let earlier = done.change.entries.entry(partition).or_default();
        let Some(entry) = self.keeper.entry(partition, *earlier, event) else { return Ok(()) };
        *earlier += 1;
        transactions.send(own(JOURNAL, partition, None, Some(&record::json(&entry))))
    }

    /// After the readings of a transaction: the snapshots that are due.
    pub(super) fn write(
        &self,
        judge: &Judge,
        done: &mut Done,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        let snapshots = self.keeper.snapshots(judge.program(), judge.states(), &judge.limits(), &done.change);
        for (partition, snapshots) in snapshots {
            for (key, value) in &snapshots {
                transactions.send(own(SNAPSHOTS, partition, Some(key), value.as_deref()))?;
            }
            done.written.push(partition);
        }
        Ok(())
    }

    /// The transaction has committed; the states have not been yet.
    pub(super) fn commit(&mut self, states: &States, done: &Done) {
        self.keeper.commit(states, &done.change, &done.written);
        self.words.done(done.words);
        self.ended.drain(..done.ended);
    }

    /// The next reading of every partition that the transaction writes for. Those without a reading of theirs are committed all
    /// the same: so the broker refuses a member that the group has put out, whatever it writes.
    pub(super) fn places(&self, done: &Done) -> BTreeMap<i32, i64> {
        let Change { ends, entries, .. } = &done.change;
        let touched = entries.keys().chain(&done.written);
        let without_reading = touched.filter_map(|partition| Some((*partition, self.keeper.next(*partition)?)));
        without_reading.chain(ends.iter().map(|(partition, next)| (*partition, *next))).collect()
    }
}

fn own<'a>(topic: &'a str, partition: i32, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Sent<'a> {
    Sent { topic, partition, key, value, timestamp: None, headers: None }
}

/// Of what is too large only the place: it changes nothing.
fn event(word: &OwnedMessage) -> Event {
    let (offset, timestamp) = (word.offset(), word.timestamp().to_millis());
    if is_too_large(word) {
        return Event::Acknowledgement { offset, timestamp, key: None, value: None };
    }
    Event::Acknowledgement { offset, timestamp, key: word.key().map(hex), value: word.payload().map(hex) }
}

fn is_too_large(word: &OwnedMessage) -> bool {
    word.key().map_or(0, <[u8]>::len) + word.payload().map_or(0, <[u8]>::len) > MOST_BYTES
}

/// The offsets that the group has committed of a partition: of the stream, and of the acknowledgements. Waits while a
/// transaction is open that may change them.
fn committed(consumer: &StreamConsumer, program: &Program, partition: i32) -> KafkaResult<(Option<i64>, Option<i64>)> {
    let mut places = TopicPartitionList::new();
    places.add_partition(program.stream(), partition);
    places.add_partition(ACKNOWLEDGEMENTS, partition);
    let committed = consumer.committed_offsets(places, COMMITTED)?;
    let of = |topic: &str| match committed.find_partition(topic, partition).map(|place| place.offset()) {
        Some(Offset::Offset(offset)) => Some(offset),
        _ => None,
    };
    Ok((of(program.stream()), of(ACKNOWLEDGEMENTS)))
}
