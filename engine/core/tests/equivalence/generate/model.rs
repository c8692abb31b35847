//! The declared fields of a random stream.

use super::Tape;

/// What a field is declared as.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    /// `int`
    Int,
    /// `float`
    Float,
    /// `bool`
    Bool,
    /// `text`
    Text,
    /// `time`
    Time,
    /// `enum`, with labels and codes.
    Enum(Vec<(&'static str, i64)>),
}

/// What a field is to its reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Role {
    /// The patient.
    Key,
    /// The reading's time.
    Event,
    /// Neither.
    Plain,
}

/// A declared field.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Its name, without backticks.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// Its role.
    pub(crate) role: Role,
    /// Its range in tenths.
    pub(crate) range: Option<(i64, i64)>,
    /// Its unit.
    pub(crate) unit: Option<&'static str>,
    /// Its missing codes, as JSON.
    pub(crate) missing: Vec<&'static str>,
    /// Values at which some condition changes, as JSON.
    pub(crate) edges: Vec<String>,
}

impl Field {
    /// Whether one can calculate with it.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Int | Kind::Float)
    }

    /// Whether its name can stand in a message.
    pub(crate) fn is_plain_name(&self) -> bool {
        written(self.name) == self.name
    }

    /// Its declaration.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("  {}: {}", written(self.name), self.type_text());
        match self.role {
            Role::Key => text.push_str(" key"),
            Role::Event => text.push_str(" event"),
            Role::Plain => {}
        }
        if let Some((low, high)) = self.range {
            text.push_str(&format!(" {}..{}", tenths(low), tenths(high)));
        }
        if let Some(unit) = self.unit {
            text.push_str(&format!(" '{unit}'"));
        }
        if !self.missing.is_empty() {
            text.push_str(&format!(" missing {}", self.missing.join(", ")));
        }
        text
    }

    fn type_text(&self) -> String {
        match &self.kind {
            Kind::Int => "int".into(),
            Kind::Float => "float".into(),
            Kind::Bool => "bool".into(),
            Kind::Text => "text".into(),
            Kind::Time => "time".into(),
            Kind::Enum(labels) => {
                let labels: Vec<String> =
                    labels.iter().map(|(label, code)| format!("{} = {code}", written(label))).collect();
                format!("enum {{ {} }}", labels.join(", "))
            }
        }
    }
}

/// A number of tenths as a decimal.
pub(crate) fn tenths(number: i64) -> String {
    let (sign, number) = (if number < 0 { "-" } else { "" }, number.abs());
    if number % 10 == 0 { format!("{sign}{}", number / 10) } else { format!("{sign}{}.{}", number / 10, number % 10) }
}

/// A name as it stands in a rule file.
pub(crate) fn written(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if plain && !name.starts_with(|first: char| first.is_ascii_digit()) && name != "when" {
        name.into()
    } else {
        format!("`{name}`")
    }
}

const NAMES: [&str; 12] =
    ["age", "trestbps", "Temp", "chol", "cp", "fbs", "heart rate", "größe", "when", "q\"uote", "back\\slash", "1st"];
const UNITS: [&str; 10] = ["mm[Hg]", "kPa", "Cel", "[degF]", "mg", "g", "s", "min", "h", "mg/dL"];
const LABELS: [&str; 6] = ["typical", "atypical", "age", "l_1", "odd label", "none_at_all"];
const NUMERIC_CODES: [&str; 5] = ["0", "-1", "99", "999.5", "4"];

/// The declared fields: the patient and the time, if there are any, and some others, the first of them a number.
pub(crate) fn fields(tape: &mut Tape) -> Vec<Field> {
    let mut fields = Vec::new();
    if !tape.chance(15) {
        let mut key = field(tape.one(&["patient", "pid"]), Kind::Text);
        key.role = Role::Key;
        if tape.chance(15) {
            key.missing.push("\"unknown\"");
        }
        fields.push(key);
    }
    if !tape.chance(15) {
        let mut event = field(tape.one(&["ts", "taken"]), Kind::Time);
        event.role = Role::Event;
        fields.push(event);
    }
    let mut names = NAMES;
    tape.shuffle(&mut names);
    for (at, name) in names.iter().take(2 + tape.pick(8)).enumerate() {
        let kind = if at == 0 { tape.pick(2) } else { tape.pick(9) };
        fields.push(plain(tape, name, kind));
    }
    if tape.chance(30) {
        tape.shuffle(&mut fields);
    }
    fields
}

fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, role: Role::Plain, range: None, unit: None, missing: Vec::new(), edges: Vec::new() }
}

fn plain(tape: &mut Tape, name: &'static str, kind: usize) -> Field {
    match kind {
        0 | 5 => number(tape, name, Kind::Int),
        1 | 6 => number(tape, name, Kind::Float),
        2 => coded(tape, field(name, Kind::Bool), &["9", "-1"]),
        3 => coded(tape, field(name, Kind::Text), &["\"n/a\"", "\"-\"", "\"9\""]),
        4 => field(name, Kind::Time),
        _ => {
            let mut labels = LABELS;
            tape.shuffle(&mut labels);
            let labels: Vec<&'static str> = labels.into_iter().filter(|label| *label != name).collect();
            let step = tape.between(1, 3);
            let first = tape.between(-1, 2);
            let count = 2 + tape.pick(3);
            let coded_labels = labels.iter().take(count).zip(0..).map(|(label, at)| (*label, first + at * step));
            let kind = Kind::Enum(coded_labels.collect());
            coded(tape, field(name, kind), &["99", "-9"])
        }
    }
}

fn number(tape: &mut Tape, name: &'static str, kind: Kind) -> Field {
    let mut field = coded(tape, field(name, kind), &NUMERIC_CODES);
    if !tape.chance(25) {
        let low = tape.between(-20, 300);
        let high = low + tape.between(2, 200);
        let decimals = if field.kind == Kind::Float { tape.between(0, 9) } else { 0 };
        field.range = Some((low * 10 + decimals, high * 10));
    }
    if tape.chance(60) {
        field.unit = Some(tape.one(&UNITS));
    }
    field
}

fn coded(tape: &mut Tape, mut field: Field, codes: &[&'static str]) -> Field {
    if tape.chance(40) {
        field.missing = codes.iter().copied().take(1 + tape.pick(codes.len())).collect();
        tape.shuffle(&mut field.missing);
    }
    field
}
