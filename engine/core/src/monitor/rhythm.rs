//! How often a device sends, and whether readings are missing in between.

/// So many steady steps in a row make a rhythm.
const STEADY: u8 = 8;

/// A device's rhythm.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rhythm {
    /// The time of the last reading, in epoch milliseconds.
    last: Option<i64>,
    /// Milliseconds from one reading to the next.
    step: i64,
    steady: u8,
}

/// What a reading says of the rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// It is not newer than the last: a late one, or one that is judged again.
    Old,
    /// There is no rhythm, or a silence has ended: a device that was off has lost nothing.
    Free,
    /// It is where it was to be.
    Steady,
    /// One or two before it are missing.
    Skipped,
}

impl Rhythm {
    /// Nobody has looked since the last reading: what came in between is not lost.
    pub(super) fn pause(&mut self) {
        self.last = None;
    }

    pub(super) fn beat(&mut self, time: i64) -> Beat {
        let Some(last) = self.last else {
            self.last = Some(time);
            return Beat::Free;
        };
        let gap = time - last;
        if gap <= 0 {
            return Beat::Old;
        }
        self.last = Some(time);
        let near = 2 * gap > self.step && 2 * gap <= 3 * self.step;
        if near {
            self.steady = (self.steady + 1).min(2 * STEADY);
            self.step += (gap - self.step) / 16;
        }
        match (self.steady >= STEADY, near) {
            (true, true) => Beat::Steady,
            (true, false) if 2 * gap > 7 * self.step => Beat::Free,
            (true, false) if gap > self.step => Beat::Skipped,
            (true, false) => {
                self.steady -= 2;
                Beat::Free
            }
            (false, true) => Beat::Free,
            (false, false) => {
                (self.step, self.steady) = (gap, 0);
                Beat::Free
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(times: impl IntoIterator<Item = i64>) -> Vec<Beat> {
        let mut rhythm = Rhythm::default();
        times.into_iter().map(|time| rhythm.beat(time)).collect()
    }

    #[test]
    fn what_is_missing_in_a_rhythm_is_seen() {
        let seen = beats((0..20).map(|n| n * 5_000).chain([105_000, 110_000, 110_000, 125_000, 130_000]));
        assert_eq!(seen[10..20], [Beat::Steady; 10]);
        assert_eq!(seen[20..], [Beat::Skipped, Beat::Steady, Beat::Old, Beat::Skipped, Beat::Steady]);
    }

    #[test]
    fn a_silence_is_no_loss_and_jitter_no_gap() {
        let seen = beats((0..20).map(|n| n * 5_000 + n % 3 * 700).chain([600_000, 605_000]));
        assert_eq!(seen[11..20], [Beat::Steady; 9]);
        assert_eq!(seen[20..], [Beat::Free, Beat::Steady]);
    }

    #[test]
    fn a_new_rhythm_is_learnt() {
        let seen = beats((0..20).map(|n| n * 5_000).chain((1..30).map(|n| 95_000 + n * 1_000)));
        assert_eq!(seen[40..], [Beat::Steady; 9]);
        assert!(!seen.contains(&Beat::Skipped));
    }
}
