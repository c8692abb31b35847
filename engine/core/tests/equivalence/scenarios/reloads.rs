//! Scenarios of reloads, written by hand from the language page. In a folder each, `1.rules` holds while the lines of
//! `1.jsonl` come, then `2.rules` takes over, and so on; `expected.jsonl` is all that is sent. `RULESET1` stands for the
//! version of the first. Both sides send the same to the byte.

use std::fs;
use std::path::Path;

use triage_core::program::Program;
use triage_core::source::SourceFile;

use super::{difference, members, replay, sorted};
use crate::drive::{self, Manner};
use crate::happening::Happening;
use crate::oracle::{Event, Oracle, Sent};
use crate::run::{oracle, program};

/// A rule set, and what happens while it holds.
struct Chapter {
    files: [SourceFile; 1],
    program: Program,
    happenings: Vec<Happening>,
}

#[test]
fn both_sides_do_what_reloads_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios/reloads");
    let folders = sorted(&root);
    assert!(!folders.is_empty(), "no scenario in {}", root.display());
    let wrong: Vec<String> = folders.iter().filter_map(|folder| wrong(folder)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a side does that the scenario does not say.
fn wrong(folder: &Path) -> Option<String> {
    let texts = |extension: &str| -> Vec<String> {
        let paths = sorted(folder).into_iter().filter(|path| path.file_stem().is_some_and(|stem| stem != "expected"));
        let paths = paths.filter(|path| path.extension().is_some_and(|known| known == extension));
        paths.map(|path| fs::read_to_string(path).unwrap()).collect()
    };
    let (rules, lines) = (texts("rules"), texts("jsonl"));
    assert!(rules.len() > 1 && rules.len() == lines.len(), "{}: a file of lines for each rule set", folder.display());
    let chapters = chapters(&rules, &lines);
    let mut expected = fs::read_to_string(folder.join("expected.jsonl")).unwrap();
    for (chapter, number) in chapters.iter().zip(1..) {
        expected = expected.replace(&format!("RULESET{number}"), chapter.program.version());
    }
    let lines = lines.concat();
    if let Some(difference) = difference(folder, &printed(&interpreted(&chapters), &lines), &expected) {
        return Some(format!("by interpreter: {difference}"));
    }
    let events: Vec<Vec<Event<'_>>> =
        chapters.iter().map(|chapter| chapter.happenings.iter().map(Happening::event).collect()).collect();
    let programs: Vec<(&Program, &[Event<'_>])> =
        chapters.iter().zip(&events).map(|(chapter, events)| (&chapter.program, &events[..])).collect();
    (0..8).map(Manner::seeded).chain([Manner::batches(&[1])]).find_map(|manner| {
        let ran = drive::run_programs(&programs, 1, &replay::LIMITS, manner);
        let sent: Vec<Sent> = ran.into_iter().flat_map(|ran| ran.sent).collect();
        difference(folder, &printed(&sent, &lines), &expected).map(|difference| format!("by program: {difference}"))
    })
}

/// The lines count on from one rule set to the next.
fn chapters(rules: &[String], lines: &[String]) -> Vec<Chapter> {
    let compiled = |text: &String| {
        let files = [SourceFile { path: "ward.rules".into(), text: text.clone() }];
        let program = program(&files).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        Chapter { files, program, happenings: Vec::new() }
    };
    let mut chapters: Vec<Chapter> = rules.iter().map(compiled).collect();
    let mut all = replay::happenings(&chapters[0].interpreter(), &lines.concat()).into_iter();
    for (chapter, lines) in chapters.iter_mut().zip(lines) {
        chapter.happenings = all.by_ref().take(lines.lines().count()).collect();
    }
    chapters
}

impl Chapter {
    fn interpreter(&self) -> Oracle {
        let mut interpreter = oracle(&self.files, self.program.version());
        interpreter.replays = true;
        interpreter
    }
}

/// What one interpreter after the other sends.
fn interpreted(chapters: &[Chapter]) -> Vec<Sent> {
    let mut interpreter = chapters[0].interpreter();
    let (mut sent, mut row) = (Vec::new(), 0);
    for (at, chapter) in chapters.iter().enumerate() {
        if at > 0 {
            sent.extend(interpreter.reload(chapter.interpreter(), row));
        }
        for happening in &chapter.happenings {
            sent.extend(interpreter.step(row, &happening.event(), &replay::LIMITS));
            row += 1;
        }
    }
    sent
}

/// A line each.
fn printed(sent: &[Sent], lines: &str) -> String {
    let line = |sent: &Sent| format!("{{{}}}\n", members(sent, lines.lines().nth(sent.row).unwrap_or_default()));
    sent.iter().map(line).collect()
}
