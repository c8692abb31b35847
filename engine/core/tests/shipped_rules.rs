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

fn check(set: &str) {
    let files = files(set);
    let compiled = compile_all(&files).unwrap_or_else(|found| panic!("{}", render(&files, &found, Style::Plain)));
    assert!(compiled.warnings.is_empty(), "{}", render(&files, &compiled.warnings, Style::Plain));
    let outcomes = compiled.run_tests();
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.passed()).collect();
    assert!(failed.is_empty() && !outcomes.is_empty(), "{failed:#?}");
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
