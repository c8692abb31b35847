//! Each file under `fixtures/syntax_errors` has one syntax error; its rendered diagnostic is the file beside it.
//! `UPDATE_SNAPSHOTS=1` writes the snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use triage_core::diagnostic::{Style, render};
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax::parse;

fn rule_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(folder);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "rules")).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn check(path: &Path) -> Result<(), String> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(path).unwrap();
    let Err(diagnostic) = parse(FileId(0), &text) else { return Err(format!("{name}: parses")) };
    let rendered = format!("{}\n", render(&[SourceFile { path: name.clone(), text }], &[diagnostic], Style::Plain));
    let snapshot = path.with_extension("stderr");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &rendered).unwrap();
    }
    let expected = fs::read_to_string(&snapshot).unwrap_or_default();
    if rendered == expected { Ok(()) } else { Err(format!("{name}: now\n{rendered}was\n{expected}")) }
}

#[test]
fn syntax_errors_read_as_in_their_snapshots() {
    let wrong: Vec<String> = rule_files("syntax_errors").iter().filter_map(|path| check(path).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_rule_sets_parse() {
    for path in rule_files("format") {
        let text = fs::read_to_string(&path).unwrap();
        if let Err(diagnostic) = parse(FileId(0), &text) {
            let file = SourceFile { path: path.display().to_string(), text };
            panic!("{}", render(&[file], &[diagnostic], Style::Plain));
        }
    }
}

#[test]
fn the_grammar_and_the_list_reserve_the_same_words() {
    let grammar = include_str!("../../../grammar/triage.pest");
    let rule = grammar.split("reserved = @{").nth(1).and_then(|rest| rest.split('}').next()).unwrap();
    let words: Vec<&str> = rule.split('"').skip(1).step_by(2).collect();
    assert_eq!(words, triage_core::syntax::reserved::RESERVED);
    for (at, word) in words.iter().enumerate() {
        assert!(
            !words[at..].iter().any(|later| later != word && later.starts_with(word)),
            "`{word}` hides a longer word"
        );
    }
}
