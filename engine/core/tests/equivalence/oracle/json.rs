//! Strict JSON by `serde_json`: every member of the record, in order, with its bytes.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// How many objects and arrays may lie in one another, the record itself included.
const LEVELS: u32 = 64;

/// A JSON value, as far as a field can be one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number's digits.
    Number(String),
    /// A string, unescaped.
    Text(String),
    /// An array or an object.
    Nested,
}

/// A member of the record.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Its name, unescaped.
    pub(crate) name: String,
    /// Its name's bytes, quotes included.
    pub(crate) raw_name: String,
    /// Its value.
    pub(crate) value: Json,
    /// Its value's bytes.
    pub(crate) raw: String,
}

/// What a record's bytes are.
pub(crate) enum Document {
    /// Not JSON.
    Broken,
    /// JSON, and not an object.
    Other,
    /// An object.
    Object(Vec<Member>),
}

/// Reads a record.
pub(crate) fn read(bytes: &[u8]) -> Document {
    let Ok(text) = std::str::from_utf8(bytes) else { return Document::Broken };
    let Ok(whole) = serde_json::from_str::<&RawValue>(text) else { return Document::Broken };
    if !strict(whole.get(), 1) {
        return Document::Broken;
    }
    match members(whole.get()) {
        Some(pairs) => Document::Object(pairs.into_iter().map(|(name, value)| member(&name, &value)).collect()),
        None => Document::Other,
    }
}

/// Name and bytes of the value of an object's only member.
pub(crate) fn only_member(bytes: &[u8]) -> Option<(String, String)> {
    match read(bytes) {
        Document::Object(members) => match &members[..] {
            [only] => Some((only.name.clone(), only.raw.clone())),
            _ => None,
        },
        _ => None,
    }
}

fn member(name: &RawValue, value: &RawValue) -> Member {
    Member {
        name: text(name.get()).expect("names were checked"),
        raw_name: name.get().into(),
        value: scalar(value.get()),
        raw: value.get().into(),
    }
}

fn scalar(raw: &str) -> Json {
    match raw.as_bytes()[0] {
        b'n' => Json::Null,
        b't' => Json::Bool(true),
        b'f' => Json::Bool(false),
        b'"' => Json::Text(text(raw).expect("strings were checked")),
        b'{' | b'[' => Json::Nested,
        _ => Json::Number(raw.into()),
    }
}

/// Whether the levels are few enough and all strings are text; the grammar was already looked at.
fn strict(raw: &str, level: u32) -> bool {
    match raw.as_bytes()[0] {
        b'{' => {
            let pairs = members(raw).expect("an object");
            let fits = |(name, value): &(Box<RawValue>, Box<RawValue>)| {
                text(name.get()).is_some() && strict(value.get(), level + 1)
            };
            level <= LEVELS && pairs.iter().all(fits)
        }
        b'[' => {
            let Ok(elements) = serde_json::from_str::<Vec<Box<RawValue>>>(raw) else { return false };
            level <= LEVELS && elements.iter().all(|element| strict(element.get(), level + 1))
        }
        b'"' => text(raw).is_some(),
        _ => true,
    }
}

fn text(raw: &str) -> Option<String> {
    serde_json::from_str(raw).ok()
}

/// The members of an object, repetitions included.
fn members(raw: &str) -> Option<Vec<(Box<RawValue>, Box<RawValue>)>> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<(Box<RawValue>, Box<RawValue>)>;
        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(members)
        }
    }
    serde_json::Deserializer::from_str(raw).deserialize_map(Members).ok()
}

/// Whether `text` is a number in JSON's own form, nothing before or behind it.
pub(crate) fn is_number(text: &str) -> bool {
    let starts = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    let ends = text.ends_with(|last: char| last.is_ascii_digit());
    starts && ends && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// `text` as a JSON string: only what must be escaped is.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", control as u32)),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
