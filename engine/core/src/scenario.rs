//! Running a rule set's test blocks, through the same program that judges patients' readings.

use crate::check::{CheckedExpectation, CheckedExpected, CheckedTest};
use crate::compile::Compiled;
use crate::diagnostic::{Code, Diagnostic};
use crate::program::{OutputKind, Outputs, Workspace};
use crate::reading::{Limits, Record};
use crate::source::FileId;
use crate::syntax::ast::AlertState;

/// The patient of readings that are given none.
const PATIENT: &[u8] = b"test";

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
    alerts: usize,
    dead: Option<String>,
}

impl Compiled {
    /// Runs every test block, in path order.
    pub fn run_tests(&self) -> Vec<Outcome> {
        self.checked.tests.iter().map(|test| self.run_test(test)).collect()
    }

    fn run_test(&self, test: &CheckedTest) -> Outcome {
        let mut failures = Vec::new();
        for step in &test.steps {
            let sent = self.send(&step.record);
            failures.extend(step.expectations.iter().filter_map(|expectation| judge(expectation, &sent)));
        }
        Outcome { name: test.name.clone(), file: test.span.file, failures }
    }

    fn send(&self, record: &[u8]) -> Sent {
        let record = Record { key: Some(PATIENT), value: Some(record), timestamp: Some(0), partition: 0, offset: 0 };
        let (mut workspace, mut outputs) = (Workspace::default(), Outputs::default());
        self.program.step(&[record], &Limits { skew_ms: None, ..Limits::default() }, &mut workspace, &mut outputs);
        let names = |counts: &[u64]| {
            let counted = self.program.rules().iter().zip(counts).filter(|(_, count)| **count > 0);
            counted.map(|(rule, _)| rule.name.clone()).collect()
        };
        let mut sent = Sent {
            topics: Vec::new(),
            rules: names(&workspace.counts.matched),
            unknown: names(&workspace.counts.not_evaluable),
            alerts: 0,
            dead: None,
        };
        for output in outputs.iter() {
            match &output.kind {
                OutputKind::Derived(topic) => sent.topics.push(self.program.topic(*topic).name.clone()),
                OutputKind::Alert(_) => sent.alerts += 1,
                OutputKind::DeadLetter(dead) => sent.dead = Some(dead.sentence.clone()),
            }
        }
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
        CheckedExpected::Alert(state) => *state == AlertState::Raised && sent.alerts > 0,
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
