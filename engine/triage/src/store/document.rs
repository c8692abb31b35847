//! A Kafka record to a document: its `_id` and the record's own JSON with the `_id` put in front. Numbers keep their digits,
//! because nothing is written anew.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use triage_core::program::Program;

/// Why a record is no document. No variant shows a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the record has no value")]
    NoValue,
    #[error("the record is not UTF-8")]
    NotUtf8,
    #[error("the record is not a {expected} as the engine writes it (line {line}, column {column})")]
    OtherShape { expected: &'static str, line: usize, column: usize },
    #[error("the record carries an `_id` of its own")]
    OwnId,
}

/// A document without its collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) id: String,
    pub(crate) json: String,
}

/// What of a derived record makes its `_id`: the place of its reading, and the rule if that waits for silence.
#[derive(Deserialize)]
struct DerivedHead<'a> {
    ts: i64,
    #[serde(borrow, default)]
    rules: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    origin: Origin<'a>,
    #[serde(rename = "_id")]
    own_id: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Origin<'a> {
    #[serde(borrow)]
    topic: Cow<'a, str>,
    partition: i32,
    offset: i64,
}

/// What of an alert makes its `_id`: the episode and the state that it tells of.
#[derive(Deserialize)]
struct AlertHead<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    state: Cow<'a, str>,
    ts: i64,
    #[serde(rename = "_id")]
    own_id: Option<IgnoredAny>,
}

/// The document of a derived record. That of a silence bears the time at which it was long enough; its place is that of the
/// reading before, so that two silences after one reading are told apart by their rules.
pub(crate) fn of_derived(value: Option<&[u8]>, program: &Program) -> Result<Body, Unfit> {
    let text = text(value)?;
    let head: DerivedHead<'_> = read(text, "derived record")?;
    let Origin { topic, partition, offset } = head.origin;
    let silence = match head.rules.as_slice() {
        [rule] => program.silence(rule).map(|hold| (rule, hold)),
        _ => None,
    };
    let id = match silence {
        Some((rule, hold)) => format!("{topic}/{partition}/{offset}@{}/{rule}", head.ts.saturating_sub(hold)),
        None => format!("{topic}/{partition}/{offset}@{}", head.ts),
    };
    with_id(id, head.own_id, text)
}

/// The document of an alert.
pub(crate) fn of_alert(value: Option<&[u8]>) -> Result<Body, Unfit> {
    let text = text(value)?;
    let head: AlertHead<'_> = read(text, "alert")?;
    with_id(format!("{}/{}/{}", head.id, head.state, head.ts), head.own_id, text)
}

fn text(value: Option<&[u8]>) -> Result<&str, Unfit> {
    std::str::from_utf8(value.ok_or(Unfit::NoValue)?).map_err(|_| Unfit::NotUtf8)
}

fn read<'a, T: Deserialize<'a>>(text: &'a str, expected: &'static str) -> Result<T, Unfit> {
    // serde would take an array for a struct as well.
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Unfit::OtherShape { expected, line: 1, column: 1 });
    }
    // The parser's own message may quote a value, so that only its place is kept.
    serde_json::from_str(text).map_err(|error| Unfit::OtherShape {
        expected,
        line: error.line(),
        column: error.column(),
    })
}

fn with_id(id: String, own_id: Option<IgnoredAny>, text: &str) -> Result<Body, Unfit> {
    if own_id.is_some() {
        return Err(Unfit::OwnId);
    }
    // `read` has seen an object with members: after its brace comes the first of them.
    let members = text.trim_ascii().trim_start_matches('{').trim_ascii_start();
    let json = format!("{{\"_id\":{},{members}", serde_json::Value::from(id.as_str()));
    Ok(Body { id, json })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const DERIVED: &str = r#"{"patient":"p1","ts":1700000000123,"Temp":36.50,"n":123456789012345678901234567890.10,"rules":["stroke"],"origin":{"topic":"research","partition":0,"offset":42,"ruleset":"9f2c1a"}}"#;

    #[test]
    fn a_derived_record_is_named_by_its_reading_and_keeps_its_bytes() {
        let body = of_derived(Some(DERIVED.as_bytes()), &program()).unwrap();
        assert_eq!(body.id, "research/0/42@1700000000123");
        assert_eq!(body.json, format!(r#"{{"_id":"research/0/42@1700000000123",{}"#, &DERIVED[1..]));
    }

    fn program() -> Program {
        let text =
            "stream research { trestbps: int }\nvitals.silent when no reading for 5m\nstroke when trestbps > 1\n";
        let file = triage_core::source::SourceFile { path: "a.rules".into(), text: text.into() };
        triage_core::compile::compile(&[file], &triage_core::score::NoModels).unwrap().0
    }

    #[test]
    fn a_silence_is_named_by_the_reading_before_and_its_rule() {
        let record = r#"{"patient":"p1","ts":300042,"rules":["vitals.silent"],"origin":{"topic":"research","partition":0,"offset":7,"ruleset":"9f2c1a"}}"#;
        let body = of_derived(Some(record.as_bytes()), &program()).unwrap();
        assert_eq!(body.id, "research/0/7@42/vitals.silent");
    }

    #[test]
    fn an_alert_is_named_by_episode_state_and_time() {
        let alert = r#" { "id":"research/0/42@17/stroke.crisis","rule":"stroke.crisis","state":"raised","ts":17 } "#;
        let body = of_alert(Some(alert.as_bytes())).unwrap();
        assert_eq!(body.id, "research/0/42@17/stroke.crisis/raised/17");
        assert!(body.json.starts_with(r#"{"_id":"research/0/42@17/stroke.crisis/raised/17","id":"#), "{}", body.json);
        assert!(serde_json::from_str::<serde_json::Value>(&body.json).is_ok());
    }

    #[test]
    fn an_odd_topic_is_escaped() {
        let record = r#"{"ts":1,"origin":{"topic":"a\"b","partition":0,"offset":1}}"#;
        let body = of_derived(Some(record.as_bytes()), &program()).unwrap();
        assert_eq!(body.id, "a\"b/0/1@1");
        assert!(body.json.starts_with(r#"{"_id":"a\"b/0/1@1","ts":1"#), "{}", body.json);
    }

    #[test]
    fn what_the_engine_does_not_write_is_unfit_and_no_value_is_told() {
        let unfit = |text: &str| of_derived(Some(text.as_bytes()), &program()).unwrap_err();
        for text in ["", "7", "[1]", "{}", "{\"ts\":\"secret\"}", "{\"ts\":1}", "{\"ts\":1,\"ts\":2}", "{\"ts\":1"] {
            let told = unfit(text).to_string();
            assert!(told.starts_with("the record is not a derived record"), "{text}: {told}");
            assert!(!told.contains("secret"));
        }
        assert_eq!(of_derived(None, &program()).unwrap_err(), Unfit::NoValue);
        assert_eq!(of_alert(Some(b"\xff")).unwrap_err(), Unfit::NotUtf8);
        assert_eq!(unfit(r#"{"_id":7,"ts":1,"origin":{"topic":"a","partition":0,"offset":1}}"#), Unfit::OwnId);
    }
}
