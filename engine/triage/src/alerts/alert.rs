//! An alert as it is read from its topic: who, what, how urgent, and the record itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// How urgent an alert is, the most urgent first: the priorities of IEC 60601-1-8, and `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Priority {
    High,
    Medium,
    Low,
    Info,
}

/// What an alert tells of its episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Raised,
    Repeated,
    Escalated,
    Acknowledged,
    Resolved,
}

impl Priority {
    pub(crate) const ALL: [Self; 4] = [Self::High, Self::Medium, Self::Low, Self::Info];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }
}

impl State {
    /// Those in which an episode is open.
    pub(crate) const OPEN: [Self; 4] = [Self::Raised, Self::Repeated, Self::Escalated, Self::Acknowledged];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Repeated => "repeated",
            Self::Escalated => "escalated",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }
}

/// What of an alert decides where it is shown. Other members are not looked at.
#[derive(Debug, Deserialize)]
pub(crate) struct Head<'a> {
    /// The episode's name.
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) rule: Cow<'a, str>,
    pub(crate) state: State,
    pub(crate) priority: Priority,
    #[serde(borrow)]
    pub(crate) patient: Option<Cow<'a, str>>,
    /// In epoch milliseconds, as `since` is.
    pub(crate) ts: i64,
    pub(crate) since: i64,
    #[serde(borrow)]
    pub(crate) message: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) notify: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) by: Option<Cow<'a, str>>,
    /// Outside any episode: never open.
    #[serde(default)]
    pub(crate) single: bool,
}

/// An alert as it was told, to be told once more; in the order in which its keys are written.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Told {
    pub(crate) id: String,
    rule: String,
    state: State,
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    /// In epoch milliseconds.
    pub(crate) ts: i64,
    since: i64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    technical: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    values: Box<RawValue>,
    pub(crate) origin: Box<RawValue>,
}

impl Told {
    /// Reads the JSON of an alert that is of an episode.
    pub(crate) fn read(json: &str) -> serde_json::Result<Self> {
        serde_json::from_str(json)
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state != State::Resolved
    }

    /// The same, resolved at that time in epoch milliseconds.
    pub(crate) fn resolved(self, now: i64, reason: &str) -> Self {
        Self { state: State::Resolved, ts: now, by: None, reason: Some(reason.to_owned()), ..self }
    }

    pub(crate) fn json(&self) -> Vec<u8> {
        // Texts and numbers under fixed names: there is nothing that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Why a record is no alert. Shows no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Foreign {
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it is not JSON as the engine writes alerts (line {line}, column {column})")]
    OtherShape { line: usize, column: usize },
    #[error("its key is not its `id`")]
    OtherKey,
}

impl<'a> Head<'a> {
    /// Reads a record. Its key must be its `id`: a compacted topic goes by keys.
    pub(crate) fn read(key: Option<&[u8]>, value: &'a [u8]) -> Result<(Self, &'a str), Foreign> {
        let text = std::str::from_utf8(value).map_err(|_| Foreign::NotUtf8)?.trim();
        let head: Self = serde_json::from_str(text)
            .map_err(|error| Foreign::OtherShape { line: error.line(), column: error.column() })?;
        if key != Some(head.id.as_bytes()) {
            return Err(Foreign::OtherKey);
        }
        Ok((head, text))
    }

    /// What tells this alert from every other, however often it is sent: `id/state/ts`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}/{}", self.id, self.state.as_str(), self.ts)
    }
}

/// An object's text with members behind its own; `members` begins with a comma.
pub(crate) fn with_members(object: &str, members: &str) -> String {
    format!("{}{members}}}", object.strip_suffix('}').unwrap_or(object))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const VALUE: &str = r#"{"id":"s/0/1@2/t.r","rule":"t.r","state":"raised","priority":"high","ts":2,"since":2,"message":"m","values":{},"origin":{}}"#;

    #[test]
    fn an_alert_is_read_and_named() {
        let (head, text) = Head::read(Some(b"s/0/1@2/t.r"), VALUE.as_bytes()).unwrap();
        assert_eq!((head.name().as_str(), head.single, text), ("s/0/1@2/t.r/raised/2", false, VALUE));
        assert!(with_members(text, ",\"x\":1").ends_with("\"origin\":{},\"x\":1}"));
    }

    #[test]
    fn what_others_write_is_told_from_alerts() {
        let read = |key: &[u8], value: &[u8]| Head::read(Some(key), value).err();
        assert_eq!(read(b"other", VALUE.as_bytes()), Some(Foreign::OtherKey));
        assert_eq!(read(b"x", b"\xff"), Some(Foreign::NotUtf8));
        for value in ["", "7", "{}", "[]", r#"{"id":"x","state":"melting"}"#] {
            assert!(matches!(read(b"x", value.as_bytes()), Some(Foreign::OtherShape { .. })), "{value}");
        }
    }
}
