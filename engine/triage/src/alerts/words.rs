//! What people want to say about alerts, checked before it is said: acknowledgements and pauses. Knows neither HTTP nor Kafka.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use triage_core::diagnostic::nearest;
use triage_core::program::{Priority, Program, TECHNICAL_IDS};
use triage_core::reading::parse_instant;

use super::alert::State;
use super::board::Board;
use crate::kafka::topics::TECHNICAL_PARTITION;
use crate::worker::MOST_BYTES_OF_WORDS;

/// A pause ends by itself, and while someone remembers it. Longer than a shift handed over twice a day for a week is no
/// pause: change the rule. It is also what every topic keeps by Kafka's default, so that a pause is never forgotten here.
const LONGEST_PAUSE: Duration = Duration::from_hours(7 * 24);

/// Why something is not said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It has not the form that it must have.
    #[error("{0}")]
    Wrong(String),
    /// It is of something that is not there.
    #[error("{0}")]
    Unknown(String),
    /// It has been said before, or cannot be said of this.
    #[error("{0}")]
    Conflict(String),
    /// It is too large.
    #[error("{0}")]
    TooLarge(String),
    /// It cannot be told whether it may be said, or it cannot be written now.
    #[error("{0}")]
    NotNow(String),
}

/// What is to be written to `acknowledgements`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// The partition; every one if none.
    pub(crate) partition: Option<i32>,
    pub(crate) value: Value,
}

impl Said {
    /// Something that every partition is told.
    pub(crate) fn to_all(value: Value) -> Result<Self, Refusal> {
        fits(&value)?;
        Ok(Self { partition: None, value })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Acknowledgement {
    id: String,
    by: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedPause {
    rule: Option<String>,
    patient: Option<String>,
    by: String,
    why: String,
    /// RFC 3339, or epoch milliseconds.
    until: Option<Value>,
    /// How long from now: `30m`.
    #[serde(rename = "for")]
    lasting: Option<String>,
    /// That alarms of high priority may be silent too.
    #[serde(default)]
    high: bool,
}

/// Checks `{"id":…,"by":…}` against what is open; `now` in epoch milliseconds.
pub(crate) fn acknowledge(body: &[u8], board: &Board, now: i64) -> Result<Said, Refusal> {
    let wanted: Acknowledgement = read(body, "{\"id\":…,\"by\":…}")?;
    not_blank("by", &wanted.by)?;
    let Some(partition) = partition_of(&wanted.id) else {
        let expected = "`id` is none of an alert: it looks like `research/0/42@1700000000123/stroke.crisis`";
        return Err(Refusal::Wrong(expected.to_owned()));
    };
    let open = board.find(&wanted.id).map_err(|trouble| {
        Refusal::NotNow(format!("this alert is not known to be open, and may be: {trouble}; ask again"))
    })?;
    let Some(open) = open else {
        return Err(Refusal::Unknown("no alert of that `id` is open; `GET /alerts` lists those that are".to_owned()));
    };
    if open.state == State::Acknowledged {
        let by = open.by.as_deref().unwrap_or("somebody");
        return Err(Refusal::Conflict(format!("it has been acknowledged before, by {by}")));
    }
    let value = json!({"id": wanted.id, "by": wanted.by, "ts": now});
    fits(&value)?;
    Ok(Said { partition: Some(partition), value })
}

/// Checks `{"rule" or "patient":…,"by":…,"why":…,"until" or "for":…}`; `now` in epoch milliseconds.
pub(crate) fn pause(body: &[u8], program: &Program, now: i64) -> Result<Said, Refusal> {
    let wanted: WantedPause = read(body, "{\"rule\" or \"patient\":…,\"by\":…,\"why\":…,\"until\" or \"for\":…}")?;
    not_blank("by", &wanted.by)?;
    not_blank("why", &wanted.why)?;
    if !program.keeps_state() {
        return Err(Refusal::Conflict(
            "no rule keeps episodes (all are `each reading`): nothing can be paused".to_owned(),
        ));
    }
    let (kind, name) = match (&wanted.rule, &wanted.patient) {
        (Some(rule), None) => ("rule", of_rule(rule, wanted.high, program)?),
        (None, Some(patient)) => ("patient", of_patient(patient, wanted.high, program)?),
        _ => return Err(Refusal::Wrong("a pause is of one `rule` or of one `patient`".to_owned())),
    };
    let until = end(&wanted, now)?;
    Said::to_all(json!({"pause": {kind: name, "by": wanted.by, "why": wanted.why, "until": until}}))
}

/// A `high` rule is paused only by who says that it is one.
fn of_rule<'a>(rule: &'a str, high: bool, program: &Program) -> Result<&'a str, Refusal> {
    match program.priority(rule) {
        Some(Priority::High) if !high => Err(Refusal::Wrong(format!(
            "`{rule}` is a rule of high priority: with `\"high\":true` it is paused all the same"
        ))),
        Some(_) => Ok(rule),
        None => {
            let with_alert = program.rules().iter().filter(|known| program.priority(&known.name).is_some());
            let meant = nearest(rule, with_alert.map(|known| known.name.as_str()));
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            Err(Refusal::Unknown(format!("no rule with an alert is called `{rule}`{meant}")))
        }
    }
}

/// A patient's pause silences every rule, those of high priority too.
fn of_patient<'a>(patient: &'a str, high: bool, program: &Program) -> Result<&'a str, Refusal> {
    not_blank("patient", patient)?;
    let silenced = program.rules().iter().find(|rule| program.priority(&rule.name) == Some(Priority::High));
    match silenced {
        Some(rule) if !high => Err(Refusal::Wrong(format!(
            "a patient's pause silences rules of high priority too, such as `{}`: with `\"high\":true` it does all the same; \
             or pause a single `rule`",
            rule.name
        ))),
        _ => Ok(patient),
    }
}

/// In epoch milliseconds.
fn end(wanted: &WantedPause, now: i64) -> Result<i64, Refusal> {
    let wrong = |text: &str| Refusal::Wrong(text.to_owned());
    let until = match (&wanted.until, &wanted.lasting) {
        (Some(Value::String(text)), None) => parse_instant(text)
            .ok_or_else(|| wrong("`until` is no time such as `2026-11-25T08:30:00Z`, nor epoch milliseconds"))?,
        (Some(until), None) => until
            .as_i64()
            .ok_or_else(|| wrong("`until` is no time such as `2026-11-25T08:30:00Z`, nor epoch milliseconds"))?,
        (None, Some(text)) => {
            let lasting =
                humantime::parse_duration(text).map_err(|_| wrong("`for` is no duration such as `30m` or `2h`"))?;
            now.saturating_add(i64::try_from(lasting.as_millis()).unwrap_or(i64::MAX))
        }
        _ => return Err(wrong("a pause ends: say `until` or `for`, one of them")),
    };
    if until <= now {
        return Err(wrong("the end of the pause is past"));
    }
    if until - now > i64::try_from(LONGEST_PAUSE.as_millis()).unwrap_or(i64::MAX) {
        return Err(wrong("a pause lasts 7 days at most; what must be silent for longer is a change of the rule"));
    }
    Ok(until)
}

/// The second part of an id, which is that of the place: `research/0/42@1700000000123/stroke.crisis`. Technical alerts have no place.
fn partition_of(id: &str) -> Option<i32> {
    if id.starts_with(TECHNICAL_IDS) {
        return Some(TECHNICAL_PARTITION);
    }
    let mut parts = id.splitn(4, '/');
    let (_stream, partition, place, rule) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (offset, time) = place.split_once('@')?;
    let is_place = offset.parse::<i64>().is_ok() && time.parse::<i64>().is_ok() && !rule.is_empty();
    partition.parse().ok().filter(|partition| is_place && *partition >= 0)
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], expected: &str) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::Wrong(format!("the body is not `{expected}`: {error}")))
}

fn not_blank(name: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() { Err(Refusal::Wrong(format!("`{name}` is empty"))) } else { Ok(()) }
}

fn fits(value: &Value) -> Result<(), Refusal> {
    let bytes = value.to_string().len();
    if bytes <= MOST_BYTES_OF_WORDS {
        return Ok(());
    }
    Err(Refusal::TooLarge(format!("it would be {bytes} bytes, and {MOST_BYTES_OF_WORDS} are the most: say it shorter")))
}

#[cfg(test)]
mod tests;
