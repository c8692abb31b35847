//! Message templates: `"BP {trestbps} with {cp} angina"`.

use super::expr::Lowering;
use super::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{ConditionId, Exact, Value, ValueId};
use crate::source::Spanned;
use crate::types::FieldId;

/// The most decimals a template may ask for.
const MOST_DECIMALS: u8 = 20;

/// A piece of a message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    /// As written.
    Text(String),
    /// A field in its own form: digits as they arrived, a label, `true`, a text, RFC 3339.
    Field(FieldId),
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
            let Some(close) = close else {
                let message = format!("a single `{brace}` in a message");
                let diagnostic = Diagnostic::new(Code::Template, template.span, message, "expected `{name}`");
                self.report(diagnostic.help(format!("write `{brace}{brace}` for the brace itself")));
                return pieces;
            };
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.extend(self.placeholder(&rest[..close], template));
            rest = &rest[close + 1..];
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        pieces
    }

    /// What stands between two braces.
    fn placeholder(&mut self, inside: &str, template: &Spanned<String>) -> Option<Piece> {
        let (name, format) = match inside.split_once(':') {
            Some((name, format)) => (name.trim(), Some(format.trim())),
            None => (inside.trim(), None),
        };
        let name = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).unwrap_or(name);
        let typed = self.name(name, template.span);
        let Some(format) = format else { return self.plain(&typed, name, template) };
        let decimals =
            format.strip_prefix('.').and_then(|digits| digits.parse().ok()).filter(|most| *most <= MOST_DECIMALS);
        let Some(decimals) = decimals else {
            let message = format!("`:{format}` is no format");
            self.report(Diagnostic::new(
                Code::Template,
                template.span,
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
            self.report(Diagnostic::new(Code::Template, template.span, message, format!("expected `{{{name}}}`")));
        }
        id.map(|id| Piece::Decimals(id, decimals))
    }

    fn plain(&mut self, typed: &Typed, name: &str, template: &Spanned<String>) -> Option<Piece> {
        match typed {
            Typed::Field(field) => Some(Piece::Field(*field)),
            Typed::Condition(id) => Some(Piece::Condition(*id)),
            Typed::Number(id) => Some(Piece::Number(*id)),
            Typed::Quantity(quantity) => {
                let constant = Value::Constant(Exact::new(quantity.value()));
                Some(Piece::Number(self.graph.value(constant)))
            }
            Typed::Text(text) => Some(Piece::Text(text.clone())),
            Typed::Truth(truth) => Some(Piece::Text(truth.to_string())),
            Typed::Label(_) => {
                let message = format!("`{name}` is a label, not a field");
                self.report(Diagnostic::new(
                    Code::Template,
                    template.span,
                    message,
                    "expected a field, a `let` or a score",
                ));
                None
            }
            Typed::Unknown => None,
        }
    }
}
