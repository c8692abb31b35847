//! The bytes that are sent and stored.

use triage_core::syntax::ast::{Field, Fields, Stream};

use super::field::{State, Value};
use super::find;
use super::json::quote;
use super::reading::Reading;

/// What an alert has besides its reading.
pub(crate) struct Alert<'a> {
    /// Its episode.
    pub(crate) id: &'a str,
    /// The rule that raised it.
    pub(crate) rule: &'a str,
    /// How urgent it is.
    pub(crate) priority: &'a str,
    /// What it says.
    pub(crate) message: &'a str,
    /// Whom it is for.
    pub(crate) notify: Option<&'a str>,
    /// The known fields of the rule's condition.
    pub(crate) values: Vec<(&'a str, &'a Value)>,
}

/// A derived record.
pub(crate) fn derived(stream: &Stream, reading: &Reading, fields: &Fields, rules: &[&str], ruleset: &str) -> String {
    let mut members = heading(reading);
    match fields {
        Fields::Listed(names) => {
            for name in names {
                let (at, _) = find(&stream.fields, &name.node).expect("a declared field");
                members.extend(known(&name.node, &reading.states[at]));
            }
        }
        Fields::All => {
            let plain = stream.fields.iter().zip(&reading.states).filter(|(field, _)| !stands_in_heading(field));
            members.extend(plain.filter_map(|(field, state)| known(&field.name.node, state)));
            let undeclared = reading.members.iter().filter(|member| find(&stream.fields, &member.name).is_none());
            members.extend(undeclared.map(|member| format!("{}:{}", member.raw_name, member.raw)));
        }
    }
    let rules: Vec<String> = rules.iter().map(|rule| quote(rule)).collect();
    members.push(format!("\"rules\":[{}]", rules.join(",")));
    members.push(origin(stream, reading, ruleset));
    object(&members)
}

/// An alert: until there are episodes, each is a single `raised`.
pub(crate) fn alert(stream: &Stream, reading: &Reading, alert: &Alert<'_>, ruleset: &str) -> String {
    let mut members = vec![
        format!("\"id\":{}", quote(alert.id)),
        format!("\"rule\":{}", quote(alert.rule)),
        "\"state\":\"raised\"".into(),
        format!("\"priority\":{}", quote(alert.priority)),
    ];
    members.extend(heading(reading));
    members.push(format!("\"since\":{}", reading.ts));
    members.push(format!("\"message\":{}", quote(alert.message)));
    members.extend(alert.notify.map(|role| format!("\"notify\":{}", quote(role))));
    members.push("\"single\":true".into());
    let values: Vec<String> =
        alert.values.iter().map(|(name, value)| format!("{}:{}", quote(name), value.json())).collect();
    members.push(format!("\"values\":{}", object(&values)));
    members.push(origin(stream, reading, ruleset));
    object(&members)
}

/// A stored reading: its `_id` and the document.
pub(crate) fn stored(stream: &Stream, reading: &Reading) -> (String, String) {
    let id = reading.place(stream);
    let mut members = vec![format!("\"_id\":{}", quote(&id))];
    members.extend(heading(reading));
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

fn heading(reading: &Reading) -> Vec<String> {
    let mut members = Vec::new();
    members.extend(reading.patient.as_ref().map(|patient| format!("\"patient\":{}", quote(patient))));
    members.push(format!("\"ts\":{}", reading.ts));
    members
}

fn known(name: &str, state: &State) -> Option<String> {
    Some(format!("{}:{}", quote(name), state.known()?.json()))
}

fn origin(stream: &Stream, reading: &Reading, ruleset: &str) -> String {
    format!(
        "\"origin\":{{\"topic\":{},\"partition\":{},\"offset\":{},\"ruleset\":{}}}",
        quote(&stream.name.node),
        reading.partition,
        reading.offset,
        quote(ruleset)
    )
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}
