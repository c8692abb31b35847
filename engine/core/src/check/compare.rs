//! Comparisons: which sides go together, units, and what a field's range decides beforehand.

mod label;
mod within;

use super::expr::Lowering;
use super::typed::{Quantity, Typed};
use crate::diagnostic::{Code, Diagnostic};
use crate::function::Windowed;
use crate::graph::{Condition, ConditionId, Exact, Predicate, Value, ValueId};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Comparison, Expr, ExprKind};
use crate::types::{FieldId, Plausible, ScoreId, Subject, Type};

impl Lowering {
    pub(super) fn compare(&mut self, left: &Expr, op: Spanned<Comparison>, right: &Expr, span: Span) -> Typed {
        let sides = (self.enum_side(left), self.enum_side(right));
        match sides {
            (Some(field), _) if self.is_label_of(field, right) => return self.compare_enum(field, op, right),
            (_, Some(field)) if self.is_label_of(field, left) => return self.compare_enum(field, op, left),
            (Some(field), None) => return self.compare_enum(field, op, right),
            (None, Some(field)) => return self.compare_enum(field, op, left),
            _ => {}
        }
        if let Some(diagnostic) = self.unquoted(left, right).or_else(|| self.unquoted(right, left)) {
            return self.report(diagnostic);
        }
        let (first, second) = (self.expr(left), self.expr(right));
        match (&first, &second) {
            (Typed::Unknown, _) | (_, Typed::Unknown) => Typed::Unknown,
            (Typed::Field(field), Typed::Quantity(literal)) => self.field_and_number(*field, op, literal, span),
            (Typed::Quantity(literal), Typed::Field(field)) => {
                let flipped = Spanned::new(flip(op.node), op.span);
                self.field_and_number(*field, flipped, literal, span)
            }
            (Typed::Score(score), Typed::Quantity(literal)) => self.score_and_number(*score, op, literal, span),
            (Typed::Quantity(literal), Typed::Score(score)) => {
                let flipped = Spanned::new(flip(op.node), op.span);
                self.score_and_number(*score, flipped, literal, span)
            }
            (Typed::Field(field), other) | (other, Typed::Field(field))
                if !matches!(other, Typed::Field(_) | Typed::Number(_) | Typed::Score(_)) =>
            {
                self.field_and_literal(*field, op, other, span)
            }
            (Typed::Field(left), Typed::Field(right)) => self.two_fields(*left, op, *right, span),
            _ => self.numbers(&first, op, &second, span),
        }
    }

    /// What is wrong if `other` is a word beside a text field that was meant to be a text.
    fn unquoted(&self, text: &Expr, other: &Expr) -> Option<Diagnostic> {
        let field = self.names.schema.find(bare_name(text)?)?;
        let word = bare_name(other).filter(|word| !self.names.all().contains(word))?;
        if self.names.schema.field(field).kind != Type::Text {
            return None;
        }
        let message = format!("nothing is called `{word}`");
        let label = "expected a text in double quotes";
        Some(Diagnostic::new(Code::UnknownName, other.span, message, label).help(format!("write `\"{word}\"`")))
    }

    /// Whether the operator is `=` or `!=`; otherwise reports that this field's type has no order.
    fn only_equality(&mut self, field: FieldId, op: Spanned<Comparison>) -> bool {
        let equality = matches!(op.node, Comparison::Equal | Comparison::NotEqual);
        if !equality {
            let field = self.names.schema.field(field);
            let message = format!("`{}` is {}, which has no order", field.name, field.kind.describe());
            self.report(Diagnostic::new(Code::TypeMismatch, op.span, message, "expected `=`, `!=` or `in`"));
        }
        equality
    }

    fn field_and_number(&mut self, field: FieldId, op: Spanned<Comparison>, literal: &Quantity, span: Span) -> Typed {
        let declared = self.names.schema.field(field);
        match declared.kind {
            Type::Int | Type::Float => {}
            Type::Bool => return self.field_and_literal(field, op, &Typed::Quantity(literal.clone()), span),
            _ => return self.cannot_compare(field, &Typed::Quantity(literal.clone()), span),
        }
        let (plausible, float) = (declared.range.clone(), declared.kind == Type::Float);
        let Some(amount) = self.amount(&Typed::Field(field), literal) else { return Typed::Unknown };
        if let Some(plausible) = plausible
            && let Some(truth) = decided(op.node, amount, &plausible)
        {
            return self.decided(field, &plausible, if truth { "true" } else { "false" }, span);
        }
        if float {
            self.warn_of_equality(op.node, span);
        }
        let id = self.graph.value(Value::Field(field));
        Typed::Condition(self.against(id, op.node, amount))
    }

    fn decided(&mut self, field: FieldId, plausible: &Plausible, truth: &str, span: Span) -> Typed {
        let field = self.names.schema.field(field);
        let unit = field.unit.map_or(String::new(), |unit| format!(" '{}'", unit.code()));
        let (name, range) = (&field.name, &plausible.written);
        let message = format!("this is always {truth} where `{name}` is known: it is plausible in {range}{unit}");
        let name = field.name.clone();
        let diagnostic =
            Diagnostic::new(Code::AlwaysDecided, span, message, "expected a number that the range leaves open");
        self.report(diagnostic.help(format!(
            "to ask for values outside the range, write `{name} is invalid`; for no value, `{name} is missing`"
        )))
    }

    fn field_and_literal(&mut self, field: FieldId, op: Spanned<Comparison>, literal: &Typed, span: Span) -> Typed {
        let id = match (&self.names.schema.field(field).kind, literal) {
            (Type::Bool, Typed::Truth(truth)) => Some(f64::from(u8::from(*truth))),
            (Type::Bool, Typed::Quantity(quantity)) => {
                Some(quantity.value()).filter(|value| quantity.unit.is_none() && (*value == 0.0 || *value == 1.0))
            }
            (Type::Text, Typed::Text(text)) => {
                if !self.only_equality(field, op) {
                    return Typed::Unknown;
                }
                let says = self.predicate(Predicate::Says(field, text.clone()));
                return Typed::Condition(self.negated_if(op.node, says));
            }
            _ => None,
        };
        let Some(code) = id else { return self.cannot_compare(field, literal, span) };
        if !self.only_equality(field, op) {
            return Typed::Unknown;
        }
        let id = self.graph.value(Value::Field(field));
        Typed::Condition(self.against(id, op.node, code))
    }

    fn negated_if(&mut self, op: Comparison, equal: ConditionId) -> ConditionId {
        if op == Comparison::NotEqual { self.graph.condition(Condition::Not(equal)) } else { equal }
    }

    fn cannot_compare(&mut self, field: FieldId, other: &Typed, span: Span) -> Typed {
        let message =
            format!("{} cannot be compared with {}", self.describe(&Typed::Field(field)), self.describe(other));
        let label = match self.names.schema.field(field).kind {
            Type::Int | Type::Float => "expected a number beside it",
            Type::Bool => "expected `true`, `false`, 1 or 0 beside it",
            Type::Text => "expected a text in double quotes beside it",
            Type::Time => "expected another time beside it",
            Type::Enum(_) => "expected one of its labels or codes beside it",
        };
        self.report(Diagnostic::new(Code::TypeMismatch, span, message, label))
    }

    fn two_fields(&mut self, left: FieldId, op: Spanned<Comparison>, right: FieldId, span: Span) -> Typed {
        let (first, second) = (self.names.schema.field(left).clone(), self.names.schema.field(right).clone());
        let numeric = |kind: &Type| matches!(kind, Type::Int | Type::Float);
        if numeric(&first.kind) && numeric(&second.kind) {
            if first.unit != second.unit {
                let message =
                    format!("`{}` and `{}` are compared as bare numbers of different units", first.name, second.name);
                let diagnostic = Diagnostic::new(Code::UnitsDiffer, span, message, "compared without converting");
                self.report(diagnostic.help("let both arrive in one unit, or convert one of them by a factor"));
            }
            return self.numbers(&Typed::Field(left), op, &Typed::Field(right), span);
        }
        if first.kind != second.kind {
            return self.cannot_compare(left, &Typed::Field(right), span);
        }
        if first.kind != Type::Time && !self.only_equality(left, op) {
            return Typed::Unknown;
        }
        if first.kind == Type::Text {
            let same = self.predicate(Predicate::SaysSame(left, right));
            return Typed::Condition(self.negated_if(op.node, same));
        }
        let (left, right) = (self.graph.value(Value::Field(left)), self.graph.value(Value::Field(right)));
        Typed::Condition(self.predicate(Predicate::Compare(left, op.node, right)))
    }

    /// Two numbers, of which at least one is calculated, or both are fields, or both are written out.
    fn numbers(&mut self, left: &Typed, op: Spanned<Comparison>, right: &Typed, span: Span) -> Typed {
        for (side, other) in [(left, right), (right, left)] {
            if self.value_of(side).is_none() {
                let message = format!("{} cannot be compared with {}", self.describe(side), self.describe(other));
                let label = "expected two numbers, or two of one kind";
                let diagnostic = Diagnostic::new(Code::TypeMismatch, span, message, label);
                return self.report(match side {
                    Typed::Condition(_) => diagnostic.help("a condition stands by itself, or behind `not`"),
                    _ => diagnostic,
                });
            }
        }
        let (Some(first), Some(second)) = (self.side(left, right), self.side(right, left)) else {
            return Typed::Unknown;
        };
        if self.is_fractional(&[first, second]) {
            self.warn_of_equality(op.node, span);
        }
        if let (Typed::Quantity(_), Typed::Quantity(_)) = (left, right) {
            self.report(Diagnostic::new(
                Code::Constant,
                span,
                "two written numbers are compared",
                "the same for every reading",
            ));
        }
        if matches!(left, Typed::Quantity(_)) {
            return Typed::Condition(self.predicate(Predicate::Compare(second, flip(op.node), first)));
        }
        Typed::Condition(self.predicate(Predicate::Compare(first, op.node, second)))
    }

    /// The node of one side; a written number's unit is held against the other.
    fn side(&mut self, side: &Typed, other: &Typed) -> Option<ValueId> {
        match side {
            Typed::Quantity(literal) => {
                let amount = self.amount(other, literal)?;
                Some(self.graph.value(Value::Constant(Exact::new(amount))))
            }
            _ => self.value_of(side),
        }
    }

    /// The number that a literal is beside `other`, in the unit of the field it is compared with; `None` if the units do
    /// not go together, which has been reported.
    pub(super) fn amount(&mut self, other: &Typed, literal: &Quantity) -> Option<f64> {
        let Some(unit) = literal.unit else { return Some(literal.value()) };
        let mut subjects = Vec::new();
        if let Some(id) = self.value_of(other) {
            self.graph.subjects_of_values(&[id], &mut subjects);
        }
        let alone = matches!(other, Typed::Field(_));
        if let (true, [Subject::Field(field)]) = (alone, subjects.as_slice())
            && let Some(own) = self.names.schema.field(*field).unit
        {
            let amount = unit.convert(&literal.text, own);
            if amount.is_none() {
                let message = format!(
                    "`{}` is in `{}`, which `{}` does not convert to",
                    self.field_name(*field),
                    own.code(),
                    unit.code()
                );
                let label = format!("expected one of `{}`", own.relatives().join("`, `"));
                self.report(Diagnostic::new(Code::UnitMismatch, literal.span, message, label));
            }
            return amount;
        }
        let is_of = |subject: &Subject| match subject {
            Subject::Field(field) => self.names.schema.field(*field).unit == Some(unit),
            Subject::Score(_) => false,
        };
        let all = !subjects.is_empty() && subjects.iter().all(is_of);
        if !all {
            let diagnostic = match subjects.as_slice() {
                [Subject::Score(score)] if matches!(other, Typed::Score(_)) => {
                    let message = format!("`{}` is a probability, which has no unit", self.score_name(*score));
                    Diagnostic::new(Code::UnitMismatch, literal.span, message, "expected a bare number")
                }
                [Subject::Field(field)] if alone => {
                    let message = format!("`{}` is declared without a unit", self.field_name(*field));
                    let diagnostic =
                        Diagnostic::new(Code::UnitMismatch, literal.span, message, "expected a bare number");
                    diagnostic.help(format!("if it is in `{0}`, say so in the stream: `'{0}'`", unit.code()))
                }
                _ => {
                    let message = format!("not every field that is calculated with here is in `{}`", unit.code());
                    let diagnostic =
                        Diagnostic::new(Code::UnitMismatch, literal.span, message, "expected a bare number");
                    diagnostic.help("arithmetic works on the bare numbers in the fields' own units")
                }
            };
            self.report(diagnostic);
        }
        all.then(|| literal.value())
    }

    pub(super) fn score_against(&mut self, score: ScoreId, op: Comparison, amount: f64) -> Typed {
        let id = self.graph.value(Value::Score(score));
        Typed::Condition(self.against(id, op, amount))
    }

    /// Beside a score the number is rounded to what a score can be: one that is written as 0.7 is no less than 0.7.
    fn against(&mut self, id: ValueId, op: Comparison, amount: f64) -> ConditionId {
        let is_score = matches!(self.graph.values.get(id.0), Value::Score(_));
        let amount = if is_score { f64::from(amount as f32) } else { amount };
        let constant = self.graph.value(Value::Constant(Exact::new(amount)));
        self.predicate(Predicate::Compare(id, op, constant))
    }

    /// Whether a value is seldom whole: a decimal field stands in it, or a mean.
    fn is_fractional(&self, values: &[ValueId]) -> bool {
        let is = |value: &Value| match value {
            Value::Field(field) => self.names.schema.field(*field).kind == Type::Float,
            Value::Score(_) => true,
            Value::Window(function, ..) => matches!(function, Windowed::Average | Windowed::Deviation),
            _ => false,
        };
        values.iter().any(|value| self.graph.any(*value, is))
    }

    pub(super) fn warn_of_equality(&mut self, op: Comparison, span: Span) {
        if matches!(op, Comparison::Equal | Comparison::NotEqual) {
            let diagnostic = Diagnostic::new(
                Code::FloatEquality,
                span,
                "equality on a decimal number",
                "hit only by exactly this value",
            );
            self.report(diagnostic.help("ask for a range instead: `x in 36.5..37.5`"));
        }
    }
}

/// The name that an expression is, parentheses apart.
pub(super) fn bare_name(expr: &Expr) -> Option<&str> {
    match &expr.node {
        ExprKind::Name(name) => Some(name),
        ExprKind::Paren(inner) => bare_name(inner),
        _ => None,
    }
}

/// The operator with its sides exchanged.
fn flip(op: Comparison) -> Comparison {
    match op {
        Comparison::Equal | Comparison::NotEqual => op,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}

/// What the range decides before any reading comes, if it does.
pub(super) fn decided(op: Comparison, value: f64, range: &Plausible) -> Option<bool> {
    let (low, high) = (range.low, range.high);
    let (always, never) = match op {
        Comparison::Equal => (low == value && high == value, value < low || value > high),
        Comparison::NotEqual => (value < low || value > high, low == value && high == value),
        Comparison::Less => (high < value, low >= value),
        Comparison::LessOrEqual => (high <= value, low > value),
        Comparison::Greater => (low > value, high <= value),
        Comparison::GreaterOrEqual => (low >= value, high < value),
    };
    match (always, never) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}
