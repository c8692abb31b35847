//! What is known of a file before the grammar sees it: where each declaration starts, that every quote is closed, and
//! that nothing is nested too deep (the grammar's runtime recurses, so the limit must come first).

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::reserved::{DECLARATIONS, is_reserved};
use crate::syntax::token::{Token, TokenKind, Tokens};

/// The deepest nesting of parentheses, calls, `not` and unary minus.
pub(crate) const MAX_DEPTH: usize = 64;

/// The first byte of each declaration, in order. What stands before the first recognised one belongs to the first.
pub(crate) fn split(file: FileId, text: &str) -> Result<Vec<usize>, Diagnostic> {
    let mut outline = Outline { file, text, starts: Vec::new(), recent: Vec::new(), parens: 0, braces: 0 };
    for token in Tokens::new(text, 0) {
        outline.take(token)?;
    }
    Ok(outline.starts)
}

struct Outline<'t> {
    file: FileId,
    text: &'t str,
    starts: Vec<usize>,
    /// The last few tokens, comments left out.
    recent: Vec<Token>,
    parens: usize,
    braces: usize,
}

impl Outline<'_> {
    fn take(&mut self, token: Token) -> Result<(), Diagnostic> {
        let word = token.text(self.text);
        match token.kind {
            TokenKind::Comment => return Ok(()),
            TokenKind::Unclosed => return Err(unclosed(self.span(&token), word)),
            TokenKind::Text => self.check_escapes(&token, word)?,
            TokenKind::Unit | TokenKind::Backticked if word.len() == 2 => return Err(empty(self.span(&token), word)),
            TokenKind::Symbol => self.nest(&token, word)?,
            _ => {}
        }
        if self.starts.is_empty() {
            self.starts.push(token.range.start);
        } else if token.kind == TokenKind::Word && self.parens == 0 && self.braces == 0 {
            self.start_here(&token, word);
        }
        if self.recent.len() == 4 {
            self.recent.remove(0);
        }
        self.recent.push(token);
        Ok(())
    }

    /// Notes a start if `word` shows one. Every word looked at here is reserved, so no name can be mistaken for it.
    fn start_here(&mut self, token: &Token, word: &str) {
        if DECLARATIONS.contains(&word) {
            self.starts.push(token.range.start);
        } else if word == "when" {
            let head = self.rule_head().filter(|head| self.starts.last().is_some_and(|last| last < head));
            self.starts.extend(head);
        }
    }

    /// Where `topic` or `topic.name` starts, if that is what the last tokens are.
    fn rule_head(&self) -> Option<usize> {
        let [.., last] = self.recent.as_slice() else { return None };
        if !self.is_name(last) {
            return None;
        }
        let (head, before) = match self.recent.as_slice() {
            [before @ .., topic, dot, _] if dot.text(self.text) == "." && self.is_name(topic) => (topic, before),
            [before @ .., _] => (last, before),
            [] => return None,
        };
        let declares = before.last().is_some_and(|token| DECLARATIONS.contains(&token.text(self.text)));
        (!declares).then_some(head.range.start)
    }

    fn is_name(&self, token: &Token) -> bool {
        match token.kind {
            TokenKind::Backticked => true,
            TokenKind::Word => !is_reserved(token.text(self.text)),
            _ => false,
        }
    }

    fn nest(&mut self, token: &Token, symbol: &str) -> Result<(), Diagnostic> {
        match symbol {
            "(" if self.parens == MAX_DEPTH => return Err(too_deep(self.span(token))),
            "(" => self.parens += 1,
            ")" => self.parens = self.parens.saturating_sub(1),
            "{" => self.braces += 1,
            "}" => self.braces = self.braces.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    fn check_escapes(&self, token: &Token, text: &str) -> Result<(), Diagnostic> {
        let mut chars = text.char_indices();
        while let Some((at, char)) = chars.next() {
            let Some((_, escape)) = (char == '\\').then(|| chars.next()).flatten() else { continue };
            if escape != '"' && escape != '\\' {
                let start = token.range.start + at;
                let span = Span::new(self.file, start, start + 1 + escape.len_utf8());
                let message = format!("`\\{escape}` is no escape");
                return Err(Diagnostic::new(Code::Syntax, span, message, "expected `\\\"` or `\\\\`")
                    .help("write `\\\\` for a backslash"));
            }
        }
        Ok(())
    }

    fn span(&self, token: &Token) -> Span {
        Span::new(self.file, token.range.start, token.range.end)
    }
}

/// The diagnostic for the level past the last allowed one.
pub(crate) fn too_deep(span: Span) -> Diagnostic {
    let message = format!("nested more than {MAX_DEPTH} levels deep");
    Diagnostic::new(Code::TooDeep, span, message, "this level is one too many")
        .help("give a part of it a name with `let`")
}

fn unclosed(span: Span, word: &str) -> Diagnostic {
    let (what, quote) = match word.as_bytes().first() {
        Some(b'"') => ("text", "`\"`"),
        Some(b'\'') => ("unit", "`'`"),
        _ => ("name", "a backtick"),
    };
    let label = format!("expected {quote} before the end of the line");
    Diagnostic::new(Code::Syntax, span, format!("this {what} is not closed"), label)
        .help(format!("close it with {quote} on the same line"))
}

fn empty(span: Span, word: &str) -> Diagnostic {
    let (message, label) = match word.as_bytes().first() {
        Some(b'\'') => ("a unit is empty", "expected a UCUM code such as `mm[Hg]`"),
        _ => ("a name is empty", "expected a name between the backticks"),
    };
    Diagnostic::new(Code::Syntax, span, message, label)
}
