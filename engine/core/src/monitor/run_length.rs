//! How long a field keeps one value, and when it has kept it for too long.

/// So many runs must have ended before a field has a past.
const RUNS: u64 = 10_000;

/// One patient's field: the value that it has, and for how many readings in a row.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Run {
    value: u32,
    pub(super) length: u32,
}

/// How long the runs of a field's values have been, over all patients.
///
/// Let the lengths of runs fall off at least geometrically, at whatever rate. Then the next of `n` runs is longer than twice
/// the third longest of them with a probability of at most 12 / ((n + 1)(n + 2)): the expectation of q^(2L) for the third
/// largest L of n geometric lengths. Summed from 10,000 runs on, for ever, it is below 0.0012 per field. The third longest and
/// not the longest, so that one device that was stuck while this was learnt does not hide the next.
#[derive(Debug, Clone, Default)]
pub(super) struct RunLengths {
    ended: u64,
    longest: [u32; 3],
}

impl Run {
    /// Takes in the next value; the length of the run that it ends, if it ends one.
    pub(super) fn step(&mut self, value: f64) -> Option<u32> {
        let bits = value.to_bits();
        let value = (bits ^ (bits >> 32)) as u32;
        if self.length > 0 && self.value == value {
            self.length = self.length.saturating_add(1);
            return None;
        }
        let ended = (self.length > 0).then_some(self.length);
        *self = Self { value, length: 1 };
        ended
    }
}

impl RunLengths {
    /// No fewer readings of one value are ever too many: a minute at one every 5 s.
    pub(super) const LEAST: u32 = 12;

    /// More readings of one value are too many. Never, as long as there is no past.
    pub(super) fn limit(&self) -> u32 {
        if self.ended < RUNS { u32::MAX } else { self.longest[2].saturating_mul(2).max(Self::LEAST) }
    }

    pub(super) fn longest(&self) -> u32 {
        self.longest[2]
    }

    /// A run has ended. One that was too long counts as just not: a field whose ways have changed is learnt in steps, and a
    /// device that was stuck for a day hides no other.
    pub(super) fn ended(&mut self, length: u32) {
        let length = length.min(self.limit());
        self.ended += 1;
        if length > self.longest[2] {
            self.longest[2] = length;
            self.longest.sort_unstable_by(|left, right| right.cmp(left));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_with_another_value() {
        let mut run = Run::default();
        let ended: Vec<_> = [1.0, 1.0, 1.5, 1.5, 1.5, 2.0].into_iter().map(|value| run.step(value)).collect();
        assert_eq!(ended, [None, None, Some(2), None, None, Some(3)]);
    }

    #[test]
    fn the_limit_is_twice_the_third_longest_once_there_is_a_past() {
        let mut lengths = RunLengths::default();
        for length in [400, 30, 20] {
            lengths.ended(length);
        }
        assert_eq!(lengths.limit(), u32::MAX);
        (0..RUNS).for_each(|_| lengths.ended(2));
        assert_eq!(lengths.limit(), 40);
        lengths.ended(5_000);
        lengths.ended(5_000);
        assert_eq!(lengths.limit(), 80);
    }
}
