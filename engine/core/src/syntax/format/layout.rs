//! Which lines a declaration takes.

mod stream;
mod test;

use super::print::{dotted, duration, expression, name, names, text};
use super::written::Written;
use crate::syntax::ast::{
    Expr, ExprKind, Fields, Item, Let, Priority, Rule, RuleClause, RuleCondition, Score, Topic, TopicClause,
};

/// The widest line that is not broken.
pub(super) const WIDTH: usize = 100;

/// What a line is to the block around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It opens one.
    Opens,
    /// It closes one.
    Closes,
    /// Neither.
    Inside,
}

/// One line of the canonical text; a long one goes on in continuation lines of its own.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) indent: usize,
    pub(super) text: String,
    /// One past the last byte of what it says, in the file that it was parsed from.
    pub(super) end: usize,
    pub(super) place: Place,
}

impl Line {
    fn new(indent: usize, text: String, end: u32) -> Self {
        Self { indent, text, end: end as usize, place: Place::Inside }
    }

    fn opening(text: String, end: u32) -> Self {
        Self { place: Place::Opens, ..Self::new(0, text, end) }
    }

    fn closing(end: u32) -> Self {
        Self { place: Place::Closes, ..Self::new(0, "}".to_owned(), end) }
    }

    /// Whether it fits in one line of the page.
    fn fits(&self) -> bool {
        self.indent + self.text.chars().count() <= WIDTH
    }

    /// Appends it with its line end.
    pub(super) fn write(&self, out: &mut String) {
        out.extend(std::iter::repeat_n(' ', self.indent));
        out.push_str(&self.text);
        out.push('\n');
    }
}

/// The lines of one declaration; `written` is the file it was parsed from, if its comments are to be kept.
pub(super) fn item(item: &Item, written: Option<&Written<'_>>) -> Vec<Line> {
    match item {
        Item::Stream(it) => stream::stream(it),
        Item::Topic(it) => topic(it, written),
        Item::Score(it) => vec![score(it)],
        Item::Let(it) => vec![definition(it)],
        Item::Rule(it) => rule(it),
        Item::Test(it) => test::test(it, written),
    }
}

/// One line, unless it is too long or has comments between its braces.
fn topic(topic: &Topic, written: Option<&Written<'_>>) -> Vec<Line> {
    let open = format!("topic {} {{", name(&topic.name.node));
    let clauses: Vec<(&str, String)> = topic.clauses.iter().map(|clause| topic_clause(&clause.node)).collect();
    let inline: Vec<String> = clauses.iter().map(|(word, rest)| format!("{word} {rest}")).collect();
    let line = if inline.is_empty() { format!("{open} }}") } else { format!("{open} {} }}", inline.join("  ")) };
    let line = Line::new(0, line, topic.span.end);
    let inside = |written: &Written<'_>| {
        written.has_comment(written.behind_brace(topic.name.span.end as usize), topic.span.end as usize)
    };
    if line.fits() && !written.is_some_and(inside) {
        return vec![line];
    }
    let width = clauses.iter().map(|(word, _)| word.len()).max().unwrap_or(0);
    let mut lines = vec![Line::opening(open, topic.name.span.end)];
    for ((word, rest), clause) in clauses.iter().zip(&topic.clauses) {
        lines.push(Line::new(2, format!("{word:width$} {rest}"), clause.span.end));
    }
    lines.push(Line::closing(topic.span.end));
    lines
}

fn topic_clause(clause: &TopicClause) -> (&'static str, String) {
    match clause {
        TopicClause::Fields(Fields::All) => ("fields", "all".to_owned()),
        TopicClause::Fields(Fields::Listed(fields)) => ("fields", names(fields)),
        TopicClause::Store(store) => ("store", name(&store.node)),
        TopicClause::Notify(role) => ("notify", text(&role.node)),
        TopicClause::CoversAll => ("covers", "all".to_owned()),
    }
}

fn score(score: &Score) -> Line {
    let mut parts = vec![
        format!("score {} from {}", name(&score.name.node), text(&score.from.node)),
        format!("on ({})", names(&score.on)),
    ];
    if !score.needs.is_empty() {
        parts.push(format!("needs ({})", names(&score.needs)));
    }
    let line = Line::new(0, parts.join(" "), score.span.end);
    if line.fits() { line } else { Line { text: parts.join("\n  "), ..line } }
}

fn definition(definition: &Let) -> Line {
    let head = format!("let {} = ", name(&definition.name.node));
    condition(0, &head, &definition.value)
}

/// A rule's head, then a line for each of its clauses.
pub(super) fn rule(rule: &Rule) -> Vec<Line> {
    let head = format!("{} when ", dotted(&rule.topic, rule.name.as_ref()));
    let first = match &rule.condition {
        RuleCondition::Expr(expr) => condition(0, &head, expr),
        RuleCondition::Silence { field, hold, span } => {
            let of = field.as_ref().map_or_else(|| "reading".to_owned(), |field| name(&field.node));
            Line::new(0, format!("{head}no {of} for {}", duration(&hold.node)), span.end)
        }
    };
    let clauses = rule.clauses.iter().map(|clause| Line { end: clause.span.end as usize, ..rule_clause(&clause.node) });
    std::iter::once(first).chain(clauses).collect()
}

fn rule_clause(clause: &RuleClause) -> Line {
    let line = match clause {
        RuleClause::Alert(priority, message) => {
            format!("alert {} {}", priority_word(priority.node), text(&message.node))
        }
        RuleClause::EachReading => "each reading".to_owned(),
        RuleClause::Repeat(every) => format!("repeat every {}", duration(&every.node)),
        RuleClause::Escalate(role, after) => {
            format!("escalate to {} after {}", text(&role.node), duration(&after.node))
        }
        RuleClause::Clear(expr) => return condition(2, "clear when ", expr),
        RuleClause::Latch => "latch".to_owned(),
    };
    Line::new(2, line, 0)
}

fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Medium => "medium",
        Priority::Low => "low",
        Priority::Info => "info",
    }
}

/// `head` and an expression; one that is too long is broken before each `or` or `and` that is not in parentheses.
fn condition(indent: usize, head: &str, expr: &Expr) -> Line {
    let mut whole = head.to_owned();
    expression(&mut whole, &expr.node);
    let line = Line::new(indent, whole, expr.span.end);
    let (operands, word) = match &expr.node {
        ExprKind::Or(operands) => (operands, "or"),
        ExprKind::And(operands) => (operands, "and"),
        _ => return line,
    };
    if line.fits() {
        return line;
    }
    let mut broken = head.to_owned();
    for (at, operand) in operands.iter().enumerate() {
        if at > 0 {
            broken.extend(["\n", " ".repeat(indent + 4).as_str(), word, " "]);
        }
        expression(&mut broken, &operand.node);
    }
    Line { text: broken, ..line }
}
