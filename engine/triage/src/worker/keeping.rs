//! What a worker keeps beside its readings: how far partitions are and what of their state is to be written, what people
//! have said, and the time of idle partitions.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::{Limits, Program, States};
use triage_core::reading::Record;

use super::idle::Idle;
use super::judge::Judge;
use super::words::Words;
use crate::config::Config;
use crate::kafka::consumer::StreamConsumer;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, JOURNAL, SNAPSHOTS};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::state::record::{self, Event, hex};
use crate::state::{Keeper, Place, RestoreError, Restored, Restorer};

/// How long the group's offsets may take: a transaction of a process that has died must end first.
const COMMITTED: Duration = Duration::from_secs(90);

/// What a worker keeps.
pub(super) struct Keeping {
    keeper: Keeper,
    words: Words,
    pub(super) idle: Idle,
}

/// What a transaction has done besides judging readings, and will be so when it has committed.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Journal entries, by partition.
    entries: BTreeMap<i32, u64>,
    /// The next acknowledgement, by partition.
    pub(super) acknowledged: BTreeMap<i32, i64>,
    words: usize,
    written: Vec<i32>,
}

impl Keeping {
    pub(super) fn new(config: &Config) -> KafkaResult<Self> {
        let keeper = Keeper::new(&config.kafka.group, config.engine.snapshot_age);
        Ok(Self { keeper, words: Words::new(&config.kafka)?, idle: Idle::default() })
    }

    /// Takes over partitions with their state; `afresh` where none was kept so far.
    pub(super) fn take_over(
        &mut self,
        partitions: &[i32],
        afresh: bool,
        (config, stream_partitions): (&Config, i32),
        consumer: &StreamConsumer,
        judge: &mut Judge,
    ) -> Result<(), RestoreError> {
        for partition in partitions {
            let (committed, acknowledged) = committed(consumer, judge.program(), *partition)
                .map_err(|error| RestoreError::Kafka { partition: *partition, error })?;
            let restorer = Restorer {
                config,
                program: judge.program(),
                partition: *partition,
                partitions: stream_partitions,
                committed,
                acknowledged,
            };
            let Restored { states, place, dirty, farewell } =
                if afresh { restorer.begin()? } else { restorer.restore()? };
            let patients = states.patients(*partition).len();
            judge.adopt(states, farewell);
            self.begin(*partition, place, dirty)?;
            tracing::info!(partition, next = place.next, patients, "a partition's state is here");
        }
        Ok(())
    }

    fn begin(
        &mut self,
        partition: i32,
        place: Place,
        dirty: std::collections::BTreeSet<String>,
    ) -> Result<(), RestoreError> {
        self.keeper.begin(partition, place, dirty);
        let begun = self.words.begin(partition, place.acknowledgement);
        begun.map_err(|error| RestoreError::Kafka { partition, error })
    }

    pub(super) fn drop_partitions(&mut self, partitions: &[i32]) {
        self.keeper.drop_partitions(partitions);
        for partition in partitions {
            self.idle.left(*partition);
        }
        if let Err(error) = self.words.drop_partitions(partitions) {
            tracing::warn!(%error, "acknowledgements of partitions that have gone are still read");
        }
    }

    /// Another rule set has been taken up.
    pub(super) fn rules_changed(&mut self, states: &States) {
        self.keeper.all_are_due(states);
    }

    /// The partitions whose state is kept.
    pub(super) fn partitions(&self) -> Vec<i32> {
        self.keeper.partitions().collect()
    }

    pub(super) fn read_words(&mut self) -> Result<(), KafkaError> {
        self.words.read()
    }

    /// Whether there is something to do without any reading.
    pub(super) fn has_work(&mut self, states: &States) -> bool {
        !self.words.waiting().is_empty() || self.keeper.is_due() || !self.idle.steps(states).is_empty()
    }

    /// Before the readings of a transaction: what people have said, then the time of idle partitions.
    pub(super) fn happen(&mut self, judge: &mut Judge, transactions: &Transactions) -> Result<Done, TransactionError> {
        let mut done = Done::default();
        for word in self.words.waiting() {
            judge.acknowledge(&spoken(word), transactions)?;
            self.write_down(word.partition(), event(word), &mut done, transactions)?;
            done.acknowledged.insert(word.partition(), word.offset() + 1);
            done.words += 1;
        }
        for (partition, to) in self.idle.steps(judge.states()) {
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
        let earlier = done.entries.entry(partition).or_default();
        let Some(entry) = self.keeper.entry(partition, *earlier, event) else { return Ok(()) };
        *earlier += 1;
        transactions.send(own(JOURNAL, partition, None, Some(&record::json(&entry))))
    }

    /// After the readings of a transaction: the snapshots that are due.
    pub(super) fn write(
        &self,
        (program, states, limits): (&Program, &States, &Limits),
        ends: &BTreeMap<i32, i64>,
        done: &mut Done,
        transactions: &Transactions,
    ) -> Result<(), TransactionError> {
        for (partition, snapshots) in self.keeper.snapshots(program, states, limits, (ends, &done.entries)) {
            for (key, value) in &snapshots {
                transactions.send(own(SNAPSHOTS, partition, Some(key), value.as_deref()))?;
            }
            done.written.push(partition);
        }
        Ok(())
    }

    /// The transaction has committed; the states have not been yet.
    pub(super) fn commit(&mut self, states: &States, ends: &BTreeMap<i32, i64>, done: &Done) {
        self.keeper.commit(states, ends, &done.entries, &done.acknowledged, &done.written);
        self.words.done(done.words);
    }
}

fn own<'a>(topic: &'a str, partition: i32, key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Sent<'a> {
    Sent { topic, partition, key, value, timestamp: None, headers: None }
}

fn spoken(word: &OwnedMessage) -> Record<'_> {
    Record {
        key: word.key(),
        value: word.payload(),
        timestamp: word.timestamp().to_millis(),
        partition: word.partition(),
        offset: word.offset(),
    }
}

fn event(word: &OwnedMessage) -> Event {
    Event::Acknowledgement {
        offset: word.offset(),
        timestamp: word.timestamp().to_millis(),
        key: word.key().map(hex),
        value: word.payload().map(hex),
    }
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
