//! A light view of a rule file as tokens: what the parser's outline, its error messages and the formatter's comments
//! need. Never fails; what is not closed says so in its kind.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A word: letters (of any script), digits, `_`.
    Word,
    /// A number with whatever letters stick to it: `180`, `36.5`, `10m`, `1e5`.
    Number,
    /// `` `name` ``
    Backticked,
    /// `"text"`
    Text,
    /// `'unit'`
    Unit,
    /// `# …`
    Comment,
    /// Punctuation, an operator (also of other languages), or any other character.
    Symbol,
    /// A quote that its line does not close.
    Unclosed,
}

/// A token and the bytes it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) range: Range<usize>,
}

impl Token {
    /// The token as written.
    pub(crate) fn text<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.range.clone()).unwrap_or("")
    }
}

/// Operators that are one token, those of other languages included.
const LONG_SYMBOLS: [&str; 16] =
    ["===", "!==", "..", "<=", ">=", "!=", "==", "=>", "=<", "<>", "&&", "||", "->", ":=", "**", "//"];

/// The tokens of a text from some place on, comments included, white space and a byte order mark left out.
pub(crate) struct Tokens<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Tokens<'t> {
    /// The tokens of `text` from byte `at` on.
    pub(crate) fn new(text: &'t str, at: usize) -> Self {
        let at = if at == 0 && text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { at };
        Self { text, at }
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or("")
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        let rest = self.rest();
        let first = rest.chars().next()?;
        let (kind, length) = match first {
            '#' => (TokenKind::Comment, rest.find(['\n', '\r']).unwrap_or(rest.len())),
            '"' => quoted(rest, TokenKind::Text),
            '\'' => quoted(rest, TokenKind::Unit),
            '`' => quoted(rest, TokenKind::Backticked),
            '0'..='9' => (TokenKind::Number, number_length(rest)),
            _ if is_word(first) => (TokenKind::Word, word_length(rest)),
            _ => (TokenKind::Symbol, symbol_length(rest, first)),
        };
        let start = self.at;
        self.at += length;
        Some(Token { kind, range: start..self.at })
    }
}

fn is_word(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

fn word_length(rest: &str) -> usize {
    rest.find(|char| !is_word(char)).unwrap_or(rest.len())
}

fn number_length(rest: &str) -> usize {
    let digits = |text: &str| text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, digits);
    let number = if fraction == 0 { whole } else { whole + 1 + fraction };
    number + word_length(&rest[number..])
}

fn symbol_length(rest: &str, first: char) -> usize {
    LONG_SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)).map_or(first.len_utf8(), |symbol| symbol.len())
}

/// The length of what starts with a quote: up to the same quote, or to the end of the line if there is none.
fn quoted(rest: &str, kind: TokenKind) -> (TokenKind, usize) {
    let quote = rest.as_bytes()[0];
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            b'\n' | b'\r' => return (TokenKind::Unclosed, at),
            _ if escaped => escaped = false,
            b'\\' if kind == TokenKind::Text => escaped = true,
            _ if byte == quote => return (kind, at + 1),
            _ => {}
        }
    }
    (TokenKind::Unclosed, rest.len())
}
