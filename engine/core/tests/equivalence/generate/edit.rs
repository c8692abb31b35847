//! Random edits of a rule set, as people make them: thresholds, durations, words, clauses, names, order, files, whole topics,
//! declarations, and mistakes.

use super::Tape;
use super::past::{DURATIONS, Lets};
use super::score::Score;
use super::ward::{self, Ward, Written};

/// Literals that stand behind an order.
const LITERALS: [&str; 9] = ["110", "140", "147.5", "160", "38", "36.5", "41", "1", "20.5"];

/// Names that rules and `let`s are given.
const NAMES: [&str; 6] = ["high_again", "renamed", "other", "rule_0", "rule_1", "rule_2"];

/// What is no rule file, or none of this rule set.
const MISTAKES: [&str; 5] =
    ["vitals when", "vitals.broken when nothing > 3", "let bp = 3", "stream two { x: int }", "topic vitals { \"}"];

impl Ward {
    /// Another rule set, a little different, or not at all; perhaps none that compiles.
    pub(crate) fn edited(&self, tape: &mut Tape) -> Self {
        let mut ward = self.clone();
        ward.mistake = "";
        for _ in 0..=tape.pick(3) {
            ward.edit(tape);
        }
        ward
    }

    fn edit(&mut self, tape: &mut Tape) {
        match tape.pick(26) {
            0 | 1 => self.threshold(tape),
            2 => self.duration(tape),
            3 => self.reworded(tape),
            4 | 5 => self.renamed(tape),
            6 => self.clauses(tape),
            7 => tape.shuffle(&mut self.rules),
            8 => self.split = tape.pick(self.rules.len() + 1),
            9 => self.removed(tape),
            10 | 11 => self.added(tape),
            12 => self.without_topic(tape),
            13 => self.paths = [["rules/a.rules", "rules/b.rules"], ["rules/z.rules", "rules/b.rules"]][tape.pick(2)],
            14 => self.commented = !self.commented,
            15 => self.let_renamed(tape),
            16 => self.let_made(tape),
            17 => self.let_taken_apart(tape),
            18 => self.declared(tape),
            19..=24 => self.scored(tape),
            _ => self.mistake = tape.one(&MISTAKES),
        }
    }

    fn rule(&mut self, tape: &mut Tape) -> Option<&mut Written> {
        let count = self.rules.len();
        self.rules.get_mut(tape.pick(count.max(1)))
    }

    /// Outside an expression that remembers, or inside.
    fn threshold(&mut self, tape: &mut Tape) {
        let (at, literal) = (tape.pick(3), tape.one(&LITERALS));
        if let Some(rule) = self.rule(tape) {
            let places = [" > ", " < ", " >= ", " <= "];
            rule.condition =
                replaced(&rule.condition, &places, at, |letter| letter.is_ascii_digit() || letter == '.', literal);
        }
    }

    fn duration(&mut self, tape: &mut Tape) {
        let (at, duration) = (tape.pick(3), tape.one(&DURATIONS));
        if let Some(rule) = self.rule(tape) {
            let places = [" for ", ", ", " within "];
            rule.condition = replaced(
                &rule.condition,
                &places,
                at,
                |letter| letter.is_ascii_alphanumeric() || letter == '.',
                duration,
            );
        }
    }

    fn reworded(&mut self, tape: &mut Tape) {
        let (priority, words) = (tape.one(&["high", "low"]), tape.one(&["bp is {bp}", "{temp:.1}", "look", ""]));
        if let Some(alert) = self.rule(tape).and_then(|rule| rule.clauses.first_mut()) {
            *alert = format!("alert {priority} \"{words}\"");
        }
    }

    fn renamed(&mut self, tape: &mut Tape) {
        let name = tape.one(&NAMES);
        if let Some(known) = self.rule(tape).and_then(|rule| rule.name.as_mut()) {
            name.clone_into(known);
        }
    }

    /// Other clauses behind an alert, an alert where there was none, or none any more.
    fn clauses(&mut self, tape: &mut Tape) {
        let lets = self.lets_of_scores();
        let clauses = if tape.chance(80) { ward::alert(tape, &lets, false, None) } else { Vec::new() };
        if let Some(rule) = self.rule(tape).filter(|rule| rule.name.is_some() && !rule.condition.starts_with("no ")) {
            rule.clauses = clauses;
        }
    }

    fn removed(&mut self, tape: &mut Tape) {
        if self.rules.len() > 1 {
            self.rules.remove(tape.pick(self.rules.len()));
        }
    }

    /// A rule of its own, or one with the condition of another.
    fn added(&mut self, tape: &mut Tape) {
        let mut rule = ward::rule(tape, &self.lets_of_scores(), 0, None);
        rule.name = rule.name.map(|_| tape.one(&NAMES).to_owned());
        if tape.chance(40)
            && let Some(other) = self.rule(tape)
        {
            rule.condition.clone_from(&other.condition);
            rule.clauses.clone_from(&other.clauses);
        }
        self.rules.insert(tape.pick(self.rules.len() + 1), rule);
    }

    /// All rules of a topic, its declaration, or both.
    fn without_topic(&mut self, tape: &mut Tape) {
        let topic = tape.one(&["stroke", "zeta", "vitals"]);
        if tape.chance(60) && self.rules.iter().any(|rule| rule.topic != topic) {
            self.rules.retain(|rule| rule.topic != topic);
        }
        if tape.chance(60) {
            if self.topics.len() == 2 {
                self.topics.retain(|text| !text.contains(topic));
            } else {
                self.topics = ward::topics(&self.scores);
            }
        }
    }

    fn let_renamed(&mut self, tape: &mut Tape) {
        let name = format!("{}_too", tape.one(&["one", "two"]));
        let count = self.lets.len();
        if let Some(old) = self.lets.get(tape.pick(count.max(1))).map(|(old, _)| old.clone()) {
            self.texts().for_each(|text| *text = text.replace(&old, &name));
            self.lets.iter_mut().filter(|(known, _)| *known == old).for_each(|(known, _)| known.clone_from(&name));
        }
    }

    /// A condition gets a name.
    fn let_made(&mut self, tape: &mut Tape) {
        let name = format!("made_{}", tape.pick(9));
        let made = self.rule(tape).filter(|rule| !rule.condition.starts_with("no "));
        let made = made.map(|rule| std::mem::replace(&mut rule.condition, name.clone()));
        self.lets.extend(made.map(|condition| (name, condition)));
    }

    /// A name gives way to what it means.
    fn let_taken_apart(&mut self, tape: &mut Tape) {
        if self.lets.is_empty() {
            return;
        }
        let (name, meant) = self.lets.remove(tape.pick(self.lets.len()));
        self.texts().for_each(|text| *text = text.replace(&name, &format!("({meant})")));
    }

    /// Another range, unit or missing code of a field, or another time to forget after.
    fn declared(&mut self, tape: &mut Tape) {
        for (one, other) in [
            ("bp: int 30..300 'mm[Hg]' missing 0", "bp: int 30..299 'mm[Hg]' missing 0"),
            ("temp: float 30..45 'Cel'", "temp: float 30..45 'Cel' missing 36"),
            ("pain: int 1..10", "pain: int 1..9"),
            ("forget after 1h", "forget after 40m"),
        ] {
            if tape.chance(25) {
                let (from, to) = if self.declared.contains(other) { (other, one) } else { (one, other) };
                self.declared = self.declared.replace(from, to);
            }
        }
    }

    /// Another model or other inputs, other needs, another name, another order of scores, or one more.
    fn scored(&mut self, tape: &mut Tape) {
        let (kind, name) = (tape.pick(7), tape.one(&ward::SCORES));
        let (at, known) = (tape.pick(self.scores.len().max(1)), self.scores.iter().any(|score| score.name == name));
        match (kind, self.scores.get_mut(at)) {
            (0, Some(score)) => *score = Score::of(tape, &score.name, &ward::INPUTS),
            (1..=3, Some(score)) => score.need(tape),
            (4, Some(score)) if !known => {
                let old = std::mem::replace(&mut score.name, name.into());
                self.texts().for_each(|text| *text = text.replace(&old, name));
                self.topics.iter_mut().for_each(|text| *text = text.replace(&old, name));
            }
            (5, _) if !known => self.scores.push(Score::of(tape, name, &ward::INPUTS)),
            _ => tape.shuffle(&mut self.scores),
        }
    }

    /// The scores, and no `let`s.
    fn lets_of_scores(&self) -> Lets {
        Lets { scores: ward::names_of(&self.scores), ..Lets::default() }
    }

    /// Every text in which a `let` or a score may stand, topics apart.
    fn texts(&mut self) -> impl Iterator<Item = &mut String> {
        let rules = self.rules.iter_mut().flat_map(|rule| rule.clauses.iter_mut().chain([&mut rule.condition]));
        rules.chain(self.lets.iter_mut().map(|(_, meant)| meant))
    }
}

/// The text with another word behind one of `places`, if one stands there that begins with a digit.
fn replaced(text: &str, places: &[&str], at: usize, is_word: fn(char) -> bool, word: &str) -> String {
    let found = places.iter().flat_map(|place| text.match_indices(place)).map(|(start, place)| start + place.len());
    let mut found: Vec<usize> =
        found.filter(|start| text[*start..].starts_with(|letter: char| letter.is_ascii_digit())).collect();
    found.sort_unstable();
    let Some(start) = found.get(at % found.len().max(1)) else { return text.to_owned() };
    let end = text[*start..].find(|letter| !is_word(letter)).map_or(text.len(), |length| start + length);
    format!("{}{word}{}", &text[..*start], &text[end..])
}
