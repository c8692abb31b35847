//! The grammar's pairs with places of the whole file, read in order without a panic.

use std::iter::Peekable;

use pest::iterators::{Pair, Pairs};

use super::grammar::{Rule, is_noise};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span, Spanned};

/// Where a parsed slice lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) file: FileId,
    /// The slice's first byte in the file.
    pub(super) start: usize,
}

impl Source {
    pub(super) fn node(self, pair: Pair<'_, Rule>) -> Node<'_> {
        Node { pair, source: self }
    }
}

/// A matched rule.
#[derive(Debug, Clone)]
pub(super) struct Node<'i> {
    pair: Pair<'i, Rule>,
    source: Source,
}

impl<'i> Node<'i> {
    pub(super) fn rule(&self) -> Rule {
        self.pair.as_rule()
    }

    pub(super) fn text(&self) -> &'i str {
        self.pair.as_str()
    }

    /// From its first token to its last: a rule that ends in something optional also matches the white space before it.
    pub(super) fn span(&self) -> Span {
        let mut last = self.pair.clone();
        while let Some(inner) = last.clone().into_inner().next_back() {
            last = inner;
        }
        let (start, end) = (self.pair.as_span().start(), last.as_span().end());
        Span::new(self.source.file, self.source.start + start, self.source.start + end)
    }

    /// `node` at this place.
    pub(super) fn spanned<T>(&self, node: T) -> Spanned<T> {
        Spanned::new(node, self.span())
    }

    /// What it consists of, punctuation and keywords left out.
    pub(super) fn children(self) -> Children<'i> {
        let span = self.span();
        Children { pairs: self.pair.into_inner().peekable(), source: self.source, parent: span }
    }

    /// What to say if the grammar matched something that the tree has no place for: a mistake of ours.
    pub(super) fn unexpected(&self) -> Diagnostic {
        incomplete(self.span())
    }
}

/// The parts of a node, in order.
pub(super) struct Children<'i> {
    pairs: Peekable<Pairs<'i, Rule>>,
    source: Source,
    parent: Span,
}

impl<'i> Children<'i> {
    /// The next part without taking it.
    pub(super) fn peek(&mut self) -> Option<Rule> {
        while self.pairs.next_if(|pair| is_noise(pair.as_rule())).is_some() {}
        self.pairs.peek().map(Pair::as_rule)
    }

    /// The next part and how it is written, without taking it.
    pub(super) fn peek_text(&mut self) -> Option<(Rule, &'i str)> {
        self.peek()?;
        self.pairs.peek().map(|pair| (pair.as_rule(), pair.as_str()))
    }

    /// The next part if it is a `rule`.
    pub(super) fn take_if(&mut self, rule: Rule) -> Option<Node<'i>> {
        if self.peek() == Some(rule) { self.next() } else { None }
    }

    /// The next part, which the grammar says is there.
    pub(super) fn require(&mut self) -> Result<Node<'i>, Diagnostic> {
        self.next().ok_or_else(|| incomplete(self.parent))
    }

    /// The place of the whole.
    pub(super) fn parent(&self) -> Span {
        self.parent
    }
}

impl<'i> Iterator for Children<'i> {
    type Item = Node<'i>;

    fn next(&mut self) -> Option<Node<'i>> {
        self.peek()?;
        self.pairs.next().map(|pair| self.source.node(pair))
    }
}

fn incomplete(span: Span) -> Diagnostic {
    Diagnostic::new(Code::Syntax, span, "this cannot be read", "the grammar and the syntax tree disagree here")
        .help("this is a mistake in Triage itself: please report it with this rule file")
}
