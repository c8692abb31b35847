//! What people say: acknowledgements, pauses, and erasures.

use triage_core::program::Limits;
use triage_core::reading::Record;

use super::json::{self, Document, Json, Member};
use super::output::{self, Alert};
use super::partition::{Partition, Pause, Subject};
use super::{Oracle, Sending, dead_letter, field};

/// 2101-01-01T00:00:00Z in epoch milliseconds.
const AFTER_2100: i64 = 4_133_980_800_000;

/// A record of `acknowledgements` that is well formed.
enum Said {
    Acknowledge { id: String, by: String, ts: i64 },
    Pause(Pause),
    Erase(String),
}

impl Oracle {
    pub(super) fn acknowledgement(
        &mut self,
        partition: &mut Partition,
        record: &Record<'_>,
        limits: &Limits,
        out: &mut Vec<Sending>,
    ) {
        let origin = output::origin("acknowledgements", record.partition, record.offset, &self.ruleset);
        match read(record.value, limits) {
            Err(reason) => out.push(dead_letter("acknowledgement", reason)),
            // A technical alert's: the engine's own to judge.
            Ok(Said::Acknowledge { id, .. }) if id.starts_with("technical/") => {}
            Ok(Said::Acknowledge { id, by, ts }) => {
                if !self.acknowledge(partition, &id, by, ts, &origin, out) {
                    self.counts.idle_acknowledgements += 1;
                }
            }
            Ok(Said::Pause(pause)) if !self.stateful || partition.now.is_some_and(|now| now > pause.until) => {
                self.counts.idle_acknowledgements += 1;
            }
            Ok(Said::Pause(pause)) => {
                partition.wake_at(pause.until);
                partition.pauses.push(pause);
            }
            Ok(Said::Erase(patient)) => {
                if !self.stateful || !self.erase(partition, &patient) {
                    self.counts.idle_acknowledgements += 1;
                }
            }
        }
    }

    /// Whether it was of an open episode that nobody had acknowledged.
    fn acknowledge(
        &self,
        partition: &mut Partition,
        id: &str,
        by: String,
        ts: i64,
        origin: &str,
        out: &mut Vec<Sending>,
    ) -> bool {
        let mut found = None;
        for (name, patient) in &mut partition.patients {
            for (at, episode) in &mut patient.episodes {
                if episode.said.id == id && !episode.acknowledged {
                    episode.acknowledged = true;
                    found = Some((name.clone(), *at, episode.clone()));
                }
            }
        }
        let Some((name, at, episode)) = found else { return false };
        let alert = Alert { by: Some(by.clone()), ..episode.in_state("acknowledged", ts, origin) };
        if !self.tell(partition, at, &alert, out) {
            let patient = partition.patients.get_mut(&name).expect("a patient that was seen");
            patient.episodes.get_mut(&at).expect("an open episode").untold_by = Some(by);
        }
        // A reload may have taken `latch` away.
        let latched = self.rules[at].alert.as_ref().is_some_and(|clauses| clauses.latch);
        if episode.asked && latched {
            self.close(partition, &name, at, ts, origin, None, out);
        }
        true
    }

    /// Whether anything was the patient's.
    fn erase(&mut self, partition: &mut Partition, patient: &str) -> bool {
        let (pauses, owed) = (partition.pauses.len(), partition.owed.len());
        partition.pauses.retain(|pause| !matches!(&pause.of, Subject::Patient(name) if name == patient));
        partition.owed.retain(|(name, ..)| name != patient);
        let known = partition.patients.remove(patient).is_some();
        self.counts.forgotten += u64::from(known);
        known || partition.pauses.len() < pauses || partition.owed.len() < owed
    }
}

fn read(value: Option<&[u8]>, limits: &Limits) -> Result<Said, &'static str> {
    let value = value.ok_or("tombstone")?;
    if value.len() > limits.value_bytes {
        return Err("too-large");
    }
    let members = object(value)?;
    match &members[..] {
        [only] if ["pause", "erase"].contains(&&*only.name) && only.value != Json::Nested => Err(WRONG),
        [only] if only.name == "erase" => erasure(&object(only.raw.as_bytes()).map_err(inside)?).map(Said::Erase),
        [only] if only.name == "pause" => pause(&object(only.raw.as_bytes()).map_err(inside)?).map(Said::Pause),
        _ => {
            let (id, by) = (text(&members, "id")?, text(&members, "by")?);
            only(&members, &["id", "by", "ts"])?;
            Ok(Said::Acknowledge { id, by, ts: moment(&members, "ts")? })
        }
    }
}

fn erasure(members: &[Member]) -> Result<String, &'static str> {
    text(members, "by")?;
    text(members, "why")?;
    only(members, &["patient", "by", "why"])?;
    text(members, "patient")
}

/// What is wrong inside a pause or an erasure: the record is an object at any rate.
fn inside(reason: &'static str) -> &'static str {
    if reason == "not-an-object" { WRONG } else { reason }
}

fn pause(members: &[Member]) -> Result<Pause, &'static str> {
    let of = match (text(members, "rule"), text(members, "patient")) {
        (Ok(rule), Err(_)) => Subject::Rule(rule),
        (Err(_), Ok(patient)) => Subject::Patient(patient),
        _ => return Err(WRONG),
    };
    text(members, "by")?;
    text(members, "why")?;
    only(members, &["rule", "patient", "by", "why", "until"])?;
    Ok(Pause { of, until: moment(members, "until")? })
}

/// JSON, but not what the page asks for.
const WRONG: &str = "not-an-acknowledgement";

fn object(value: &[u8]) -> Result<Vec<Member>, &'static str> {
    let members = match json::read(value) {
        Document::Broken => return Err("not-json"),
        Document::Other => return Err("not-an-object"),
        Document::Object(members) => members,
    };
    let twice = |at: usize| members[at + 1..].iter().any(|later| later.name == members[at].name);
    if (0..members.len()).any(twice) { Err("duplicate-field") } else { Ok(members) }
}

fn only(members: &[Member], names: &[&str]) -> Result<(), &'static str> {
    if members.iter().all(|member| names.contains(&member.name.as_str())) { Ok(()) } else { Err(WRONG) }
}

fn member<'a>(members: &'a [Member], name: &str) -> Result<&'a Json, &'static str> {
    members.iter().find(|member| member.name == name).map(|member| &member.value).ok_or(WRONG)
}

fn text(members: &[Member], name: &str) -> Result<String, &'static str> {
    match member(members, name)? {
        Json::Text(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(WRONG),
    }
}

fn moment(members: &[Member], name: &str) -> Result<i64, &'static str> {
    let ms = field::moment(member(members, name)?).ok_or(WRONG)?;
    if (0..AFTER_2100).contains(&ms) { Ok(ms) } else { Err(WRONG) }
}
