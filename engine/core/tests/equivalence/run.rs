//! Both sides over the same records, in one form.

use std::fmt::Write as _;

use triage_core::compile::compile;
use triage_core::diagnostic::{Code, Diagnostic, Style, render};
use triage_core::program::{Counts, Limits, OutputKind, Outputs, Program, States, Workspace};
use triage_core::reading::Record;
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax;

use crate::oracle::{Destination, Event, Oracle, Sent};

/// What a run sends and counts.
#[derive(Debug, PartialEq)]
pub(crate) struct Ran {
    /// In order.
    pub(crate) sent: Vec<Sent>,
    /// All steps together.
    pub(crate) counts: Counts,
}

/// The compiled program, or the mistakes as a person reads them.
pub(crate) fn program(files: &[SourceFile]) -> Result<Program, String> {
    compile(files).map(|(program, _)| program).map_err(|mistakes| rendered(files, &mistakes))
}

/// What is wrong with the files besides that a part of the language is not available yet.
pub(crate) fn mistakes(files: &[SourceFile]) -> Option<String> {
    let mut mistakes = compile(files).err()?;
    mistakes.retain(|mistake| mistake.is_error() && mistake.code != Code::NotYet);
    (!mistakes.is_empty()).then(|| rendered(files, &mistakes))
}

fn rendered(files: &[SourceFile], mistakes: &[Diagnostic]) -> String {
    let errors: Vec<Diagnostic> = mistakes.iter().filter(|mistake| mistake.is_error()).cloned().collect();
    render(files, &errors, Style::Plain)
}

/// The interpreter of the same files; `version` is theirs.
pub(crate) fn oracle(files: &[SourceFile], version: &str) -> Oracle {
    let parse = |(at, file): (usize, &SourceFile)| {
        let tree = syntax::parse(FileId(at as u32), &file.text);
        tree.unwrap_or_else(|mistake| panic!("{}", rendered(files, &[mistake])))
    };
    let trees: Vec<_> = files.iter().enumerate().map(parse).collect();
    Oracle::new(&trees, version)
}

/// Steps the program over the records in batches of these sizes, over and over.
pub(crate) fn run_program(program: &Program, records: &[Record<'_>], limits: &Limits, sizes: &[usize]) -> Ran {
    let mut states = States::new(1);
    let mut workspace = Workspace::default();
    let mut outputs = Outputs::default();
    let mut sent = Vec::new();
    let mut done = 0;
    for size in sizes.iter().cycle() {
        if done == records.len() {
            break;
        }
        let batch = &records[done..records.len().min(done + size)];
        outputs.clear();
        program.step(batch, limits, &mut states, &mut workspace, &mut outputs);
        states.commit();
        sent.extend(outputs.iter().map(|output| {
            let topic = |id: triage_core::program::TopicId| program.topics()[id.0 as usize].name.clone();
            Sent {
                row: done + output.row,
                to: match &output.kind {
                    OutputKind::Derived(id) => Destination::Topic(topic(*id)),
                    OutputKind::Alert(id) => Destination::Alert(topic(*id)),
                    OutputKind::DeadLetter(letter) => {
                        Destination::DeadLetter { stage: "reading", reason: letter.reason.as_str() }
                    }
                },
                key: outputs.key(output).map(|key| String::from_utf8(key.to_vec()).unwrap()),
                value: String::from_utf8(outputs.value(output).to_vec()).unwrap(),
                partition: batch[output.row].partition,
                timestamp: batch[output.row].timestamp,
            }
        }));
        done += batch.len();
    }
    let mut counts = std::mem::take(&mut workspace.counts);
    fill_up(&mut counts, program.rules().len(), program.field_names().count());
    Ran { sent, counts }
}

/// Interprets the records one by one.
pub(crate) fn run_oracle(oracle: &mut Oracle, records: &[Record<'_>], limits: &Limits, fields: usize) -> Ran {
    let events: Vec<Event<'_>> = records.iter().copied().map(Event::Record).collect();
    run_events(oracle, &events, limits, fields)
}

/// Interprets events one by one.
pub(crate) fn run_events(oracle: &mut Oracle, events: &[Event<'_>], limits: &Limits, fields: usize) -> Ran {
    let sent = events.iter().enumerate().flat_map(|(row, event)| oracle.step(row, event, limits)).collect();
    let mut counts = std::mem::take(&mut oracle.counts);
    fill_up(&mut counts, oracle.rule_names().len(), fields);
    Ran { sent, counts }
}

/// The first thing in which two runs differ; `show` shows a record.
pub(crate) fn first_difference(got: &Ran, expected: &Ran, show: impl Fn(usize) -> String) -> Option<String> {
    if got == expected {
        return None;
    }
    let mut text = String::new();
    let differs = (0..got.sent.len().max(expected.sent.len())).find(|at| got.sent.get(*at) != expected.sent.get(*at));
    if let Some(at) = differs {
        let (got, expected) = (got.sent.get(at), expected.sent.get(at));
        let row = [got, expected].into_iter().flatten().map(|sent| sent.row).min().unwrap_or_default();
        let _ = writeln!(text, "{}\nby interpreter {expected:#?}\nby program {got:#?}", show(row));
    }
    let _ = write!(text, "counted by interpreter {:#?}\nby program {:#?}", expected.counts, got.counts);
    Some(text)
}

/// Counts of nothing are zeros, however long their list.
fn fill_up(counts: &mut Counts, rules: usize, fields: usize) {
    counts.matched.resize(rules, 0);
    counts.not_evaluable.resize(rules, 0);
    counts.missing.resize(fields, 0);
    counts.invalid.resize(fields, 0);
}
