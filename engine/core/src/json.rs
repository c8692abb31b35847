//! Strict JSON (RFC 8259) read in place: tokens and their places, no tree. Knows nothing of fields.
//!
//! The caller has checked that the bytes are UTF-8. A string with a lone surrogate escape is refused: it has no text.

use std::borrow::Cow;

/// The most levels of nesting, the record's own object included.
pub(crate) const MAX_DEPTH: u32 = 64;

/// What is wrong with a text that is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("it ends too early")]
    Truncated,
    #[error("byte {0} does not belong there")]
    Unexpected(usize),
    #[error("it is nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

/// A value: its kind, and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Kinds of values; arrays and objects are skipped whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// The number as f64, correctly rounded; infinite if f64 cannot hold it.
    Number(f64),
    /// A string without escapes, quotes included in its place.
    Text,
    /// A string with escapes. A variant of its own: a flag beside the kind made copies of tokens stall.
    Escaped,
    Compound,
}

/// Reads values one after the other.
#[derive(Debug)]
pub(crate) struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, pos: 0 }
    }

    pub(crate) fn position(&self) -> usize {
        self.pos
    }

    /// The next byte after white space, not consumed.
    #[inline]
    pub(crate) fn peek(&mut self) -> Result<u8, JsonError> {
        while let Some(byte) = self.bytes.get(self.pos) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => self.pos += 1,
                _ => return Ok(*byte),
            }
        }
        Err(JsonError::Truncated)
    }

    /// Consumes `byte`, after white space.
    pub(crate) fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.peek()? != byte {
            return Err(JsonError::Unexpected(self.pos));
        }
        self.pos += 1;
        Ok(())
    }

    /// Whether only white space is left.
    pub(crate) fn at_end(&mut self) -> bool {
        self.peek().is_err()
    }

    /// Consumes `literal` if it stands right here.
    pub(crate) fn take(&mut self, literal: &[u8]) -> bool {
        let found = self.bytes[self.pos..].starts_with(literal);
        if found {
            self.pos += literal.len();
        }
        found
    }

    /// A value; `depth` is the number of objects and arrays around it.
    pub(crate) fn value(&mut self, depth: u32) -> Result<Token, JsonError> {
        let first = self.peek()?;
        let start = self.pos;
        let kind = match first {
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => Kind::Number(self.number()?),
            b'{' | b'[' => self.compound(depth)?,
            b'n' => self.word(b"null", Kind::Null)?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            _ => return Err(JsonError::Unexpected(start)),
        };
        Ok(Token { kind, start, end: self.pos })
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Result<Kind, JsonError> {
        if self.take(word) { Ok(kind) } else { Err(JsonError::Unexpected(self.pos)) }
    }

    /// A string from its opening quote.
    pub(crate) fn string(&mut self) -> Result<Kind, JsonError> {
        self.pos += 1;
        let mut escaped = false;
        loop {
            match self.bytes.get(self.pos) {
                None => return Err(JsonError::Truncated),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0..=0x1f) => return Err(JsonError::Unexpected(self.pos)),
                Some(_) => self.pos += 1,
            }
        }
        self.pos += 1;
        Ok(if escaped { Kind::Escaped } else { Kind::Text })
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        let letter = *self.bytes.get(self.pos + 1).ok_or(JsonError::Truncated)?;
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.pos += 2,
            b'u' => {
                let start = self.pos;
                let unit = self.hex_escape()?;
                if (0xdc00..0xe000).contains(&unit) || ((0xd800..0xdc00).contains(&unit) && !self.low_surrogate()?) {
                    return Err(JsonError::Unexpected(start));
                }
            }
            _ => return Err(JsonError::Unexpected(self.pos + 1)),
        }
        Ok(())
    }

    fn low_surrogate(&mut self) -> Result<bool, JsonError> {
        if !self.bytes[self.pos..].starts_with(b"\\u") {
            return Ok(false);
        }
        Ok((0xdc00..0xe000).contains(&self.hex_escape()?))
    }

    /// `\uXXXX`, from its backslash.
    fn hex_escape(&mut self) -> Result<u32, JsonError> {
        let digits = self.bytes.get(self.pos + 2..self.pos + 6).ok_or(JsonError::Truncated)?;
        let unit = hex(digits).ok_or(JsonError::Unexpected(self.pos + 2))?;
        self.pos += 6;
        Ok(unit)
    }

    fn number(&mut self) -> Result<f64, JsonError> {
        let (value, length) = number(&self.bytes[self.pos..]).ok_or(JsonError::Unexpected(self.pos))?;
        self.pos += length;
        Ok(value)
    }

    /// An array or object, checked and skipped without recursion: one bit a level says which.
    fn compound(&mut self, around: u32) -> Result<Kind, JsonError> {
        let mut objects: u64 = 0;
        let mut depth = 0;
        loop {
            // Here a value is due.
            match self.peek()? {
                open @ (b'{' | b'[') => {
                    depth += 1;
                    if around + depth > MAX_DEPTH {
                        return Err(JsonError::TooDeep);
                    }
                    objects = (objects << 1) | u64::from(open == b'{');
                    self.pos += 1;
                    if self.peek()? != close(objects) {
                        self.member_name(objects)?;
                        continue;
                    }
                }
                _ => {
                    self.value(MAX_DEPTH)?;
                }
            }
            // Here a value has ended.
            while self.peek()? == close(objects) {
                self.pos += 1;
                depth -= 1;
                objects >>= 1;
                if depth == 0 {
                    return Ok(Kind::Compound);
                }
            }
            self.expect(b',')?;
            self.member_name(objects)?;
        }
    }

    /// Inside an object, a name and its colon.
    fn member_name(&mut self, objects: u64) -> Result<(), JsonError> {
        if objects & 1 == 0 {
            return Ok(());
        }
        if self.peek()? != b'"' {
            return Err(JsonError::Unexpected(self.pos));
        }
        self.string()?;
        self.expect(b':')
    }
}

fn close(objects: u64) -> u8 {
    if objects & 1 == 1 { b'}' } else { b']' }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Powers of ten that f64 holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// A number in JSON's form at the start of `bytes`: its value, correctly rounded, and its length.
///
/// Up to 15 digits and 22 decimals the quotient of two exact f64 is the nearest f64 (Clinger 1990); the rest goes
/// through the standard library.
pub(crate) fn number(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let whole_at = usize::from(negative);
    let mut mantissa: u64 = 0;
    let whole = digits(&bytes[whole_at..], &mut mantissa);
    if whole == 0 || (whole > 1 && bytes[whole_at] == b'0') {
        return None;
    }
    let mut end = whole_at + whole;
    let mut decimals = 0;
    if bytes.get(end) == Some(&b'.') {
        decimals = digits(&bytes[end + 1..], &mut mantissa);
        if decimals == 0 {
            return None;
        }
        end += 1 + decimals;
    }
    if !matches!(bytes.get(end), Some(b'e' | b'E')) && whole + decimals <= 15 {
        let magnitude = mantissa as f64 / EXACT_POWERS[decimals];
        return Some((if negative { -magnitude } else { magnitude }, end));
    }
    end += exponent(&bytes[end..])?;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    Some((text.parse().ok()?, end))
}

/// The length of an exponent, 0 if there is none.
fn exponent(bytes: &[u8]) -> Option<usize> {
    if !matches!(bytes.first(), Some(b'e' | b'E')) {
        return Some(0);
    }
    let sign = usize::from(matches!(bytes.get(1), Some(b'+' | b'-')));
    let count = digits(&bytes[1 + sign..], &mut 0);
    if count == 0 { None } else { Some(1 + sign + count) }
}

/// How many digits there are; they are added to `mantissa`, which is right while it has at most 15.
fn digits(bytes: &[u8], mantissa: &mut u64) -> usize {
    let mut count = 0;
    for byte in bytes {
        if !byte.is_ascii_digit() {
            break;
        }
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        count += 1;
    }
    count
}

/// The text between the quotes of a checked string.
pub(crate) fn unescape(inner: &str, escaped: bool) -> Cow<'_, str> {
    if !escaped {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let (character, length) = escaped_character(&rest.as_bytes()[at..]);
        text.push(character);
        rest = &rest[at + length..];
    }
    text.push_str(rest);
    Cow::Owned(text)
}

/// The character of a checked escape, and the escape's length.
fn escaped_character(escape: &[u8]) -> (char, usize) {
    let simple = match escape[1] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode_escape(escape),
        other => char::from(other),
    };
    (simple, 2)
}

fn unicode_escape(escape: &[u8]) -> (char, usize) {
    let unit = hex(&escape[2..6]).unwrap_or(0);
    if !(0xd800..0xdc00).contains(&unit) {
        return (char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER), 6);
    }
    let low = hex(&escape[8..12]).unwrap_or(0);
    let scalar = 0x10000 + ((unit - 0xd800) << 10) + low.wrapping_sub(0xdc00);
    (char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
}

/// Appends `text` as a JSON string's inside: quotes, backslashes and control characters escaped.
pub(crate) fn escape_into(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x8 => out.extend_from_slice(b"\\b"),
            0xc => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(b"0123456789abcdef"[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn quoted(text: &str) -> Vec<u8> {
    let mut out = vec![b'"'];
    escape_into(text, &mut out);
    out.push(b'"');
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<Kind, JsonError> {
        let mut scanner = Scanner::new(text.as_bytes());
        let token = scanner.value(0)?;
        if scanner.at_end() { Ok(token.kind) } else { Err(JsonError::Unexpected(scanner.position())) }
    }

    #[test]
    fn agrees_with_rfc_8259() {
        for good in
            ["{}", "[]", " [1, 2] ", r#"{"a":{"b":[{}]},"c":"\u00e9\ud83d\ude00\n"}"#, "-0.5e+3", "\"\"", "[[],[]]"]
        {
            assert!(whole(good).is_ok(), "{good}");
        }
        let bad = [
            "",
            "{",
            "[1,]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "01",
            "1.",
            ".5",
            "+1",
            "-",
            "1e",
            "NaN",
            "Infinity",
            "'a'",
            "\"\t\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "[1 2]",
            "[1}",
            "{\"a\":1]",
            "tru",
            "nul",
            "[1]]",
            "\"",
            "\"\\u12\"",
            "{1:2}",
            "//",
        ];
        for text in bad {
            assert!(whole(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nests_to_the_limit() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(whole(&nested(64)).is_ok());
        assert_eq!(whole(&nested(65)), Err(JsonError::TooDeep));
        assert_eq!(whole(&"[".repeat(1_000_000)), Err(JsonError::TooDeep));
    }

    #[test]
    fn numbers_are_correctly_rounded() {
        let texts = [
            "0",
            "-0",
            "63",
            "36.6",
            "0.1",
            "123456789012345",
            "9007199254740993",
            "1e22",
            "1e23",
            "2.2250738585072011e-308",
            "0.000000000000001",
        ];
        for text in texts {
            let expected: f64 = text.parse().unwrap();
            assert_eq!(number(text.as_bytes()), Some((expected, text.len())), "{text}");
        }
        assert_eq!(number("9".repeat(400).as_bytes()), Some((f64::INFINITY, 400)));
    }

    #[test]
    fn unescapes_and_escapes() {
        assert_eq!(unescape(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z"#, true), "a\"\\/\u{8}\u{c}\n\r\té😀z");
        assert_eq!(quoted("a\"\\\n\u{1}é"), "\"a\\\"\\\\\\n\\u0001é\"".as_bytes());
    }
}
