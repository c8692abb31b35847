//! Whose turn it is to be watched, where there are too many patients, or too much to do, to watch them all at once.

use super::DAY;

/// So many patients of one worker are watched at once: what is kept of them stays in the processor's caches.
const AT_ONCE: usize = 1_000;

/// And so many while the worker has a backlog: a few tens of nanoseconds for a reading then, and still a ward.
const AT_ONCE_UNDER_LOAD: usize = 64;

/// A batch of so many readings means load,
const LARGE: usize = 512;

/// and so many of them in a row a backlog; as many others, that it is worked off.
const IN_A_ROW: u32 = 64;

/// A turn in blocks: one to begin with, and two in which the matches of the one before are known.
const BLOCKS: i64 = 3;

/// Everybody is watched at least twice in a day, so that it is known what a patient had.
const MOST_PARTS: u32 = (DAY / BLOCKS / 2) as u32;

/// The part of the patients that is watched.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turn {
    /// One part of 2^`halvings` of them.
    halvings: u32,
    /// Which one.
    part: u64,
    /// How often another part has had its turn.
    pub(super) number: u32,
    loaded: bool,
    /// Batches in a row that say otherwise.
    otherwise: u32,
}

impl Turn {
    /// There are so many patients.
    pub(super) fn adapt(&mut self, patients: usize) {
        let most = if self.loaded { AT_ONCE_UNDER_LOAD } else { AT_ONCE };
        let mut halvings = 0;
        while patients >> halvings > most && 2 << halvings <= MOST_PARTS {
            halvings += 1;
        }
        self.number += u32::from(halvings != self.halvings);
        self.halvings = halvings;
    }

    /// A batch of so many readings of so many patients is to be looked at.
    pub(super) fn batch(&mut self, readings: usize, patients: usize) {
        self.otherwise = if (readings >= LARGE) == self.loaded { 0 } else { self.otherwise + 1 };
        if self.otherwise == IN_A_ROW {
            (self.loaded, self.otherwise) = (!self.loaded, 0);
            self.adapt(patients);
        }
    }

    /// It is this block.
    pub(super) fn move_on(&mut self, block: i64) {
        let part = block.div_euclid(BLOCKS) as u64;
        self.number += u32::from(part != self.part && self.halvings > 0);
        self.part = part;
    }

    /// Whether not everybody is watched.
    pub(super) fn is_partial(self) -> bool {
        self.halvings > 0
    }

    /// Whether it is the turn of this patient.
    pub(super) fn has(self, patient: &[u8]) -> bool {
        self.halvings == 0 || (fnv(patient) ^ self.part) & ((1 << self.halvings) - 1) == 0
    }
}

/// FNV-1a, folded: quick for short names, and the same on every machine.
fn fnv(bytes: &[u8]) -> u64 {
    let add = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, add);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ward_is_watched_as_a_whole_and_thousands_in_turns() {
        let mut turn = Turn::default();
        turn.adapt(1_000);
        assert!((0..1_000).all(|patient| turn.has(format!("p{patient}").as_bytes())));
        turn.adapt(9_000);
        let names: Vec<String> = (0..9_000).map(|patient| format!("p{patient}")).collect();
        let mut watched = vec![0; names.len()];
        for block in 0..16 * BLOCKS {
            turn.move_on(block);
            let now: Vec<usize> = (0..names.len()).filter(|index| turn.has(names[*index].as_bytes())).collect();
            assert!((400..750).contains(&now.len()), "{}", now.len());
            for index in now {
                watched[index] += 1;
            }
        }
        assert!(watched.iter().all(|blocks| *blocks == BLOCKS));
    }

    #[test]
    fn a_backlog_is_worked_off_with_fewer_in_view_but_a_small_ward() {
        let (mut turn, mut ward) = (Turn::default(), Turn::default());
        let halvings = |turn: &mut Turn, readings, patients| {
            (0..IN_A_ROW).for_each(|_| turn.batch(readings, patients));
            turn.halvings
        };
        assert_eq!(halvings(&mut turn, 1_024, 500), 3);
        assert_eq!(halvings(&mut ward, 1_024, 20), 0);
        turn.batch(3, 500);
        turn.batch(1_024, 500);
        assert_eq!((halvings(&mut turn, 3, 500), turn.number), (0, 2));
    }
}
