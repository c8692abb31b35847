//! Seeded readings: 193 bytes of JSON on average with 15 numeric fields, a patient and a time.

use triage_core::reading::Record;

use crate::random::Random;

/// A numeric field, and the values that readings give it, in tenths for those that have a decimal.
pub struct Measure {
    /// Its name.
    pub name: &'static str,
    /// Its type and the lower bound of what is plausible, as the stream declares them.
    pub declared: &'static str,
    /// The upper bound of what is plausible.
    pub plausible: u64,
    /// The smallest value that arrives.
    pub low: u64,
    /// The largest value that arrives.
    pub high: u64,
    /// Whether `low` and `high` are tenths.
    pub tenths: bool,
}

impl Measure {
    /// The largest value that arrives.
    pub(crate) fn most(&self) -> f64 {
        if self.tenths { self.high as f64 / 10.0 } else { self.high as f64 }
    }

    /// How much is plausible above the largest value that arrives.
    pub(crate) fn room(&self) -> f64 {
        self.plausible as f64 - self.most()
    }
}

const fn whole(name: &'static str, declared: &'static str, plausible: u64, low: u64, high: u64) -> Measure {
    Measure { name, declared, plausible, low, high, tenths: false }
}

const fn tenths(name: &'static str, declared: &'static str, plausible: u64, low: u64, high: u64) -> Measure {
    Measure { name, declared, plausible, low, high, tenths: true }
}

/// The fields in declared order.
pub const MEASURES: [Measure; 15] = [
    whole("age", "int 0", 120, 29, 77),
    whole("sex", "int 0", 1, 0, 1),
    whole("cp", "int 0", 3, 0, 3),
    whole("trestbps", "int 30", 300, 94, 200),
    tenths("Temp", "float 25", 45, 355, 395),
    whole("chol", "int 50", 700, 126, 564),
    whole("fbs", "int 0", 1, 0, 1),
    whole("restecg", "int 0", 2, 0, 2),
    whole("thalach", "int 20", 300, 71, 202),
    whole("exang", "int 0", 1, 0, 1),
    tenths("oldpeak", "float -10", 10, 0, 62),
    whole("slope", "int 0", 2, 0, 2),
    whole("ca", "int 0", 4, 0, 4),
    whole("thal", "int 0", 3, 0, 3),
    whole("SpO2", "int 0", 100, 85, 100),
];

/// The order of the keys in the readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// The declared order in all of them.
    Ordered,
    /// Another order in each.
    Shuffled,
}

/// Readings as bytes; each field is left out of `missing_percent` of them.
pub fn readings(count: usize, keys: Keys, missing_percent: u64) -> Vec<Vec<u8>> {
    endless(keys, missing_percent).take(count).collect()
}

/// The same, one by one and without an end.
pub fn endless(keys: Keys, missing_percent: u64) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Random::new(0x7269_6167_6554);
    (0..).map(move |index| reading(index, keys, missing_percent, &mut random).into_bytes())
}

fn reading(index: usize, keys: Keys, missing_percent: u64, random: &mut Random) -> String {
    let mut members = vec![
        format!("\"patient\":\"p{}\"", random.between(1000, 9999)),
        format!("\"ts\":{}", 1_700_000_000_123 + index as u64),
    ];
    for measure in &MEASURES {
        let value = random.between(measure.low, measure.high);
        if random.below(100) < missing_percent {
            continue;
        }
        let name = measure.name;
        members.push(if measure.tenths {
            format!("\"{name}\":{}.{}", value / 10, value % 10)
        } else {
            format!("\"{name}\":{value}")
        });
    }
    if keys == Keys::Shuffled {
        random.shuffle(&mut members);
    }
    format!("{{{}}}", members.join(","))
}

/// The readings as records of partition 0.
pub fn records(readings: &[Vec<u8>]) -> Vec<Record<'_>> {
    readings
        .iter()
        .enumerate()
        .map(|(offset, value)| Record {
            key: None,
            value: Some(value),
            timestamp: Some(1_700_000_060_000),
            partition: 0,
            offset: offset as i64,
        })
        .collect()
}
