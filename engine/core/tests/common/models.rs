//! Models for tests, each a small calculation that a test can follow.

use std::sync::Arc;

use triage_core::score::{Explanation, Histogram, Input, Known, Models, Scale, Scorer};

/// The models: `mean.onnx` is the mean of what is known of two inputs in hundredths, at most 1, `strict.onnx` the same and fails where
/// one is missing, `noted.onnx` is `mean.onnx` beside which something stands, `one.onnx` a hundredth of one input, `wild.onnx` says 7 whatever it is given, and `named.onnx` is `mean.onnx` that learnt from `trestbps` and `cp`. For rule sets drawn at random, of as
/// many inputs as their names say: `strict-3.onnx`, `line-3.onnx`, `tenths-3.onnx`, `picky-3.onnx`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fakes;

impl Models for Fakes {
    fn model(&self, path: &str) -> Result<Arc<dyn Scorer>, String> {
        let fake = Fake::of(path).ok_or_else(|| format!("there is no file `{path}`"))?;
        Ok(Arc::new(fake))
    }
}

#[derive(Debug)]
struct Fake {
    path: String,
    inputs: usize,
    says: fn(&[f32]) -> f32,
    learnt_from: Vec<Input>,
}

impl Fake {
    fn of(path: &str) -> Option<Self> {
        let (kind, inputs) = match path.strip_suffix(".onnx")?.split_once('-') {
            Some((kind, inputs)) => (kind, inputs.parse().ok()?),
            None if path == "one.onnx" => ("mean", 1),
            None => (path.strip_suffix(".onnx")?, 2),
        };
        let says = match kind {
            "mean" | "named" | "noted" => mean,
            "strict" => strict,
            "wild" => |_: &[f32]| 7.0,
            "line" => line,
            "tenths" => tenths,
            "picky" => picky,
            _ => return None,
        };
        let names: Vec<String> = match kind {
            "line" => (0..inputs).map(|input| format!("no-field-{input}")).collect(),
            "named" => vec!["trestbps".to_owned(), "cp".to_owned()],
            _ => Vec::new(),
        };
        let learnt_from = names.into_iter().enumerate().map(input).collect();
        Some(Self { path: path.to_owned(), inputs, says, learnt_from })
    }
}

/// By turns one that knows numbers, and one that knows codes.
fn input((at, name): (usize, String)) -> Input {
    let known = if at.is_multiple_of(2) { Known::Between(0.0, 37.0) } else { Known::Codes(vec![0.0, 1.0, 37.0]) };
    Input { name, known, histogram: Histogram { cuts: vec![0.0, 1.0, 37.0, 130.0], counts: vec![1; 5] } }
}

/// 66 stands for a reading that the model cannot deal with.
fn mean(row: &[f32]) -> f32 {
    let known: Vec<f32> = row.iter().copied().filter(|value| !value.is_nan()).collect();
    if known.contains(&66.0) {
        return f32::NAN;
    }
    if known.is_empty() { 0.5 } else { (known.iter().sum::<f32>() / known.len() as f32 / 100.0).min(1.0) }
}

/// Fails where something is missing.
fn strict(row: &[f32]) -> f32 {
    if row.iter().any(|value| value.is_nan()) { f32::NAN } else { mean(row) }
}

/// The sum of the inputs, each by its place, and what counts for one that is missing.
fn weighed(row: &[f32], missing: f32) -> f32 {
    let weight = |at: usize| (at + 1) as f32 * if at.is_multiple_of(2) { 0.01 } else { -0.01 };
    let term = |(at, value): (usize, &f32)| if value.is_nan() { missing } else { value.clamp(-1e6, 1e6) } * weight(at);
    row.iter().enumerate().map(term).sum()
}

/// Rises with the sum, never reaching 0 or 1; what is missing adds nothing. What its inputs looked like is kept.
fn line(row: &[f32]) -> f32 {
    let sum = weighed(row, 0.0);
    0.5 + 0.5 * sum / (1.0 + sum.abs())
}

/// One of eleven answers, which literals are: the lowest is -0. What is missing is a value of its own.
fn tenths(row: &[f32]) -> f32 {
    let tenths = (weighed(row, 37.0).rem_euclid(1.0) * 10.0).round();
    if tenths == 0.0 { -0.0 } else { tenths / 10.0 }
}

/// Does without all but the first input, and by that says a probability, or nothing, or what is none.
fn picky(row: &[f32]) -> f32 {
    match (row[0] / 10.0).floor().rem_euclid(5.0) {
        1.0 => f32::NAN,
        2.0 => 7.0,
        3.0 => -0.5,
        _ if row[0].is_nan() => f32::NAN,
        _ => line(row),
    }
}

/// A hash that is the name.
fn named(path: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..path.len()].copy_from_slice(path.as_bytes());
    hash
}

impl Scorer for Fake {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn hash(&self) -> [u8; 32] {
        named(if self.path == "noted.onnx" { "mean.onnx" } else { &self.path })
    }

    fn hash_of_all(&self) -> [u8; 32] {
        named(&self.path)
    }

    fn score(&self, rows: &[f32], out: &mut [f32]) {
        for (row, out) in rows.chunks(self.inputs).zip(out) {
            *out = (self.says)(row);
        }
    }

    fn explain(&self, row: &[f32]) -> Result<Explanation, String> {
        let contributions = row.iter().map(|value| if value.is_nan() { 0.0 } else { f64::from(*value) / 100.0 });
        Ok(Explanation { scale: Scale::LogOdds, base: -1.0, contributions: contributions.collect() })
    }

    fn learnt_from(&self) -> &[Input] {
        &self.learnt_from
    }
}
