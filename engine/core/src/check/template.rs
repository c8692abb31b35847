//! Message templates: `"BP {trestbps} with {cp} angina"`.

use super::expr::Lowering;
use super::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ConditionId, Exact, Value, ValueId};
use crate::source::{Span, Spanned};
use crate::types::{FieldId, ScoreId};

/// The most decimals a template may ask for.
const MOST_DECIMALS: u8 = 20;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// As written.
    Text(String),
    /// A field in its own form: digits as they arrived, a label, `true`, a text, RFC 3339.
    Field(FieldId),
    /// A score, with the fewest digits that read back.
    Score(ScoreId),
    /// A number in the shortest form that reads back.
    Number(ValueId),
    /// A number with so many decimals.
    Decimals(ValueId, u8),
    /// `true` or `false`.
    Condition(ConditionId),
}

impl Lowering {
    /// Reads a template; mistakes are reported, and their pieces left out.
    pub(super) fn template(&mut self, template: &Spanned<String>) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut rest = template.node.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(behind) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = behind;
                continue;
            }
            let close = rest.find('}').filter(|_| brace == "{");
            let start = template.node.len() - rest.len() - 1;
            let Some(close) = close else {
                let message = format!("a single `{brace}` in a message");
                let place = place(template, start, start + 1);
                let diagnostic = Diagnostic::new(Code::Template, place, message, "expected `{name}`");
                self.report(diagnostic.help(format!("write `{brace}{brace}` for the brace itself")));
                return pieces;
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            let place = place(template, start, start + close + 2);
            pieces.extend(self.placeholder(&rest[..close], place));
            rest = &rest[close + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }

    /// What stands between two braces.
    fn placeholder(&mut self, inside: &str, place: Span) -> Option<Piece> {
        let (name, format) = match inside.split_once(':') {
            Some((name, format)) => (name.trim(), Some(format.trim())),
            None => (inside.trim(), None),
        };
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
        let calculates = name.contains(['<', '>', '=', '+', '*', '/', '(', ' ']);
        if name.is_empty() || (calculates && !self.names.all().contains(&name)) {
            let message = format!("`{{{inside}}}` is not the name of something");
            let label = "expected a field, a `let` or a score";
            let diagnostic = Diagnostic::new(Code::Template, place, message, label);
            self.report(diagnostic.help("to show something calculated, give it a name with `let`"));
            return None;
        }
        let typed = self.name(name, place);
        let Some(format) = format else { return self.plain(&typed, name, place) };
        let decimals =
            format.strip_prefix('.').and_then(|digits| digits.parse().ok()).filter(|most| *most <= MOST_DECIMALS);
        let Some(decimals) = decimals else {
            let message = format!("`:{format}` is no format");
            self.report(Diagnostic::new(
                Code::Template,
                place,
                message,
                "expected decimals such as `:.1`, at most `:.20`",
            ));
            return None;
        };
        if matches!(typed, Typed::Unknown) {
            return None;
        }
        let id = self.value_of(&typed);
        if id.is_none() {
            let message = format!("`{name}` is no number, so it has no decimals");
            self.report(Diagnostic::new(Code::Template, place, message, format!("expected `{{{name}}}`")));
        }
        id.map(|id| Piece::Decimals(id, decimals))
    }

    fn plain(&mut self, typed: &Typed, name: &str, place: Span) -> Option<Piece> {
        match typed {
            Typed::Field(field) => Some(Piece::Field(*field)),
            Typed::Condition(id) => Some(Piece::Condition(*id)),
            Typed::Score(score) => Some(Piece::Score(*score)),
            Typed::Number(id) => Some(Piece::Number(*id)),
            Typed::Quantity(quantity) => {
                let constant = Value::Constant(Exact::new(quantity.value()));
                Some(Piece::Number(self.graph.value(constant)))
            }
            Typed::Text(text) => Some(Piece::Text(text.clone())),
            Typed::Truth(truth) => Some(Piece::Text(truth.to_string())),
            Typed::Label(_) => {
                let message = format!("`{name}` is a label, not a field");
                self.report(Diagnostic::new(Code::Template, place, message, "expected a field, a `let` or a score"));
                None
            }
            Typed::Unknown => None,
        }
    }
}

/// Where these bytes of the template stand in the file: behind the opening quote, an escaped character taking two.
fn place(template: &Spanned<String>, start: usize, end: usize) -> Span {
    let written = |text: &str| text.len() + text.bytes().filter(|byte| matches!(byte, b'"' | b'\\')).count();
    let first = template.span.start as usize + 1 + written(&template.node[..start]);
    Span::new(template.span.file, first, first + written(&template.node[start..end]))
}
