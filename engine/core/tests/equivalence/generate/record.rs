//! Random records: readings of all kinds, and what is none.

use triage_core::reading::Record;

use super::Tape;
use super::condition::TEXTS;
use super::model::{Field, Kind, Role, tenths};

/// A record as it arrives, owned.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    /// The Kafka key.
    pub(crate) key: Option<Vec<u8>>,
    /// The bytes; none is a tombstone.
    pub(crate) value: Option<Vec<u8>>,
    /// Kafka's timestamp in epoch milliseconds.
    pub(crate) timestamp: Option<i64>,
    /// Its partition.
    pub(crate) partition: i32,
    /// Its offset there.
    pub(crate) offset: i64,
}

impl Arrived {
    /// As a step takes it.
    pub(crate) fn record(&self) -> Record<'_> {
        Record {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            timestamp: self.timestamp,
            partition: self.partition,
            offset: self.offset,
        }
    }

    /// For the person who reads a failed test.
    pub(crate) fn show(&self) -> String {
        let text = |bytes: &Option<Vec<u8>>| bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let (key, value) = (text(&self.key), text(&self.value).unwrap_or_else(|| "(none)".into()));
        format!("{key:?} @{:?} {}/{}\n{value}", self.timestamp, self.partition, self.offset)
    }
}

/// A time in 2023.
const NOW: i64 = 1_700_000_000_000;

/// A record for a stream of these fields.
pub(crate) fn record(tape: &mut Tape, fields: &[Field], offset: i64) -> Arrived {
    let value = match tape.pick(60) {
        59 => None,
        54..=58 => {
            let members = members(tape, fields);
            Some(broken(tape, &object(members)))
        }
        _ => {
            let members = members(tape, fields);
            Some(spaced(tape, members).into_bytes())
        }
    };
    let key = match tape.pick(8) {
        0 => None,
        1 => Some(Vec::new()),
        2 => Some(vec![0xff, 0xfe]),
        3 => Some("clé \"k\"".as_bytes().to_vec()),
        _ => Some(format!("p{}", tape.pick(4)).into_bytes()),
    };
    let timestamp = match tape.pick(40) {
        0 => None,
        1 => Some(-1),
        2 => Some(NOW - 300_000),
        3 => Some(NOW - 300_001),
        _ => Some(NOW + tape.between(0, 10)),
    };
    Arrived { key, value, timestamp, partition: tape.between(0, 3) as i32, offset }
}

fn members(tape: &mut Tape, fields: &[Field]) -> Vec<(String, String)> {
    let mut members = Vec::new();
    for field in fields {
        if !tape.chance(12) {
            members.push((name(tape, field.name), arrived(tape, field)));
        }
    }
    let undeclared_fields = if tape.chance(3) { 12 + tape.pick(30) } else { tape.pick(4) };
    for _ in 0..undeclared_fields {
        let names = [
            "extra",
            "ex\\u0074ra",
            "other \\\"one\\\"",
            "_id",
            "rules",
            "origin",
            "late",
            "misplaced",
            "patient",
            "ts",
            "Age",
        ];
        let name = tape.one(&names);
        if !fields.iter().any(|field| field.name == name) || tape.chance(2) {
            members.push((format!("\"{name}\""), undeclared(tape)));
        }
    }
    if tape.chance(3) && !members.is_empty() {
        members.push(members[tape.pick(members.len())].clone());
    }
    if tape.chance(50) {
        tape.shuffle(&mut members);
    }
    members
}

/// A declared name, now and then with an escape.
fn name(tape: &mut Tape, name: &str) -> String {
    let mut quoted = String::from('"');
    for character in name.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            plain if tape.chance(2) => quoted.push_str(&format!("\\u{:04X}", plain as u32)),
            plain => quoted.push(plain),
        }
    }
    quoted + "\""
}

fn undeclared(tape: &mut Tape) -> String {
    let values = [
        "1",
        "\"text \\u00e9\"",
        "null",
        "{ \"a\" : [1, {\"b\":null}] }",
        "[]",
        "1e400",
        "-0.0E+2",
        "\"\\ud83d\\ude00\"",
        "true",
    ];
    tape.one(&values).into()
}

/// What arrives for a declared field.
fn arrived(tape: &mut Tape, field: &Field) -> String {
    if tape.chance(4) {
        return tape
            .one(&["null", "\"\"", "[]", "{}", "\"?\"", "1e999", "\"1e999\"", "\" 1\"", "[1]", "\"0x1\""])
            .into();
    }
    if !field.missing.is_empty() && tape.chance(10) {
        let code = field.missing[tape.pick(field.missing.len())];
        return if code.starts_with('"') { code.into() } else { dressed(tape, code) };
    }
    if tape.chance(4) {
        return tape
            .one(&["true", "0", "\"63\"", "-7", "3.5", "12345678901234567890123", "\"typical\"", "\"+1\"", "\"1.\""])
            .into();
    }
    match (&field.kind, field.role) {
        (_, Role::Key) => patient(tape),
        (Kind::Time, role) => time(tape, role),
        (Kind::Int | Kind::Float, _) => number(tape, field),
        (Kind::Bool, _) => {
            tape.one(&["true", "false", "1", "0", "\"1\"", "\"0\"", "1.0", "0e5", "2", "\"true\"", "-0"]).into()
        }
        (Kind::Text, _) => text(tape, field),
        (Kind::Enum(labels), _) => {
            let (label, code) = labels[tape.pick(labels.len())];
            if tape.chance(40) {
                return name(tape, label);
            }
            let code = code + i64::from(tape.chance(5));
            dressed(tape, &code.to_string())
        }
    }
}

fn patient(tape: &mut Tape) -> String {
    tape.one(&[
        "\"p0\"",
        "\"p1\"",
        "\"p2\"",
        "\"p\\u0031\"",
        "7",
        "\"7\"",
        "7.0",
        "7e0",
        "-3",
        "\"é\\n\"",
        "\"a\\/b\"",
        "false",
    ])
    .into()
}

fn text(tape: &mut Tape, field: &Field) -> String {
    if !field.edges.is_empty() && tape.chance(60) {
        return field.edges[tape.pick(field.edges.len())].clone();
    }
    TEXTS[tape.pick(TEXTS.len())].1.into()
}

fn time(tape: &mut Tape, role: Role) -> String {
    let ms = NOW + tape.between(0, 6);
    match tape.pick(12) {
        0 => dressed(tape, &ms.to_string()),
        1 => format!("{ms}.9"),
        2 => format!("\"{ms}.999\""),
        3 => "\"2023-11-14T22:13:20.0019Z\"".into(),
        4 => "\"2023-11-14t23:43:20.003456789+01:30\"".into(),
        5 => "\"2023-11-14T22:13:20-00:00\"".into(),
        6 if tape.chance(40) => {
            let odd = [
                "0",
                "-1",
                "0.5",
                "-0.5",
                "4133980799999.9",
                "4133980800000",
                "\"2100-12-31T23:59:59.999Z\"",
                "\"2101-01-01T00:00:00z\"",
                "\"1969-12-31T23:59:59.9999Z\"",
                "\"2016-02-29T00:00:00.5Z\"",
            ];
            tape.one(&odd).into()
        }
        7 if tape.chance(40) => {
            let wrong = [
                "\"2023-02-29T00:00:00Z\"",
                "\"2023-11-14 22:13:20Z\"",
                "\"2023-11-14T22:13:60Z\"",
                "\"2023-11-14T22:13:20\"",
                "\"2023-11-14T22:13:20.Z\"",
                "\"2023-11-14T24:00:00Z\"",
                "\"yesterday\"",
                "\"2023-11-14T22:13:20+0100\"",
                "\"2023-1-14T22:13:20Z\"",
                "false",
                "\"2023-11-14T22:13Z\"",
            ];
            tape.one(&wrong).into()
        }
        8 if role == Role::Event => (NOW + tape.one(&[&300_000, &300_001, &299_999])).to_string(),
        9 if role == Role::Plain => tape
            .one(&["-1", "\"1950-01-01T00:00:00.25Z\"", "\"9999-12-31T23:59:59Z\"", "\"0001-01-01T00:00:00Z\""])
            .into(),
        _ => ms.to_string(),
    }
}

fn number(tape: &mut Tape, field: &Field) -> String {
    if !field.edges.is_empty() && tape.chance(55) {
        let edge = field.edges[tape.pick(field.edges.len())].clone();
        let exact: f64 = edge.parse().unwrap();
        let near = match tape.pick(6) {
            0 => format!("{}", exact.next_up()),
            1 => format!("{}", exact.next_down()),
            2 if field.kind == Kind::Int => format!("{}", exact.floor() + 1.0),
            3 if field.kind == Kind::Int => format!("{}", exact.ceil() - 1.0),
            _ if field.kind == Kind::Int => format!("{}", exact.round()),
            _ => edge,
        };
        return dressed(tape, &near);
    }
    let (low, high) = field.range.unwrap_or((-1000, 4000));
    let inside = tape.between(low, high);
    let number = match tape.pick(10) {
        0 => low,
        1 => high,
        2 => low - 1,
        3 => high + 10,
        4 => low - 10,
        _ if field.kind == Kind::Int => inside.div_euclid(10) * 10,
        _ => inside,
    };
    dressed(tape, &tenths(number))
}

/// The same number in another of JSON's forms.
fn dressed(tape: &mut Tape, number: &str) -> String {
    let decimal = number.contains('.');
    let form = match tape.pick(12) {
        0 => format!("{number}e0"),
        1 if !decimal => format!("{number}.0"),
        2 if !decimal && number != "0" => format!("{number}0E-1"),
        3 if !decimal => format!("{number}.000e+00"),
        _ => number.into(),
    };
    if tape.chance(20) { format!("\"{form}\"") } else { form }
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// An object with white space in it.
fn spaced(tape: &mut Tape, members: Vec<(String, String)>) -> String {
    if !tape.chance(30) {
        return object(members);
    }
    let space = tape.one(&[" ", "\t", "\r\n ", "  "]);
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{space}{name}{space}:{space}{value}{space}")).collect();
    format!("{space}{{{}}}{space}", members.join(","))
}

/// Bytes that are no reading, or nearly none.
fn broken(tape: &mut Tape, object: &str) -> Vec<u8> {
    let inside = &object[..object.len() - 1];
    let comma = if inside.len() > 1 { "," } else { "" };
    match tape.pick(16) {
        0 => inside.into(),
        1 => format!("{inside}{comma}}}").into(),
        2 => format!("{object} x").into(),
        3 => [b"\xef\xbb\xbf", object.as_bytes()].concat(),
        4 => [inside.as_bytes(), comma.as_bytes(), b"\"bytes\":\"\xff\"}"].concat(),
        5 => format!("{inside}{comma}\"lone\":\"\\ud800\"}}").into(),
        6 => format!("{inside}{comma}\"lone\":[\"\\udc00 \"]}}").into(),
        7 => format!("{inside}{comma}\"deep\":{}{}}}", "[".repeat(63), "]".repeat(63)).into(),
        8 => format!("{inside}{comma}\"deep\":{}{}}}", "[".repeat(64), "]".repeat(64)).into(),
        9 => format!("{inside}{comma}\"deep\":{}1{}}}", "{\"a\":".repeat(63), "}".repeat(63)).into(),
        10 => format!("[{object}]").into(),
        11 => tape.one(&["7", "null", "\"text\"", "true", "", " ", "[", "nul", "\"\\ud800\"", "{", "}"]).into(),
        12 => format!(
            "{inside}{comma}\"number\":{}}}",
            tape.one(&["01", "+1", "1.", ".5", "1e", "NaN", "-", "0x1", "1_0", "--1", "'1'"])
        )
        .into(),
        13 => format!("{inside}{comma}\"control\":\"a\u{1}\"}}").into(),
        14 => format!("{inside}{comma}\"escape\":\"\\x\"}}").into(),
        _ => format!("{inside}{comma} // comment\n}}").into(),
    }
}
