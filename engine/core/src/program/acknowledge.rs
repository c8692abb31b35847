//! Acknowledgements, pauses and erasures: what people say about alerts and patients, judged between readings.

use super::alert::{Marks, Origin};
use super::output::{Cause, OutputKind, Outputs};
use super::teller::{Occasion, Teller};
use super::{DeadLetter, Program, Reason, Stage, Workspace};
use crate::json::{Kind, Scanner, Token, unescape};
use crate::operator::episode::{Episode, Place};
use crate::reading::{Limits, Record, read_time};
use crate::state::{Partition, Pause, Scope, States};
use crate::syntax::ast::AlertState;

/// The most pauses of a partition at a time, so that what it keeps is bounded.
pub const MOST_PAUSES: usize = 200;

/// The ids of technical alerts begin so, and no stream is called so: what is said of them is not for a rule set to judge.
pub const TECHNICAL_IDS: &str = "technical/";

/// Somebody has seen an alert: `{"id":…,"by":…,"ts":…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The alert's.
    pub id: String,
    /// Who has seen it.
    pub by: String,
    /// When, in epoch milliseconds.
    pub time: i64,
}

/// What a record of the topic `acknowledgements` says.
#[derive(Debug)]
enum Word {
    Acknowledged(Acknowledgement),
    /// `{"pause":{"rule" or "patient":…,"by":…,"why":…,"until":…}}`
    Paused(Pause),
    /// `{"erase":{"patient":…,"by":…,"why":…}}`
    Erased {
        patient: String,
    },
}

impl Program {
    /// Judges an acknowledgement, a pause or an erasure, which is for the partition that it lies in, and appends what it brings about to
    /// `outputs`: a dead letter if it has another form. One of nothing that is open is counted, and changes nothing.
    pub fn acknowledge(
        &self,
        record: &Record<'_>,
        limits: &Limits,
        states: &mut States,
        workspace: &mut Workspace,
        outputs: &mut Outputs,
    ) {
        workspace.counts.fit(self);
        let cause = Cause { row: 0, partition: record.partition, timestamp: record.timestamp };
        let word = match read(record, limits) {
            Ok(word) => word,
            Err(dead) => return outputs.push(cause, OutputKind::DeadLetter(dead), |_| None),
        };
        let position = states.position(record.partition);
        let counts = &mut workspace.counts;
        let mut teller = Teller { program: self, partition: states.at(position), counts, outputs, cause };
        let is_of_something = match word {
            Word::Acknowledged(said) => said.id.starts_with(TECHNICAL_IDS) || teller.acknowledged(&said, record.offset),
            Word::Paused(pause) => self.layout.keeps_state && teller.paused(pause),
            Word::Erased { patient } => self.layout.keeps_state && teller.erased(&patient),
        };
        workspace.counts.idle_acknowledgements += u64::from(!is_of_something);
    }

    /// The id of the open episode of that rule that was raised last, in a partition.
    pub fn open_episode(&self, states: &States, partition: i32, rule: &str) -> Option<String> {
        let index = self.layout.rule(rule)?;
        let info = self.rules.get(index as usize)?;
        let open = states.find(partition)?.patients().flat_map(|patient| &patient.episodes);
        let of_rule = open.filter(|(rule, _)| *rule == index).map(|(_, episode)| episode);
        let last = of_rule.max_by_key(|episode| (episode.since, episode.began))?;
        let mut id = Vec::new();
        self.write_id(last.named.as_deref().unwrap_or(&info.name), partition, last.began, &mut id);
        String::from_utf8(id).ok()
    }

    /// Where the episode of that id, written to the letter, is open: by slot and rule.
    fn find_episode(&self, partition: &Partition, id: &str) -> Option<(u32, u32)> {
        let mut parts = id.splitn(4, '/');
        let is_here = parts.next() == Some(self.stream())
            && parts.next().and_then(|number| number.parse().ok()) == Some(partition.number());
        let (offset, time) = parts.next().filter(|_| is_here)?.split_once('@')?;
        let (offset, time): (i64, i64) = (offset.parse().ok()?, time.parse().ok()?);
        let named = parts.next()?;
        let began = Place { offset, time };
        let mut written = Vec::new();
        self.write_id(named, partition.number(), began, &mut written);
        if written != id.as_bytes() {
            return None;
        }
        let name = |rule: u32| self.rules.get(rule as usize).map(|info| info.name.as_str());
        let is_it = |(rule, episode): &&(u32, Episode)| {
            episode.began == began && episode.named.as_deref().or(name(*rule)) == Some(named)
        };
        let mut found =
            partition.patients().filter_map(|patient| Some((patient, patient.episodes.iter().find(is_it)?)));
        let (patient, (rule, _)) = found.next()?;
        Some((partition.slot(&patient.id)?, *rule))
    }
}

impl Teller<'_> {
    /// Whether it is of an open episode that nobody has acknowledged before.
    fn acknowledged(&mut self, Acknowledgement { id, by, time }: &Acknowledgement, offset: i64) -> bool {
        let found = self.partition.as_ref().and_then(|partition| self.program.find_episode(partition, id));
        let (Some((slot, rule)), Some(partition)) = (found, &mut self.partition) else { return false };
        let Some(terms) = self.program.layout.terms(rule) else { return false };
        if partition.patient(slot).is_none_or(|patient| {
            patient.episodes.iter().any(|(other, episode)| *other == rule && episode.acknowledged)
        }) {
            return false;
        }
        partition.touch(slot);
        let Some(episode) = partition.patient_mut(slot).and_then(|patient| patient.episode(rule)) else { return false };
        episode.acknowledged = true;
        let ends = episode.ends_when_acknowledged(terms);
        let occasion = Occasion::at(*time, Origin::Acknowledgement(offset));
        let marks = Marks { by: Some(by), ..Marks::default() };
        let is_told = self.tell(slot, rule, AlertState::Acknowledged, occasion.marked(marks));
        if ends {
            self.resolve(slot, rule, occasion);
        } else if !is_told {
            self.owe_acknowledgement(slot, rule, by);
        }
        true
    }

    /// It is told when the pause is over.
    fn owe_acknowledgement(&mut self, slot: u32, rule: u32, by: &str) {
        let patient = self.partition.as_mut().and_then(|partition| partition.patient_mut(slot));
        if let Some(episode) = patient.and_then(|patient| patient.episode(rule)) {
            episode.untold_by = Some(by.into());
        }
    }

    /// Whether its end is still to come.
    fn paused(&mut self, pause: Pause) -> bool {
        let Some(partition) = &mut self.partition else { return false };
        // One pause too many is not kept: its alerts are sent.
        if partition.time().is_some_and(|time| pause.until < time) || partition.own.pauses.len() >= MOST_PAUSES {
            return false;
        }
        partition.touch_own();
        partition.own.pauses.push(pause);
        true
    }

    /// Whether anything was known of the patient. Nothing is sent: what would be is the patient's.
    fn erased(&mut self, patient: &str) -> bool {
        let Some(partition) = &mut self.partition else { return false };
        let own = &partition.own;
        let is_theirs = |pause: &Pause| matches!(&pause.scope, Scope::Patient(paused) if paused == patient);
        let concerns_own = own.pauses.iter().any(is_theirs) || own.owed.keys().any(|(owed, ..)| **owed == *patient);
        if concerns_own {
            partition.touch_own();
            partition.own.pauses.retain(|pause| !is_theirs(pause));
            partition.own.owed.retain(|(owed, ..), _| **owed != *patient);
        }
        let slot = partition.slot(patient);
        if let Some(slot) = slot {
            partition.remove(slot);
            self.counts.forgotten += 1;
        }
        concerns_own || slot.is_some()
    }
}

/// The pause that a record of the topic `acknowledgements` asks for; none if it is something else, or no engine takes it.
pub fn read_pause(record: &Record<'_>, limits: &Limits) -> Option<Pause> {
    match read(record, limits) {
        Ok(Word::Paused(pause)) => Some(pause),
        Ok(Word::Acknowledged(_) | Word::Erased { .. }) | Err(_) => None,
    }
}

/// The patient whom a record of the topic `acknowledgements` asks to erase; none if it is something else.
pub fn read_erasure(record: &Record<'_>, limits: &Limits) -> Option<String> {
    match read(record, limits) {
        Ok(Word::Erased { patient }) => Some(patient),
        Ok(Word::Acknowledged(_) | Word::Paused(_)) | Err(_) => None,
    }
}

/// The acknowledgement that a record of the topic `acknowledgements` is; none if it is something else.
pub fn read_acknowledgement(record: &Record<'_>, limits: &Limits) -> Option<Acknowledgement> {
    match read(record, limits) {
        Ok(Word::Acknowledged(said)) => Some(said),
        Ok(Word::Paused(_) | Word::Erased { .. }) | Err(_) => None,
    }
}

/// Reads a record, or says why it is none of these.
fn read(record: &Record<'_>, limits: &Limits) -> Result<Word, DeadLetter> {
    let bytes = record.value.ok_or_else(|| dead(Reason::Tombstone, "the record has no value"))?;
    if bytes.len() > limits.value_bytes {
        return Err(dead(Reason::TooLarge, "the value is larger than the limit"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| dead(Reason::NotJson, "the value is not UTF-8"))?;
    match members(text)?.as_slice() {
        [(name, token)] if name == "pause" || name == "erase" => match &text[token.start..token.end] {
            object if !object.starts_with('{') => Err(wrong(&format!("`{name}` is no object"))),
            object if name == "pause" => pause(object),
            object => erasure(object),
        },
        members => acknowledged(text, members),
    }
}

fn acknowledged(text: &str, members: &[(String, Token)]) -> Result<Word, DeadLetter> {
    only(members, &["id", "by", "ts"])?;
    Ok(Word::Acknowledged(Acknowledgement {
        id: text_of(text, members, "id")?,
        by: text_of(text, members, "by")?,
        time: time_of(text, members, "ts")?,
    }))
}

fn pause(text: &str) -> Result<Word, DeadLetter> {
    let members = members(text)?;
    only(&members, &["rule", "patient", "by", "why", "until"])?;
    let scope = match (text_of(text, &members, "rule"), text_of(text, &members, "patient")) {
        (Ok(rule), Err(_)) if members.len() == 4 => Scope::Rule(rule),
        (Err(_), Ok(patient)) if members.len() == 4 => Scope::Patient(patient),
        _ => return Err(wrong("a pause is of one `rule` or of one `patient`")),
    };
    let by = text_of(text, &members, "by")?;
    let why = text_of(text, &members, "why")?;
    Ok(Word::Paused(Pause { scope, until: time_of(text, &members, "until")?, by, why }))
}

fn erasure(text: &str) -> Result<Word, DeadLetter> {
    let members = members(text)?;
    only(&members, &["patient", "by", "why"])?;
    text_of(text, &members, "by")?;
    text_of(text, &members, "why")?;
    Ok(Word::Erased { patient: text_of(text, &members, "patient")? })
}

/// The members of an object, none twice.
fn members(text: &str) -> Result<Vec<(String, Token)>, DeadLetter> {
    let not_json = |error| dead(Reason::NotJson, &format!("the value is not strict JSON: {error}"));
    let mut whole = Scanner::new(text.as_bytes());
    let kind = whole.value(0).map_err(not_json)?.kind;
    if !whole.at_end() {
        return Err(dead(Reason::NotJson, "the value goes on behind its end"));
    }
    let mut scanner = Scanner::new(text.as_bytes());
    if kind != Kind::Compound || scanner.peek() != Ok(b'{') {
        return Err(dead(Reason::NotAnObject, "the value is JSON and not an object"));
    }
    let mut members: Vec<(String, Token)> = Vec::new();
    scanner.expect(b'{').map_err(not_json)?;
    while scanner.peek() != Ok(b'}') {
        let name = scanner.value(1).map_err(not_json)?;
        let name = unescape(&text[name.start + 1..name.end - 1], true).into_owned();
        scanner.expect(b':').map_err(not_json)?;
        let token = scanner.value(1).map_err(not_json)?;
        if members.iter().any(|(other, _)| *other == name) {
            return Err(dead(Reason::DuplicateField, "a name stands twice in the record"));
        }
        members.push((name, token));
        if scanner.peek() == Ok(b',') {
            scanner.expect(b',').map_err(not_json)?;
        }
    }
    Ok(members)
}

fn only(members: &[(String, Token)], names: &[&str]) -> Result<(), DeadLetter> {
    let belong = members.iter().all(|(name, _)| names.contains(&name.as_str()));
    if belong { Ok(()) } else { Err(wrong(&format!("only `{}` belong there", names.join("`, `")))) }
}

fn find<'a>(members: &'a [(String, Token)], name: &str) -> Result<&'a Token, DeadLetter> {
    let found = members.iter().find(|(other, _)| other == name).map(|(_, token)| token);
    found.ok_or_else(|| wrong(&format!("`{name}` is not there")))
}

fn text_of(text: &str, members: &[(String, Token)], name: &str) -> Result<String, DeadLetter> {
    let token = find(members, name)?;
    let is_text = matches!(token.kind, Kind::Text | Kind::Escaped) && token.end - token.start > 2;
    if !is_text {
        return Err(wrong(&format!("`{name}` is no text, or an empty one")));
    }
    Ok(unescape(&text[token.start + 1..token.end - 1], true).into_owned())
}

fn time_of(text: &str, members: &[(String, Token)], name: &str) -> Result<i64, DeadLetter> {
    read_time(*find(members, name)?, text).map_err(|reason| {
        wrong(&match reason {
            Reason::TimeOutOfRange => format!("`{name}` is before 1970 or after 2100"),
            _ => format!("`{name}` is neither epoch milliseconds nor RFC 3339 text"),
        })
    })
}

fn wrong(sentence: &str) -> DeadLetter {
    dead(Reason::NotAnAcknowledgement, sentence)
}

fn dead(reason: Reason, sentence: &str) -> DeadLetter {
    DeadLetter { stage: Stage::Acknowledgement, reason, sentence: sentence.to_owned() }
}
