//! The grammar's failures in the user's words: what was expected, what was found.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::{Rule, words};
use super::help;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::token::{Token, TokenKind, Tokens};

/// The part of a file that one declaration takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice<'t> {
    pub(super) file: FileId,
    /// The whole file.
    pub(super) text: &'t str,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl<'t> Slice<'t> {
    pub(super) fn text(self) -> &'t str {
        self.text.get(self.start..self.end).unwrap_or("")
    }
}

/// The place of a failure among the tokens.
pub(super) struct Failure<'t> {
    pub(super) slice: Slice<'t>,
    /// What stands there; `None` is the end of the file.
    pub(super) found: Option<Token>,
    /// The token before it, if it is of the same declaration.
    pub(super) before: Option<Token>,
    /// The token behind it.
    pub(super) behind: Option<Token>,
    /// The rules that would have fitted.
    pub(super) expected: Vec<Rule>,
}

impl<'t> Failure<'t> {
    /// A token as written; nothing for none.
    pub(super) fn written(&self, token: Option<&Token>) -> &'t str {
        token.map_or("", |token| token.text(self.slice.text))
    }

    fn span(&self) -> Span {
        match &self.found {
            Some(token) => Span::new(self.slice.file, token.range.start, token.range.end),
            None => {
                let end = self.slice.text.trim_end().len();
                Span::new(self.slice.file, end, end)
            }
        }
    }
}

/// The diagnostic for what the grammar refused.
pub(super) fn diagnose(slice: Slice<'_>, error: Error<Rule>) -> Diagnostic {
    let (InputLocation::Pos(at) | InputLocation::Span((at, _))) = error.location;
    let expected = match error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives,
        ErrorVariant::CustomError { .. } => Vec::new(),
    };
    let failure = locate(slice, slice.start + at, expected);
    let expected = expected_words(&failure.expected);
    let found = found_words(&failure);
    let diagnostic = if expected.is_empty() {
        Diagnostic::new(Code::Syntax, failure.span(), format!("{found} cannot stand here"), "this is not expected")
    } else {
        let expected = alternatives(&expected);
        let message = format!("expected {expected}, found {found}");
        Diagnostic::new(Code::Syntax, failure.span(), message, format!("expected {expected}"))
    };
    help::explain(diagnostic, &failure)
}

fn locate(slice: Slice<'_>, at: usize, expected: Vec<Rule>) -> Failure<'_> {
    let is_code = |token: &Token| token.kind != TokenKind::Comment;
    let mut from = Tokens::new(slice.text, at).filter(is_code);
    let (found, behind) = (from.next(), from.next());
    let before = Tokens::new(slice.text, slice.start).filter(is_code).take_while(|token| token.range.end <= at).last();
    Failure { slice, found, before, behind, expected }
}

fn found_words(failure: &Failure<'_>) -> String {
    let written = failure.written(failure.found.as_ref());
    match &failure.found {
        None => "the end of the file".to_owned(),
        Some(token) if token.kind == TokenKind::Backticked => format!("the name {written}"),
        Some(_) if written.chars().count() > 40 => format!("`{}…`", written.chars().take(40).collect::<String>()),
        Some(_) => format!("`{written}`"),
    }
}

/// What was expected, each thing once, in the order of the grammar; things that say the same are one.
fn expected_words(expected: &[Rule]) -> Vec<&'static str> {
    let mut expected = expected.to_vec();
    let goes_on = expected.contains(&Rule::comparison);
    let value_starts = expected.contains(&Rule::prefix);
    let condition = expected.contains(&Rule::expression);
    expected.retain(|rule| match rule {
        Rule::left | Rule::arguments | Rule::within => !goes_on && !value_starts,
        Rule::sum_op | Rule::product_op | Rule::unit | Rule::colon => !goes_on,
        Rule::amount | Rule::number | Rule::text | Rule::boolean | Rule::group | Rule::reference | Rule::name => {
            !value_starts
        }
        Rule::kw_no | Rule::silence => !condition,
        _ => true,
    });
    let mut words_of: Vec<&'static str> = Vec::new();
    for rule in expected {
        let word = if rule == Rule::prefix { Some("a condition or a value") } else { words(rule) };
        if let Some(word) = word.filter(|word| !words_of.contains(word)) {
            words_of.push(word);
        }
    }
    words_of
}

fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
