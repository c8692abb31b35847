//! A file as it was written: its tokens and comments, asked by place.

use crate::source::Span;
use crate::syntax::token::{Token, TokenKind, Tokens};

/// The tokens of a text, comments apart.
pub(super) struct Written<'t> {
    text: &'t str,
    tokens: Vec<Token>,
    comments: Vec<Token>,
}

impl<'t> Written<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let (comments, tokens) = Tokens::new(text, 0).partition(|token| token.kind == TokenKind::Comment);
        Self { text, tokens, comments }
    }

    /// The comments in order: first byte and text.
    pub(super) fn comments(&self) -> impl Iterator<Item = (usize, &'t str)> {
        self.comments.iter().map(|comment| (comment.range.start, comment.text(self.text).trim_end()))
    }

    /// The comments' texts by the alphabet.
    pub(super) fn sorted_comments(&self) -> Vec<&'t str> {
        let mut comments: Vec<&str> = self.comments().map(|(_, comment)| comment).collect();
        comments.sort_unstable();
        comments
    }

    /// Whether a comment starts between two places.
    pub(super) fn has_comment(&self, start: usize, end: usize) -> bool {
        let first = self.comments.partition_point(|comment| comment.range.start < start);
        self.comments.get(first).is_some_and(|comment| comment.range.start < end)
    }

    /// Whether nothing but white space stands before `at` on its line.
    pub(super) fn starts_line(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or("").trim_end_matches([' ', '\t']);
        before.is_empty() || before.ends_with(['\n', '\r', '\u{feff}'])
    }

    /// Whether an empty line stands right before `at`.
    pub(super) fn follows_empty_line(&self, at: usize) -> bool {
        let before = self.text.get(..at).unwrap_or("");
        let gap = &before[before.trim_end_matches([' ', '\t', '\r', '\n']).len()..];
        gap.replace("\r\n", "\n").matches(['\n', '\r']).count() > 1
    }

    /// The first byte of the first token at or behind `at`.
    pub(super) fn next_token(&self, at: usize) -> Option<usize> {
        self.tokens.get(self.index(at)).map(|token| token.range.start)
    }

    /// One past the `{` that follows `at`, or `at` if something else does.
    pub(super) fn behind_brace(&self, at: usize) -> usize {
        let next = self.tokens.get(self.index(at));
        next.filter(|token| token.text(self.text) == "{").map_or(at, |token| token.range.end)
    }

    /// Whether the word before `span` is `expect`.
    pub(super) fn follows_expect(&self, span: Span) -> bool {
        self.before(span, 1).is_some_and(|token| token.text(self.text) == "expect")
    }

    /// Where that ends which stands before the `expect` before `span`.
    pub(super) fn end_before_expect(&self, span: Span) -> Option<usize> {
        self.before(span, 2).map(|token| token.range.end)
    }

    fn before(&self, span: Span, back: usize) -> Option<&Token> {
        self.index(span.start as usize).checked_sub(back).and_then(|at| self.tokens.get(at))
    }

    fn index(&self, at: usize) -> usize {
        self.tokens.partition_point(|token| token.range.start < at)
    }
}
