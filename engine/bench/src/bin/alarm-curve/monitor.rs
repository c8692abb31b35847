//! The rules of a monitor, with one hold for all of them, over readings; and the alarms that they raise.

use std::collections::BTreeMap;

use serde::Deserialize;
use triage_core::compile::compile_all;
use triage_core::program::{Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

const RULES: &str = include_str!("../../../alarm-curve/monitor.rules");

/// Why there are no alarms.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MonitorError {
    #[error("monitor.rules does not compile: {0}")]
    Rules(String),
    #[error("an alert is in another form than this knows: {0}")]
    Alert(#[from] sonic_rs::Error),
    #[error("a simulated reading was none")]
    DeadLetter,
}

/// From when to when an alarm stood. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Alarm {
    pub(crate) rule: String,
    pub(crate) patient: String,
    pub(crate) raised: i64,
    pub(crate) resolved: i64,
}

/// What this needs of an alert.
#[derive(Debug, Deserialize)]
struct Alert<'a> {
    id: &'a str,
    rule: &'a str,
    state: &'a str,
    patient: &'a str,
    ts: i64,
}

/// A program and what it has said.
pub(crate) struct Monitor {
    hold: u64,
    program: Program,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
    open: BTreeMap<String, Alarm>,
    over: Vec<Alarm>,
}

impl Monitor {
    /// The rules with `hold` seconds in them.
    pub(crate) fn new(hold: u64) -> Result<Self, MonitorError> {
        let written = if hold == 0 { String::new() } else { format!("for {hold}s") };
        let text = RULES.replace("HOLD", &written);
        let files = [SourceFile { path: "monitor.rules".to_owned(), text }];
        let compiled = compile_all(&files, &NoModels).map_err(|found| MonitorError::Rules(format!("{found:?}")))?;
        let (states, workspace, outputs) = (States::new(1), Workspace::default(), Outputs::default());
        let (open, over) = (BTreeMap::new(), Vec::new());
        Ok(Self { hold, program: compiled.program, states, workspace, outputs, open, over })
    }

    pub(crate) fn hold(&self) -> u64 {
        self.hold
    }

    /// Judges readings, the first of which has that offset.
    pub(crate) fn watch(&mut self, readings: &[Vec<u8>], offset: i64) -> Result<(), MonitorError> {
        let records: Vec<Record<'_>> = readings
            .iter()
            .zip(offset..)
            .map(|(value, offset)| Record { key: None, value: Some(value), timestamp: None, partition: 0, offset })
            .collect();
        let limits = Limits { skew_ms: None, ..Limits::default() };
        let Self { program, states, workspace, outputs, .. } = self;
        program.step(&records, &limits, states, workspace, outputs);
        states.commit();
        self.hear()
    }

    fn hear(&mut self) -> Result<(), MonitorError> {
        for output in self.outputs.iter() {
            match output.kind {
                OutputKind::Derived(_) => {}
                OutputKind::DeadLetter(_) => return Err(MonitorError::DeadLetter),
                OutputKind::Alert(_) => {
                    let alert: Alert<'_> = sonic_rs::from_slice(self.outputs.value(output))?;
                    if alert.state == "raised" {
                        self.open.insert(alert.id.to_owned(), Alarm::raised(&alert));
                    } else if let Some(alarm) = self.open.remove(alert.id) {
                        self.over.push(Alarm { resolved: alert.ts, ..alarm });
                    }
                }
            }
        }
        self.outputs.clear();
        Ok(())
    }

    /// All alarms in the order in which they were raised; those that stand when the time is over end there.
    pub(crate) fn alarms(self, end: i64) -> Vec<Alarm> {
        let mut alarms = self.over;
        alarms.extend(self.open.into_values().map(|alarm| Alarm { resolved: end, ..alarm }));
        alarms.sort_by(|one, other| (one.raised, &one.rule).cmp(&(other.raised, &other.rule)));
        alarms
    }
}

impl Alarm {
    fn raised(alert: &Alert<'_>) -> Self {
        let (rule, patient) = (alert.rule.to_owned(), alert.patient.to_owned());
        Self { rule, patient, raised: alert.ts, resolved: alert.ts }
    }
}
