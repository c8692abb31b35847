//! What to do about a syntax error: other languages' operators, forgotten backticks, misspelled words.

use super::error::Failure;
use super::grammar::Rule;
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::source::Spanned;
use crate::syntax::ast::{Comparison, Expr, ExprKind, LiteralKind};
use crate::syntax::reserved::{DECLARATIONS, RESERVED, is_reserved};
use crate::syntax::token::{Token, TokenKind, Tokens};

/// Adds what to do, where something can be said.
pub(super) fn explain(diagnostic: Diagnostic, failure: &Failure<'_>) -> Diagnostic {
    if let Some(open) = unclosed(failure) {
        let (bracket, close) = if failure.written(Some(open)) == "(" { ("(", ")") } else { ("{", "}") };
        return diagnostic
            .also(failure.place(open), format!("this `{bracket}` is still open"))
            .help(format!("close it with `{close}`"));
    }
    match advice(failure) {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

/// The bracket that must have been meant to be closed: the file ends, or a new declaration starts.
fn unclosed<'f>(failure: &'f Failure<'_>) -> Option<&'f Token> {
    let open = failure.open.last()?;
    let Some(found) = &failure.found else { return Some(open) };
    let written = failure.written(Some(found));
    let behind = failure.written(failure.behind.as_ref());
    let declares = DECLARATIONS.contains(&written) && behind != ":";
    let rule = found.kind == TokenKind::Word && matches!(behind, "when" | ".");
    (starts_line(failure, found) && (declares || rule)).then_some(open)
}

fn starts_line(failure: &Failure<'_>, token: &Token) -> bool {
    let before = failure.slice.text.get(..token.range.start).unwrap_or("").trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with(['\n', '\r'])
}

fn advice(failure: &Failure<'_>) -> Option<String> {
    let Some(found) = failure.found.as_ref() else { return expected_form(failure) };
    let written = failure.written(Some(found));
    let help = match found.kind {
        TokenKind::Symbol => symbol(failure, written),
        TokenKind::Number => number(failure, written),
        TokenKind::Word => word(failure, written),
        TokenKind::Text => text(failure, written),
        TokenKind::Unit => Some(unit(failure, written)),
        _ => None,
    };
    help.or_else(|| expected_form(failure))
}

/// How that is written which was expected.
fn expected_form(failure: &Failure<'_>) -> Option<String> {
    let form = match failure.expected.as_slice() {
        expected if expected.contains(&Rule::kw_when) => {
            "a rule is written `topic when condition` or `topic.name when condition`"
        }
        expected if expected.contains(&Rule::kw_given) || expected.contains(&Rule::step) => {
            "a test starts with `given { field: value }` or `at 0m { field: value }`"
        }
        [Rule::priority] => "an alert is written `alert high \"what happened\"`",
        [Rule::kw_to] => "write `escalate to \"role\" after 5m`",
        [Rule::colon] => "write `name: …`, with a colon behind the name",
        [Rule::kw_for] => "write `no reading for 5m`",
        [Rule::kw_readings] => "write a duration such as `10m`, or a number of readings such as `3 readings`",
        [Rule::dots] => "a range is written `1..3 'kPa'`: two dots, and the unit behind the upper end",
        _ => return None,
    };
    Some(form.to_owned())
}

fn symbol(failure: &Failure<'_>, written: &str) -> Option<String> {
    let instead = match written {
        "==" | "===" | ":=" => "use `=`",
        "&&" | "&" => "use `and`",
        "||" | "|" => "use `or`",
        "!" => "use `not`",
        "=>" | "≥" => "use `>=`",
        "=<" | "≤" => "use `<=`",
        "<>" | "!==" | "≠" => "use `!=`",
        "×" | "·" => "use `*`",
        "÷" => "use `/`",
        "−" | "–" | "—" => "use the plain minus sign `-`",
        "“" | "”" | "„" | "«" | "»" => "use plain double quotes: `\"`",
        "‘" | "’" => "use plain single quotes for a unit: `'mm[Hg]'`",
        "°" => "write the unit as a UCUM code in single quotes: `'Cel'`",
        "%" => "write the unit as a UCUM code in single quotes: `'%'`",
        "…" => "use two dots: `1..3`",
        ";" => "leave the semicolon out: a new line or a space is enough",
        "//" => "a comment starts with `#`",
        "}" | ")" if failure.open.is_empty() => "nothing is open here that this could close: delete it",
        "\u{a0}" => "this is a non-breaking space: use a plain one",
        "\u{feff}" => "this is an invisible byte order mark: delete it",
        "-" => return hyphen(failure),
        "." => return point(failure),
        "(" => return in_front_of_parenthesis(failure),
        _ => return None,
    };
    Some(instead.to_owned())
}

fn hyphen(failure: &Failure<'_>) -> Option<String> {
    let (before, behind) = (failure.before.as_ref()?, failure.behind.as_ref()?);
    let joined = before.range.end + 1 == behind.range.start;
    let name = failure.slice.text.get(before.range.start..behind.range.end)?;
    joined.then(|| format!("a name with a hyphen stands in backticks: `` `{name}` ``"))
}

fn point(failure: &Failure<'_>) -> Option<String> {
    let behind = failure.behind.as_ref().filter(|token| token.kind == TokenKind::Number)?;
    Some(format!("a number starts with a digit: `0.{}`", failure.written(Some(behind))))
}

fn in_front_of_parenthesis(failure: &Failure<'_>) -> Option<String> {
    let before = failure.before.as_ref().filter(|token| token.kind == TokenKind::Word)?;
    let word = failure.written(Some(before));
    is_reserved(word).then(|| backticks(word))
}

fn number(failure: &Failure<'_>, written: &str) -> Option<String> {
    let digits = written.trim_end_matches(|char: char| char.is_alphabetic() || char == '_');
    let (letters, expects_duration) = (&written[digits.len()..], failure.expected.contains(&Rule::duration));
    if is_exponent(written) {
        return Some("write the number out: there are no exponents".to_owned());
    }
    if expects_duration {
        let unit = failure.written(failure.behind.as_ref());
        return Some(if letters.is_empty() && ["ms", "s", "m", "h", "d"].contains(&unit) {
            format!("write the number and its unit together: `{digits}{unit}`")
        } else {
            "durations are written like `500ms`, `30s`, `10m`, `2h`, `7d`".to_owned()
        });
    }
    (!letters.is_empty()).then(|| format!("a unit stands in single quotes behind the number: `{digits} '{letters}'`"))
}

/// `1e5`, or the `1e` of `1e-5`.
fn is_exponent(written: &str) -> bool {
    let tail = written.trim_start_matches(|char: char| char.is_ascii_digit() || char == '.');
    let exponent = tail.strip_prefix(['e', 'E']);
    exponent.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
}

fn text(failure: &Failure<'_>, written: &str) -> Option<String> {
    let inner = written.trim_matches('"');
    if failure.before.as_ref().is_some_and(|token| token.kind == TokenKind::Number) {
        return Some(format!("a unit stands in single quotes: `'{inner}'`"));
    }
    let wants_name = failure.expected.contains(&Rule::name);
    wants_name.then(|| format!("a name stands without quotes, or in backticks: `` `{inner}` ``"))
}

fn unit(failure: &Failure<'_>, written: &str) -> String {
    let inner = written.trim_matches('\'');
    if failure.expected.contains(&Rule::dots) {
        return "the unit of a range stands once, behind its upper end".to_owned();
    }
    if failure.expected.contains(&Rule::text) && failure.expected.len() == 1 {
        return format!("a text stands in double quotes: `\"{inner}\"`");
    }
    "single quotes are for units behind a number; a text stands in double quotes, a label or a name in none".to_owned()
}

fn word(failure: &Failure<'_>, written: &str) -> Option<String> {
    if !written.is_ascii() {
        return Some(format!("a name with letters other than a to z stands in backticks: `` `{written}` ``"));
    }
    let before = failure.before.as_ref();
    if before.is_some_and(|token| token.kind == TokenKind::Number)
        && ["ms", "s", "m", "h", "d"].contains(&written)
        && let Some(number) = before
    {
        return Some(format!("write the number and its unit together: `{}{written}`", failure.written(Some(number))));
    }
    let new_declaration = DECLARATIONS.contains(&written) && starts_line(failure, failure.found.as_ref()?);
    if wants_name(failure)
        && is_reserved(written)
        && !(new_declaration && failure.written(failure.behind.as_ref()) != ":")
    {
        return Some(backticks(written));
    }
    misspelled(failure, written).or_else(|| start_of_rule(failure))
}

fn wants_name(failure: &Failure<'_>) -> bool {
    let expected = &failure.expected;
    let names = [Rule::name, Rule::field, Rule::value, Rule::member, Rule::expression, Rule::prefix, Rule::rule_ref];
    names.iter().any(|rule| expected.contains(rule))
}

fn backticks(word: &str) -> String {
    format!("`{word}` is a word of the language; as a name it stands in backticks: `` `{word}` ``")
}

/// A word of the language that was expected and is nearly what stands there.
fn misspelled(failure: &Failure<'_>, written: &str) -> Option<String> {
    let mut words: Vec<&str> =
        failure.expected.iter().copied().filter_map(super::grammar::words).flat_map(quoted).collect();
    let starts = [Rule::declaration, Rule::EOI].iter().any(|rule| failure.expected.contains(rule));
    if starts && failure.behind.as_ref().is_some_and(|token| token.kind != TokenKind::Symbol) {
        words.extend(DECLARATIONS);
    }
    if failure.expected.contains(&Rule::kw_when) {
        let head = failure.before.as_ref();
        if let Some(near) = nearest(failure.written(head), DECLARATIONS.iter().copied()) {
            return Some(format!("did you mean `{near} {written}`?"));
        }
    }
    words.retain(|word| *word != written);
    let near = nearest(written, words)?;
    (written.len() > 2 || RESERVED.contains(&near)).then(|| format!("did you mean `{near}`?"))
}

/// The parts of `words` in backticks.
fn quoted(words: &'static str) -> impl Iterator<Item = &'static str> {
    words.split('`').skip(1).step_by(2).filter(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()))
}

/// A word that starts a line, where only a new declaration could go on.
fn start_of_rule(failure: &Failure<'_>) -> Option<String> {
    let found = failure.found.as_ref()?;
    if !starts_line(failure, found) || !failure.expected.contains(&Rule::EOI) {
        return None;
    }
    let help = reserved_in_rule(failure, found).map(backticks);
    Some(help.unwrap_or_else(|| "a new rule is written `topic when condition`".to_owned()))
}

/// The word of the language in `topic when` or `topic.name when`: it keeps what would be a rule from being seen as one.
fn reserved_in_rule<'t>(failure: &Failure<'t>, first: &Token) -> Option<&'t str> {
    let text = failure.slice.text;
    let tokens = Tokens::new(text, first.range.start).filter(|token| token.kind != TokenKind::Comment);
    let words: Vec<&str> = tokens.take(4).map(|token| token.text(text)).collect();
    let names = match words.as_slice() {
        [topic, ".", name, "when"] => vec![*topic, *name],
        [topic, "when", ..] => vec![*topic],
        _ => return None,
    };
    names.into_iter().find(|name| is_reserved(name))
}

/// Two comparisons in a row, and the range that may have been meant.
pub(super) fn chained(first: &Expr, operator: &Spanned<Comparison>, second: Option<&Expr>) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        Code::ChainedComparison,
        operator.span,
        "comparisons do not chain",
        "expected `and`, `or` or the end of the condition",
    )
    .also(first.span, "this is a comparison already");
    match second.and_then(|second| range(first, operator.node, second)) {
        Some(range) => diagnostic.help(format!("write `{range}`, which includes both ends")),
        None => diagnostic.help("join two comparisons with `and`"),
    }
}

/// `x in 1..3` for `1 < x < 3` and `3 > x > 1`.
fn range(first: &Expr, operator: Comparison, second: &Expr) -> Option<String> {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    let ExprKind::Compare(left, before, middle) = &first.node else { return None };
    let ExprKind::Name(name) = &middle.node else { return None };
    let (left, right) = (bound(left)?, bound(second)?);
    match (before.node, operator) {
        (Less | LessOrEqual, Less | LessOrEqual) => Some(format!("{name} in {left}..{right}")),
        (Greater | GreaterOrEqual, Greater | GreaterOrEqual) => Some(format!("{name} in {right}..{left}")),
        _ => None,
    }
}

fn bound(expr: &Expr) -> Option<String> {
    match &expr.node {
        ExprKind::Literal(LiteralKind::Number(number, None)) => Some(number.0.clone()),
        ExprKind::Negative(inner) => Some(format!("-{}", bound(inner)?)),
        _ => None,
    }
}
