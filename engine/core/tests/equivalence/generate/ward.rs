//! Random rule sets over time: every operator, every clause of an alert, silences.

use triage_core::source::SourceFile;

use super::Tape;
use super::past::{Lets, duration};
use super::score::Score;

/// A random rule set over time.
#[derive(Debug, Clone)]
pub(crate) struct Ward {
    /// The stream's name.
    pub(crate) stream: &'static str,
    /// The name of the field that is the patient, if there is one.
    pub(crate) key: Option<&'static str>,
    /// The name of the field that is the time, if there is one.
    pub(crate) event: Option<&'static str>,
    /// How many partitions the stream has.
    pub(crate) partitions: i32,
    /// The declaration of the stream.
    pub(super) declared: String,
    /// The declarations of topics.
    pub(super) topics: Vec<String>,
    /// The scores, those that nothing needs among them.
    pub(super) scores: Vec<Score>,
    /// `let`s by name, those that no rule needs among them.
    pub(super) lets: Vec<(String, String)>,
    /// The rules in order.
    pub(super) rules: Vec<Written>,
    /// How many rules stand in the first file.
    pub(super) split: usize,
    /// The two files.
    pub(super) paths: [&'static str; 2],
    /// Whether there are comments.
    pub(super) commented: bool,
    /// What makes it no rule set at all.
    pub(super) mistake: &'static str,
}

/// A rule as it is written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) topic: &'static str,
    /// Behind the dot.
    pub(super) name: Option<String>,
    pub(super) condition: String,
    /// `alert …` and what stands behind it.
    pub(super) clauses: Vec<String>,
}

/// A rule set made from the tape.
pub(crate) fn ward(tape: &mut Tape) -> Ward {
    let stream = tape.one(&["research", "icu-1"]);
    let key = (!tape.chance(10)).then(|| tape.one(&["patient", "patient", "pid"]));
    let event = (!tape.chance(10)).then(|| tape.one(&["ts", "ts", "taken"]));
    let partitions = 1 + tape.pick(3) as i32;
    let scores: Vec<Score> = SCORES[..tape.pick(3)].iter().map(|name| Score::of(tape, name, &INPUTS)).collect();
    let (known, lets) = lets(tape, key, &scores);
    let rules: Vec<Written> = (0..=tape.pick(6)).map(|at| rule(tape, &known, at, key)).collect();
    let split = tape.pick(rules.len() + 1);
    let declared = declared(tape, stream, key, event);
    let (topics, paths) = (topics(&scores), ["rules/a.rules", "rules/b.rules"]);
    Ward {
        stream,
        key,
        event,
        partitions,
        declared,
        topics,
        scores,
        lets,
        rules,
        split,
        paths,
        commented: false,
        mistake: "",
    }
}

impl Ward {
    /// The files in path order.
    pub(crate) fn files(&self) -> Vec<SourceFile> {
        let texts: Vec<String> = self.rules.iter().map(Written::text).collect();
        let split = self.split.min(texts.len());
        let mut first = vec![self.declared.clone()];
        first.extend(self.topics.iter().cloned());
        first.extend(texts[..split].iter().cloned());
        first.extend(self.scores.iter().map(Score::text));
        let mut second = used(&self.lets, &texts.join("\n"));
        second.extend(texts[split..].iter().cloned());
        second.extend((!self.mistake.is_empty()).then(|| self.mistake.into()));
        let between = if self.commented { "\n\n# as the ward has it\n" } else { "\n" };
        let files = self.paths.into_iter().zip([first, second]).filter(|(_, items)| !items.is_empty());
        let mut files: Vec<SourceFile> =
            files.map(|(path, items)| SourceFile { path: path.into(), text: items.join(between) + "\n" }).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        files
    }

    /// The names of the rules that have one.
    pub(crate) fn names(&self) -> Vec<String> {
        self.rules.iter().filter_map(|rule| Some(format!("{}.{}", rule.topic, rule.name.as_ref()?))).collect()
    }
}

impl Written {
    fn text(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(".{name}")).unwrap_or_default();
        let clauses = self.clauses.iter().map(|clause| format!("\n  {clause}"));
        format!("{}{name} when {}{}", self.topic, self.condition, clauses.collect::<String>())
    }
}

/// Names of scores.
pub(super) const SCORES: [&str; 4] = ["risk", "hazard", "peril", "odds"];

/// What goes into models.
pub(super) const INPUTS: [&str; 6] = ["bp", "temp", "pain", "flow", "fbs", "cp"];

/// The topics that are declared at first.
pub(super) fn topics(scores: &[Score]) -> Vec<String> {
    let carried: String = scores.iter().map(|score| format!(", {}", score.name)).collect();
    vec![
        format!("topic vitals {{\n  fields bp{carried}, temp\n  notify \"nurse\"\n}}"),
        "topic stroke {\n  fields all\n}".into(),
    ]
}

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
fn lets(tape: &mut Tape, key: Option<&'static str>, scores: &[Score]) -> (Lets, Vec<(String, String)>) {
    let mut lets = Lets { key, scores: names_of(scores), ..Lets::default() };
    let mut written = Vec::new();
    for at in 0..tape.pick(6) {
        let name = format!("let_{at}");
        let (meant, names) = match tape.pick(5) {
            4 if !scores.is_empty() => (scores[tape.pick(scores.len())].name.clone(), &mut lets.scores),
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

/// The names of scores.
pub(super) fn names_of(scores: &[Score]) -> Vec<String> {
    scores.iter().map(|score| score.name.clone()).collect()
}

/// The `let`s that the rules need.
fn used(written: &[(String, String)], rules: &str) -> Vec<String> {
    let mut text = rules.to_owned();
    let mut used = Vec::new();
    for (name, meant) in written.iter().rev() {
        if text.contains(name) {
            text.push_str(meant);
            used.push(format!("let {name} = {meant}"));
        }
    }
    used
}

/// A rule, whose number is its name if it has one.
pub(super) fn rule(tape: &mut Tape, lets: &Lets, at: usize, key: Option<&str>) -> Written {
    let topic = tape.one(&["vitals", "vitals", "stroke", "zeta"]);
    let silence = tape.chance(25);
    let condition = if silence {
        format!("no {} for {}", tape.one(&["reading", "reading", "bp", "temp", "cp"]), duration(tape))
    } else {
        lets.condition(tape, 2)
    };
    if tape.chance(15) {
        return Written { topic, name: None, condition, clauses: Vec::new() };
    }
    let clauses = if tape.chance(15) { Vec::new() } else { alert(tape, lets, silence, key) };
    Written { topic, name: Some(format!("rule_{at}")), condition, clauses }
}

/// `alert …` and what stands behind it.
pub(super) fn alert(tape: &mut Tape, lets: &Lets, silence: bool, key: Option<&str>) -> Vec<String> {
    let mut clauses = clauses(tape, lets, silence);
    let priority = tape.one(&["high", "medium", "low", "info"]);
    clauses.insert(0, format!("alert {priority} \"{}\"", template(tape, lets, key)));
    clauses
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
    let mut names: Vec<String> = ["bp", "temp", "cp", "fbs", "bp:.1"].map(str::to_owned).into();
    names.extend(key.map(str::to_owned));
    for list in [&lets.numbers, &lets.windows, &lets.conditions, &lets.scores] {
        names.extend(list.iter().cloned());
    }
    names.extend(lets.scores.iter().map(|score| format!("{score}:.{}", 1 + tape.pick(9))));
    (0..tape.pick(4)).map(|_| format!("{{{}}} ", names[tape.pick(names.len())])).collect()
}
