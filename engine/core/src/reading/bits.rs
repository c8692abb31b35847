//! A bit per row of a batch.

/// Rows in one word.
pub(crate) const WORD_BITS: usize = u64::BITS as usize;

/// A growable row of bits.
#[derive(Debug, Default, Clone)]
pub(crate) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// All clear, room for `rows`.
    pub(crate) fn reset(&mut self, rows: usize) {
        self.words.clear();
        self.words.resize(rows.div_ceil(WORD_BITS), 0);
    }

    pub(crate) fn set(&mut self, row: usize) {
        self.words[row / WORD_BITS] |= 1 << (row % WORD_BITS);
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn count(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }
}
