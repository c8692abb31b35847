//! Both sides over the same events, in one form.

use std::fmt::Write as _;

use triage_core::compile::compile;
use triage_core::diagnostic::{Diagnostic, Style, render};
use triage_core::program::{Counts, Limits, Program};
use triage_core::reading::Record;
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax;

use crate::drive::{self, Manner};
use crate::models::Fakes;
use crate::oracle::{Event, Oracle, Sent};

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
    compile(files, &Fakes).map(|(program, _)| program).map_err(|mistakes| rendered(files, &mistakes))
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
    Oracle::new(&trees, version, &Fakes)
}

/// Steps the program over the records of a stream of one partition.
pub(crate) fn run_program(program: &Program, records: &[Record<'_>], limits: &Limits, manner: Manner) -> Ran {
    let events: Vec<Event<'_>> = records.iter().copied().map(Event::Record).collect();
    drive::run_program(program, &events, 1, limits, manner)
}

/// Interprets the records one by one.
pub(crate) fn run_oracle(oracle: &mut Oracle, records: &[Record<'_>], limits: &Limits) -> Ran {
    let events: Vec<Event<'_>> = records.iter().copied().map(Event::Record).collect();
    run_events(oracle, &events, limits)
}

/// Interprets events one by one.
pub(crate) fn run_events(oracle: &mut Oracle, events: &[Event<'_>], limits: &Limits) -> Ran {
    let sent = events.iter().enumerate().flat_map(|(row, event)| oracle.step(row, event, limits)).collect();
    Ran { sent, counts: counted(oracle) }
}

/// What the interpreter has counted.
pub(crate) fn counted(oracle: &mut Oracle) -> Counts {
    let mut counts = std::mem::take(&mut oracle.counts);
    fill_up(&mut counts, [oracle.rule_names().len(), oracle.fields(), oracle.scores()]);
    counts
}

/// The first thing in which two runs differ; `show` shows an event.
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
    if got.counts != expected.counts {
        let _ = write!(text, "counted by interpreter {:#?}\nby program {:#?}", expected.counts, got.counts);
    }
    Some(text)
}

/// Counts of nothing are zeros, however long their list.
pub(crate) fn fill_up(counts: &mut Counts, [rules, fields, scores]: [usize; 3]) {
    counts.matched.resize(rules, 0);
    counts.not_evaluable.resize(rules, 0);
    counts.missing.resize(fields, 0);
    counts.invalid.resize(fields, 0);
    counts.scored.resize(scores, 0);
    counts.score_failures.resize(scores, 0);
    for lists in [&mut counts.score_inputs, &mut counts.score_outside] {
        lists.resize(scores, Vec::new());
        lists.iter_mut().filter(|list| list.iter().all(|count| *count == 0)).for_each(Vec::clear);
    }
}
