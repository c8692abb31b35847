//! From a record to a reading, or to the reason why it is none.

use triage_core::program::{Limits, Reason};
use triage_core::reading::Record;
use triage_core::syntax::ast::{Role, Stream};

use super::field::{self, State, Value};
use super::json::{self, Document, Json, Member};
use super::score::Answer;

/// Names of our outputs that an undeclared field may not bear.
const RESERVED: [&str; 7] = ["_id", "patient", "ts", "rules", "origin", "late", "misplaced"];

/// 2101-01-01T00:00:00Z in epoch milliseconds.
const AFTER_2100: i64 = 4_133_980_800_000;

/// A reading: a record that is no dead letter.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    /// Whose it is, if that is known.
    pub(crate) patient: Option<String>,
    /// Its time in epoch milliseconds.
    pub(crate) ts: i64,
    /// Per declared field what it is.
    pub(crate) states: Vec<State>,
    /// What the models say of it, score by score; the rule set asks them.
    pub(crate) said: Vec<Answer>,
    /// What arrived and goes on as it came: without undeclared names that come again, and without reserved names.
    pub(crate) members: Vec<Member>,
    /// How many undeclared fields arrived that bear no name of ours.
    pub(crate) undeclared: u64,
    /// How many undeclared fields arrived that do.
    pub(crate) reserved: u64,
    /// Whether its Kafka key is another than its patient.
    pub(crate) misplaced: bool,
    /// Whether it is older than its patient's clock; the history says so, not the record.
    pub(crate) late: bool,
    /// The partition it came from.
    pub(crate) partition: i32,
    /// Its offset there.
    pub(crate) offset: i64,
}

impl Reading {
    /// Reads a record.
    pub(crate) fn read(stream: &Stream, partitions: i32, record: &Record<'_>, limits: &Limits) -> Result<Self, Reason> {
        let value = record.value.ok_or(Reason::Tombstone)?;
        if value.len() > limits.value_bytes {
            return Err(Reason::TooLarge);
        }
        let members = match json::read(value) {
            Document::Broken => return Err(Reason::NotJson),
            Document::Other => return Err(Reason::NotAnObject),
            Document::Object(members) => members,
        };
        let declared = |name: &str| stream.fields.iter().any(|field| field.name.node == name);
        let comes_later = |at: usize| members[at + 1..].iter().any(|later| later.name == members[at].name);
        if (0..members.len()).any(|at| declared(&members[at].name) && comes_later(at)) {
            return Err(Reason::DuplicateField);
        }
        let ts = time(stream, &members, record, limits)?;
        let reserved = |member: &&Member| !declared(&member.name) && RESERVED.contains(&member.name.as_str());
        let patient = patient(stream, &members, record.key);
        Ok(Self {
            misplaced: is_misplaced(patient.as_deref(), record.key, partitions),
            late: false,
            states: states(stream, &members, patient.as_deref(), ts),
            said: Vec::new(),
            undeclared: members.iter().filter(|member| !declared(&member.name) && !reserved(member)).count() as u64,
            reserved: members.iter().filter(reserved).count() as u64,
            members: (0..members.len())
                .filter(|at| !comes_later(*at))
                .map(|at| &members[at])
                .filter(|member| !reserved(member))
                .cloned()
                .collect(),
            patient,
            ts,
            partition: record.partition,
            offset: record.offset,
        })
    }

    /// `research/0/42@1700000000123`
    pub(crate) fn place(&self, stream: &Stream) -> String {
        format!("{}/{}/{}@{}", stream.name.node, self.partition, self.offset, self.ts)
    }
}

/// A null key is another than the patient only if it could have led to another partition.
fn is_misplaced(patient: Option<&str>, key: Option<&[u8]>, partitions: i32) -> bool {
    let Some(patient) = patient else { return false };
    key.map_or(partitions > 1, |key| key != patient.as_bytes())
}

fn member<'a>(members: &'a [Member], name: &str) -> Option<&'a Member> {
    members.iter().find(|member| member.name == name)
}

fn has_role(field: &triage_core::syntax::ast::Field, role: Role) -> bool {
    field.role.as_ref().is_some_and(|written| written.node == role)
}

/// The reading's time, judged.
fn time(stream: &Stream, members: &[Member], record: &Record<'_>, limits: &Limits) -> Result<i64, Reason> {
    let event = stream.fields.iter().find(|field| has_role(field, Role::Event));
    let arrived = event.and_then(|event| member(members, &event.name.node));
    let said = |member: &&Member| !field::is_empty(&member.value);
    let coded = |member: &&Member| event.is_none_or(|event| !field::is_missing_code(event, &member.value));
    let ts = match arrived.filter(said).filter(coded) {
        Some(member) => field::moment(&member.value),
        None => record.timestamp,
    };
    let ts = ts.ok_or(Reason::UnreadableTime)?;
    if !(0..AFTER_2100).contains(&ts) {
        return Err(Reason::TimeOutOfRange);
    }
    match (limits.skew_ms, record.timestamp) {
        (Some(skew), Some(timestamp)) if ts - timestamp > skew => Err(Reason::TooFarAhead),
        _ => Ok(ts),
    }
}

/// Who it is: what the JSON says, else the Kafka key.
fn patient(stream: &Stream, members: &[Member], key: Option<&[u8]>) -> Option<String> {
    let said = stream
        .fields
        .iter()
        .find(|field| has_role(field, Role::Key))
        .and_then(|field| Some((field, member(members, &field.name.node)?)))
        .filter(|(field, member)| !field::is_missing_code(field, &member.value))
        .and_then(|(_, member)| usable(&member.value));
    let key = || key.and_then(|key| std::str::from_utf8(key).ok()).filter(|key| !key.is_empty());
    said.or_else(|| key().map(str::to_owned))
}

fn usable(value: &Json) -> Option<String> {
    match value {
        Json::Text(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(digits) if !digits.contains(['.', 'e', 'E']) => Some(digits.clone()),
        _ => None,
    }
}

fn states(stream: &Stream, members: &[Member], patient: Option<&str>, ts: i64) -> Vec<State> {
    let state = |field: &triage_core::syntax::ast::Field| {
        let arrived = member(members, &field.name.node).map(|member| (&member.value, member.raw.as_str()));
        match (field.role.as_ref().map(|role| role.node), patient) {
            (Some(Role::Event), _) => State::Known(Value::Time(ts)),
            (Some(Role::Key), Some(patient)) => State::Known(Value::Text(patient.into(), json::quote(patient))),
            _ => field::judge(field, arrived),
        }
    };
    stream.fields.iter().map(state).collect()
}
