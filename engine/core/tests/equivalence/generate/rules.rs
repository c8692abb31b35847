//! Random rule sets as text.

use triage_core::source::SourceFile;

use super::Tape;
use super::condition::Scope;
use super::model::{self, Field, Kind, written};
use super::number;
use super::score::Score;

/// A random rule set.
#[derive(Debug)]
pub(crate) struct RuleSet {
    /// The declared fields, with the values at which conditions change.
    pub(crate) fields: Vec<Field>,
    /// The files in path order.
    pub(crate) files: Vec<SourceFile>,
}

/// A rule set made from the tape.
pub(crate) fn rule_set(tape: &mut Tape) -> RuleSet {
    let fields = model::fields(tape);
    let mut scope = Scope { fields, numbers: Vec::new(), conditions: Vec::new(), enums: Vec::new() };
    let stream = stream(tape, &scope);
    let scores = scores(tape, &mut scope);
    let mut lets = lets(tape, &mut scope);
    lets.extend(scores.iter().map(Score::text));
    tape.shuffle(&mut lets);
    let mut names: Vec<&str> = DECLARED[..=tape.pick(DECLARED.len())].to_vec();
    let topics: Vec<String> = names.iter().map(|name| topic(tape, &scope, &scores, name)).collect();
    names.extend(&UNDECLARED[..tape.pick(UNDECLARED.len() + 1)]);
    let rules: Vec<String> = (0..=tape.pick(9)).map(|at| rule(tape, &mut scope, &names, at)).collect();
    let split = tape.pick(rules.len() + 1);
    let (later, sooner) = rules.split_at(split);
    let mut first = vec![stream];
    first.extend(topics);
    first.extend(sooner.iter().cloned());
    let mut second = lets;
    second.extend(later.iter().cloned());
    let files = [("rules/a.rules", first), ("rules/b.rules", second)]
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(path, items)| SourceFile { path: path.into(), text: items.join("\n") + "\n" })
        .collect();
    RuleSet { fields: scope.fields, files }
}

const DECLARED: [&str; 3] = ["stroke", "vitals", "ward-7"];
const UNDECLARED: [&str; 3] = ["zeta", "alpha", "b-side"];

fn stream(tape: &mut Tape, scope: &Scope) -> String {
    let fields: Vec<String> = scope.fields.iter().map(Field::text).collect();
    let store = if tape.chance(50) { "\n  store readings" } else { "" };
    format!("stream {} {{\n{}{store}\n}}", written(tape.one(&["research", "icu-1"])), fields.join("\n"))
}

fn lets(tape: &mut Tape, scope: &mut Scope) -> Vec<String> {
    let mut lets = Vec::new();
    for at in 0..tape.pick(5) {
        let name = format!("let_{at}");
        let enums: Vec<usize> =
            (0..scope.fields.len()).filter(|at| matches!(scope.fields[*at].kind, Kind::Enum(_))).collect();
        let meant = match tape.pick(5) {
            0 | 1 => {
                let meant = scope.condition(tape, 1);
                scope.conditions.push(name.clone());
                meant
            }
            2 if !enums.is_empty() => {
                let field = enums[tape.pick(enums.len())];
                scope.enums.push((name.clone(), field));
                written(scope.fields[field].name)
            }
            _ => {
                let depth = tape.pick(3);
                let value = number::value(tape, &scope.fields, &scope.numbers, depth);
                let text = value.text.clone();
                scope.numbers.push((name.clone(), value));
                text
            }
        };
        lets.push(format!("let {name} = {meant}"));
    }
    lets
}

/// Scores, which are numbers from then on.
fn scores(tape: &mut Tape, scope: &mut Scope) -> Vec<Score> {
    let inputs = scope.inputs();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let names = &["risk", "`heart score`", "odds"][..tape.pick(4)];
    let scores: Vec<Score> = names.iter().map(|name| Score::of(tape, name, &inputs)).collect();
    scope.numbers.extend(scores.iter().map(|score| (score.name.clone(), number::of_score(&score.name))));
    scores
}

fn topic(tape: &mut Tape, scope: &Scope, scores: &[Score], name: &str) -> String {
    let mut listed: Vec<String> = scope.plain_fields().map(|field| written(field.name)).collect();
    listed.extend(scores.iter().map(|score| score.name.clone()));
    tape.shuffle(&mut listed);
    listed.truncate(1 + tape.pick(listed.len()));
    let fields = if tape.chance(40) { "all".into() } else { listed.join(", ") };
    let store =
        if tape.chance(50) { format!("\n  store {}", written(&format!("{name}_store"))) } else { String::new() };
    let notify =
        if tape.chance(60) { tape.one(&["\n  notify \"nurse\"", "\n  notify \"the \\\"doctor\\\"\""]) } else { "" };
    format!("topic {} {{\n  fields {fields}{store}{notify}\n}}", written(name))
}

fn rule(tape: &mut Tape, scope: &mut Scope, topics: &[&str], at: usize) -> String {
    let topic = written(tape.one(topics));
    let condition = scope.condition(tape, 2);
    if tape.chance(35) {
        return format!("{topic} when {condition}");
    }
    let mut text = format!("{topic}.rule_{at} when {condition}");
    if tape.chance(70) {
        let priority = tape.one(&["high", "medium", "low", "info"]);
        text.push_str(&format!("\n  alert {priority} \"{}\"", template(tape, scope)));
        text.push_str(if tape.chance(40) { "\n  each reading" } else { "" });
    }
    text
}

fn template(tape: &mut Tape, scope: &Scope) -> String {
    let fields: Vec<&Field> = scope.fields.iter().filter(|field| field.is_plain_name()).collect();
    let numbers = scope.numbers.iter().map(|(name, _)| name).filter(|name| !name.starts_with('`'));
    let numbers: Vec<&String> = numbers.collect();
    let mut template = String::from(tape.one(&["", "BP ", "größe "]));
    for _ in 0..tape.pick(5) {
        let decimals = if tape.chance(40) { format!(":.{}", tape.pick(4)) } else { String::new() };
        let piece = match tape.pick(6) {
            0..=2 if !fields.is_empty() => {
                let field = fields[tape.pick(fields.len())];
                if field.is_number() { format!("{{{}{decimals}}}", field.name) } else { format!("{{{}}}", field.name) }
            }
            3 if !numbers.is_empty() => format!("{{{}{decimals}}}", numbers[tape.pick(numbers.len())]),
            4 if !scope.conditions.is_empty() => {
                format!("{{{}}}", scope.conditions[tape.pick(scope.conditions.len())])
            }
            4 if !scope.enums.is_empty() => format!("{{{}}}", scope.enums[tape.pick(scope.enums.len())].0),
            _ => tape.one(&[", ", "{{braced}}", "\\\"said\\\"", "back\\\\slash", "\u{1f600}"]).into(),
        };
        template.push_str(&piece);
    }
    template
}
