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
    /// The brackets that are open there, outermost first.
    pub(super) open: Vec<Token>,
    /// The rules that would have fitted.
    pub(super) expected: Vec<Rule>,
}

impl<'t> Failure<'t> {
    /// A token as written; nothing for none.
    pub(super) fn written(&self, token: Option<&Token>) -> &'t str {
        token.map_or("", |token| token.text(self.slice.text))
    }

    pub(super) fn place(&self, token: &Token) -> Span {
        Span::new(self.slice.file, token.range.start, token.range.end)
    }

    fn span(&self) -> Span {
        if let Some(token) = &self.found {
            return self.place(token);
        }
        let end = self.slice.text.trim_end().len();
        Span::new(self.slice.file, end, end)
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
    let mut failure = Failure { slice, found: None, before: None, behind: None, open: Vec::new(), expected };
    for token in Tokens::new(slice.text, slice.start).filter(|token| token.kind != TokenKind::Comment) {
        if failure.found.is_some() {
            failure.behind = Some(token);
            break;
        }
        if token.range.end > at {
            failure.found = Some(token);
            continue;
        }
        match failure.written(Some(&token)) {
            "(" | "{" => failure.open.push(token.clone()),
            ")" | "}" => drop(failure.open.pop()),
            _ => {}
        }
        failure.before = Some(token);
    }
    failure
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

/// What was expected, each thing once; what stands for many things is named instead of them.
fn expected_words(expected: &[Rule]) -> Vec<&'static str> {
    let has = |rule: Rule| expected.contains(&rule);
    let mut said: Vec<&'static str> = Vec::new();
    if has(Rule::prefix) {
        said.push("a condition or a value");
    } else if has(Rule::comparison) {
        said.extend(["a comparison", "`and`", "`or`"]);
    } else if has(Rule::name) && has(Rule::kw_forget) {
        said.push("a field");
    } else if has(Rule::duration) && has(Rule::number) {
        said.extend(["a duration such as `10m`", "a number of readings"]);
    }
    let covered = |rule: &Rule| match rule {
        Rule::amount
        | Rule::number
        | Rule::text
        | Rule::boolean
        | Rule::group
        | Rule::reference
        | Rule::name
        | Rule::left
        | Rule::duration => !said.is_empty(),
        Rule::kw_no | Rule::silence => has(Rule::expression),
        Rule::kw_and | Rule::kw_or | Rule::kw_then | Rule::kw_in | Rule::kw_is | Rule::kw_for => has(Rule::comparison),
        Rule::sum_op | Rule::product_op | Rule::within | Rule::prefix | Rule::arguments => true,
        Rule::unit | Rule::range | Rule::minus => expected.len() > 3,
        _ => false,
    };
    let rest = expected.iter().filter(|rule| !covered(rule)).filter_map(|rule| words(*rule));
    let rest: Vec<&'static str> = rest.flat_map(|words| words.split(", ")).collect();
    for word in rest {
        if !said.contains(&word) {
            said.push(word);
        }
    }
    said
}

fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}
