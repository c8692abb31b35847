//! Random conditions, well typed and decided by the reading alone.

use super::Tape;
use super::model::{Field, Kind, Role, tenths, written};
use super::number::{self, Value};

/// What conditions are made of.
pub(crate) struct Scope {
    /// The declared fields.
    pub(crate) fields: Vec<Field>,
    /// Scores, and `let`s that are numbers.
    pub(crate) numbers: Vec<(String, Value)>,
    /// `let`s that are conditions.
    pub(crate) conditions: Vec<String>,
    /// `let`s that are an enum field, and which.
    pub(crate) enums: Vec<(String, usize)>,
}

const ORDERS: [&str; 4] = [">", "<", ">=", "<="];
const EQUALITIES: [&str; 2] = ["=", "!="];
/// Texts of rule files, with the same as JSON.
pub(crate) const TEXTS: [(&str, &str); 6] = [
    ("\"a\"", "\"a\""),
    ("\"b c\"", "\"b\\u0020c\""),
    ("\"q\\\"q\"", "\"q\\\"q\""),
    ("\"back\\\\slash\"", "\"back\\\\slash\""),
    ("\"größe\"", "\"gr\\u00f6\u{df}e\""),
    ("\"p1\"", "\"p1\""),
];

impl Scope {
    /// A condition: `or` of `and`s of `not`s, without parentheses where none are needed.
    pub(crate) fn condition(&mut self, tape: &mut Tape, depth: usize) -> String {
        let alternatives = 1 + extra(tape, depth);
        let parts: Vec<String> = (0..alternatives).map(|_| self.conjunction(tape, depth)).collect();
        parts.join(" or ")
    }

    fn conjunction(&mut self, tape: &mut Tape, depth: usize) -> String {
        let count = 1 + extra(tape, depth);
        let parts: Vec<String> = (0..count).map(|_| self.negation(tape, depth)).collect();
        parts.join(" and ")
    }

    fn negation(&mut self, tape: &mut Tape, depth: usize) -> String {
        if tape.chance(15) {
            return format!("not {}", self.negation(tape, depth));
        }
        if depth > 0 && tape.chance(25) { format!("({})", self.condition(tape, depth - 1)) } else { self.atom(tape) }
    }

    fn atom(&mut self, tape: &mut Tape) -> String {
        match tape.pick(12) {
            0..=2 => self.field_with_literal(tape),
            3 => self.numbers_compared(tape),
            4 => self.number_in_range(tape),
            5 => self.number_in_set(tape),
            6 => self.status(tape),
            7 if !self.conditions.is_empty() => self.conditions[tape.pick(self.conditions.len())].clone(),
            8 if !self.enums.is_empty() => {
                let (name, at) = self.enums[tape.pick(self.enums.len())].clone();
                self.enumeration(tape, &name, at)
            }
            _ => self.by_kind(tape),
        }
    }

    /// A condition on any field.
    fn by_kind(&mut self, tape: &mut Tape) -> String {
        let at = tape.pick(self.fields.len());
        let name = written(self.fields[at].name);
        match self.fields[at].kind {
            Kind::Int | Kind::Float => self.field_with_literal(tape),
            Kind::Bool | Kind::Text if tape.chance(15) => self.same(tape, &name, at),
            Kind::Bool => boolean(tape, &name),
            Kind::Text => self.text(tape, &name, at),
            Kind::Time => self.times(tape, &name),
            Kind::Enum(_) => self.enumeration(tape, &name, at),
        }
    }

    fn field_with_literal(&mut self, tape: &mut Tape) -> String {
        let value = number::value(tape, &self.fields, &[], 0);
        let equality = tape.chance(20);
        let literal = number::literal(tape, &mut self.fields, &value, equality);
        let operator = if equality { tape.one(&EQUALITIES) } else { tape.one(&ORDERS) };
        if tape.chance(20) {
            format!("{literal} {operator} {}", value.text)
        } else {
            format!("{} {operator} {literal}", value.text)
        }
    }

    fn numbers_compared(&mut self, tape: &mut Tape) -> String {
        let left = number::value(tape, &self.fields, &self.numbers, 2);
        let equality = tape.chance(20);
        let operator = if equality { tape.one(&EQUALITIES) } else { tape.one(&ORDERS) };
        let right = if tape.chance(50) {
            number::value(tape, &self.fields, &self.numbers, 1).text
        } else {
            number::literal(tape, &mut self.fields, &left, equality)
        };
        format!("{} {operator} {right}", left.text)
    }

    fn number_in_range(&mut self, tape: &mut Tape) -> String {
        let depth = usize::from(tape.chance(25));
        let value = number::value(tape, &self.fields, &self.numbers, depth);
        if value.is_score {
            return format!("{} in {}", value.text, tape.one(&["0.1..0.3", "0..0.5", "0.7..1", "0.15..0.85"]));
        }
        let Some(at) = value.field else {
            let low = tape.between(-300, 1000);
            return format!("{} in {}..{}", value.text, tenths(low), tenths(low + tape.between(1, 2000)));
        };
        let field = &mut self.fields[at];
        let (low, high) = field.range.unwrap_or((-1000, 4000));
        let (low, high) = (low.div_euclid(10) + 1, high.div_euclid(10) - 1);
        let from = tape.between(low, high.max(low));
        let to = tape.between(from, high.max(from));
        field.edges.extend([from.to_string(), to.to_string()]);
        let unit = field.unit.filter(|_| tape.chance(50)).map(|unit| format!(" '{unit}'")).unwrap_or_default();
        format!("{} in {from}..{to}{unit}", value.text)
    }

    fn number_in_set(&mut self, tape: &mut Tape) -> String {
        let depth = usize::from(tape.chance(25));
        let value = number::value(tape, &self.fields, &self.numbers, depth);
        let count = 1 + tape.pick(4);
        let members: Vec<String> = (0..count).map(|_| number::literal(tape, &mut self.fields, &value, true)).collect();
        format!("{} in ({})", value.text, members.join(", "))
    }

    fn status(&self, tape: &mut Tape) -> String {
        let scores = self.numbers.iter().filter(|(_, value)| value.is_score).map(|(name, _)| name.clone());
        let names: Vec<String> = self.fields.iter().map(|field| written(field.name)).chain(scores).collect();
        let negated = if tape.chance(30) { "not " } else { "" };
        format!("{} is {negated}{}", names[tape.pick(names.len())], tape.one(&["known", "missing", "invalid"]))
    }

    fn text(&mut self, tape: &mut Tape, name: &str, at: usize) -> String {
        let mut text = |tape: &mut Tape| {
            let (rule, json) = TEXTS[tape.pick(TEXTS.len())];
            self.fields[at].edges.push(json.into());
            rule
        };
        if tape.chance(40) {
            let members: Vec<&str> = (0..=tape.pick(3)).map(|_| text(tape)).collect();
            return format!("{name} in ({})", members.join(", "));
        }
        format!("{name} {} {}", tape.one(&EQUALITIES), text(tape))
    }

    /// Two fields of one kind, which may be one.
    fn same(&self, tape: &mut Tape, name: &str, at: usize) -> String {
        let kind = &self.fields[at].kind;
        let others: Vec<&Field> = self.fields.iter().filter(|field| field.kind == *kind).collect();
        let other = written(others[tape.pick(others.len())].name);
        format!("{name} {} {other}", tape.one(&EQUALITIES))
    }

    fn times(&self, tape: &mut Tape, name: &str) -> String {
        let times: Vec<&Field> = self.fields.iter().filter(|field| field.kind == Kind::Time).collect();
        let other = written(times[tape.pick(times.len())].name);
        if other == name {
            return format!("{name} is known");
        }
        let operator = if tape.chance(30) { tape.one(&EQUALITIES) } else { tape.one(&ORDERS) };
        format!("{name} {operator} {other}")
    }

    fn enumeration(&self, tape: &mut Tape, name: &str, at: usize) -> String {
        let Kind::Enum(labels) = &self.fields[at].kind else { panic!("an enum") };
        let member = |tape: &mut Tape| {
            let (label, code) = labels[tape.pick(labels.len() - 1)];
            if tape.chance(40) { code.to_string() } else { written(label) }
        };
        match tape.pick(3) {
            0 => format!("{name} {} {}", tape.one(&EQUALITIES), member(tape)),
            1 => format!("{} {} {name}", member(tape), tape.one(&EQUALITIES)),
            _ => {
                let members: Vec<String> = (0..=tape.pick(3)).map(|_| member(tape)).collect();
                format!("{name} in ({})", members.join(", "))
            }
        }
    }

    /// Fields that a model takes, as they stand in a rule file.
    pub(crate) fn inputs(&self) -> Vec<String> {
        let takes = |field: &&Field| !matches!(field.kind, Kind::Text | Kind::Time);
        self.fields.iter().filter(takes).map(|field| written(field.name)).collect()
    }

    /// Fields that a topic can list.
    pub(crate) fn plain_fields(&self) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(|field| field.role == Role::Plain)
    }
}

/// How many more parts an `or` or an `and` has.
fn extra(tape: &mut Tape, depth: usize) -> usize {
    if depth > 0 && tape.chance(35) { 1 + tape.pick(2) } else { 0 }
}

fn boolean(tape: &mut Tape, name: &str) -> String {
    match tape.pick(4) {
        0 => name.into(),
        1 => format!("{name} {} {}", tape.one(&EQUALITIES), tape.one(&["true", "false", "1", "0"])),
        2 => format!("{name} in ({})", tape.one(&["true, 1", "0", "false", "1"])),
        _ => format!("not {name}"),
    }
}
