//! Expressions: names resolved, types checked, meaning put into the graph. Mistakes are collected, and checking goes on.

use std::collections::BTreeMap;

use super::names::Names;
use super::typed::{Quantity, Typed};
use crate::diagnostic::{Code, Diagnostic};
use crate::function::{Function, PREVIOUS, WINDOWED, Windowed};
use crate::graph::{Arithmetic, Condition, ConditionId, Exact, Graph, Hold, Predicate, Value, ValueId};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{
    self, Comparison, Duration, Expr, ExprKind, LiteralKind, Name, Negated, Number, ProductOp, Status, SumOp,
};
use crate::types::{Subject, Type};
use crate::unit::Unit;

/// Turns expressions into nodes of the graph.
#[derive(Debug)]
pub(crate) struct Lowering {
    pub(crate) names: Names,
    pub(crate) graph: Graph,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Every window, and where it stands first.
    pub(super) windows: BTreeMap<ValueId, (Windowed, Spanned<i64>)>,
}

impl Lowering {
    pub(crate) fn new(names: Names) -> Self {
        Self { names, graph: Graph::default(), diagnostics: Vec::new(), windows: BTreeMap::new() }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) -> Typed {
        self.diagnostics.push(diagnostic);
        Typed::Unknown
    }

    /// A condition; `None` if it was not one, which has been reported.
    pub(crate) fn condition(&mut self, expr: &Expr) -> Option<ConditionId> {
        let typed = self.expr(expr);
        self.as_condition(&typed, expr.span)
    }

    pub(crate) fn as_condition(&mut self, typed: &Typed, span: Span) -> Option<ConditionId> {
        match typed {
            Typed::Condition(id) => Some(*id),
            Typed::Field(field) if self.names.schema.field(*field).kind == Type::Bool => {
                let left = self.graph.value(Value::Field(*field));
                let right = self.graph.value(Value::Constant(Exact::new(1.0)));
                Some(self.predicate(Predicate::Compare(left, Comparison::Equal, right)))
            }
            Typed::Unknown => None,
            other => {
                let found = self.describe(other);
                let label = "expected something that is true or false, such as `age > 60`";
                self.report(Diagnostic::new(Code::NotACondition, span, format!("{found} is not a condition"), label));
                None
            }
        }
    }

    /// What an expression is.
    pub(crate) fn expr(&mut self, expr: &Expr) -> Typed {
        match &expr.node {
            ExprKind::Literal(literal) => self.literal(literal, expr.span),
            ExprKind::Name(name) => self.name(name, expr.span),
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Or(parts) => self.chain(parts, Condition::Or),
            ExprKind::And(parts) => self.chain(parts, Condition::And),
            ExprKind::Not(inner) => match self.condition(inner) {
                Some(id) => Typed::Condition(self.graph.condition(Condition::Not(id))),
                None => Typed::Unknown,
            },
            ExprKind::Then(first, second, within) => self.then(first, second, within),
            ExprKind::For(inner, hold) => self.held(inner, hold),
            ExprKind::Compare(left, op, right) => self.compare(left, *op, right, expr.span),
            ExprKind::InSet(value, members) => self.in_set(value, members, expr.span),
            ExprKind::InRange(value, range, unit) => self.in_range(value, range, unit.as_ref(), expr.span),
            ExprKind::Is(name, status, negated) => self.is(name, *status, *negated),
            ExprKind::Sum(first, rest) => self.sum(first, rest),
            ExprKind::Product(first, rest) => self.product(first, rest),
            ExprKind::Negative(inner) => self.negative(inner, expr.span),
            ExprKind::Call(function, arguments, window) => self.call(function, arguments, window.as_ref(), expr.span),
        }
    }

    /// Reports a part of the language that is not decided yet.
    pub(crate) fn not_yet(&mut self, what: &str, span: Span) -> Typed {
        let message = format!("{what} is not available yet");
        let diagnostic = Diagnostic::new(Code::NotYet, span, message, "this version checks its form only");
        self.report(diagnostic.help("leave it out until the version that brings it"))
    }

    fn literal(&mut self, literal: &LiteralKind, span: Span) -> Typed {
        match literal {
            LiteralKind::Text(text) => Typed::Text(text.clone()),
            LiteralKind::Bool(truth) => Typed::Truth(*truth),
            LiteralKind::Number(number, unit) => match self.quantity(number, unit.as_ref(), span) {
                Some(quantity) => Typed::Quantity(quantity),
                None => Typed::Unknown,
            },
        }
    }

    /// A number as written, its unit known and its value within f64.
    pub(super) fn quantity(&mut self, number: &Number, unit: Option<&Spanned<String>>, span: Span) -> Option<Quantity> {
        let finite = number.0.parse::<f64>().is_ok_and(f64::is_finite);
        if !finite {
            let message = "the number is too large".to_owned();
            self.report(Diagnostic::new(Code::BadNumber, span, message, "expected a number below 1.8e308"));
            return None;
        }
        let unit = match unit {
            None => None,
            Some(code) => Some(self.unit(code)?),
        };
        Some(Quantity { text: number.0.clone(), unit, span })
    }

    fn unit(&mut self, code: &Spanned<String>) -> Option<Unit> {
        let found = Unit::find(&code.node);
        if found.is_none() {
            self.report(unknown_unit(code));
        }
        found
    }

    pub(super) fn name(&mut self, name: &str, span: Span) -> Typed {
        match self.names.resolve(name, span) {
            Ok(typed) => typed,
            Err(diagnostic) => self.report(diagnostic),
        }
    }

    fn chain(&mut self, parts: &[Expr], join: fn(Vec<ConditionId>) -> Condition) -> Typed {
        let ids: Vec<Option<ConditionId>> = parts.iter().map(|part| self.condition(part)).collect();
        match ids.into_iter().collect::<Option<Vec<_>>>() {
            Some(ids) => Typed::Condition(self.graph.condition(join(ids))),
            None => Typed::Unknown,
        }
    }

    pub(super) fn predicate(&mut self, predicate: Predicate) -> ConditionId {
        self.graph.condition(Condition::Predicate(predicate))
    }

    fn is(&mut self, name: &Name, status: Status, negated: Negated) -> Typed {
        let subject = match self.name(&name.node, name.span) {
            Typed::Field(field) => Subject::Field(field),
            Typed::Score(score) => Subject::Score(score),
            Typed::Unknown => return Typed::Unknown,
            _ => {
                let message = format!("`{}` is not a field", name.node);
                let label = "expected a field or a score: only they can be missing, invalid or known";
                return self.report(Diagnostic::new(Code::TypeMismatch, name.span, message, label));
            }
        };
        let is = self.predicate(Predicate::Is(subject, status));
        Typed::Condition(match negated {
            Negated::No => is,
            Negated::Yes => self.graph.condition(Condition::Not(is)),
        })
    }

    fn sum(&mut self, first: &Expr, rest: &[(Spanned<SumOp>, Expr)]) -> Typed {
        let operation = |op: SumOp| match op {
            SumOp::Plus => Arithmetic::Add,
            SumOp::Minus => Arithmetic::Subtract,
        };
        let rest: Vec<_> = rest.iter().map(|(op, expr)| (operation(op.node), expr)).collect();
        self.arithmetic(first, &rest)
    }

    fn product(&mut self, first: &Expr, rest: &[(Spanned<ProductOp>, Expr)]) -> Typed {
        let operation = |op: ProductOp| match op {
            ProductOp::Times => Arithmetic::Multiply,
            ProductOp::Over => Arithmetic::Divide,
        };
        let rest: Vec<_> = rest.iter().map(|(op, expr)| (operation(op.node), expr)).collect();
        self.arithmetic(first, &rest)
    }

    fn arithmetic(&mut self, first: &Expr, rest: &[(Arithmetic, &Expr)]) -> Typed {
        let mut total = self.number(first);
        for (operation, expr) in rest {
            let next = self.number(expr);
            total = total.zip(next).map(|(left, right)| self.graph.value(Value::Arithmetic(left, *operation, right)));
        }
        total.map_or(Typed::Unknown, Typed::Number)
    }

    fn negative(&mut self, inner: &Expr, span: Span) -> Typed {
        if let Typed::Quantity(quantity) = self.expr(inner) {
            return Typed::Quantity(Quantity { span, ..quantity.negated() });
        }
        match self.number(inner) {
            Some(id) => Typed::Number(self.graph.value(Value::Negative(id))),
            None => Typed::Unknown,
        }
    }

    fn then(&mut self, first: &Expr, second: &Expr, within: &Spanned<Duration>) -> Typed {
        let (first, second) = (self.condition(first), self.condition(second));
        match (first, second, self.duration(within)) {
            (Some(first), Some(second), Some(within)) => {
                Typed::Condition(self.graph.condition(Condition::Then(first, second, within)))
            }
            _ => Typed::Unknown,
        }
    }

    fn held(&mut self, inner: &Expr, hold: &Spanned<ast::Hold>) -> Typed {
        let inner = self.condition(inner);
        let hold = match &hold.node {
            ast::Hold::Duration(duration) => self.duration(&Spanned::new(duration.clone(), hold.span)).map(Hold::Since),
            ast::Hold::Readings(number) => self.readings(number, hold.span).map(Hold::Readings),
        };
        match (inner, hold) {
            (Some(inner), Some(hold)) => Typed::Condition(self.graph.condition(Condition::Held(inner, hold))),
            _ => Typed::Unknown,
        }
    }

    fn call(&mut self, name: &Name, arguments: &[Expr], window: Option<&Spanned<Duration>>, span: Span) -> Typed {
        if let (Some(function), Some(window)) = (Windowed::find(&name.node), window) {
            return self.window(function, arguments, window, span);
        }
        if name.node == PREVIOUS && window.is_none() {
            return match self.remembered(PREVIOUS, arguments, span) {
                Some(id) => Typed::Number(self.graph.value(Value::Previous(id))),
                None => Typed::Unknown,
            };
        }
        let Some(function) = Function::find(&name.node).filter(|_| window.is_none()) else {
            for argument in arguments {
                self.number(argument);
            }
            return self.report(unknown_function(name, window.map(|window| window.span), span));
        };
        if !function.takes(arguments.len()) {
            let message = format!("`{function}` is given {}", count(arguments.len()));
            let label = format!("expected {}", function.arguments());
            let diagnostic = Diagnostic::new(Code::Arguments, span, message, label);
            return self.report(match Windowed::find(&name.node) {
                Some(_) => diagnostic.help(format!("over time it is `{function}(x, 10m)`")),
                None => diagnostic,
            });
        }
        let ids: Vec<Option<ValueId>> = arguments.iter().map(|argument| self.number(argument)).collect();
        match ids.into_iter().collect::<Option<Vec<_>>>() {
            Some(ids) => Typed::Number(self.graph.value(Value::Call(function, ids))),
            None => Typed::Unknown,
        }
    }

    fn window(&mut self, function: Windowed, arguments: &[Expr], over: &Spanned<Duration>, span: Span) -> Typed {
        let inner = self.remembered(function.name(), arguments, span);
        match (inner, self.duration(over)) {
            (Some(inner), Some(over)) => {
                let id = self.graph.value(Value::Window(function, inner, over));
                self.windows.entry(id).or_insert((function, Spanned { node: over, span }));
                Typed::Number(id)
            }
            _ => Typed::Unknown,
        }
    }

    /// The one value that a function over time works on: a calculation without another such function in it.
    fn remembered(&mut self, function: &str, arguments: &[Expr], span: Span) -> Option<ValueId> {
        let ids: Vec<Option<ValueId>> = arguments.iter().map(|argument| self.number(argument)).collect();
        let [id] = ids.as_slice() else {
            let message = format!("`{function}` over time is given {}", count(arguments.len()));
            self.report(Diagnostic::new(Code::Arguments, span, message, "expected one number, then the window"));
            return None;
        };
        let id = (*id)?;
        if self.graph.remembers(id) {
            let message = format!("`{function}` works on what arrives, and this has a function over time in it");
            let diagnostic =
                Diagnostic::new(Code::NestedWindow, arguments[0].span, message, "expected arithmetic on fields");
            self.report(diagnostic.help("compare the two functions, or calculate with both, outside of each other"));
            return None;
        }
        Some(id)
    }

    /// An operand of arithmetic; `None` if it is no bare number, which has been reported.
    fn number(&mut self, expr: &Expr) -> Option<ValueId> {
        let typed = self.expr(expr);
        if let Typed::Quantity(Quantity { unit: Some(unit), .. }) = &typed {
            let message = format!("a unit cannot be calculated with: `{}`", unit.code());
            let label = "expected a bare number";
            let diagnostic = Diagnostic::new(Code::UnitMismatch, expr.span, message, label);
            self.report(diagnostic.help("arithmetic works on the bare numbers in the fields' own units"));
            return None;
        }
        let id = self.value_of(&typed);
        if id.is_none() && !matches!(typed, Typed::Unknown) {
            let message = format!("{} cannot be calculated with", self.describe(&typed));
            self.report(Diagnostic::new(Code::TypeMismatch, expr.span, message, "expected a number"));
        }
        id
    }

    /// The node of something numeric.
    pub(super) fn value_of(&mut self, typed: &Typed) -> Option<ValueId> {
        match typed {
            Typed::Number(id) => Some(*id),
            Typed::Quantity(quantity) => Some(self.graph.value(Value::Constant(Exact::new(quantity.value())))),
            Typed::Field(field) => match self.names.schema.field(*field).kind {
                Type::Int | Type::Float => Some(self.graph.value(Value::Field(*field))),
                _ => None,
            },
            Typed::Score(score) => Some(self.graph.value(Value::Score(*score))),
            _ => None,
        }
    }

    /// What something is, in the user's words.
    pub(super) fn describe(&self, typed: &Typed) -> String {
        match typed {
            Typed::Condition(_) => "a condition".into(),
            Typed::Field(field) => {
                let field = self.names.schema.field(*field);
                format!("`{}` ({})", field.name, field.kind.describe())
            }
            Typed::Score(score) => format!("`{}` (a score)", self.names.scores[score.index()].name),
            Typed::Number(_) => "a calculated number".into(),
            Typed::Quantity(quantity) => format!("the number `{}`", quantity.written()),
            Typed::Text(text) => format!("the text `\"{text}\"`"),
            Typed::Truth(truth) => format!("`{truth}`"),
            Typed::Label(label) => format!("the label `{label}` without its field"),
            Typed::Unknown => "this".into(),
        }
    }
}

fn count(arguments: usize) -> String {
    match arguments {
        0 => "no argument".into(),
        1 => "1 argument".into(),
        many => format!("{many} arguments"),
    }
}

/// A unit that is no UCUM code we know, with the nearest that is.
pub(super) fn unknown_unit(code: &Spanned<String>) -> Diagnostic {
    let message = format!("`{}` is not a UCUM code that is known here", code.node);
    let diagnostic = Diagnostic::new(Code::UnknownUnit, code.span, message, "expected a UCUM code such as `mm[Hg]`");
    let spelled = [
        ("mmHg", "mm[Hg]"),
        ("°C", "Cel"),
        ("C", "Cel"),
        ("F", "[degF]"),
        ("°F", "[degF]"),
        ("bpm", "/min"),
        ("years", "a"),
    ];
    match spelled.iter().find(|(common, _)| *common == code.node) {
        Some((_, ucum)) => diagnostic.help(format!("did you mean `{ucum}`?")),
        None => diagnostic.suggest(&code.node, Unit::codes()),
    }
}

fn unknown_function(name: &Name, window: Option<Span>, span: Span) -> Diagnostic {
    if Windowed::find(&name.node).is_some() {
        let message = format!("`{}` needs a window of time", name.node);
        let diagnostic = Diagnostic::new(Code::Arguments, span, message, "expected a duration behind the number");
        return diagnostic.help(format!("write `{}(x, 10m)`", name.node));
    }
    if name.node == PREVIOUS {
        let message = "`previous` has no window: it is the last known value, however old";
        return Diagnostic::new(Code::Arguments, window.unwrap_or(span), message, "expected nothing here");
    }
    let message = match window {
        Some(_) => format!("no function over time is called `{}`", name.node),
        None => format!("no function is called `{}`", name.node),
    };
    let known: Vec<&str> = match window {
        Some(_) => Windowed::ALL.map(Windowed::name).to_vec(),
        None => Function::ALL.map(Function::name).into_iter().chain(WINDOWED).collect(),
    };
    let label = match window {
        Some(_) => format!("expected one of `{}`", known.join("`, `")),
        None => "expected `abs`, `round`, `min`, `max`, `previous`, or a function over time".to_owned(),
    };
    let diagnostic = Diagnostic::new(Code::UnknownFunction, name.span, message, label);
    match name.node.to_lowercase().as_str() {
        "average" | "mean" => diagnostic.help("the mean over time is `avg(x, 10m)`"),
        _ => diagnostic.suggest(&name.node, known),
    }
}
