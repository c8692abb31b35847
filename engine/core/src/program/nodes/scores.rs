//! Scores over a whole batch: one call of the model for all readings in which nothing that it needs is unknown.

use crate::reading::{Batch, WORD_BITS};
use crate::score::{Input, Score, probability};
use crate::types::{FieldId, ScoreId};

use super::rows::word;

/// A score of a program, and whether some rule or output asks for it: else it is not worked out.
#[derive(Debug)]
pub(crate) struct Scored {
    pub(crate) score: Score,
    pub(crate) asked: bool,
}

/// How a score fared with one batch.
#[derive(Debug, Default)]
pub(crate) struct Fared {
    /// Readings that the model was asked about.
    pub(crate) asked: u64,
    /// Those on which it failed.
    pub(crate) failed: u64,
    /// Known values that went in, by input and bin of its histogram, one input after the other.
    pub(crate) inputs: Vec<u64>,
    /// Known values that went in and are outside of what the model has learnt from, by input.
    pub(crate) outside: Vec<u64>,
}

/// What the scores came to for one batch. Buffers are reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct Scores {
    /// Per score a value for each reading, NaN where it is unknown; empty where nobody asks.
    values: Vec<Vec<f64>>,
    fared: Vec<Fared>,
    /// The readings that the model is asked about, what goes in, and what comes out.
    rows: Vec<usize>,
    inputs: Vec<f32>,
    said: Vec<f32>,
}

impl Scores {
    /// Works out what is asked for.
    pub(super) fn work_out(&mut self, scored: &[Scored], batch: &Batch) {
        self.values.resize_with(scored.len(), Vec::new);
        self.fared.resize_with(scored.len(), Fared::default);
        for (index, scored) in scored.iter().enumerate() {
            if scored.asked {
                self.one(index, &scored.score, batch);
            } else {
                self.fared[index] = Fared::default();
            }
        }
    }

    fn one(&mut self, index: usize, score: &Score, batch: &Batch) {
        self.gather(score, batch);
        let fared = &mut self.fared[index];
        (fared.asked, fared.failed) = (self.rows.len() as u64, 0);
        count(score.scorer.learnt_from(), &self.inputs, fared);
        self.said.clear();
        self.said.resize(self.rows.len(), f32::NAN);
        if !self.rows.is_empty() {
            score.scorer.score(&self.inputs, &mut self.said);
        }
        let values = &mut self.values[index];
        values.clear();
        values.resize(batch.rows(), f64::NAN);
        for (row, said) in self.rows.iter().zip(&self.said) {
            match probability(*said) {
                Some(probability) => values[*row] = f64::from(probability),
                None => fared.failed += 1,
            }
        }
    }

    /// The readings in which all that the score needs is known, and their inputs.
    fn gather(&mut self, score: &Score, batch: &Batch) {
        self.rows.clear();
        self.inputs.clear();
        if batch.is_silence {
            return;
        }
        let is_known = |field: &FieldId, row: usize| !batch.column(*field).values[row].is_nan();
        self.rows.extend((0..batch.rows()).filter(|row| score.needs.iter().all(|field| is_known(field, *row))));
        for row in &self.rows {
            self.inputs.extend(inputs(score, batch, *row));
        }
    }

    pub(super) fn values(&self, score: ScoreId) -> &[f64] {
        &self.values[score.index()]
    }

    /// A row of bits where the score is unknown.
    pub(super) fn unknown(&self, score: ScoreId) -> impl Iterator<Item = u64> {
        self.values(score).chunks(WORD_BITS).map(|chunk| word(chunk, f64::is_nan))
    }

    pub(super) fn fared(&self) -> &[Fared] {
        &self.fared
    }
}

/// Counts the known values of rows by their bins, and those that are outside.
fn count(learnt_from: &[Input], rows: &[f32], fared: &mut Fared) {
    let Fared { inputs: counts, outside, .. } = fared;
    outside.clear();
    outside.resize(learnt_from.len(), 0);
    counts.clear();
    counts.resize(learnt_from.iter().map(|input| input.histogram.counts.len()).sum(), 0);
    if learnt_from.is_empty() {
        return;
    }
    for row in rows.chunks_exact(learnt_from.len()) {
        let mut first = 0;
        for ((value, input), outside) in row.iter().zip(learnt_from).zip(&mut *outside) {
            *outside += u64::from(input.known.excludes(*value));
            counts[first + input.histogram.bin(*value)] += u64::from(!value.is_nan());
            first += input.histogram.counts.len();
        }
    }
}

/// What goes into the model of one reading; NaN is unknown.
pub(crate) fn inputs(score: &Score, batch: &Batch, row: usize) -> impl Iterator<Item = f32> {
    score.inputs.iter().map(move |field| batch.column(*field).values[row] as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::{Histogram, Known};

    #[test]
    fn values_are_counted_by_the_bins_of_their_inputs_and_what_is_missing_is_not() {
        let input = |known, cuts, counts| Input { name: "a".to_owned(), known, histogram: Histogram { cuts, counts } };
        let inputs = [
            input(Known::Between(10.0, 20.0), vec![10.0, 20.0], vec![1, 1, 1]),
            input(Known::Codes(vec![0.0, 1.0]), Vec::new(), vec![3]),
        ];
        let mut fared = Fared { inputs: vec![7], ..Fared::default() };
        count(&inputs, &[9.9, 1.0, 10.0, f32::NAN, 20.0, f32::INFINITY, f32::NAN, -1.0], &mut fared);
        assert_eq!((fared.inputs.as_slice(), fared.outside.as_slice()), ([1, 1, 1, 3].as_slice(), [1, 2].as_slice()));
        count(&[], &[1.0, 2.0], &mut fared);
        assert!(fared.inputs.is_empty() && fared.outside.is_empty());
    }
}
