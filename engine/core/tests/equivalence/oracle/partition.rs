//! What one partition has seen: its time, its patients, its pauses.

use std::collections::BTreeMap;

use super::episode::Episode;
use super::output::Alert;
use super::reading::Reading;

/// A partition of the stream.
pub(crate) struct Partition {
    /// The stream's time there, once there was a reading.
    pub(crate) now: Option<i64>,
    /// No timer's moment lies before this one: until it is past, nobody needs to look for timers.
    pub(crate) quiet_until: i64,
    /// The patients that are not forgotten.
    pub(crate) patients: BTreeMap<String, Patient>,
    /// The pauses that are not over.
    pub(crate) pauses: Vec<Pause>,
    /// Ends that were held back by a pause, in order: patient, rule, what to say, and the place that began it.
    pub(crate) owed: Vec<(String, usize, Alert, (i32, i64))>,
}

/// A patient.
#[derive(Default)]
pub(crate) struct Patient {
    /// Every reading that changed something, in order and without what it carries; the last bears the patient's clock.
    pub(crate) seen: Vec<Reading>,
    /// How many of them came before an expression was there that a reload brought, by its name.
    pub(crate) begun: BTreeMap<String, usize>,
    /// Per silence rule that has fired: the offset of the reading from which it counted.
    pub(crate) fired: BTreeMap<usize, i64>,
    /// Per rule its open episode.
    pub(crate) episodes: BTreeMap<usize, Episode>,
}

/// While it lasts, nothing is said of a rule or of a patient.
pub(crate) struct Pause {
    /// Of what.
    pub(crate) of: Subject,
    /// The stream's time that ends it by passing it.
    pub(crate) until: i64,
}

/// What a pause is of.
pub(crate) enum Subject {
    /// A rule, by its name.
    Rule(String),
    /// A patient.
    Patient(String),
}

impl Default for Partition {
    fn default() -> Self {
        Self { now: None, quiet_until: i64::MIN, patients: BTreeMap::new(), pauses: Vec::new(), owed: Vec::new() }
    }
}

impl Partition {
    /// Something may become due at this moment.
    pub(crate) fn wake_at(&mut self, moment: i64) {
        self.quiet_until = self.quiet_until.min(moment);
    }

    /// Gives a reading its place in its patient's history; false if it has none: late, misplaced, of nobody.
    pub(crate) fn see(&mut self, reading: &mut Reading) -> bool {
        let Some(name) = reading.patient.as_ref().filter(|_| !reading.misplaced) else { return false };
        let patient = self.patients.entry(name.clone()).or_default();
        reading.late = patient.seen.last().is_some_and(|last| reading.ts < last.ts);
        if !reading.late {
            patient.seen.push(Reading { members: Vec::new(), ..reading.clone() });
        }
        !reading.late
    }

    /// Whether nothing is said of the rule and the patient.
    pub(crate) fn is_paused(&self, rule: &str, patient: Option<&str>) -> bool {
        self.pauses.iter().any(|pause| match &pause.of {
            Subject::Rule(name) => name == rule,
            Subject::Patient(name) => Some(name.as_str()) == patient,
        })
    }
}
