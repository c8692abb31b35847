//! A test: a step a line; what is expected stands behind a short timed step, and below any other.

use super::{Line, WIDTH};
use crate::syntax::ast::{Event, Expectation, Expected, Given, Name, Step, Test};
use crate::syntax::format::print::{duration, literal, name, rule_ref, text};
use crate::syntax::format::written::Written;

pub(super) fn test(test: &Test, written: Option<&Written<'_>>) -> Vec<Line> {
    let mut lines = vec![Line::opening(format!("test {} {{", text(&test.name.node)), test.name.span.end)];
    for it in &test.steps {
        step(&mut lines, it, written);
    }
    lines.push(Line::closing(test.span.end));
    lines
}

fn step(lines: &mut Vec<Line>, step: &Step, written: Option<&Written<'_>>) {
    let clauses = clauses(&step.expectations, written);
    let (head, timed) = event(&step.event);
    let end = step.expectations.first().and_then(|first| written?.end_before_expect(first.span));
    let end = end.unwrap_or(step.span.end as usize);
    let commented = written.is_some_and(|written| written.has_comment(end, step.span.end as usize));
    if let [(clause, _)] = clauses.as_slice() {
        let line = Line::new(2, format!("{head}  {clause}"), step.span.end);
        if timed && !commented && line.fits() && !head.contains('\n') {
            return lines.push(line);
        }
    }
    lines.push(Line { end, ..Line::new(2, head, 0) });
    for (clause, last) in clauses {
        lines.push(Line::new(if timed { 4 } else { 2 }, clause, last.span.end));
    }
}

/// The `expect` clauses as they were written, each with the item that ends it.
fn clauses<'a>(expectations: &'a [Expectation], written: Option<&Written<'_>>) -> Vec<(String, &'a Expectation)> {
    let mut clauses: Vec<(String, &Expectation)> = Vec::new();
    for item in expectations {
        let starts = written.is_some_and(|written| written.follows_expect(item.span));
        match clauses.last_mut().filter(|_| !starts) {
            Some((clause, last)) => {
                clause.extend([", ", expectation(item).as_str()]);
                *last = item;
            }
            None => clauses.push((format!("expect {}", expectation(item)), item)),
        }
    }
    clauses
}

fn expectation(expectation: &Expectation) -> String {
    let what = match &expectation.what {
        Expected::Rule(rule) => rule_ref(rule),
        Expected::Alert(state) => format!("alert {}", state.node.as_str()),
    };
    if expectation.absent { format!("no {what}") } else { what }
}

/// What happens, and whether a time says when.
fn event(event: &Event) -> (String, bool) {
    match event {
        Event::Given(given) => (values("given", given), false),
        Event::At(at, given) => (values(&format!("at {}", duration(&at.node)), given), true),
        Event::Pass(at) => (format!("at {}", duration(&at.node)), true),
        Event::Acknowledge(at, rule) => (format!("at {} acknowledge {}", duration(&at.node), rule_ref(rule)), true),
    }
}

/// `{ field: value, … }` behind `head`, broken where the line is full.
fn values(head: &str, values: &[(Name, Given)]) -> String {
    let values: Vec<String> = values.iter().map(|(field, given)| value(field, given)).collect();
    if values.is_empty() {
        return format!("{head} {{ }}");
    }
    let whole = format!("{head} {{ {} }}", values.join(", "));
    if whole.chars().count() + 2 <= WIDTH {
        return whole;
    }
    let mut lines = vec![format!("{head} {{")];
    let mut line = String::from("   ");
    for value in values {
        if line.len() > 3 && line.chars().count() + value.chars().count() + 2 > WIDTH {
            lines.push(std::mem::replace(&mut line, String::from("   ")));
        }
        line.extend([" ", value.as_str(), ","]);
    }
    lines.push(line.trim_end_matches(',').to_owned());
    lines.push("  }".to_owned());
    lines.join("\n")
}

fn value(field: &Name, given: &Given) -> String {
    let given = match given {
        Given::Literal(value) => literal(value),
        Given::Label(label) => name(&label.node),
    };
    format!("{}: {given}", name(&field.node))
}
