//! Which reading of each partition is due: none is judged twice, wherever the consumer goes.

use std::collections::BTreeMap;

use super::WorkerError;

/// The place after the last reading that came, by partition.
#[derive(Debug, Default)]
pub(super) struct Due(BTreeMap<i32, i64>);

impl Due {
    /// A reading has come.
    ///
    /// # Errors
    /// It had come before. Where a broker does not know the place that it is asked for, librdkafka begins again with the first
    /// reading (`auto.offset.reset`); new clients begin where the group has committed.
    pub(super) fn comes(&mut self, partition: i32, offset: i64) -> Result<(), WorkerError> {
        match self.0.insert(partition, offset + 1) {
            Some(due) if offset < due => Err(WorkerError::WentBack { partition, offset, due }),
            _ => Ok(()),
        }
    }

    /// Readings from this place on are read again.
    pub(super) fn again(&mut self, partition: i32, start: i64) {
        self.0.insert(partition, start);
    }

    /// The partition is ours no longer.
    pub(super) fn forget(&mut self, partition: i32) {
        self.0.remove(&partition);
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
        due.again(0, 5);
        assert!(due.comes(0, 5).is_ok());
        due.forget(0);
        assert!(due.comes(0, 0).is_ok());
    }
}
