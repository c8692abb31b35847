//! `in`: a set is its members joined by `or`, a range its bounds joined by `and`.

use crate::check::expr::Lowering;
use crate::check::typed::Typed;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Condition, ConditionId};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Comparison, Expr, Range};

impl Lowering {
    pub(in crate::check) fn in_set(&mut self, value: &Expr, members: &[Expr], span: Span) -> Typed {
        if let Typed::Unknown = self.expr(value) {
            return Typed::Unknown;
        }
        let equal = Spanned::new(Comparison::Equal, span);
        let ids: Vec<Option<ConditionId>> = members
            .iter()
            .map(|member| match self.compare(value, equal, member, member.span) {
                Typed::Condition(id) => Some(id),
                _ => None,
            })
            .collect();
        match ids.into_iter().collect::<Option<Vec<_>>>() {
            Some(ids) if ids.len() == 1 => Typed::Condition(ids[0]),
            Some(ids) => Typed::Condition(self.graph.condition(Condition::Or(ids))),
            None => Typed::Unknown,
        }
    }

    pub(in crate::check) fn in_range(
        &mut self,
        value: &Expr,
        range: &Range,
        unit: Option<&Spanned<String>>,
        span: Span,
    ) -> Typed {
        let typed = self.expr(value);
        let low = self.quantity(&range.low.node, unit, range.low.span);
        let high = self.quantity(&range.high.node, unit, range.high.span);
        let (Some(low), Some(high)) = (low, high) else { return Typed::Unknown };
        if matches!(typed, Typed::Unknown) {
            return Typed::Unknown;
        }
        let Some(id) = self.value_of(&typed) else {
            let message = format!("{} has no range", self.describe(&typed));
            return self.report(Diagnostic::new(Code::TypeMismatch, value.span, message, "expected a number"));
        };
        // One unit stands behind both: if it does not fit, that is one mistake.
        let Some(from) = self.amount(&typed, &low) else { return Typed::Unknown };
        let Some(to) = self.amount(&typed, &high) else { return Typed::Unknown };
        if from > to {
            let message = "the range is empty, so this is never true";
            return self.report(Diagnostic::new(
                Code::AlwaysDecided,
                span,
                message,
                "expected the smaller number first",
            ));
        }
        if let Typed::Field(field) = typed
            && let Some(plausible) = self.names.schema.field(field).range.clone()
        {
            if to < plausible.low || from > plausible.high {
                return self.decided(field, &plausible, "false", span);
            }
            if from <= plausible.low && to >= plausible.high {
                return self.decided(field, &plausible, "true", span);
            }
        }
        if let Typed::Score(score) = typed
            && (to < 0.0 || from > 1.0 || (from <= 0.0 && to >= 1.0))
        {
            return self.decided_score(score, from <= 0.0 && to >= 1.0, span);
        }
        let low = self.against(id, Comparison::GreaterOrEqual, from);
        let high = self.against(id, Comparison::LessOrEqual, to);
        Typed::Condition(self.graph.condition(Condition::And(vec![low, high])))
    }
}
