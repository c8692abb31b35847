//! The rule sets that are shipped: without warnings, in canonical form, and true to their own tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::Path;

use triage_core::compile::compile_all;
use triage_core::diagnostic::{Style, render};
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax;

fn files(set: &str) -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules").join(set);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named = |path: &std::path::PathBuf| format!("rules/{set}/{}", path.file_name().unwrap().to_str().unwrap());
    paths.iter().map(|path| SourceFile { path: named(path), text: std::fs::read_to_string(path).unwrap() }).collect()
}

/// Everything that follows `expect`, an item each; an `expect` ends with its line.
fn expectations(files: &[SourceFile]) -> impl Iterator<Item = &str> {
    let lines = files.iter().flat_map(|file| file.text.lines());
    lines.filter_map(|line| line.split_once(" expect ")).flat_map(|(_, items)| items.split(',')).map(str::trim)
}

fn check(set: &str) {
    let files = files(set);
    let compiled = compile_all(&files).unwrap_or_else(|found| panic!("{}", render(&files, &found, Style::Plain)));
    assert!(compiled.warnings.is_empty(), "{}", render(&files, &compiled.warnings, Style::Plain));
    let outcomes = compiled.run_tests();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed()).collect();
    assert!(failed.is_empty() && !outcomes.is_empty(), "{failed:#?}");
    for rule in compiled.program.rules() {
        let (mut matching, mut not_matching) = (false, false);
        for expected in expectations(&files) {
            matching |= expected == rule.name;
            not_matching |= expected.strip_prefix("no ").is_some_and(|name| name.trim() == rule.name);
        }
        assert!(matching && not_matching, "`{}` needs a test that it matches and one that it does not", rule.name);
    }
    for (id, file) in files.iter().enumerate() {
        let tree = syntax::parse(FileId(id as u32), &file.text).unwrap();
        let formatted = syntax::format::format(&file.text, &tree).unwrap();
        assert!(formatted == file.text, "{} is not in canonical form:\n{formatted}", file.path);
    }
}

#[test]
fn hospital() {
    check("hospital");
}

#[test]
fn original() {
    check("original");
}
