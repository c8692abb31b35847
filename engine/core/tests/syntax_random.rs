//! Properties of parsing and formatting: any tree survives being printed, any layout and any comments survive being
//! formatted, and no text at all makes the parser panic, hang or overflow.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "common/trees.rs"]
mod trees;

use proptest::prelude::*;
use triage_core::diagnostic::Code;
use triage_core::source::FileId;
use triage_core::syntax::{ast, format, parse};

fn parsed(text: &str) -> ast::File {
    parse(FileId(0), text).unwrap_or_else(|error| panic!("{error:?}\n{text}"))
}

/// The length of the first token of `text`.
fn token_length(text: &str) -> usize {
    let first = text.as_bytes()[0];
    let while_in = |start: usize, fits: fn(u8) -> bool| {
        start + text[start..].bytes().position(|byte| !fits(byte)).unwrap_or(text.len() - start)
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    match first {
        b'"' | b'\'' | b'`' => {
            let mut escaped = false;
            let close = text.bytes().enumerate().skip(1).find(|(_, byte)| {
                let closes = *byte == first && !escaped;
                escaped = first == b'"' && *byte == b'\\' && !escaped;
                closes
            });
            close.unwrap().0 + 1
        }
        b'0'..=b'9' => {
            let whole = while_in(0, word);
            let fraction =
                text[whole..].strip_prefix('.').is_some_and(|rest| rest.starts_with(|it: char| it.is_ascii_digit()));
            if fraction { while_in(whole + 1, word) } else { whole }
        }
        _ if word(first) => while_in(0, word),
        _ if ["..", "<=", ">=", "!="].iter().any(|symbol| text.starts_with(symbol)) => 2,
        _ => text.chars().next().unwrap().len_utf8(),
    }
}

/// `text` with other white space and with comments between its tokens; also how many comments.
fn relaid(text: &str, noise: &[u8]) -> (String, usize) {
    let (mut out, mut rest, mut comments, mut noise) = (String::new(), text.trim_start(), 0, noise.iter().cycle());
    while !rest.is_empty() {
        let (token, behind) = rest.split_at(token_length(rest));
        out.push_str(token);
        match noise.next().copied().unwrap_or(0) {
            0..120 => out.push(' '),
            120..150 => out.push('\n'),
            150..170 => out.push_str("\r\n\t\r\n"),
            170..180 => out.push_str("\n\n\n"),
            kind => {
                out.push_str(if kind < 220 { " " } else { "\n" });
                out.extend(["# comment ", comments.to_string().as_str(), if kind % 3 == 0 { "\n\n" } else { "\n" }]);
                comments += 1;
            }
        }
        rest = behind.trim_start();
    }
    (out, comments)
}

const SOUP: &[&str] = &[
    "stream", "topic", "score", "let", "test", "when", "and", "or", "not", "no", "in", "is", "for", "then", "within",
    "true", "missing", "known", "all", "store", "fields", "alert", "high", "each", "reading", "readings", "given",
    "at", "expect", "raised", "a", "b.c", "`x y`", "1", "2.5", "10m", "\"t\"", "'kPa'", "(", ")", "{", "}", ",", ":",
    ".", "..", "=", "==", "!=", "<", ">=", "+", "-", "*", "/", "# c\n", "\n", "\u{feff}", "é", "\"", "'", "`", "&&",
    "1e5",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printed_trees_parse_to_themselves(file in trees::file()) {
        let text = format::print(&file);
        prop_assert_eq!(parsed(&text), file, "{}", text);
    }

    #[test]
    fn printed_expressions_parse_to_themselves(expr in trees::expression()) {
        let text = format!("let a = {}", format::expression(&expr));
        let file = parsed(&text);
        let [ast::Item::Let(it)] = file.items.as_slice() else { panic!("{text}") };
        prop_assert_eq!(&it.value, &expr, "{}", text);
    }

    #[test]
    fn any_layout_and_comments_survive_formatting(file in trees::file(), noise in proptest::collection::vec(any::<u8>(), 1..200)) {
        let (text, comments) = relaid(&format::print(&file), &noise);
        let tree = parsed(&text);
        prop_assert_eq!(&tree, &file, "{}", text);
        let formatted = format(&text, &tree).unwrap();
        for comment in 0..comments {
            let comment = format!("# comment {comment}\n");
            prop_assert_eq!(formatted.matches(&comment).count(), 1, "{}\n---\n{}", text, formatted);
        }
        let again = parsed(&formatted);
        prop_assert_eq!(&again, &file);
        prop_assert_eq!(format(&formatted, &again).unwrap(), formatted, "{}", text);
        prop_assert_eq!(format::canonical(&again), format::canonical(&file));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = parse(FileId(0), &text);
    }

    #[test]
    fn no_soup_of_tokens_panics(tokens in proptest::collection::vec(proptest::sample::select(SOUP), 0..40), glue in any::<bool>()) {
        let text = tokens.join(if glue { "" } else { " " });
        if let Ok(file) = parse(FileId(0), &text) {
            format(&text, &file).unwrap();
        }
    }

    #[test]
    fn no_damaged_file_panics(file in trees::file(), at in any::<prop::sample::Index>(), with in proptest::sample::select(SOUP)) {
        let text = format::print(&file);
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = *at.get(&places);
        let damaged = format!("{}{with}{}", &text[..at], &text[at..]);
        if let Ok(file) = parse(FileId(0), &damaged) {
            format(&damaged, &file).unwrap();
        }
        let _ = parse(FileId(0), &text[..at]);
    }
}

fn code(text: &str) -> Option<Code> {
    parse(FileId(0), text).err().map(|error| error.code)
}

#[test]
fn sixty_four_levels_are_allowed_and_no_more() {
    let parens = |levels: usize| format!("let a = {}b{}", "(".repeat(levels), ")".repeat(levels));
    let calls = |levels: usize| format!("let a = {}b{}", "abs(".repeat(levels), ")".repeat(levels));
    let nots = |levels: usize| format!("let a = {}b", "not ".repeat(levels));
    let signs = |levels: usize| format!("let a = {}b", "-".repeat(levels));
    let mixed = |levels: usize| format!("let a = {}(b)", "not ".repeat(levels - 1));
    let in_set = |levels: usize| format!("let a = {}b in (1)", "not ".repeat(levels - 1));
    let shapes: [&dyn Fn(usize) -> String; 6] = [&parens, &calls, &nots, &signs, &mixed, &in_set];
    for shape in shapes {
        assert_eq!(code(&shape(64)), None, "{}", shape(64));
        assert_eq!(code(&shape(65)), Some(Code::TooDeep), "{}", shape(65));
        assert_eq!(code(&shape(100_000)), Some(Code::TooDeep));
        let text = shape(64);
        format(&text, &parsed(&text)).unwrap();
    }
}

#[test]
fn a_million_open_parentheses_are_too_deep() {
    assert_eq!(code(&format!("let a = {}", "(".repeat(1_000_000))), Some(Code::TooDeep));
    assert_eq!(code(&"{".repeat(1_000_000)), Some(Code::Syntax));
    assert_eq!(code(&"not ".repeat(100_000)), Some(Code::Syntax));
}

#[test]
fn chains_of_a_hundred_thousand_are_flat() {
    for joint in [" and ", " or ", " + ", " * "] {
        let text = format!("let a = {}", vec!["b"; 100_000].join(joint));
        let tree = parsed(&text);
        assert!(format::print(&tree).len() >= text.len());
    }
    assert_eq!(code(&format!("let a = {}", "b < ".repeat(100_000))), Some(Code::Syntax));
}
