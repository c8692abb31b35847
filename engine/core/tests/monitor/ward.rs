//! A hand-made ward: twenty patients, a reading each every 30 s, values that wander, and one fault.

use std::collections::BTreeMap;

use triage_core::compile::compile;
use triage_core::monitor::{Monitor, Observer, Settings};
use triage_core::program::{Limits, OutputKind, Outputs, Program, Reason, States, Workspace};
use triage_core::reading::Record;
use triage_core::score::NoModels;
use triage_core::source::SourceFile;
use triage_core::syntax::ast::Priority;

pub(crate) const DAY_S: i64 = 86_400;

const PATIENTS: usize = 20;
const EVERY_S: i64 = 30;

/// Midnight, so that days of blocks are days of the ward.
const MIDNIGHT_MS: i64 = 1_699_920_000_000;

const RULES: &str = "
stream research {
  patient: text key
  ts:      time event
  bp:      int 30..300 'mm[Hg]'
  temp:    float 25..45 'Cel'
  chol:    int 50..700 'mg/dL'
  sex:     enum { female = 0, male = 1 }
}
topic vitals { fields bp, temp  notify \"nurse\" }
vitals.high_bp when bp > 185 alert high \"BP {bp}\" each reading
vitals.fatty when chol > 240
vitals.hot when temp > 39.5 alert low \"hot\" each reading
";

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    None,
    Renamed,
    OtherUnit,
    /// One record of a hundred.
    Lost,
    Stuck {
        for_s: i64,
    },
    SensorsOff {
        patients: usize,
    },
    /// Times are by so much behind the arrival.
    Clocks {
        patients: usize,
        by_s: i64,
    },
    /// Some records are no JSON.
    Broken,
    /// Everybody's pressure is 70 higher.
    Raised,
    /// Nobody's pressure is high any more.
    Calm,
    /// Nor is that of three patients of five.
    Calmer,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) rule: &'static str,
    pub(crate) subject: String,
    pub(crate) priority: Priority,
    pub(crate) message: String,
    pub(crate) at_s: i64,
    pub(crate) resolved_s: Option<i64>,
}

pub(crate) struct Ward {
    program: Program,
    random: u64,
    workers: usize,
    reload_s: Option<i64>,
    erase_s: Option<(i64, &'static str)>,
    /// By patient: where bp and temp are.
    values: Vec<(f64, f64)>,
}

struct Worker {
    observer: Observer,
    states: States,
    workspace: Workspace,
    outputs: Outputs,
}

impl Ward {
    pub(crate) fn new(seed: u64) -> Self {
        let files = [SourceFile { path: "ward.rules".to_owned(), text: RULES.to_owned() }];
        let program = compile(&files, &NoModels).unwrap().0;
        let values = vec![(120.0, 37.0); PATIENTS];
        Self { program, random: seed, workers: 1, reload_s: None, erase_s: None, values }
    }

    pub(crate) fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    pub(crate) fn reloading_at(mut self, second: i64) -> Self {
        self.reload_s = Some(second);
        self
    }

    pub(crate) fn erasing_at(mut self, second: i64, patient: &'static str) -> Self {
        self.erase_s = Some((second, patient));
        self
    }

    /// What is found until `until_s`, the fault beginning at `begins_s`.
    pub(crate) fn run(mut self, until_s: i64, begins_s: i64, fault: Fault) -> Vec<Found> {
        let settings = Settings { not_evaluable: 0.5, clock_skew: 60_000 };
        let mut monitor = Monitor::new(&self.program, settings);
        let mut workers: Vec<Worker> = (0..self.workers)
            .map(|_| Worker {
                observer: Observer::new(&self.program, settings.clock_skew),
                states: States::new(1),
                workspace: Workspace::default(),
                outputs: Outputs::default(),
            })
            .collect();
        let mut found: Vec<Found> = Vec::new();
        for second in (0..until_s).step_by(EVERY_S as usize) {
            if self.reload_s.is_some_and(|at| (at..at + EVERY_S).contains(&second)) {
                monitor.take_up(&self.program);
                for worker in &mut workers {
                    worker.observer.take_up(&self.program);
                }
            }
            let active = if second >= begins_s { fault } else { Fault::None };
            let fault_s = second - begins_s;
            for (number, worker) in workers.iter_mut().enumerate() {
                let patients = (number..PATIENTS).step_by(self.workers);
                let readings: Vec<Reading> =
                    patients.filter_map(|patient| self.reading(patient, second, active, fault_s)).collect();
                worker.step(&self.program, &readings);
                worker.observer.blocks().into_iter().for_each(|tally| monitor.take(number, tally));
                if let Some(stuck) = worker.observer.stuck() {
                    monitor.stuck(number, &stuck);
                }
            }
            if let Some((_, patient)) = self.erase_s.filter(|(at, _)| (*at..*at + EVERY_S).contains(&second)) {
                for worker in &mut workers {
                    worker.observer.forget(patient);
                }
                monitor.forget(patient);
            }
            note(&monitor, second, &mut found);
        }
        found
    }

    /// The next number in 0..1.
    fn unit(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn noise(&mut self, size: f64) -> f64 {
        (0..4).map(|_| self.unit() - 0.5).sum::<f64>() * size
    }

    fn reading(&mut self, patient: usize, second: i64, fault: Fault, fault_s: i64) -> Option<Reading> {
        let (bp, temp) = self.values[patient];
        let bp = 120.0 + (bp - 120.0) * 0.98 + self.noise(6.0);
        let temp = 37.0 + (temp - 37.0) * 0.999 + self.noise(0.05);
        self.values[patient] = (bp, temp);
        // A high pressure for an hour, on one patient of three a day.
        let phase = (second + patient as i64 * 4_000 + patient as i64 % 3 * DAY_S) % (3 * DAY_S);
        let calm = fault == Fault::Calm || (fault == Fault::Calmer && !(patient / 3).is_multiple_of(3));
        let high = if phase < 3_600 && !calm { 70.0 } else { 0.0 };
        let raised = if fault == Fault::Raised { 70.0 } else { 0.0 };
        let most = if calm { 180.0 } else { 300.0 };
        let measured = (bp + high + raised + self.noise(4.0)).min(most);
        let lost = fault == Fault::Lost && self.unit() < 0.01;
        if lost {
            return None;
        }
        let bp = match fault {
            Fault::Stuck { for_s } if patient == 3 && fault_s < for_s => 118.0,
            _ => measured,
        };
        let name = if fault == Fault::Renamed { "pressure" } else { "bp" };
        let off = matches!(fault, Fault::SensorsOff { patients } if patient < patients);
        let bp = if off { String::new() } else { format!(",\"{name}\":{}", bp.round()) };
        let chol = 180.0 + patient as f64 * 5.0;
        let chol = if fault == Fault::OtherUnit { format!("{:.1}", chol / 38.67) } else { format!("{chol}") };
        let by_s = match fault {
            Fault::Clocks { patients, by_s } if patient < patients => by_s,
            _ => 0,
        };
        let arrived = MIDNIGHT_MS + second * 1_000 + patient as i64;
        let ts = arrived - by_s * 1_000;
        let end = if fault == Fault::Broken && patient == 5 { "" } else { "}" };
        let text =
            format!("{{\"patient\":\"p{patient}\",\"ts\":{ts},\"temp\":{temp:.1},\"chol\":{chol},\"sex\":1{bp}{end}");
        Some(Reading { arrived, text })
    }
}

struct Reading {
    arrived: i64,
    text: String,
}

impl Worker {
    fn step(&mut self, program: &Program, readings: &[Reading]) {
        let records: Vec<Record<'_>> = readings
            .iter()
            .enumerate()
            .map(|(offset, reading)| Record {
                key: None,
                value: Some(reading.text.as_bytes()),
                timestamp: Some(reading.arrived),
                partition: 0,
                offset: offset as i64,
            })
            .collect();
        let Self { observer, states, workspace, outputs, .. } = self;
        outputs.clear();
        let limits = Limits::default();
        program.step(&records, &limits, states, workspace, outputs);
        observer.observe(program, &records, &limits, workspace);
        let mut refused = [0; Reason::ALL.len()];
        for output in outputs.iter() {
            if let OutputKind::DeadLetter(letter) = &output.kind {
                refused[Reason::ALL.iter().position(|reason| *reason == letter.reason).unwrap()] += 1;
            }
        }
        observer.committed(&workspace.counts, &refused);
        workspace.counts = triage_core::program::Counts::default();
        states.commit();
    }
}

/// Keeps when findings came and went.
fn note(monitor: &Monitor, second: i64, found: &mut Vec<Found>) {
    let now: BTreeMap<_, _> =
        monitor.findings().iter().map(|(rule, subject, finding)| ((rule, subject.to_owned()), finding)).collect();
    for open in found.iter_mut().filter(|found| found.resolved_s.is_none()) {
        if !now.contains_key(&(open.rule, open.subject.clone())) {
            open.resolved_s = Some(second);
        }
    }
    for ((rule, subject), finding) in now {
        let is_open = |found: &Found| found.rule == rule && found.subject == subject && found.resolved_s.is_none();
        if !found.iter().any(is_open) {
            let (priority, message) = (finding.priority, finding.message.clone());
            found.push(Found { rule, subject, priority, message, at_s: second, resolved_s: None });
        }
    }
}
