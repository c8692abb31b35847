//! Records that are lost on the way or refused, devices whose clock is off, and devices that are stuck.

use std::collections::BTreeMap;

use super::finding::{Finding, Findings};
use super::observer::Stuck;
use super::patient::STRETCH;
use super::series::{Series, Turn};
use super::tally::{Count, Tally};
use crate::reading::Reason;
use crate::syntax::ast::Priority;

/// Readings are missing in patients' rhythm.
const LOST: &str = "technical.records_lost";

/// Records are refused.
const REFUSED: &str = "technical.records_refused";

/// Times of readings are off their arrival.
const SKEW: &str = "technical.clock_skew";

/// A device says the same again and again.
const STUCK: &str = "technical.stuck_value";

/// The subject of what concerns the whole stream.
const STREAM: &str = "readings";

/// Fewer refused records in a block are somebody's mistake, and no fault.
const FEW: u64 = 3;

/// The share of refused records of a block that is a fault.
const REFUSED_SHARE: f64 = 0.01;

/// So many stretches of devices' readings are judged together.
const STRETCHES: u32 = 20;

/// From so many patients on the clocks of more than half of them are one fault.
const WARD: u32 = 5;

/// The records of a stream.
#[derive(Debug)]
pub(super) struct Records {
    clock_skew: i64,
    skipped: Series,
    /// Stretches that are not judged yet.
    stretches: Count,
    /// By worker.
    stuck: BTreeMap<usize, BTreeMap<Box<str>, Finding>>,
}

impl Records {
    pub(super) fn new(clock_skew: i64) -> Self {
        Self { clock_skew, skipped: Series::default(), stretches: Count::default(), stuck: BTreeMap::new() }
    }

    pub(super) fn judge(&mut self, tally: &Tally, findings: &mut Findings) {
        self.judge_rhythm(tally, findings);
        judge_refused(tally, findings);
        self.judge_clocks(tally, findings);
    }

    /// A device that loses a record now and then does so in some of its stretches; a path that loses one of a hundred does in
    /// seven of ten, whatever the rhythm.
    fn judge_rhythm(&mut self, tally: &Tally, findings: &mut Findings) {
        self.stretches.add(tally.skipped);
        if self.stretches.of < STRETCHES {
            return;
        }
        let usual = self.skipped.past.rate();
        let Count { some, of } = std::mem::take(&mut self.stretches);
        match self.skipped.step(tally.block, Count { some, of }) {
            Turn::Left => {
                let message = format!(
                    "records are lost on the way: readings are missing in {some} of {of} stretches of {STRETCH} readings of a \
                     device, usual are at most {:.0} %",
                    usual * 100.0
                );
                let values = vec![
                    ("stretches_with_gaps", f64::from(some)),
                    ("stretches", f64::from(of)),
                    ("usual_share", usual),
                ];
                let finding = Finding { priority: Priority::Medium, patient: None, message, values };
                findings.open(LOST, STREAM, finding);
            }
            Turn::Back => findings.close(LOST, STREAM),
            Turn::None => {}
        }
    }

    /// One clock, or everybody's: then it is more likely the gateway's, or a delivery that is late.
    fn judge_clocks(&self, tally: &Tally, findings: &mut Findings) {
        let (off, named) = (tally.clocks.off, &tally.clocks.named);
        let all = off.of >= WARD && 2 * off.some > off.of;
        findings.retain(SKEW, |subject| if all { subject == STREAM } else { named.contains_key(subject) });
        if all {
            let message = format!(
                "times of readings and of their arrival differ by more than {} s for {} of {} patients: clocks are wrong, or \
                 the delivery is late",
                self.clock_skew / 1_000,
                off.some,
                off.of
            );
            let values = vec![("patients_off", f64::from(off.some)), ("patients", f64::from(off.of))];
            findings.open(SKEW, STREAM, Finding { priority: Priority::Medium, patient: None, message, values });
            return;
        }
        for (patient, behind) in named {
            let way = if *behind > 0 { "behind" } else { "ahead of" };
            let message = format!("the device's time is {} s {way} the arrival of its readings", behind.abs() / 1_000);
            let values = vec![("seconds_behind", *behind as f64 / 1_000.0)];
            let patient = Some(patient.to_string());
            let finding = Finding { priority: Priority::Low, patient: patient.clone(), message, values };
            findings.open(SKEW, patient.as_deref().unwrap_or_default(), finding);
        }
    }

    /// A patient is erased.
    pub(super) fn forget(&mut self, patient: &str) {
        self.stuck.values_mut().for_each(|stuck| drop(stuck.remove(patient)));
    }

    pub(super) fn stuck(&mut self, worker: usize, stuck: &[Stuck], findings: &mut Findings) {
        let mut now: BTreeMap<Box<str>, Finding> = BTreeMap::new();
        for one in stuck {
            // One device, one finding: that of the field found first stays.
            now.entry(one.patient.clone()).or_insert_with(|| stuck_finding(one));
        }
        self.stuck.insert(worker, now);
        let all = || self.stuck.values().flatten();
        findings.retain(STUCK, |patient| all().any(|(of, _)| **of == *patient));
        for (patient, finding) in all() {
            findings.open(STUCK, patient, finding.clone());
        }
    }
}

fn stuck_finding(stuck: &Stuck) -> Finding {
    let Stuck { patient, field, readings, longest } = stuck;
    let message = format!(
        "`{field}` does not move: the same value in {readings} readings in a row, usual are at most {longest}; look at \
         sensor and device"
    );
    let values = vec![("readings", f64::from(*readings)), ("usual_readings", f64::from(*longest))];
    Finding { priority: Priority::Medium, patient: Some(patient.to_string()), message, values }
}

fn judge_refused(tally: &Tally, findings: &mut Findings) {
    let records = tally.readings + tally.refused.iter().sum::<u64>();
    for (reason, refused) in Reason::ALL.into_iter().zip(tally.refused) {
        // What people say is no record of the stream.
        if reason == Reason::NotAnAcknowledgement {
            continue;
        }
        let share = refused as f64 / records.max(1) as f64;
        // A clock that runs ahead is a clock, whatever its share.
        let least = if reason == Reason::TooFarAhead { 0.0 } else { REFUSED_SHARE };
        if refused < FEW || share < least {
            findings.close(REFUSED, reason.as_str());
            continue;
        }
        let message =
            format!("{refused} of {records} records within 10 minutes are dead letters: `{}`", reason.as_str());
        let values = vec![("refused", refused as f64), ("records", records as f64)];
        let finding = Finding { priority: Priority::Medium, patient: None, message, values };
        findings.open(REFUSED, reason.as_str(), finding);
    }
}
