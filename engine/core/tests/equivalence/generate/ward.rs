//! Random rule sets over time: every operator, every clause of an alert, silences.

use triage_core::source::SourceFile;

use super::Tape;
use super::past::{Lets, duration};

/// A random rule set over time.
#[derive(Debug)]
pub(crate) struct Ward {
    /// The files in path order.
    pub(crate) files: Vec<SourceFile>,
    /// The stream's name.
    pub(crate) stream: &'static str,
    /// The name of the field that is the patient, if there is one.
    pub(crate) key: Option<&'static str>,
    /// The name of the field that is the time, if there is one.
    pub(crate) event: Option<&'static str>,
    /// The names of the rules that have one.
    pub(crate) rules: Vec<String>,
    /// How many partitions the stream has.
    pub(crate) partitions: i32,
}

/// A rule set made from the tape.
pub(crate) fn ward(tape: &mut Tape) -> Ward {
    let stream = tape.one(&["research", "icu-1"]);
    let key = (!tape.chance(10)).then(|| tape.one(&["patient", "patient", "pid"]));
    let event = (!tape.chance(10)).then(|| tape.one(&["ts", "ts", "taken"]));
    let partitions = 1 + tape.pick(3) as i32;
    let (lets, written) = lets(tape, key);
    let mut names = Vec::new();
    let rules: Vec<String> = (0..=tape.pick(6)).map(|at| rule(tape, &lets, at, key, &mut names)).collect();
    let split = tape.pick(rules.len() + 1);
    let mut first = vec![declared(tape, stream, key, event), TOPICS.into()];
    first.extend(rules[..split].iter().cloned());
    let mut second = used(written, &rules.join("\n"));
    second.extend(rules[split..].iter().cloned());
    let files = [("rules/a.rules", first), ("rules/b.rules", second)];
    let files = files.into_iter().filter(|(_, items)| !items.is_empty());
    let files = files.map(|(path, items)| SourceFile { path: path.into(), text: items.join("\n") + "\n" }).collect();
    Ward { files, stream, key, event, rules: names, partitions }
}

const TOPICS: &str = "topic vitals {\n  fields bp, temp\n  notify \"nurse\"\n}\ntopic stroke {\n  fields all\n}";

fn declared(tape: &mut Tape, stream: &str, key: Option<&str>, event: Option<&str>) -> String {
    let key = key.map(|name| format!("\n  {name}: text key")).unwrap_or_default();
    let event = event.map(|name| format!("\n  {name}: time event")).unwrap_or_default();
    let forget = tape.one(&["", "", "\n  forget after 1h", "\n  forget after 20m", "\n  forget after 5m"]);
    format!(
        "stream `{stream}` {{{key}{event}\n  bp: int 30..300 'mm[Hg]' missing 0\n  temp: float 30..45 'Cel'\n  \
         pain: int 1..10\n  flow: float\n  fbs: bool\n  cp: enum {{ odd = 0, typical = 3 }}{forget}\n}}"
    )
}

/// Random `let`s: their names by what they are, and their texts.
fn lets(tape: &mut Tape, key: Option<&'static str>) -> (Lets, Vec<(String, String)>) {
    let mut lets = Lets { key, ..Lets::default() };
    let mut written = Vec::new();
    for at in 0..tape.pick(6) {
        let name = format!("let_{at}");
        let (meant, names) = match tape.pick(4) {
            0 => (lets.plain(tape), &mut lets.conditions),
            1 => (lets.number(tape), &mut lets.numbers),
            2 => (lets.window(tape), &mut lets.windows),
            _ => (lets.condition(tape, 1), &mut lets.conditions),
        };
        names.push(name.clone());
        written.push((name, meant));
    }
    (lets, written)
}

/// The `let`s that the rules need.
fn used(written: Vec<(String, String)>, rules: &str) -> Vec<String> {
    let mut text = rules.to_owned();
    let mut used = Vec::new();
    for (name, meant) in written.into_iter().rev() {
        if text.contains(&name) {
            text.push_str(&meant);
            used.push(format!("let {name} = {meant}"));
        }
    }
    used
}

fn rule(tape: &mut Tape, lets: &Lets, at: usize, key: Option<&str>, names: &mut Vec<String>) -> String {
    let topic = tape.one(&["vitals", "vitals", "stroke", "zeta"]);
    let silence = tape.chance(25);
    let condition = if silence {
        format!("no {} for {}", tape.one(&["reading", "reading", "bp", "temp", "cp"]), duration(tape))
    } else {
        lets.condition(tape, 2)
    };
    if tape.chance(15) {
        return format!("{topic} when {condition}");
    }
    names.push(format!("{topic}.rule_{at}"));
    let mut text = format!("{topic}.rule_{at} when {condition}");
    if !tape.chance(15) {
        let mut clauses = clauses(tape, lets, silence);
        let priority = tape.one(&["high", "medium", "low", "info"]);
        clauses.insert(0, format!("alert {priority} \"{}\"", template(tape, lets, key)));
        text.extend(clauses.iter().map(|clause| format!("\n  {clause}")));
    }
    text
}

/// What stands behind `alert`, in any order.
fn clauses(tape: &mut Tape, lets: &Lets, silence: bool) -> Vec<String> {
    if !silence && tape.chance(12) {
        return vec!["each reading".into()];
    }
    let mut clauses = Vec::new();
    if tape.chance(40) {
        clauses.push(format!(
            "escalate to \"{}\" after {}",
            tape.one(&["doctor", "the \\\"chief\\\""]),
            duration(tape)
        ));
    }
    if tape.chance(50) {
        clauses.push("latch".into());
    }
    if !silence && tape.chance(40) {
        clauses.push(format!("repeat every {}", duration(tape)));
    }
    if !silence && tape.chance(40) {
        let condition = if tape.chance(50) { lets.plain(tape) } else { lets.condition(tape, 1) };
        clauses.push(format!("clear when {condition}"));
    }
    tape.shuffle(&mut clauses);
    clauses
}

fn template(tape: &mut Tape, lets: &Lets, key: Option<&str>) -> String {
    let mut names: Vec<&str> = vec!["bp", "temp", "cp", "fbs", "bp:.1"];
    names.extend(key);
    for list in [&lets.numbers, &lets.windows, &lets.conditions] {
        names.extend(list.iter().map(String::as_str));
    }
    (0..tape.pick(4)).map(|_| format!("{{{}}} ", names[tape.pick(names.len())])).collect()
}
