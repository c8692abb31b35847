//! Whether a model makes a probability of plausible values, and of readings in which some are missing.

use crate::score::{Score, probability};
use crate::types::{Field, Schema, Type};

/// What a model does not take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Any reading.
    Everything,
    /// Readings in which one of these inputs, by position, is missing.
    Missing(Vec<usize>),
}

/// What numbers without a range are tried as: models are seldom trained on others only.
const UNBOUNDED: [f64; 3] = [0.0, 1.0, 100.0];

/// What the model of a score refuses, if anything.
pub(super) fn refused(score: &Score, schema: &Schema) -> Option<Refused> {
    let fields: Vec<&Field> = score.inputs.iter().map(|field| schema.field(*field)).collect();
    let takes = |row: &[f32]| {
        let mut said = [f32::NAN];
        score.scorer.score(row, &mut said);
        probability(said[0]).is_some()
    };
    let rows = [0, 1, 2].map(|which| fields.iter().map(|field| value(field, which)).collect::<Vec<f32>>());
    let rows: Vec<&Vec<f32>> = rows.iter().filter(|row| takes(row)).collect();
    if rows.is_empty() {
        return Some(Refused::Everything);
    }
    let optional: Vec<usize> =
        (0..score.inputs.len()).filter(|input| !score.needs.contains(&score.inputs[*input])).collect();
    let takes_without = |missing: &[usize]| {
        rows.iter().all(|row| {
            let mut row = (*row).clone();
            for input in missing {
                row[*input] = f32::NAN;
            }
            takes(&row)
        })
    };
    let alone: Vec<usize> = optional.iter().copied().filter(|input| !takes_without(&[*input])).collect();
    if !alone.is_empty() {
        return Some(Refused::Missing(alone));
    }
    (!takes_without(&optional)).then_some(Refused::Missing(optional))
}

/// A plausible value: the lowest, one between, the highest.
fn value(field: &Field, which: usize) -> f32 {
    let value = match (&field.kind, &field.range) {
        (Type::Enum(labels), _) => {
            let last = labels.len().saturating_sub(1);
            labels.get([0, last / 2, last][which]).map_or(0.0, |label| label.code)
        }
        (Type::Bool, _) => [0.0, 1.0, 1.0][which],
        (Type::Int, Some(range)) => [range.low, f64::midpoint(range.low, range.high).round(), range.high][which],
        (_, Some(range)) => [range.low, f64::midpoint(range.low, range.high), range.high][which],
        (_, None) => UNBOUNDED[which],
    };
    value as f32
}
