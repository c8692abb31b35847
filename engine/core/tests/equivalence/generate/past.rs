//! Random conditions over time, well typed: windows, holds and sequences, inside one another as the page allows.
//!
//! Durations come from a small grid, as the gaps of the traffic do, so that boundaries are met exactly. `flow` has spikes
//! that leave an error behind if they are subtracted again. No message tells a `stddev`, and it is compared with literals
//! that it cannot equal: the page allows it 1e-9.

use super::Tape;

/// Names of `let`s that conditions may use.
#[derive(Default)]
pub(crate) struct Lets {
    /// Numbers of one reading.
    pub(crate) numbers: Vec<String>,
    /// Numbers over time.
    pub(crate) windows: Vec<String>,
    /// Conditions.
    pub(crate) conditions: Vec<String>,
    /// Scores, and `let`s that are one.
    pub(crate) scores: Vec<String>,
    /// The field that is the patient.
    pub(crate) key: Option<&'static str>,
}

const ORDERS: [&str; 4] = [">", "<", ">=", "<="];
/// Durations of one reading to many.
pub(crate) const DURATIONS: [&str; 9] = ["1m", "2m", "5m", "10m", "15m", "300s", "0.5h", "60000ms", "90s"];

/// A duration.
pub(crate) fn duration(tape: &mut Tape) -> &'static str {
    DURATIONS[tape.pick(DURATIONS.len())]
}

impl Lets {
    /// A condition; `depth` bounds its nesting.
    pub(crate) fn condition(&self, tape: &mut Tape, depth: usize) -> String {
        if depth == 0 {
            return self.atom(tape, 0);
        }
        match tape.pick(9) {
            0 => format!("{} and {}", self.operand(tape, depth), self.operand(tape, depth)),
            1 => format!("{} or {}", self.operand(tape, depth), self.operand(tape, depth)),
            2 => format!("not {}", self.operand(tape, depth)),
            _ => self.atom(tape, depth),
        }
    }

    /// What `and`, `or` and `not` join.
    fn operand(&self, tape: &mut Tape, depth: usize) -> String {
        if tape.chance(30) { format!("({})", self.condition(tape, depth - 1)) } else { self.atom(tape, depth) }
    }

    fn atom(&self, tape: &mut Tape, depth: usize) -> String {
        match tape.pick(8) {
            0 | 1 => self.plain(tape),
            2 if !self.conditions.is_empty() => self.conditions[tape.pick(self.conditions.len())].clone(),
            3 | 4 if depth > 0 => self.held(tape, depth),
            5 if depth > 0 => {
                let (first, second) = (self.step(tape, depth), self.step(tape, depth));
                format!("{first} then {second} within {}", duration(tape))
            }
            _ => self.compared(tape),
        }
    }

    /// One side of `then`.
    fn step(&self, tape: &mut Tape, depth: usize) -> String {
        if tape.chance(30) { self.held(tape, depth) } else { self.joined(tape, depth) }
    }

    fn held(&self, tape: &mut Tape, depth: usize) -> String {
        let inner = self.joined(tape, depth);
        if tape.chance(40) {
            return format!("{inner} for {} readings", 1 + tape.pick(4));
        }
        format!("{inner} for {}", duration(tape))
    }

    /// What `for` and `then` join: comparisons, names, parentheses.
    fn joined(&self, tape: &mut Tape, depth: usize) -> String {
        match tape.pick(6) {
            0 => format!("({})", self.condition(tape, depth - 1)),
            1 => self.compared(tape),
            2 if !self.conditions.is_empty() => self.conditions[tape.pick(self.conditions.len())].clone(),
            _ => self.plain(tape),
        }
    }

    /// A comparison of one reading, or a `let`.
    pub(crate) fn plain(&self, tape: &mut Tape) -> String {
        let order = tape.one(&ORDERS);
        match tape.pick(16) {
            0 if !self.conditions.is_empty() => self.conditions[tape.pick(self.conditions.len())].clone(),
            1 => "fbs".into(),
            2 => format!("cp {} {}", tape.one(&["=", "!="]), tape.one(&["typical", "0", "odd"])),
            3 => format!(
                "{} is {}",
                tape.one(&["bp", "temp", "pain", "cp"]),
                tape.one(&["known", "missing", "not invalid"])
            ),
            4 => format!("temp in 36..{}", tape.one(&["37", "38", "39 'Cel'"])),
            5 => format!("{} {order} {}", self.number(tape), tape.one(&["31", "36.5", "41"])),
            6 => format!("pain {order} {}", 2 + tape.pick(8)),
            13.. if !self.scores.is_empty() => self.scored(tape),
            9 if self.key.is_some() => format!("{} != \"{}\"", self.key.unwrap_or_default(), tape.pick(4)),
            7 | 8 => format!("temp {order} {}", tape.one(&["36.5", "37.25", "38", "38 'Cel'", "39"])),
            _ => format!("bp {order} {}", tape.one(&["110", "140", "140 'mm[Hg]'", "150", "160"])),
        }
    }

    /// A condition on a score of one reading.
    fn scored(&self, tape: &mut Tape) -> String {
        let (score, order) = (self.score(tape), tape.one(&ORDERS));
        match tape.pick(10) {
            0 | 1 => format!(
                "{score} is {}",
                tape.one(&["known", "missing", "invalid", "not known", "not missing", "not invalid"])
            ),
            2 => format!("{score} in {}", tape.one(&["0.2..0.7", "(0.1, 0.5, 0.9)", "(0.3)"])),
            3 => format!("{score} {} {}", tape.one(&["=", "!="]), tape.one(&["0.3", "0.7"])),
            4 => format!("{score} {order} {}", tape.one(&["bp / 200", "0.35 * 2"])),
            7 => format!("{score} {order} 1 - {}", self.score(tape)),
            5 => format!("1 - {score} {order} 0.3"),
            _ => format!("{score} {order} {}", tape.one(&["0.1", "0.3", "0.5", "0.7", "0.9"])),
        }
    }

    fn score(&self, tape: &mut Tape) -> &str {
        &self.scores[tape.pick(self.scores.len())]
    }

    /// A number of one reading: what windows are over.
    pub(crate) fn number(&self, tape: &mut Tape) -> String {
        match tape.pick(12) {
            0 if !self.numbers.is_empty() => self.numbers[tape.pick(self.numbers.len())].clone(),
            1 => "bp - pain".into(),
            2 => "bp / 2".into(),
            3 => "2 * bp - temp".into(),
            4 => "max(bp, temp * 4)".into(),
            5 => "abs(bp - 130) + 1".into(),
            6 => "37 - temp".into(),
            7 => "temp".into(),
            10 if !self.scores.is_empty() => format!("{} * 100", self.score(tape)),
            11 if !self.scores.is_empty() => format!("bp * {}", self.score(tape)),
            _ => "bp".into(),
        }
    }

    /// A number over time, whose digits a message may tell.
    pub(crate) fn window(&self, tape: &mut Tape) -> String {
        let function = tape.one(&["avg", "min", "max", "sum", "count", "rise", "fall", "previous"]);
        let number = self.number(tape);
        if function == "previous" {
            format!("previous({number})")
        } else {
            format!("{function}({number}, {})", duration(tape))
        }
    }

    /// A comparison with what a score was.
    fn score_over_time(&self, tape: &mut Tape) -> String {
        let (score, length, order) = (self.score(tape), duration(tape), tape.one(&ORDERS));
        match tape.pick(5) {
            0 => format!("previous({score}) {order} {score}"),
            1 => format!("count({score}, {length}) {order} {}", 1 + tape.pick(3)),
            2 => format!("{}({score}, {length}) {order} 0.2", tape.one(&["rise", "fall"])),
            3 => format!("stddev({score}, {length}) {order} {}", tape.one(&["0.1501", "0.3003"])),
            _ => {
                let function = tape.one(&["avg", "min", "max", "sum"]);
                format!("{function}({score}, {length}) {order} {}", tape.one(&["0.3", "0.45", "0.7"]))
            }
        }
    }

    /// A comparison with a number over time in it.
    fn compared(&self, tape: &mut Tape) -> String {
        let order = tape.one(&ORDERS);
        let (number, length) = (self.number(tape), duration(tape));
        match tape.pick(21) {
            18.. if !self.scores.is_empty() => self.score_over_time(tape),
            0 | 15 => {
                format!(
                    "stddev({number}, {length}) {order} {}",
                    tape.one(&["0.1501", "0.3003", "1.1237", "6.0007", "15.0013", "21.7001"])
                )
            }
            16 => format!("sum(flow, {length}) {order} {}", tape.one(&["1.5", "4.75"])),
            17 => format!("{}(flow, {length}) {order} 1.7501", tape.one(&["avg", "stddev"])),
            1 => format!("count({number}, {length}) {} {}", tape.one(&["=", "!=", ">", "<="]), tape.pick(4)),
            2 => format!(
                "{}({number}, {length}) {order} {}",
                tape.one(&["rise", "fall"]),
                tape.one(&["1", "10", "20.5"])
            ),
            3 => format!("{number} - previous({number}) {order} {}", tape.one(&["0.25", "10", "20"])),
            4 => format!("previous({number}) {order} {number}"),
            5 => format!("max({number}, {length}) - min({number}, {length}) {order} {}", tape.one(&["5", "30"])),
            6 => format!("avg({number}, {length}) {order} avg({number}, {})", duration(tape)),
            7 => format!("sum({number}, {length}) {order} {}", tape.one(&["150", "300", "450.5", "600"])),
            8 if !self.windows.is_empty() => {
                let name = &self.windows[tape.pick(self.windows.len())];
                format!("{name} {order} {}", tape.one(&["1", "40", "130", "145.25"]))
            }
            9 => format!("avg(bp, {length}) {order} {}", tape.one(&["135 'mm[Hg]'", "145 'mm[Hg]'"])),
            10 => format!("min({number}, {length}) in {}", tape.one(&["(110, 120.5, 140)", "30..45", "100..150"])),
            _ => format!(
                "{}({number}, {length}) {order} {}",
                tape.one(&["avg", "min", "max"]),
                tape.one(&["38", "110", "140", "147.5"])
            ),
        }
    }
}
