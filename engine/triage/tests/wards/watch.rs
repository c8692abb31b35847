//! A simulated ward, judged by the hospital's rules and watched by one monitor.

use std::path::Path;
use std::time::Duration;

use triage::gateway::simulation::{FaultKind, Reading, Simulation};
use triage::gateway::table::Table;
use triage::rules::RuleFiles;
use triage_core::monitor::{Monitor, Observer, Settings};
use triage_core::program::{Counts, Limits, Outputs, Program, Reason, States, Workspace};
use triage_core::reading::Record;

/// Readings of one batch: two seconds and a half of the ward.
const BATCH: usize = 10;

/// What was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) rule: &'static str,
    pub(crate) patient: Option<String>,
    pub(crate) message: String,
    /// After how many readings.
    pub(crate) after: u64,
}

pub(crate) struct Watch {
    program: Program,
    ward: Simulation,
    monitor: Monitor,
    observer: Observer,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
}

impl Watch {
    pub(crate) fn new(seed: u64, fault: Option<(FaultKind, u64)>) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = RuleFiles::read(&root.join("rules/hospital")).compile().unwrap().program;
        let table = Table::open(&root.join("datasets/patients.csv")).unwrap();
        let ward = Simulation::new(&table, super::PATIENTS as usize, seed, Duration::from_secs(5));
        let ward = match fault {
            Some((kind, from)) => ward.with_fault(kind, from),
            None => ward,
        };
        let settings = Settings { not_evaluable: 0.5, clock_skew: 60_000 };
        Self {
            monitor: Monitor::new(&program, settings),
            observer: Observer::new(&program, settings.clock_skew),
            program,
            ward,
            states: States::new(1),
            workspace: Workspace::default(),
            outputs: Outputs::default(),
        }
    }

    /// Everything that is found in so many readings.
    pub(crate) fn run(mut self, readings: u64) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut open: Vec<(&'static str, String)> = Vec::new();
        let mut seen = 0;
        while seen < readings {
            let batch: Vec<Reading> = self.ward.by_ref().take(BATCH).collect();
            self.step(seen, &batch);
            seen += batch.len() as u64;
            self.observer.blocks().into_iter().for_each(|tally| self.monitor.take(0, tally));
            if let Some(stuck) = self.observer.stuck() {
                self.monitor.stuck(0, &stuck);
            }
            let before = std::mem::take(&mut open);
            for (rule, subject, finding) in self.monitor.findings().iter() {
                open.push((rule, subject.to_owned()));
                if !before.contains(&(rule, subject.to_owned())) {
                    let (patient, message) = (finding.patient.clone(), finding.message.clone());
                    found.push(Found { rule, patient, message, after: seen });
                }
            }
        }
        found
    }

    fn step(&mut self, first: u64, batch: &[Reading]) {
        let values: Vec<String> = batch.iter().map(Reading::json).collect();
        let records: Vec<Record<'_>> = values
            .iter()
            .enumerate()
            .map(|(index, value)| Record {
                key: None,
                value: Some(value.as_bytes()),
                timestamp: None,
                partition: 0,
                offset: first as i64 + index as i64,
            })
            .collect();
        let Self { program, observer, states, workspace, outputs, .. } = self;
        let limits = Limits { skew_ms: None, ..Limits::default() };
        outputs.clear();
        program.step(&records, &limits, states, workspace, outputs);
        observer.observe(program, &records, &limits, workspace);
        observer.committed(&workspace.counts, &[0; Reason::ALL.len()]);
        workspace.counts = Counts::default();
        states.commit();
    }
}
