//! Each rule file or folder under `fixtures/errors` is a rule set with something wrong in it; all that the compiler and
//! its tests say about it is the `.stderr` beside it. `e205.rules` is the example of E205 in `docs/diagnostics.md`;
//! `e205_bool.rules` holds more of the kind. `UPDATE_SNAPSHOTS=1` writes the snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/models.rs"]
mod models;
#[path = "common/snapshot.rs"]
mod snapshot;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use models::Fakes;
use snapshot::{compare, entries, fixtures, read, rule_files};
use triage_core::compile::compile_all;
use triage_core::diagnostic::{Code, Diagnostic, Style, render};
use triage_core::score::NoModels;
use triage_core::source::SourceFile;

/// Codes that the reading of the folder gives, before there is a text: the tests of the command line show them.
const BEFORE_THE_TEXT: [(Code, &str); 2] = [
    (Code::NotUtf8, "Given with the line of the first byte that is no character; save the file as UTF-8."),
    (
        Code::Unreadable,
        "Given with what the system said: no permission, a dangling link, or a folder whose name ends in `.rules`.",
    ),
];

/// A rule set with something wrong in it.
struct Fixture {
    name: String,
    path: PathBuf,
    files: Vec<SourceFile>,
}

impl Fixture {
    fn all() -> Vec<Self> {
        let entries = entries(&fixtures("errors"));
        entries
            .iter()
            .filter(|path| path.extension().is_none_or(|it| it == "rules"))
            .map(|path| Self::at(path))
            .collect()
    }

    fn at(path: &Path) -> Self {
        let files = if path.is_dir() { rule_files(path) } else { vec![path.to_owned()] };
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        Self { name, path: path.to_owned(), files: files.iter().map(|path| read(path)).collect() }
    }

    /// What the compiler says, or the tests of what it compiled. That a rule is untested is left out where there is
    /// something else: fixtures would otherwise be longer than what they show.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut found = match compile_all(&self.files, &Fakes) {
            Err(errors) => errors,
            Ok(compiled) => {
                let failures = compiled.run_tests().into_iter().flat_map(|outcome| outcome.failures);
                compiled.warnings.iter().cloned().chain(failures).collect()
            }
        };
        if found.iter().any(|diagnostic| diagnostic.code != Code::Untested) {
            found.retain(|diagnostic| diagnostic.code != Code::Untested);
        }
        found
    }

    fn rendered(&self) -> String {
        format!("{}\n", render(&self.files, &self.diagnostics(), Style::Plain))
    }

    /// The code that the file's name promises.
    fn promised(&self) -> String {
        self.name[..4].to_uppercase()
    }

    fn check(&self) -> Result<(), String> {
        let codes: Vec<&str> = self.diagnostics().iter().map(|diagnostic| diagnostic.code.as_str()).collect();
        if !codes.contains(&self.promised().as_str()) {
            return Err(format!("{}: gives {codes:?}", self.name));
        }
        compare(&self.path.with_extension("stderr"), &self.rendered())
    }
}

#[test]
fn mistakes_read_as_in_their_snapshots() {
    let wrong: Vec<String> = Fixture::all().iter().filter_map(|fixture| fixture.check().err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_has_an_example() {
    let examples: BTreeSet<String> = Fixture::all().into_iter().map(|fixture| fixture.name).collect();
    for code in Code::ALL {
        let before = BEFORE_THE_TEXT.iter().any(|(other, _)| other == code);
        let has = examples.contains(&code.as_str().to_lowercase());
        assert!(has != before, "{}: an example or a reason, not both", code.as_str());
    }
}

#[test]
fn the_reference_has_every_code_with_its_example() {
    let fixtures = Fixture::all();
    let mut page = String::from(PAGE_TOP);
    for code in Code::ALL {
        let name = code.as_str();
        write!(page, "\n## {name}\n\n{}\n", code.title()).unwrap();
        if let Some((_, reason)) = BEFORE_THE_TEXT.iter().find(|(other, _)| other == code) {
            write!(page, "\n{reason}\n").unwrap();
            continue;
        }
        let example = fixtures.iter().find(|fixture| fixture.name == name.to_lowercase()).unwrap();
        page.push_str(&example.section());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/diagnostics.md");
    compare(&path, &page).unwrap();
}

const PAGE_TOP: &str = "# Diagnostics

What `triage check` says, by code, each with the rule file that it is said about and all that is said. Codes do not
change their meaning. Those with an `E` refuse the rule set; those with a `W` do not, unless `--deny warnings` is given.
All mistakes of a rule set are reported together, at most one of syntax in each file.

This page is written by a test from `engine/core/tests/fixtures/errors`, so that it says what the compiler says.
";

impl Fixture {
    /// The example as the reference shows it.
    fn section(&self) -> String {
        let mut section = String::new();
        for file in &self.files {
            if self.files.len() > 1 {
                write!(section, "\n`{}`\n", file.path).unwrap();
            }
            write!(section, "\n```\n{}```\n", file.text).unwrap();
        }
        let rendered = self.rendered();
        let said: Vec<&str> = rendered.lines().map(str::trim_end).collect();
        write!(section, "\n```text\n{}\n```\n", said.join("\n")).unwrap();
        section
    }
}

fn codes_of(files: &[(&str, &str)]) -> Vec<&'static str> {
    let files: Vec<SourceFile> =
        files.iter().map(|(path, text)| SourceFile { path: (*path).into(), text: (*text).into() }).collect();
    let found = compile_all(&files, &NoModels).map_or_else(|errors| errors, |compiled| compiled.warnings);
    found.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

const STREAM: &str = "stream research { trestbps: int 30..300 'mm[Hg]'  cp: enum { typical = 3, other = 0 } }\n";

#[test]
fn a_rule_file_of_one_line_is_a_complete_rule_set() {
    let files = [("research.rules", STREAM), ("stroke.rules", "stroke when trestbps > 180 and cp = 3\n")];
    assert_eq!(codes_of(&files), ["W101", "W103"]);
}

#[test]
fn the_order_of_files_does_not_matter() {
    let files = [("a.rules", "stroke when high\n"), ("b.rules", "let high = trestbps > 180\n"), ("c.rules", STREAM)];
    assert_eq!(codes_of(&files), ["W101", "W103"]);
}

#[test]
fn sixty_four_levels_are_taken() {
    let nested = |levels: usize| format!("{STREAM}x when {}cp = 3{}\n", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(codes_of(&[("a.rules", &nested(64))]), ["W101", "W103"]);
    assert_eq!(codes_of(&[("a.rules", &nested(65))]), ["E002"]);
    assert_eq!(codes_of(&[("a.rules", &nested(60_000))]), ["E002"]);
}

#[test]
fn a_chain_of_ten_thousand_lets_compiles() {
    let mut text = format!("{STREAM}let a0 = trestbps > 180\n");
    for number in 1..10_000 {
        writeln!(text, "let a{number} = not a{}", number - 1).unwrap();
    }
    text.push_str("x when a9999\n");
    assert_eq!(codes_of(&[("a.rules", &text)]), ["W101", "W103"]);
}

#[test]
fn a_circle_of_ten_thousand_lets_is_one_error() {
    let mut text = STREAM.to_owned();
    for number in 0..10_000 {
        writeln!(text, "let a{number} = not a{}", (number + 1) % 10_000).unwrap();
    }
    text.push_str("x when a5\n");
    assert_eq!(codes_of(&[("a.rules", &text)]).iter().filter(|code| **code == "E210").count(), 1);
}

#[test]
fn a_label_that_is_also_the_name_of_a_let_is_no_circle() {
    let text = format!("{STREAM}let typical = cp = typical\nx when typical\n");
    assert_eq!(codes_of(&[("a.rules", &text)]), ["W101", "W103"]);
}

#[test]
fn each_reading_and_forget_after_are_taken() {
    let text = "stream r { a: int forget after 30d }\nx.y when a > 1\n  alert low \"a\"\n  each reading\n";
    assert_eq!(codes_of(&[("a.rules", text)]), ["W101", "W103"]);
}

#[test]
fn what_is_wider_than_a_field_and_a_literal_is_no_error() {
    let text = format!("{STREAM}x when trestbps < 40 and trestbps > 50 or trestbps + 1 > 900\n");
    assert_eq!(codes_of(&[("a.rules", &text)]), ["W101", "W103"]);
}

/// A part of the language that a later version brings is one error, and nothing else is said because of it.
#[test]
fn what_comes_later_is_one_error() {
    let rules = "topic x { fields all covers all }\nx when cp = 3";
    let errors = codes_of(&[("a.rules", &format!("{STREAM}{rules}\n"))]);
    let errors: Vec<&str> = errors.into_iter().filter(|code| !["W101", "W103"].contains(code)).collect();
    assert_eq!(errors, ["E901"]);
}
