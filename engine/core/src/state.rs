//! What is remembered of patients, by partition. Everything here is a function of the readings, acknowledgements and steps
//! of time of that partition; nothing is known of where they come from or where this is kept.

mod codec;
mod encode;
mod layout;
mod partition;
mod patient;
mod pause;

pub use codec::StateError;
pub(crate) use encode::{decode_own, decode_patient, encode_own, encode_patient};
pub(crate) use layout::{CellPlan, Layout, RuleLayout, SilencePlan, window_room};
pub(crate) use partition::{Owed, Partition};
pub(crate) use patient::{Ahead, Patient, Silence};
pub use pause::{Pause, Scope};

/// The state of some partitions under one program. Give a step the states that its own program made or took over.
#[derive(Debug)]
pub struct States {
    /// In order of their numbers.
    partitions: Vec<Partition>,
    /// Whether the stream has several partitions, so that a reading without a key may have gone anywhere.
    several: bool,
}

impl States {
    /// No state yet, of a stream of so many partitions.
    pub fn new(partitions: i32) -> Self {
        Self { partitions: Vec::new(), several: partitions > 1 }
    }

    /// Says how many partitions the stream has.
    pub fn set_partitions(&mut self, partitions: i32) {
        self.several = partitions > 1;
    }

    pub(crate) fn several(&self) -> bool {
        self.several
    }

    /// Forgets what was touched since the last time: it has become true.
    pub fn commit(&mut self) {
        self.partitions.iter_mut().for_each(Partition::commit);
    }

    /// Undoes everything since the last commit.
    pub fn rollback(&mut self) {
        self.partitions.iter_mut().for_each(Partition::rollback);
    }

    /// Forgets a partition that is ours no longer.
    pub fn drop_partition(&mut self, partition: i32) {
        self.partitions.retain(|own| own.number() != partition);
    }

    /// The partitions of which something is known, in order.
    pub fn partitions(&self) -> impl Iterator<Item = i32> {
        self.partitions.iter().map(Partition::number)
    }

    /// The stream's time in a partition, in epoch milliseconds, once a reading has come.
    pub fn stream_time(&self, partition: i32) -> Option<i64> {
        self.find(partition)?.time()
    }

    /// A moment, in epoch milliseconds, before which nothing in the partition becomes due.
    pub fn next_timer(&self, partition: i32) -> Option<i64> {
        let partition = self.find(partition)?;
        let pauses = partition.own.pauses.iter().map(|pause| pause.until);
        partition.next_timer().into_iter().chain(pauses).min()
    }

    /// Takes in the partitions of `others`, in the place of what was known of them. Both must be of one program.
    pub fn adopt(&mut self, others: Self) {
        for partition in others.partitions {
            self.drop_partition(partition.number());
            let position = self.position(partition.number());
            self.partitions[position] = partition;
        }
    }

    /// The patients of a partition in order, by bytes.
    pub fn patients(&self, partition: i32) -> Vec<&str> {
        self.find(partition).map(Partition::ids).unwrap_or_default()
    }

    /// The patients whose state has changed since the last commit, those that are forgotten among them, in order.
    pub fn touched(&self, partition: i32) -> impl Iterator<Item = &str> {
        self.find(partition).into_iter().flat_map(Partition::touched)
    }

    pub(crate) fn find(&self, partition: i32) -> Option<&Partition> {
        let index = self.partitions.binary_search_by_key(&partition, Partition::number).ok()?;
        self.partitions.get(index)
    }

    /// The position of a partition, which is made if there is none; positions behind it change then.
    pub(crate) fn position(&mut self, partition: i32) -> usize {
        match self.partitions.binary_search_by_key(&partition, Partition::number) {
            Ok(index) => index,
            Err(index) => {
                self.partitions.insert(index, Partition::new(partition));
                index
            }
        }
    }

    pub(crate) fn at(&mut self, position: usize) -> Option<&mut Partition> {
        self.partitions.get_mut(position)
    }

    pub(crate) fn all(&mut self) -> &mut [Partition] {
        &mut self.partitions
    }
}
