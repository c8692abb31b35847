//! When two trees say the same: places do not count. Each field is named, so that a new one cannot be forgotten.

use super::{Expectation, Field, Let, Literal, Rule, RuleCondition, Score, Step, Stream, Test, Topic};

/// Equality of a struct by every field but `span`.
macro_rules! equal_but_for_span {
    ($($name:ident { $($field:ident),+ })+) => {
        $(impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                let Self { $($field,)+ span: _ } = self;
                $($field == &other.$field)&&+
            }
        })+
    };
}

equal_but_for_span! {
    Stream { name, fields, store, forget }
    Field { name, kind, role, range, unit, missing }
    Literal { kind }
    Topic { name, clauses }
    Score { name, from, on, needs }
    Let { name, value }
    Rule { topic, name, condition, clauses }
    Test { name, steps }
    Step { event, expectations }
    Expectation { absent, what }
}

impl PartialEq for RuleCondition {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Expr(one), Self::Expr(two)) => one == two,
            (Self::Silence { field, hold, span: _ }, Self::Silence { field: of, hold: length, span: _ }) => {
                field == of && hold == length
            }
            (Self::Expr(_), Self::Silence { .. }) | (Self::Silence { .. }, Self::Expr(_)) => false,
        }
    }
}
