//! Which reading of each partition is due: none is judged twice, and none is passed over in silence, wherever the consumer
//! goes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::WorkerError;

/// How often the broker is asked, at most, whether readings that did not come are there no more. Transactions of whoever writes
/// the stream leave gaps too, in every batch.
const ASKING: Duration = Duration::from_secs(5);

/// The place after the last reading that came, by partition.
#[derive(Debug, Default)]
pub(super) struct Due {
    next: BTreeMap<i32, i64>,
    /// The first gap of each partition that the broker has not been asked about.
    gaps: BTreeMap<i32, Gap>,
    asked: Option<Instant>,
}

/// Places that no reading came from: of control records, or of readings that were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) from: i64,
    pub(super) until: i64,
}

impl Gap {
    /// How many readings may have been deleted before they came, if the partition begins at `first` now: its readings go oldest
    /// first.
    pub(super) fn deleted(self, first: i64) -> u64 {
        u64::try_from(first.min(self.until) - self.from).unwrap_or(0)
    }
}

impl Due {
    /// A reading has come.
    ///
    /// # Errors
    /// It had come before. Where a broker does not know the place that it is asked for, librdkafka begins again with the first
    /// reading (`auto.offset.reset`); new clients begin where the group has committed.
    pub(super) fn comes(&mut self, partition: i32, offset: i64) -> Result<(), WorkerError> {
        match self.next.insert(partition, offset + 1) {
            Some(due) if offset < due => return Err(WorkerError::WentBack { partition, offset, due }),
            Some(due) if offset > due => drop(self.gaps.entry(partition).or_insert(Gap { from: due, until: offset })),
            _ => {}
        }
        Ok(())
    }

    /// The reading at this place is the next: it is read again, or the group has come so far.
    pub(super) fn next_is(&mut self, partition: i32, start: i64) {
        self.next.insert(partition, start);
    }

    /// The partition is ours no longer.
    pub(super) fn forget(&mut self, partition: i32) {
        self.next.remove(&partition);
        self.gaps.remove(&partition);
    }

    /// The gaps that the broker is to be asked about now. They are forgotten: what it does not answer is to be asked again.
    pub(super) fn take_gaps(&mut self, now: Instant) -> BTreeMap<i32, Gap> {
        if self.gaps.is_empty() || self.asked.is_some_and(|asked| now.duration_since(asked) < ASKING) {
            return BTreeMap::new();
        }
        self.asked = Some(now);
        std::mem::take(&mut self.gaps)
    }

    /// The broker did not answer: the gap is still to be asked about, and it is the first.
    pub(super) fn ask_again(&mut self, partition: i32, gap: Gap) {
        self.gaps.insert(partition, gap);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_has_come_does_not_come_again_unless_it_is_asked_for() {
        let mut due = Due::default();
        for offset in [5, 6, 9] {
            assert!(due.comes(0, offset).is_ok(), "{offset}");
        }
        assert!(due.comes(1, 0).is_ok());
        let error = due.comes(0, 0).unwrap_err();
        assert!(matches!(error, WorkerError::WentBack { partition: 0, offset: 0, due: 10 }), "{error}");
        due.next_is(0, 5);
        assert!(due.comes(0, 5).is_ok());
        due.forget(0);
        assert!(due.comes(0, 0).is_ok());
    }

    #[test]
    fn the_first_gap_of_each_partition_is_asked_about_now_and_then() {
        let mut due = Due::default();
        let begun = Instant::now();
        due.next_is(0, 3);
        // Where nobody knows what was to come, nothing is missing.
        for (partition, offset) in [(0, 5), (0, 7), (1, 5), (1, 6)] {
            due.comes(partition, offset).unwrap();
        }
        let first = BTreeMap::from([(0, Gap { from: 3, until: 5 })]);
        assert_eq!(due.take_gaps(begun), first);
        due.comes(0, 9).unwrap();
        assert_eq!(due.take_gaps(begun + Duration::from_secs(4)), BTreeMap::new());
        due.ask_again(0, Gap { from: 3, until: 5 });
        assert_eq!(due.take_gaps(begun + Duration::from_secs(5)), first);
    }

    #[test]
    fn only_what_the_partition_has_no_more_was_deleted() {
        let gap = Gap { from: 3, until: 9 };
        assert_eq!([0, 3, 4, 9, 20].map(|first| gap.deleted(first)), [0, 0, 1, 6, 6]);
    }
}
