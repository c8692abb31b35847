//! Any text parses or is refused with a diagnostic that can be rendered; what parses formats to itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use triage_core::diagnostic::{Style, render};
use triage_core::source::{FileId, SourceFile};
use triage_core::syntax::{format, parse};

fuzz_target!(|text: &str| {
    let file = match parse(FileId(0), text) {
        Ok(file) => file,
        Err(diagnostic) => {
            let file = SourceFile { path: "fuzz.rules".to_owned(), text: text.to_owned() };
            render(&[file], &[diagnostic], Style::Plain);
            return;
        }
    };
    let formatted = format(text, &file).expect("a file that parses formats");
    let again = parse(FileId(0), &formatted).expect("formatted text parses");
    let twice = format(&formatted, &again).expect("formatted text formats");
    assert_eq!(formatted, twice, "formatting twice changes the text");
});
