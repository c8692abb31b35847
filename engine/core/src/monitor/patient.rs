//! What is kept of one patient: bits and a few numbers, whatever comes.

use super::DAY;
use super::rhythm::{Beat, Rhythm};
use super::tally::{Clocks, Count, Tally};
use crate::reading::WORD_BITS;

/// A clock is judged by so many readings of a block at least.
const CLOCK_READINGS: u32 = 3;

/// A stretch of a device's readings in which none is missing, or some are: ten minutes at one every 5 s.
pub(super) const STRETCH: u32 = 120;

/// A bit for each of some things.
pub(super) type BitRow = Box<[u64]>;

/// One patient.
#[derive(Debug, Clone)]
pub(super) struct Patient {
    pub(super) name: Box<str>,
    rhythm: Rhythm,
    /// The turn in which the last reading was watched.
    turn: u32,
    /// By field: known in this block, this day, the day before.
    known: [BitRow; 3],
    /// By rule: matched in this block, in the last one with a reading, in this day, the day before.
    matched: [BitRow; 4],
    /// The last block with a reading.
    block: Option<i64>,
    readings: u32,
    /// Readings of the stretch at hand, and whether some are missing.
    stretch: u32,
    skipped: bool,
    /// The stretches of this block.
    stretches: Count,
    /// By how many milliseconds the readings of this block are behind their arrival: the least.
    behind: i64,
}

/// What a reading says that is watched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard<'a> {
    /// Epoch milliseconds.
    pub(super) time: i64,
    /// By how many milliseconds that is behind the arrival.
    pub(super) behind: Option<i64>,
    /// The fields that are unknown.
    pub(super) unknown: &'a [u64],
    /// The number of the turn.
    pub(super) turn: u32,
}

impl Patient {
    pub(super) fn new(name: &str, fields: usize, rules: usize) -> Self {
        let row = |bits: usize| vec![0; bits.div_ceil(WORD_BITS)].into_boxed_slice();
        Self {
            name: name.into(),
            rhythm: Rhythm::default(),
            turn: 0,
            known: [row(fields), row(fields), row(fields)],
            matched: [row(rules), row(rules), row(rules), row(rules)],
            block: None,
            readings: 0,
            stretch: 0,
            skipped: false,
            stretches: Count::default(),
            behind: i64::MAX,
        }
    }

    /// Whether nothing of this block has been heard yet.
    pub(super) fn is_silent(&self) -> bool {
        self.readings == 0
    }

    /// Takes in a reading; whether it is newer than the one before.
    pub(super) fn hear(&mut self, heard: &Heard<'_>) -> bool {
        let Heard { time, behind, unknown, turn } = *heard;
        if turn != self.turn {
            self.turn = turn;
            self.rhythm.pause();
        }
        self.readings = self.readings.saturating_add(1);
        self.known[0].iter_mut().zip(unknown).for_each(|(known, unknown)| *known |= !unknown);
        self.behind = behind.map_or(self.behind, |behind| self.behind.min(behind));
        let beat = self.rhythm.beat(time);
        self.stretch += u32::from(matches!(beat, Beat::Steady | Beat::Skipped));
        self.skipped |= beat == Beat::Skipped;
        if self.stretch == STRETCH {
            self.stretches.add(Count { some: self.skipped.into(), of: 1 });
            (self.stretch, self.skipped) = (0, false);
        }
        beat != Beat::Old
    }

    pub(super) fn matched(&mut self, rule: usize) {
        if let Some(word) = self.matched[0].get_mut(rule / WORD_BITS) {
            *word |= 1 << (rule % WORD_BITS);
        }
    }

    /// The block has ended: adds the patient to the tally.
    pub(super) fn close(&mut self, clock_skew: i64, tally: &mut Tally) {
        self.close_fields(&mut tally.gone);
        self.close_rules(tally.block, &mut tally.onsets);
        tally.skipped.add(std::mem::take(&mut self.stretches));
        self.close_clock(clock_skew, &mut tally.clocks);
        (self.readings, self.behind) = (0, i64::MAX);
        self.block = Some(tally.block);
    }

    fn close_fields(&mut self, gone: &mut [Count]) {
        let [block, today, yesterday] = &mut self.known;
        for (word, known) in block.iter_mut().enumerate() {
            let usual = today[word] | yesterday[word];
            let missing = usual & !*known;
            each_bit(usual, word, gone.len(), |field| {
                gone[field].of += 1;
                gone[field].some += u32::from(missing >> (field % WORD_BITS) & 1 == 1);
            });
            today[word] |= std::mem::take(known);
        }
    }

    /// A patient counts who was heard in the block before: else a match is no beginning.
    fn close_rules(&mut self, number: i64, onsets: &mut [Count]) {
        let [block, before, today, _] = &mut self.matched;
        let heard = self.block == Some(number - 1);
        if heard && !block.is_empty() {
            add_one(onsets);
        }
        for (word, matched) in block.iter_mut().enumerate() {
            let began = if heard { *matched & !before[word] } else { 0 };
            each_bit(began, word, onsets.len(), |rule| onsets[rule].some += 1);
            today[word] |= *matched;
            before[word] = std::mem::take(matched);
        }
    }

    fn close_clock(&self, clock_skew: i64, clocks: &mut Clocks) {
        if self.readings < CLOCK_READINGS || self.behind == i64::MAX {
            return;
        }
        let off = self.behind.abs() > clock_skew;
        clocks.off.add(Count { some: off.into(), of: 1 });
        if off {
            clocks.name(&self.name, self.behind);
        }
    }

    /// The day has ended; whether anything was heard in it.
    pub(super) fn end_day(&mut self, days: &mut [Count], begun: &mut [Count], block: i64) -> bool {
        if self.block.is_none_or(|last| last <= block - DAY) {
            return false;
        }
        let [_, today, yesterday] = &mut self.known;
        yesterday.copy_from_slice(today);
        today.fill(0);
        let [.., today, yesterday] = &mut self.matched;
        if !today.is_empty() {
            add_one(days);
        }
        for (word, matched) in today.iter_mut().enumerate() {
            each_bit(*matched, word, days.len(), |rule| days[rule].some += 1);
            each_bit(!yesterday[word], word, begun.len(), |rule| begun[rule].of += 1);
            each_bit(*matched & !yesterday[word], word, begun.len(), |rule| begun[rule].some += 1);
            yesterday[word] = std::mem::take(matched);
        }
        true
    }
}

/// There is one more of whom each may be said.
fn add_one(counts: &mut [Count]) {
    for count in counts {
        count.of += 1;
    }
}

/// Calls `of` with the place of each bit of a word that is set, below `most`.
fn each_bit(mut bits: u64, word: usize, most: usize, mut of: impl FnMut(usize)) {
    while bits != 0 {
        let place = word * WORD_BITS + bits.trailing_zeros() as usize;
        if place < most {
            of(place);
        }
        bits &= bits - 1;
    }
}
