//! What a model has to offer to be a score, and where models are found. How a model is read and what it is made of stands
//! above core: here it is numbers in, one probability out.

use std::fmt::{self, Debug, Display, Formatter};
use std::sync::Arc;

use crate::types::FieldId;

/// A model that makes a probability of a reading's fields.
pub trait Scorer: Debug + Send + Sync {
    /// How many numbers it takes.
    fn inputs(&self) -> usize;

    /// The SHA-256 of the model: another hash is another model, of which scores may be others.
    fn hash(&self) -> [u8; 32];

    /// The SHA-256 of all that it was read from, with what stands beside the model and changes no score.
    fn hash_of_all(&self) -> [u8; 32] {
        self.hash()
    }

    /// The probability of the positive class for each row. `rows` are `out.len()` rows of [`Self::inputs`] numbers, one
    /// after the other, NaN where one is not known; `out` is NaN where the model fails on the row.
    fn score(&self, rows: &[f32], out: &mut [f32]);

    /// What moved the score of one row.
    ///
    /// # Errors
    /// Why nothing tells, in one lowercase sentence without a period.
    fn explain(&self, row: &[f32]) -> Result<Explanation, String>;

    /// What each input looked like in the data that it learnt from, in their order; nothing where nobody kept that.
    fn learnt_from(&self) -> &[Input] {
        &[]
    }
}

/// What an input looked like in the data that a model learnt from.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// What it is called there.
    pub name: String,
    /// The values that it had.
    pub known: Known,
    /// How its known values were spread.
    pub histogram: Histogram,
}

/// The values that an input had in the data that a model learnt from. What the model makes of others is a guess.
#[derive(Debug, Clone, PartialEq)]
pub enum Known {
    /// These, of an input whose numbers are codes.
    Codes(Vec<f32>),
    /// Numbers from the lowest to the highest.
    Between(f32, f32),
}

impl Known {
    /// Whether a value is outside. NaN, which is none, is not.
    pub fn excludes(&self, value: f32) -> bool {
        match self {
            Self::Codes(codes) => !value.is_nan() && !codes.contains(&value),
            Self::Between(lowest, highest) => value < *lowest || value > *highest,
        }
    }
}

impl Display for Known {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codes(codes) => {
                let codes: Vec<String> = codes.iter().map(f32::to_string).collect();
                to.write_str(&codes.join(", "))
            }
            Self::Between(lowest, highest) => write!(to, "{lowest}..{highest}"),
        }
    }
}

/// How many values of an input fell between which cuts.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Rising. Bin *i* holds `cuts[i - 1] <= value < cuts[i]`; the first and the last are open.
    pub cuts: Vec<f32>,
    /// By bin: one more than there are cuts.
    pub counts: Vec<u64>,
}

impl Histogram {
    /// The bin of a number; of NaN the first.
    pub(crate) fn bin(&self, value: f32) -> usize {
        self.cuts.iter().filter(|cut| **cut <= value).count()
    }
}

/// What moved a score: the base and the inputs' contributions add up to it, on this scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// What they count in.
    pub scale: Scale,
    /// What the model would say of nobody in particular.
    pub base: f64,
    /// By input, in their order.
    pub contributions: Vec<f64>,
}

/// What counts in what moved a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The logarithm of how likely the positive class is to how likely the others are.
    LogOdds,
    /// The score itself.
    Probability,
}

/// Where the models of a rule set are found.
pub trait Models {
    /// The model that a rule file calls by this path.
    ///
    /// # Errors
    /// Why there is none, in one lowercase sentence without a period.
    fn model(&self, path: &str) -> Result<Arc<dyn Scorer>, String>;
}

/// No models: for rule sets without scores.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoModels;

impl Models for NoModels {
    fn model(&self, _: &str) -> Result<Arc<dyn Scorer>, String> {
        Err("no models are at hand".to_owned())
    }
}

/// A score that a rule set declares and whose model fits.
#[derive(Debug, Clone)]
pub(crate) struct Score {
    pub(crate) name: String,
    /// The fields that go in, in the model's order.
    pub(crate) inputs: Vec<FieldId>,
    /// Those without which it is unknown.
    pub(crate) needs: Vec<FieldId>,
    pub(crate) scorer: Arc<dyn Scorer>,
}

/// What the model said, if that is a probability.
pub(crate) fn probability(said: f32) -> Option<f32> {
    // Adding nothing makes 0 of -0, which would be written with its sign.
    (0.0..=1.0).contains(&said).then_some(said + 0.0)
}
