//! One simulated patient and the device at the bed.

use std::sync::Arc;

use super::episode::{Episode, Happening};
use super::random::Random;
use super::reading::Reading;
use super::sign::Sign;
use super::vital::Vital;
use crate::gateway::json;
use crate::gateway::table::Table;

/// Between two times when the device is silent, on average, and how long it is; in seconds.
const SILENT_EVERY: f64 = 48.0 * 3_600.0;
const SILENT_FOR: (f64, f64) = (180.0, 1_800.0);

/// An ST-T abnormality, as the table codes it.
const ST_T: &str = "2";

/// What makes a column's value.
#[derive(Debug)]
enum Source {
    /// The table's value.
    Table(Arc<str>),
    /// The table's value but for what an episode does to the resting ECG.
    Ecg(Arc<str>),
    /// A simulated sign.
    Vital(Vital),
}

/// A patient.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) patient: Arc<str>,
    columns: Vec<(Arc<str>, Source)>,
    random: Random,
    silent_until: f64,
    happenings: Vec<Happening>,
}

impl Bed {
    /// The patient of that number, from 0. What happens to a patient depends on the seed and the number alone, not on how
    /// many others there are.
    pub(super) fn new(table: &Table, number: usize, seed: u64) -> Self {
        let mut random = Random::new(seed, number as u64);
        let row = number % table.rows.len();
        let mut columns = Vec::new();
        for name in &table.columns {
            // The time is the simulation's own.
            if name == "patient" || name == "ts" {
                continue;
            }
            if let Some(cell) = table.cell(row, name) {
                columns.push((Arc::from(json::text(name)), source(name, cell, &mut random)));
            }
        }
        Self { patient: table.patient(number).into(), columns, random, silent_until: 0.0, happenings: Vec::new() }
    }

    /// The reading `now` seconds after the patient's first, `elapsed` after the last, which bears the time `ts`; `None`
    /// while the device is silent.
    pub(super) fn read(&mut self, now: f64, elapsed: f64, ts: i64) -> Option<Reading> {
        let Self { columns, random, happenings, .. } = self;
        if happenings.last().is_none_or(|last| last.is_over(now)) {
            happenings.extend(Happening::begin(now, elapsed, random));
        }
        let happening = happenings.last();
        let mut fields = Vec::with_capacity(columns.len());
        for (name, source) in columns {
            let value = match source {
                Source::Table(cell) => Some(Arc::clone(cell)),
                Source::Ecg(cell) => Some(match happening {
                    Some(happening) if happening.changes_ecg(now) => Arc::from(ST_T),
                    _ => Arc::clone(cell),
                }),
                Source::Vital(vital) => {
                    let sign = vital.sign();
                    let level = |usual| happening.map_or(usual, |happening| happening.level(sign, usual, now));
                    vital.read(now, elapsed, level, random).map(Arc::from)
                }
            };
            fields.extend(value.map(|value| (Arc::clone(name), value)));
        }
        if random.happens(elapsed / SILENT_EVERY) {
            self.silent_until = now + random.between(SILENT_FOR);
        }
        (now >= self.silent_until).then(|| Reading { ts, patient: Arc::clone(&self.patient), fields })
    }

    /// What has happened so far, and is going on; `begin` is the time of the patient's first reading.
    pub(super) fn episodes(&self, begin: i64) -> impl Iterator<Item = Episode> {
        let ts = move |seconds: f64| begin + (seconds * 1e3) as i64;
        self.happenings.iter().map(move |happening| Episode {
            patient: self.patient.to_string(),
            kind: happening.kind,
            start: ts(happening.start),
            established: ts(happening.established),
            end: ts(happening.end),
        })
    }
}

/// A zero stands for "not measured", and stays.
fn source(name: &str, cell: &str, random: &mut Random) -> Source {
    let value = Arc::from(json::value(cell));
    match (Sign::of_column(name), cell.parse::<f64>()) {
        (Some(sign), Ok(measured)) if measured > 0.0 && measured.is_finite() => {
            Source::Vital(Vital::new(sign, measured, random))
        }
        _ if name == "restecg" => Source::Ecg(value),
        _ => Source::Table(value),
    }
}
