//! What goes wrong on the way from a ward, without anybody at a bed to see it: the faults that technical alerts are for.

use std::sync::Arc;

use super::random::Random;
use super::reading::Reading;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// The field `trestbps` comes as `sysBP`, as after an update of the gateway.
    Renamed,
    /// `chol` comes in mmol/L in place of mg/dL.
    Millimoles,
    /// One reading in a hundred is lost.
    Lost,
    /// The first patient's device repeats what it showed last.
    Stuck,
}

/// mg/dL of cholesterol in one mmol/L (386.65 g/mol).
const MILLIGRAMS_IN_MILLIMOLE: f64 = 38.665;

/// A fault that begins at some reading.
#[derive(Debug)]
pub(super) struct Fault {
    kind: FaultKind,
    /// The number of the first reading that it touches.
    from: u64,
    random: Random,
    stuck: Option<Reading>,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, from: u64, seed: u64) -> Self {
        // No patient has this number.
        Self { kind, from, random: Random::new(seed, u64::MAX), stuck: None }
    }

    /// What becomes of the reading of that number; `None` if it is lost. `first` is whether it is the first patient's.
    pub(super) fn applied(&mut self, mut reading: Reading, number: u64, first: bool) -> Option<Reading> {
        if number < self.from {
            return Some(reading);
        }
        match self.kind {
            FaultKind::Renamed => rename(&mut reading),
            FaultKind::Millimoles => convert(&mut reading),
            FaultKind::Lost if self.random.happens(0.01) => return None,
            FaultKind::Stuck if first => {
                let stuck = self.stuck.get_or_insert_with(|| reading.clone());
                reading.fields.clone_from(&stuck.fields);
            }
            FaultKind::Lost | FaultKind::Stuck => {}
        }
        Some(reading)
    }
}

fn rename(reading: &mut Reading) {
    for (name, _) in reading.fields.iter_mut().filter(|(name, _)| &**name == r#""trestbps""#) {
        *name = Arc::from(r#""sysBP""#);
    }
}

fn convert(reading: &mut Reading) {
    for (_, value) in reading.fields.iter_mut().filter(|(name, _)| &**name == r#""chol""#) {
        if let Ok(milligrams) = value.parse::<f64>() {
            *value = Arc::from(format!("{:.1}", milligrams / MILLIGRAMS_IN_MILLIMOLE));
        }
    }
}
