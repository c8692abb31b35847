//! What `C for …` and `A then B within …` remember of one patient.

/// The run of a condition: readings at which it was true, from the first on, with none between at which it was false. It
/// does not depend on how long the run must be, so that `C for 10m`, `C for 20m` and `C for 3 readings` share it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// When it began, and at how many readings the condition was true.
    pub(crate) open: Option<(i64, u64)>,
}

impl Run {
    /// Takes in a reading; an unknown condition neither begins nor ends the run.
    pub(crate) fn step(&mut self, time: i64, truth: Option<bool>) {
        match (truth, self.open) {
            (Some(true), None) => self.open = Some((time, 1)),
            (Some(true), Some((since, count))) => self.open = Some((since, count.saturating_add(1))),
            (Some(false), _) => self.open = None,
            (None, _) => {}
        }
    }
}

/// When the first condition of a sequence was true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    /// Last, and last before that time: readings at one time are not one after the other.
    pub(crate) last: Option<i64>,
    pub(crate) before: Option<i64>,
}

impl Sequence {
    /// Takes in a reading, and returns the last time before it at which the first condition was true.
    pub(crate) fn step(&mut self, time: i64, first: Option<bool>) -> Option<i64> {
        if self.last.is_some_and(|last| last < time) {
            self.before = self.last;
        }
        if first == Some(true) {
            self.last = Some(time);
        }
        self.before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_reading_neither_begins_nor_ends_a_run() {
        let mut run = Run::default();
        run.step(1, None);
        assert_eq!(run.open, None);
        run.step(2, Some(true));
        run.step(3, None);
        run.step(4, Some(true));
        assert_eq!(run.open, Some((2, 2)));
        run.step(5, Some(false));
        assert_eq!(run.open, None);
    }

    #[test]
    fn readings_at_one_time_are_no_sequence() {
        let mut sequence = Sequence::default();
        assert_eq!(sequence.step(1, Some(true)), None);
        assert_eq!(sequence.step(1, Some(true)), None);
        assert_eq!(sequence.step(2, Some(true)), Some(1));
        assert_eq!(sequence.step(2, Some(false)), Some(1));
        assert_eq!(sequence.step(3, Some(false)), Some(2));
        assert_eq!(sequence.step(9, None), Some(2));
    }
}
