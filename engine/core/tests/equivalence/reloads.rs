//! Random edits of random rule sets under random traffic: each program takes over from the one before, and sends what the
//! interpreter sends, to the byte. What does not compile changes nothing.

use std::collections::BTreeMap;

use triage_core::compile::Changes;
use triage_core::program::{Limits, Program};

use crate::drive::{self, Manner};
use crate::generate::{Tape, Traffic, Ward, ward};
use crate::happening::Happening;
use crate::oracle::{Event, Oracle, Sent};
use crate::over_time::{learn, text};
use crate::run::{Ran, counted, first_difference, oracle, program};

/// A rule set, what happened while it ran, and what the interpreter made of that.
struct Chapter {
    ward: Ward,
    program: Program,
    happenings: Vec<Happening>,
    interpreted: Ran,
}

/// Rule sets one after the other.
pub(crate) struct Reloads {
    chapters: Vec<Chapter>,
    /// How many edits were refused.
    pub(crate) refused: usize,
}

/// Draws a rule set, so many edits of it, and up to `most` happenings between two of them.
pub(crate) fn reloads(tape: &mut Tape, edits: usize, most: usize) -> Reloads {
    let mut ward = ward(tape);
    let mut traffic = Traffic::new(tape, &ward);
    let compiled = program(&ward.files()).unwrap_or_else(|mistakes| panic!("{mistakes}\n{}", text(&ward.files())));
    let mut interpreter = oracle(&ward.files(), compiled.version());
    interpreter.width = ward.partitions;
    let mut reloads = Reloads { chapters: Vec::new(), refused: 0 };
    let (mut next, mut sent, mut row) = (Some(compiled), Vec::new(), 0);
    for _ in 0..=edits {
        if let Some(program) = next.take() {
            let happenings = happenings(tape, &mut traffic, &mut interpreter, (row, most), &mut sent);
            row += happenings.len();
            let interpreted = Ran { sent: std::mem::take(&mut sent), counts: counted(&mut interpreter) };
            reloads.chapters.push(Chapter { ward: ward.clone(), program, happenings, interpreted });
        }
        let edited = if tape.chance(10) { reloads.earlier(tape) } else { ward.edited(tape) };
        match program(&edited.files()) {
            Ok(program) => {
                let oracle = oracle(&edited.files(), program.version());
                sent = interpreter.reload(oracle, row);
                learn(&mut traffic, &sent);
                traffic.edited(&edited);
                (ward, next) = (edited, Some(program));
            }
            Err(_) => reloads.refused += 1,
        }
    }
    reloads
}

fn happenings(
    tape: &mut Tape,
    traffic: &mut Traffic,
    interpreter: &mut Oracle,
    (row, most): (usize, usize),
    sent: &mut Vec<Sent>,
) -> Vec<Happening> {
    let count = tape.pick(most + 1);
    (row..row + count)
        .map(|row| {
            let happening = traffic.next(tape);
            let step = interpreter.step(row, &happening.event(), &Limits::default());
            learn(traffic, &step);
            sent.extend(step);
            happening
        })
        .collect()
}

impl Reloads {
    /// A rule set that ran before.
    fn earlier(&self, tape: &mut Tape) -> Ward {
        self.chapters[tape.pick(self.chapters.len())].ward.clone()
    }

    /// How many readings there were.
    pub(crate) fn readings(&self) -> u64 {
        self.chapters.iter().map(|chapter| chapter.interpreted.counts.readings).sum()
    }

    /// The first thing that the programs do otherwise than the interpreter.
    pub(crate) fn difference(&self, manner: Manner) -> Option<String> {
        let events: Vec<Vec<Event<'_>>> =
            self.chapters.iter().map(|chapter| chapter.happenings.iter().map(Happening::event).collect()).collect();
        let programs: Vec<(&Program, &[Event<'_>])> =
            self.chapters.iter().zip(&events).map(|(chapter, events)| (&chapter.program, &events[..])).collect();
        let partitions = self.chapters[0].ward.partitions;
        let ran = drive::run_programs(&programs, partitions, &Limits::default(), manner);
        let all: Vec<&Happening> = self.chapters.iter().flat_map(|chapter| &chapter.happenings).collect();
        let show = |row: usize| all.get(row).map_or("at a reload".into(), |happening| happening.show());
        self.chapters.iter().zip(&ran).enumerate().find_map(|(at, (chapter, got))| {
            let difference = first_difference(got, &chapter.interpreted, show)?;
            let before = at.checked_sub(1).map(|at| text(&self.chapters[at].ward.files())).unwrap_or_default();
            Some(format!("before\n{before}\nafter\n{}\n{difference}", text(&chapter.ward.files())))
        })
    }
}

/// Some hundred edits; `make soak` makes ten thousand.
#[test]
fn edits_under_load_meet_everything() {
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..150 {
        let reloads = reloads(&mut Tape::seeded(seed), 10, 24);
        if let Some(difference) = reloads.difference(Manner::seeded(seed)) {
            panic!("seed {seed}\n{difference}");
        }
        reloads.meet(&mut met);
    }
    for (kind, least) in [
        ("refused", 50),
        ("applied", 300),
        ("kept", 300),
        ("started", 100),
        ("dropped", 100),
        ("resolved", 30),
        ("renamed", 20),
        ("record", 300),
        ("raised", 100),
    ] {
        assert!(met[kind] >= least, "too few of `{kind}`: {met:#?}");
    }
}

impl Reloads {
    /// Counts what a test of these edits would miss if it did not happen.
    fn meet(&self, met: &mut BTreeMap<&str, usize>) {
        let mut meet = |kind, count| *met.entry(kind).or_default() += count;
        meet("refused", self.refused);
        meet("applied", self.chapters.len() - 1);
        for pair in self.chapters.windows(2) {
            let Changes { kept, started, dropped, .. } = Changes::between(&pair[0].program, &pair[1].program);
            meet("kept", kept.len());
            meet("started", started.len());
            meet("dropped", dropped.len());
        }
        for sent in self.chapters.iter().flat_map(|chapter| &chapter.interpreted.sent) {
            meet("resolved", usize::from(sent.value.contains("\"reason\":\"rule removed\"")));
            meet("record", usize::from(sent.value.contains("\"rules\":")));
            meet("raised", usize::from(sent.value.contains("\"state\":\"raised\"")));
            meet("renamed", usize::from(bears_an_earlier_name(&sent.value)));
        }
    }
}

/// Whether an alert's id names another rule than the alert does.
fn bears_an_earlier_name(alert: &str) -> bool {
    let rule = |rest: &str| format!("/{}", rest.split('"').next().unwrap_or_default());
    alert.split_once("\",\"rule\":\"").is_some_and(|(id, rest)| !id.ends_with(&rule(rest)))
}
