//! The bytes that are sent and stored.

use triage_core::syntax::ast::{Field, Fields, Stream};

use super::condition::Judge;
use super::find;
use super::json::quote;
use super::reading::Reading;

/// What an alert says, in the order in which it says it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alert {
    /// Its episode, or the place and rule of a single one.
    pub(crate) id: String,
    /// The rule that raised it.
    pub(crate) rule: String,
    /// `raised`, `repeated`, …
    pub(crate) state: &'static str,
    /// How urgent it is.
    pub(crate) priority: &'static str,
    /// Whom it is about.
    pub(crate) patient: Option<String>,
    /// When it was so, in epoch milliseconds.
    pub(crate) ts: i64,
    /// The `ts` of `raised`.
    pub(crate) since: i64,
    /// What it says.
    pub(crate) message: String,
    /// Whom it is for.
    pub(crate) notify: Option<String>,
    /// Whether its reading is late.
    pub(crate) late: bool,
    /// Whether its reading is misplaced.
    pub(crate) misplaced: bool,
    /// Whether it belongs to no episode.
    pub(crate) single: bool,
    /// Who acknowledged.
    pub(crate) by: Option<String>,
    /// Why it ended, if not by a reading.
    pub(crate) reason: Option<&'static str>,
    /// The known fields of the condition, as an object.
    pub(crate) values: String,
    /// `"origin":{…}`
    pub(crate) origin: String,
}

/// A derived record; `judge` has the reading before it.
pub(crate) fn derived(
    stream: &Stream,
    (reading, judge): (&Reading, &Judge<'_>),
    fields: &Fields,
    rules: &[&str],
    ruleset: &str,
) -> String {
    let mut members = heading(reading.patient.as_deref(), reading.ts);
    match fields {
        Fields::Listed(names) => {
            members.extend(names.iter().filter_map(|name| known(&name.node, judge)));
        }
        Fields::All => {
            let plain = stream.fields.iter().filter(|field| !stands_in_heading(field));
            members.extend(plain.filter_map(|field| known(&field.name.node, judge)));
            let undeclared = reading.members.iter().filter(|member| find(&stream.fields, &member.name).is_none());
            members.extend(undeclared.map(|member| format!("{}:{}", member.raw_name, member.raw)));
        }
    }
    let rules: Vec<String> = rules.iter().map(|rule| quote(rule)).collect();
    members.push(format!("\"rules\":[{}]", rules.join(",")));
    members.extend(marks(reading.late, reading.misplaced, false));
    members.push(origin(&stream.name.node, reading.partition, reading.offset, ruleset));
    object(&members)
}

/// The record of a silence, which has no fields: `ts` is the moment, `counted` the reading it is counted from.
pub(crate) fn silence(stream: &Stream, counted: &Reading, ts: i64, rule: &str, ruleset: &str) -> String {
    let mut members = heading(counted.patient.as_deref(), ts);
    members.push(format!("\"rules\":[{}]", quote(rule)));
    members.push(origin(&stream.name.node, counted.partition, counted.offset, ruleset));
    object(&members)
}

/// An alert.
pub(crate) fn alert(alert: &Alert) -> String {
    let mut members = vec![
        format!("\"id\":{}", quote(&alert.id)),
        format!("\"rule\":{}", quote(&alert.rule)),
        format!("\"state\":{}", quote(alert.state)),
        format!("\"priority\":{}", quote(alert.priority)),
    ];
    members.extend(heading(alert.patient.as_deref(), alert.ts));
    members.push(format!("\"since\":{}", alert.since));
    members.push(format!("\"message\":{}", quote(&alert.message)));
    members.extend(alert.notify.as_ref().map(|role| format!("\"notify\":{}", quote(role))));
    members.extend(marks(alert.late, alert.misplaced, alert.single));
    members.extend(alert.by.as_ref().map(|by| format!("\"by\":{}", quote(by))));
    members.extend(alert.reason.map(|reason| format!("\"reason\":{}", quote(reason))));
    members.push(format!("\"values\":{}", alert.values));
    members.push(alert.origin.clone());
    object(&members)
}

/// The values of an alert: what is known of these fields and scores.
pub(crate) fn values(names: &[&str], judge: &Judge<'_>) -> String {
    let members: Vec<String> = names.iter().filter_map(|name| known(name, judge)).collect();
    object(&members)
}

/// A stored reading: its `_id` and the document.
pub(crate) fn stored(stream: &Stream, reading: &Reading) -> (String, String) {
    let id = reading.place(stream);
    let mut members = vec![format!("\"_id\":{}", quote(&id))];
    members.extend(heading(reading.patient.as_deref(), reading.ts));
    for member in &reading.members {
        match find(&stream.fields, &member.name) {
            Some((_, field)) if stands_in_heading(field) => {}
            Some(_) => members.push(format!("{}:{}", quote(&member.name), member.raw)),
            None => members.push(format!("{}:{}", member.raw_name, member.raw)),
        }
    }
    (id, object(&members))
}

/// Whether every record has the field already, before all others.
fn stands_in_heading(field: &Field) -> bool {
    ["patient", "ts"].contains(&field.name.node.as_str())
}

fn heading(patient: Option<&str>, ts: i64) -> Vec<String> {
    let mut members = Vec::new();
    members.extend(patient.map(|patient| format!("\"patient\":{}", quote(patient))));
    members.push(format!("\"ts\":{ts}"));
    members
}

fn marks(late: bool, misplaced: bool, single: bool) -> Vec<String> {
    let marks = [(late, "late"), (misplaced, "misplaced"), (single, "single")];
    marks.iter().filter(|(is, _)| *is).map(|(_, mark)| format!("{}:true", quote(mark))).collect()
}

fn known(name: &str, judge: &Judge<'_>) -> Option<String> {
    Some(format!("{}:{}", quote(name), judge.carried(name)?))
}

/// `"origin":{…}`
pub(crate) fn origin(topic: &str, partition: i32, offset: i64, ruleset: &str) -> String {
    format!(
        "\"origin\":{{\"topic\":{},\"partition\":{partition},\"offset\":{offset},\"ruleset\":{}}}",
        quote(topic),
        quote(ruleset)
    )
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}
