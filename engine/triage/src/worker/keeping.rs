//! What a worker keeps beside its readings: how far partitions are and what of their state is to be written, what people
//! have said, and the time of idle partitions.

use std::collections::{BTreeMap, BTreeSet};

use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::States;

use super::idle::Idle;
use super::judge::Judge;
use super::taking::Taken;
use super::words::{MOST_BYTES, Words};
use crate::config::Config;
use crate::kafka::records;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, JOURNAL, SNAPSHOTS};
use crate::kafka::transaction::{Sent, TransactionError, Transactions};
use crate::state::entry::Event;
use crate::state::record::{self, Basis, hex};
use crate::state::{Change, Keeper, Restored, Written};

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
    written: Vec<Written>,
    ended: usize,
}

impl Keeping {
    pub(super) fn new(config: &Config) -> KafkaResult<Self> {
        let keeper = Keeper::new(&config.kafka.group, config.engine.snapshot_age);
        Ok(Self { keeper, words: Words::new(&config.kafka)?, idle: Idle::default(), ended: Vec::new() })
    }

    /// Takes over a partition with its state.
    pub(super) fn take_over(&mut self, taken: Taken, judge: &mut Judge) -> KafkaResult<()> {
        let Taken { partition, current, restored } = taken;
        let Restored { states, mut beginning, farewell, orphans } = restored;
        judge.adopt(states, &current, farewell);
        judge.end(partition, orphans);
        self.ended.retain(|ended| *ended != partition);
        if !judge.program().keeps_state() {
            // The rules keep no state any more since it was asked for.
            self.ended.push(partition);
            return self.listen(partition);
        }
        let patients = judge.states().patients(partition);
        tracing::info!(
            partition,
            next = beginning.place.next,
            patients = patients.len(),
            "a partition's state is here"
        );
        if current.generation != judge.generation() {
            beginning.dirty.extend(patients.into_iter().map(str::to_owned));
        }
        self.words.begin(partition, beginning.acknowledgement)?;
        let bases = [Basis::new(&current.program, &judge.limits()), judge.basis()];
        self.keeper.begin(partition, beginning, bases);
        Ok(())
    }

    /// Takes a partition over by rules that keep no state: what people say is heard all the same, since a patient may be erased.
    pub(super) fn listen(&mut self, partition: i32) -> KafkaResult<()> {
        self.words.go_on(partition)
    }

    /// What people say is not heard until these partitions have their state.
    pub(super) fn hold(&mut self, partitions: &[i32]) -> KafkaResult<()> {
        self.words.drop_partitions(partitions)
    }

    /// A partition whose state could not be had, and is not asked for any more: the rules keep none.
    pub(super) fn give_up(&mut self, partition: i32) {
        tracing::warn!(
            partition,
            "the state that was kept of a partition is given up unread: the rules keep none any more"
        );
        self.ended.push(partition);
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
    pub(super) fn rules_changed(&mut self, judge: &Judge) {
        self.keeper.rules_changed(&judge.basis(), judge.states());
    }

    /// The rule set that has been taken up keeps no state. What people say is heard as before.
    pub(super) fn end(&mut self) {
        let partitions: Vec<i32> = self.keeper.partitions().collect();
        self.keeper.drop_partitions(&partitions);
        for partition in &partitions {
            self.idle.left(*partition);
        }
        self.ended = partitions;
    }

    pub(super) fn read_words(&mut self) -> Result<(), KafkaError> {
        self.words.read()
    }

    /// Whether there is something to do without any reading.
    pub(super) fn has_work(&mut self, states: &States) -> bool {
        let something = !self.words.waiting().is_empty() || !self.ended.is_empty() || self.keeper.is_due();
        something || !self.idle.steps(states, |_| false).is_empty()
    }

    /// Before the readings of a transaction: by what they are judged, where that is new; what people have said; then the time
    /// of idle partitions. `ends` has the next reading of the partitions that readings are judged of.
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
        for (partition, basis) in self.keeper.unsaid() {
            self.write_down(partition, Event::Basis(basis), &mut done, transactions)?;
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
        done.written = self.keeper.write(judge.program(), judge.states(), &done.change);
        for written in &done.written {
            for (key, value) in &written.records {
                transactions.send(own(SNAPSHOTS, written.partition, Some(key), value.as_deref()))?;
            }
        }
        Ok(())
    }

    /// The transaction has committed; the states have not been yet.
    pub(super) fn commit(&mut self, states: &States, done: Done, transactions: &Transactions) {
        self.keeper.commit(states, &done.change, done.written);
        for (partition, end) in transactions.journaled() {
            self.keeper.journaled(partition, end);
        }
        self.words.done(done.words);
        self.ended.drain(..done.ended);
    }

    /// What the group commits: of every partition that the transaction writes for, the next reading, with the number of the
    /// last journal entry noted beside it; and the next acknowledgements. Partitions without a reading of theirs are committed all
    /// the same: so the broker refuses a member that the group has put out, whatever it writes.
    pub(super) fn offsets(&self, stream: &str, done: &Done) -> KafkaResult<TopicPartitionList> {
        let Change { ends, entries, acknowledged } = &done.change;
        let written = done.written.iter().map(|written| &written.partition);
        let partitions: BTreeSet<i32> = ends.keys().chain(entries.keys()).chain(written).copied().collect();
        let mut offsets = TopicPartitionList::with_capacity(partitions.len() + acknowledged.len());
        for partition in partitions {
            let kept = self.keeper.place_after(partition, &done.change);
            let Some(next) = kept.map(|place| place.next).or(ends.get(&partition).copied()) else { continue };
            let mut place = offsets.add_partition(stream, partition);
            place.set_offset(Offset::Offset(next))?;
            if let Some(kept) = kept {
                place.set_metadata(kept.entry.to_string());
            }
        }
        for (partition, next) in acknowledged {
            offsets.add_partition_offset(ACKNOWLEDGEMENTS, *partition, Offset::Offset(*next))?;
        }
        Ok(offsets)
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
