//! The bytes of a technical alert: the form of every alert, with `"technical": true`.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;
use serde_json::value::RawValue;
use triage_core::monitor::Finding;
use triage_core::syntax::ast::Priority;

/// A technical alert, in the order in which its keys are written.
#[derive(Debug, Serialize)]
pub(super) struct Alert<'a> {
    pub(super) id: &'a str,
    pub(super) rule: &'a str,
    pub(super) state: &'a str,
    priority: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<&'a str>,
    pub(super) ts: i64,
    pub(super) since: i64,
    message: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    notify: &'a str,
    technical: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(serialize_with = "numbers")]
    values: &'a [(&'static str, f64)],
    origin: Origin<'a>,
}

/// Where it comes from: no reading, but a process.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Origin<'a> {
    pub(super) process: &'a str,
    pub(super) ruleset: &'a str,
}

/// One thing that is told of an episode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling<'a> {
    pub(super) id: &'a str,
    pub(super) rule: &'a str,
    pub(super) since: i64,
    /// When it was over, and why if not because it is.
    pub(super) resolved: Option<(i64, Option<&'a str>)>,
    pub(super) notify: &'a str,
    pub(super) origin: Origin<'a>,
}

impl<'a> Alert<'a> {
    pub(super) fn new(finding: &'a Finding, telling: Telling<'a>) -> Self {
        let Telling { id, rule, since, resolved, notify, origin } = telling;
        Self {
            id,
            rule,
            state: if resolved.is_some() { "resolved" } else { "raised" },
            priority: priority(finding.priority),
            patient: finding.patient.as_deref(),
            ts: resolved.map_or(since, |(at, _)| at),
            since,
            message: &finding.message,
            notify,
            technical: true,
            reason: resolved.and_then(|(_, reason)| reason),
            values: &finding.values,
            origin,
        }
    }
}

/// A technical alert that some process has told of, read back.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(super) struct Left {
    pub(super) id: String,
    rule: String,
    state: String,
    priority: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
    ts: i64,
    since: i64,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<String>,
    technical: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    values: Box<RawValue>,
    origin: LeftBy,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
struct LeftBy {
    process: String,
    ruleset: String,
}

impl Left {
    pub(super) fn is_open(&self) -> bool {
        self.state != "resolved"
    }

    pub(super) fn process(&self) -> &str {
        &self.origin.process
    }

    /// The same, resolved.
    pub(super) fn resolved(self, now: i64, reason: &str) -> Self {
        Self { state: "resolved".to_owned(), ts: now, reason: Some(reason.to_owned()), ..self }
    }
}

/// The word for it, in alerts and in metrics.
pub(super) fn priority(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "high",
        Priority::Medium => "medium",
        Priority::Low => "low",
        Priority::Info => "info",
    }
}

/// Whole numbers without a fraction, others with three decimals.
fn numbers<S: Serializer>(values: &[(&'static str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    let number = |value: f64| {
        if value.fract() == 0.0 {
            Some(Number::from(value as i64))
        } else {
            Number::from_f64((value * 1e3).round() / 1e3)
        }
    };
    serializer.collect_map(values.iter().map(|(name, value)| (name, number(*value))))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const RAISED: &str = r#"{"id":"technical/ward-0/3@1700000000000/technical.stuck_value","rule":"technical.stuck_value","state":"raised","priority":"medium","patient":"p1","ts":1700000000000,"since":1700000000000,"message":"`bp` does not move","notify":"clinical engineer","technical":true,"values":{"readings":41,"share":0.123},"origin":{"process":"ward-0","ruleset":"9f2c1a"}}"#;

    fn written(resolved: Option<(i64, Option<&str>)>) -> String {
        let finding = Finding {
            priority: Priority::Medium,
            patient: Some("p1".to_owned()),
            message: "`bp` does not move".to_owned(),
            values: vec![("readings", 41.0), ("share", 0.123_45)],
        };
        let telling = Telling {
            id: "technical/ward-0/3@1700000000000/technical.stuck_value",
            rule: "technical.stuck_value",
            since: 1_700_000_000_000,
            resolved,
            notify: "clinical engineer",
            origin: Origin { process: "ward-0", ruleset: "9f2c1a" },
        };
        serde_json::to_string(&Alert::new(&finding, telling)).unwrap()
    }

    #[test]
    fn it_has_the_form_of_every_alert() {
        assert_eq!(written(None), RAISED);
    }

    #[test]
    fn what_was_left_open_is_resolved_with_the_same_bytes_but_state_time_and_reason() {
        let expected = written(Some((1_700_000_009_000, Some("process restarted"))));
        let left: Left = serde_json::from_str(RAISED).unwrap();
        assert!(left.is_open() && left.process() == "ward-0" && left.id.ends_with("/technical.stuck_value"));
        let resolved = left.resolved(1_700_000_009_000, "process restarted");
        assert_eq!(serde_json::to_string(&resolved).unwrap(), expected);
        assert!(!serde_json::from_str::<Left>(&expected).unwrap().is_open());
    }
}
