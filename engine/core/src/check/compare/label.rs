//! Comparisons beside an enum: labels and codes, mixed freely.

use super::bare_name;
use crate::check::expr::Lowering;
use crate::check::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Value;
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Comparison, Expr};
use crate::types::FieldId;

impl Lowering {
    /// The enum field that an expression is, parentheses apart.
    pub(super) fn enum_side(&self, expr: &Expr) -> Option<FieldId> {
        bare_name(expr).and_then(|name| self.names.enum_field(name))
    }

    pub(super) fn is_label_of(&self, field: FieldId, expr: &Expr) -> bool {
        bare_name(expr).is_some_and(|name| self.names.label(field, name).is_some())
    }

    pub(super) fn compare_enum(&mut self, field: FieldId, op: Spanned<Comparison>, other: &Expr) -> Typed {
        if !self.only_equality(field, op) {
            return Typed::Unknown;
        }
        let Some(code) = self.code_of(field, other) else { return Typed::Unknown };
        let id = self.graph.value(Value::Field(field));
        Typed::Condition(self.against(id, op.node, code))
    }

    /// The code that stands beside an enum; `None` if it is none, which has been reported.
    pub(super) fn code_of(&mut self, field: FieldId, expr: &Expr) -> Option<f64> {
        let declared = self.names.labels(field)?;
        if let Some(name) = bare_name(expr) {
            if let Some(label) = declared.iter().find(|label| label.name == name) {
                return Some(label.code);
            }
            if !self.names.all().contains(&name) {
                let labels: Vec<&str> = declared.iter().map(|label| label.name.as_str()).collect();
                let diagnostic = self.no_such_label(field, &format!("label `{name}`"), expr.span).suggest(name, labels);
                self.report(diagnostic);
                return None;
            }
        }
        match self.expr(expr) {
            Typed::Unknown => None,
            Typed::Label(name) => {
                let code = self.names.label(field, &name).map(|label| label.code);
                if code.is_none() {
                    let diagnostic = self.no_such_label(field, &format!("label `{name}`"), expr.span);
                    self.report(diagnostic);
                }
                code
            }
            Typed::Quantity(literal) if literal.unit.is_none() => {
                let code = literal.value();
                let known = self.names.labels(field)?.iter().any(|label| label.code == code);
                if !known {
                    let diagnostic = self.no_such_label(field, &format!("code `{}`", literal.text), expr.span);
                    self.report(diagnostic);
                }
                known.then_some(code)
            }
            other => {
                let message = format!("`{}` cannot be compared with {}", self.field_name(field), self.describe(&other));
                let label = "expected one of its labels or codes";
                self.report(Diagnostic::new(Code::TypeMismatch, expr.span, message, label));
                None
            }
        }
    }

    pub(super) fn no_such_label(&self, field: FieldId, what: &str, span: Span) -> Diagnostic {
        let labels = self.names.labels(field).unwrap_or_default();
        let listed: Vec<String> = labels.iter().map(|label| format!("{} = {}", label.name, label.written)).collect();
        let message = format!("`{}` has no {what}", self.field_name(field));
        Diagnostic::new(Code::UnknownLabel, span, message, format!("expected one of {}", listed.join(", ")))
    }

    pub(super) fn field_name(&self, field: FieldId) -> &str {
        &self.names.schema.field(field).name
    }
}
