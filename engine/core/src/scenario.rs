//! Running a rule set's test blocks, through the same program that judges patients' readings.

use crate::check::{Arriving, CheckedEvent, CheckedExpectation, CheckedExpected, CheckedTest};
use crate::compile::Compiled;
use crate::diagnostic::{Code, Diagnostic};
use crate::json::quoted;
use crate::program::{OutputKind, Outputs, Program, States, Workspace};
use crate::reading::{Limits, Record};
use crate::source::FileId;
use crate::syntax::ast::AlertState;

/// The patient of readings that are given none.
const PATIENT: &[u8] = b"test";

/// The time of a record is that of its step.
const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

/// How one test block ended.
#[derive(Debug)]
pub struct Outcome {
    /// What it shows.
    pub name: String,
    /// The file it stands in.
    pub file: FileId,
    /// What was not as expected; empty if it passed.
    pub failures: Vec<Diagnostic>,
}

impl Outcome {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// What a step sent.
struct Sent {
    topics: Vec<String>,
    rules: Vec<String>,
    /// Rules whose condition was unknown.
    unknown: Vec<String>,
    alerts: Vec<AlertState>,
    dead: Option<String>,
}

impl Compiled {
    /// Runs every test block, in path order.
    pub fn run_tests(&self) -> Vec<Outcome> {
        self.checked.tests.iter().map(|test| self.run_test(test)).collect()
    }

    fn run_test(&self, test: &CheckedTest) -> Outcome {
        let mut failures = Vec::new();
        let mut timeline = Timeline::new(&self.program);
        for step in &test.steps {
            let sent = match &step.event {
                // A reading by itself: whatever else the test gives is about somebody else.
                CheckedEvent::Given(arriving) => Ok(Timeline::new(&self.program).reading(0, arriving)),
                CheckedEvent::Reading(at, arriving) => Ok(timeline.reading(*at, arriving)),
                CheckedEvent::Pass(at) => Ok(timeline.pass(*at)),
                CheckedEvent::Acknowledge(at, rule) => timeline.acknowledge(*at, rule),
            };
            match sent {
                Ok(sent) => {
                    failures.extend(step.expectations.iter().filter_map(|expectation| judge(expectation, &sent)));
                }
                Err(message) => {
                    let label = "expected an alert of it to be open here";
                    failures.push(Diagnostic::new(Code::TestFailed, step.span, message, label));
                }
            }
        }
        Outcome { name: test.name.clone(), file: test.span.file, failures }
    }
}

/// What the steps with `at` of one test have come to.
struct Timeline<'a> {
    program: &'a Program,
    states: States,
    /// The next record's.
    offset: i64,
    workspace: Workspace,
    outputs: Outputs,
}

impl<'a> Timeline<'a> {
    fn new(program: &'a Program) -> Self {
        Self {
            program,
            states: States::new(1),
            offset: 0,
            workspace: Workspace::default(),
            outputs: Outputs::default(),
        }
    }

    fn reading(&mut self, at: i64, arriving: &Arriving) -> Sent {
        let key = (!arriving.names_patient).then_some(PATIENT);
        let record = self.record(key, &arriving.record, at);
        self.program.step(&[record], &LIMITS, &mut self.states, &mut self.workspace, &mut self.outputs);
        self.sent()
    }

    /// A record at the next offset.
    fn record<'r>(&mut self, key: Option<&'r [u8]>, value: &'r [u8], at: i64) -> Record<'r> {
        self.offset += 1;
        Record { key, value: Some(value), timestamp: Some(at), partition: 0, offset: self.offset - 1 }
    }

    fn pass(&mut self, at: i64) -> Sent {
        self.program.advance(0, at, &mut self.states, &mut self.workspace, &mut self.outputs);
        self.sent()
    }

    /// Time passes until then, and somebody acknowledges.
    fn acknowledge(&mut self, at: i64, rule: &str) -> Result<Sent, String> {
        self.program.advance(0, at, &mut self.states, &mut self.workspace, &mut self.outputs);
        let id = self.program.open_episode(&self.states, 0, rule);
        let id = id.ok_or_else(|| format!("no alert of `{rule}` is open"))?;
        let mut value = b"{\"id\":".to_vec();
        value.extend(quoted(&id));
        value.extend_from_slice(format!(",\"by\":\"test\",\"ts\":{at}}}").as_bytes());
        let record = self.record(None, &value, at);
        self.program.acknowledge(&record, &LIMITS, &mut self.states, &mut self.workspace, &mut self.outputs);
        Ok(self.sent())
    }

    /// What has been sent since it was last asked.
    fn sent(&mut self) -> Sent {
        let names = |counts: &[u64]| {
            let counted = self.program.rules().iter().zip(counts).filter(|(_, count)| **count > 0);
            counted.map(|(rule, _)| rule.name.clone()).collect()
        };
        let counts = std::mem::take(&mut self.workspace.counts);
        let mut sent = Sent {
            topics: Vec::new(),
            rules: names(&counts.matched),
            unknown: names(&counts.not_evaluable),
            alerts: self.outputs.iter().filter_map(|output| output.state).collect(),
            dead: None,
        };
        for output in self.outputs.iter() {
            match &output.kind {
                OutputKind::Derived(topic) => sent.topics.push(self.program.topic(*topic).name.clone()),
                OutputKind::Alert(_) => {}
                OutputKind::DeadLetter(dead) => sent.dead = Some(dead.sentence.clone()),
            }
        }
        self.outputs.clear();
        self.states.commit();
        sent
    }
}

/// What is wrong with one expectation, if anything.
fn judge(expectation: &CheckedExpectation, sent: &Sent) -> Option<Diagnostic> {
    if let Some(sentence) = &sent.dead {
        let message = "the given reading is a dead letter";
        return Some(Diagnostic::new(Code::TestFailed, expectation.span, message, sentence));
    }
    let holds = match &expectation.what {
        CheckedExpected::Topic(topic) => sent.topics.contains(topic),
        CheckedExpected::Rule(rule) => sent.rules.contains(rule),
        CheckedExpected::Alert(state) => sent.alerts.contains(state),
    };
    if holds != expectation.absent {
        return None;
    }
    let (message, label) = words(&expectation.what, holds);
    let diagnostic = Diagnostic::new(Code::TestFailed, expectation.span, message, label);
    Some(match &expectation.what {
        CheckedExpected::Rule(rule) if sent.unknown.contains(rule) => {
            diagnostic.help("its condition was unknown: it needs a field that is not given, or not plausible")
        }
        _ => diagnostic,
    })
}

/// What happened, and what was expected instead.
fn words(what: &CheckedExpected, holds: bool) -> (String, &'static str) {
    match (what, holds) {
        (CheckedExpected::Topic(topic), true) => (format!("a record went to `{topic}`"), "expected none"),
        (CheckedExpected::Topic(topic), false) => (format!("no record went to `{topic}`"), "expected one"),
        (CheckedExpected::Rule(rule), true) => (format!("`{rule}` matched"), "expected it not to match"),
        (CheckedExpected::Rule(rule), false) => (format!("`{rule}` did not match"), "expected it to match"),
        (CheckedExpected::Alert(state), true) => (format!("an alert was {}", state.as_str()), "expected none"),
        (CheckedExpected::Alert(state), false) => (format!("no alert was {}", state.as_str()), "expected one"),
    }
}
