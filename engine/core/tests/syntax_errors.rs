//! Each file under `fixtures/syntax_errors` has one syntax error; its rendered diagnostic is the file beside it.
//! `UPDATE_SNAPSHOTS=1` writes the snapshots.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/snapshot.rs"]
mod snapshot;

use std::path::Path;

use snapshot::{compare, fixtures, read, rule_files};
use triage_core::diagnostic::{Style, render};
use triage_core::source::FileId;
use triage_core::syntax::parse;

fn check(path: &Path) -> Result<(), String> {
    let file = read(path);
    let Err(diagnostic) = parse(FileId(0), &file.text) else { return Err(format!("{}: parses", file.path)) };
    compare(&path.with_extension("stderr"), &format!("{}\n", render(&[file], &[diagnostic], Style::Plain)))
}

#[test]
fn syntax_errors_read_as_in_their_snapshots() {
    let wrong: Vec<String> =
        rule_files(&fixtures("syntax_errors")).iter().filter_map(|path| check(path).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn whole_rule_sets_parse() {
    for path in rule_files(&fixtures("format")) {
        let file = read(&path);
        if let Err(diagnostic) = parse(FileId(0), &file.text) {
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
