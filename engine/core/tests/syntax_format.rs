//! Each file under `fixtures/format` formats to the `.expected` file beside it, which formats to itself.
//! `UPDATE_SNAPSHOTS=1` writes the expected texts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use triage_core::diagnostic::{Style, render};
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax::{ast, format, parse};

fn parsed(path: &Path, text: &str) -> ast::File {
    parse(FileId(0), text).unwrap_or_else(|diagnostic| {
        let file = SourceFile { path: path.display().to_string(), text: text.to_owned() };
        panic!("{}", render(&[file], &[diagnostic], Style::Plain))
    })
}

fn check(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    let formatted = format(&text, &parsed(path, &text)).unwrap();
    let snapshot = path.with_extension("expected");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &formatted).unwrap();
    }
    assert_eq!(formatted, fs::read_to_string(&snapshot).unwrap_or_default(), "{}", path.display());
    let again = format(&formatted, &parsed(path, &formatted)).unwrap();
    assert_eq!(again, formatted, "{} formats to something else when formatted again", path.display());
}

#[test]
fn files_format_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|it| it == "rules")).collect();
    files.sort();
    assert!(!files.is_empty());
    for path in &files {
        check(path);
    }
}

#[test]
fn canonical_text_leaves_out_comments_and_tests() {
    let text = "# a\ntest \"t\" { given { a: 1 } expect s }\n\n\nlet   a=b>1 # c\ns when a\n";
    let file = parse(FileId(0), text).unwrap();
    assert_eq!(format::canonical(&file), "let a = b > 1\ns when a\n");
}
