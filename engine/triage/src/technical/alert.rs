//! The bytes of a technical alert: the form of every alert, with `"technical": true`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Number;
use triage_core::monitor::Finding;
use triage_core::syntax::ast::Priority;

use super::episode::News;
use crate::alerts::alert::Told;

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
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(serialize_with = "numbers")]
    values: &'a [(&'static str, f64)],
    origin: Origin<'a>,
}

/// Where it comes from: no reading, but a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Origin<'a> {
    pub(super) process: Cow<'a, str>,
    pub(super) ruleset: Cow<'a, str>,
}

/// One thing that is told of an episode.
#[derive(Debug, Clone)]
pub(super) struct Telling<'a> {
    pub(super) id: &'a str,
    pub(super) rule: &'a str,
    pub(super) since: i64,
    pub(super) news: News<'a>,
    /// Why it is over, if it is and not by itself.
    pub(super) reason: Option<&'a str>,
    pub(super) notify: &'a str,
    pub(super) origin: Origin<'a>,
}

impl<'a> Alert<'a> {
    pub(super) fn new(finding: &'a Finding, telling: Telling<'a>) -> Self {
        let Telling { id, rule, since, news, reason, notify, origin } = telling;
        let (ts, by, reason) = match news {
            News::Raised => (since, None, None),
            News::Acknowledged { by, at } => (at, Some(by), None),
            News::Resolved { at } => (at, None, reason),
        };
        Self {
            id,
            rule,
            state: news.state().as_str(),
            priority: priority(finding.priority),
            patient: finding.patient.as_deref(),
            ts,
            since,
            message: &finding.message,
            notify,
            technical: true,
            by,
            reason,
            values: &finding.values,
            origin,
        }
    }
}

/// A technical alert that some process has told of, read back.
#[derive(Debug, Clone)]
pub(super) struct Left {
    pub(super) process: String,
    pub(super) told: Told,
}

impl Left {
    /// None if it is not in the form of ours.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        let told = Told::read(std::str::from_utf8(value).ok()?).ok()?;
        let origin: Origin<'_> = serde_json::from_str(told.origin.get()).ok()?;
        Some(Self { process: origin.process.into_owned(), told })
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

    fn written(news: News<'_>, reason: Option<&str>) -> String {
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
            news,
            reason,
            notify: "clinical engineer",
            origin: Origin { process: "ward-0".into(), ruleset: "9f2c1a".into() },
        };
        serde_json::to_string(&Alert::new(&finding, telling)).unwrap()
    }

    #[test]
    fn it_has_the_form_of_every_alert() {
        assert_eq!(written(News::Raised, None), RAISED);
        let seen = written(News::Acknowledged { by: "eve", at: 1_700_000_005_000 }, None);
        let expected = RAISED.replace("raised", "acknowledged").replace("\"ts\":1700000000000", "\"ts\":1700000005000");
        assert_eq!(seen, expected.replace("\"technical\":true,", "\"technical\":true,\"by\":\"eve\","));
    }

    #[test]
    fn what_was_left_open_is_resolved_with_the_same_bytes_but_state_time_and_reason() {
        let expected = written(News::Resolved { at: 1_700_000_009_000 }, Some("process restarted"));
        let seen = written(News::Acknowledged { by: "eve", at: 1_700_000_005_000 }, None);
        for open in [RAISED, &seen] {
            let Left { process, told } = Left::read(open.as_bytes()).unwrap();
            assert!(told.is_open() && process == "ward-0" && told.id.ends_with("/technical.stuck_value"));
            assert_eq!(told.resolved(1_700_000_009_000, "process restarted").json(), expected.as_bytes());
        }
        assert!(!Left::read(expected.as_bytes()).unwrap().told.is_open());
    }
}
