//! The bytes of alerts: who, what, how urgent, and a message in the ward's words.

use std::fmt::Write as _;

use super::arrival::History;
use super::nodes::{Judged, NodeId, NumberId};
use super::record::write_int;
use super::step::Row;
use super::{OriginPlan, Program, RuleInfo, When};
use crate::json::escape_into;
use crate::operator::episode::{Place, Said};
use crate::reading::{Batch, Record, write_rfc3339};
use crate::syntax::ast::{AlertState, Priority};
use crate::types::{FieldId, ScoreId, Subject, Type};

/// An alert as a program sends it.
#[derive(Debug)]
pub(crate) struct AlertPlan {
    pub(crate) priority: Priority,
    pub(crate) message: Vec<Part>,
    /// Whom it is for, as JSON.
    pub(crate) notify: Option<Vec<u8>>,
    /// Whom it is for once it is escalated, as JSON.
    pub(crate) escalated: Option<Vec<u8>>,
    /// The condition's fields and scores in order of first mention.
    pub(crate) values: Vec<Subject>,
    /// What alone ends an episode.
    pub(crate) clear: Option<NodeId>,
}

/// What stands before the values of an alert, and before the origin of a record.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks<'a> {
    pub(crate) late: bool,
    pub(crate) misplaced: bool,
    /// Outside any episode.
    pub(crate) single: bool,
    /// Who acknowledged it.
    pub(crate) by: Option<&'a str>,
    /// Why it is over, if not because its condition is.
    pub(crate) reason: Option<&'static str>,
}

impl Marks<'_> {
    /// `"late":true,…,` with a comma behind each.
    pub(super) fn write_marks(self, out: &mut Vec<u8>) {
        for (is, mark) in [
            (self.late, &b"\"late\":true,"[..]),
            (self.misplaced, b"\"misplaced\":true,"),
            (self.single, b"\"single\":true,"),
        ] {
            out.extend_from_slice(if is { mark } else { b"" });
        }
        for (name, text) in [(&b"\"by\":\""[..], self.by), (b"\"reason\":\"", self.reason)] {
            if let Some(text) = text {
                out.extend_from_slice(name);
                escape_into(text, out);
                out.extend_from_slice(b"\",");
            }
        }
    }
}

/// One thing that is told of an episode, or of a match outside any.
#[derive(Debug, Clone, Copy)]
pub(super) struct Telling<'a> {
    pub(super) state: AlertState,
    /// The partition and the place of the reading that began it.
    pub(super) partition: i32,
    pub(super) began: Place,
    /// The rule that its id names, if that is another one by now.
    pub(super) named: Option<&'a str>,
    pub(super) patient: Option<&'a str>,
    pub(super) time: i64,
    pub(super) since: i64,
    pub(super) said: &'a Said,
    pub(super) marks: Marks<'a>,
    pub(super) origin: Origin,
}

/// What an alert comes from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    /// The reading at this offset of the alert's partition.
    Reading(i64),
    /// The acknowledgement at this offset of the alert's partition.
    Acknowledgement(i64),
}

/// A part of a message.
#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Field(FieldId),
    Score(ScoreId),
    Number(NumberId),
    Decimals(NumberId, u8),
    Condition(NodeId),
}

fn priority(priority: Priority) -> &'static [u8] {
    match priority {
        Priority::High => b"high",
        Priority::Medium => b"medium",
        Priority::Low => b"low",
        Priority::Info => b"info",
    }
}

impl Program {
    /// Appends the alert's key, its id, and returns its length; then its value.
    pub(super) fn write_alert(
        &self,
        rule: &RuleInfo,
        alert: &AlertPlan,
        telling: &Telling<'_>,
        out: &mut Vec<u8>,
    ) -> usize {
        self.write_alert_from(&self.origin, rule, alert, telling, out)
    }

    /// The same by another rule set than this.
    pub(super) fn write_alert_from(
        &self,
        origin: &OriginPlan,
        rule: &RuleInfo,
        alert: &AlertPlan,
        telling: &Telling<'_>,
        out: &mut Vec<u8>,
    ) -> usize {
        let start = out.len();
        self.write_id(telling.named.unwrap_or(&rule.name), telling.partition, telling.began, out);
        let length = out.len() - start;
        out.extend_from_slice(b"{\"id\":\"");
        self.write_place(telling.partition, telling.began, out);
        out.push(b'/');
        escape_into(telling.named.unwrap_or(&rule.name), out);
        out.extend_from_slice(b"\",\"rule\":");
        out.extend_from_slice(&rule.quoted);
        out.extend_from_slice(b",\"state\":\"");
        out.extend_from_slice(telling.state.as_str().as_bytes());
        out.extend_from_slice(b"\",\"priority\":\"");
        out.extend_from_slice(priority(alert.priority));
        out.push(b'"');
        if let Some(patient) = telling.patient {
            out.extend_from_slice(b",\"patient\":\"");
            escape_into(patient, out);
            out.push(b'"');
        }
        for (name, time) in [(&b",\"ts\":"[..], telling.time), (b",\"since\":", telling.since)] {
            out.extend_from_slice(name);
            write_int(time, out);
        }
        out.extend_from_slice(b",\"message\":\"");
        out.extend_from_slice(telling.said.message());
        out.extend_from_slice(b"\",");
        let escalated = alert.escalated.as_ref().filter(|_| telling.state == AlertState::Escalated);
        if let Some(notify) = escalated.or(alert.notify.as_ref()) {
            out.extend_from_slice(b"\"notify\":");
            out.extend_from_slice(notify);
            out.push(b',');
        }
        telling.marks.write_marks(out);
        out.extend_from_slice(b"\"values\":{");
        out.extend_from_slice(telling.said.values());
        out.extend_from_slice(b"},");
        let offset = match telling.origin {
            Origin::Reading(offset) => {
                out.extend_from_slice(&origin.before_partition);
                offset
            }
            Origin::Acknowledgement(offset) => {
                out.extend_from_slice(b"\"origin\":{\"topic\":\"acknowledgements\",\"partition\":");
                offset
            }
        };
        origin.write_end(telling.partition, offset, out);
        length
    }

    /// `research/0/42@1700000000123/stroke.crisis`: the episode's name.
    pub(super) fn write_id(&self, rule: &str, partition: i32, began: Place, out: &mut Vec<u8>) {
        self.write_place(partition, began, out);
        out.push(b'/');
        out.extend_from_slice(rule.as_bytes());
    }

    /// What an alert says at a reading.
    pub(super) fn said(&self, alert: &AlertPlan, row: &Row<'_>, judged: &Judged) -> Said {
        let mut bytes = Vec::new();
        escape_into(&self.message(alert, row, judged), &mut bytes);
        let message = bytes.len() as u32;
        self.write_values(alert, row, judged, &mut bytes);
        Said { bytes: bytes.into(), message }
    }

    /// What an alert says of a silence, in which nothing is known but whose it is, and when.
    pub(super) fn said_of_silence(&self, alert: &AlertPlan, patient: &str, moment: i64) -> Said {
        let mut message = String::new();
        let schema = self.decoder.schema();
        for part in &alert.message {
            match part {
                Part::Text(text) => message.push_str(text),
                Part::Field(field) if schema.key == Some(*field) => message.push_str(patient),
                Part::Field(field) if schema.event == Some(*field) => write_rfc3339(moment, &mut message),
                _ => message.push('?'),
            }
        }
        let mut bytes = Vec::new();
        escape_into(&message, &mut bytes);
        Said { message: bytes.len() as u32, bytes: bytes.into() }
    }

    /// Makes text of what the messages about silences can say beforehand: what does not depend on any reading.
    pub(crate) fn settle_silences(&mut self) {
        let mut batch = Batch::default();
        batch.reset_to_nothing(self.decoder.schema());
        let mut judged = Judged::default();
        judged.judge(&self.nodes, &batch, &[b""], &mut History::none());
        let nothing = Record { key: None, value: None, timestamp: None, partition: 0, offset: 0 };
        let row = Row {
            index: 0,
            batch: &batch,
            record: &nothing,
            patient: None,
            time: 0,
            undeclared: &[],
            standing: Marks::default(),
        };
        let settled: Vec<Option<Vec<Part>>> = self.rules.iter().map(|rule| self.settled(rule, &row, &judged)).collect();
        for (rule, settled) in self.rules.iter_mut().zip(settled) {
            if let (Some(alert), Some(message)) = (&mut rule.alert, settled) {
                alert.message = message;
            }
        }
    }

    fn settled(&self, rule: &RuleInfo, row: &Row<'_>, judged: &Judged) -> Option<Vec<Part>> {
        let (When::Silence(_), Some(alert)) = (&rule.when, &rule.alert) else { return None };
        let settle = |part: &Part| match part {
            Part::Field(field) => Part::Field(*field),
            part => {
                let mut text = String::new();
                self.write_part(part, row, judged, &mut text);
                Part::Text(text)
            }
        };
        Some(alert.message.iter().map(settle).collect())
    }

    fn write_values(&self, alert: &AlertPlan, row: &Row<'_>, judged: &Judged, out: &mut Vec<u8>) {
        let start = out.len();
        alert.values.iter().for_each(|subject| self.write_member(*subject, row, judged, out));
        // The first has a comma before it.
        if out.len() > start {
            out.remove(start);
        }
    }

    fn message(&self, alert: &AlertPlan, row: &Row<'_>, judged: &Judged) -> String {
        let mut message = String::new();
        alert.message.iter().for_each(|part| self.write_part(part, row, judged, &mut message));
        message
    }

    /// A part of a message, or `?` for what is unknown.
    fn write_part(&self, part: &Part, row: &Row<'_>, judged: &Judged, message: &mut String) {
        let number = |id: &NumberId| judged.number(*id, row.index, &self.nodes, row.batch);
        let written = match part {
            Part::Text(text) => {
                message.push_str(text);
                Some(())
            }
            Part::Field(field) => self.say(*field, row, message),
            Part::Score(score) => {
                judged.score(*score, row.index).map(|score| write!(message, "{score}").unwrap_or_default())
            }
            // Writing to a String cannot fail.
            Part::Number(id) => number(id).map(|value| write!(message, "{value}").unwrap_or_default()),
            Part::Decimals(id, decimals) => {
                let decimals = usize::from(*decimals);
                number(id).map(|value| write!(message, "{value:.decimals$}").unwrap_or_default())
            }
            Part::Condition(node) => {
                judged.truth(*node, row.index).map(|truth| message.push_str(if truth { "true" } else { "false" }))
            }
        };
        if written.is_none() {
            message.push('?');
        }
    }

    /// A field in its own form; `None` if it is not known.
    fn say(&self, id: FieldId, row: &Row<'_>, message: &mut String) -> Option<()> {
        let value = row.value(id);
        if value.is_nan() {
            return None;
        }
        match &self.decoder.schema().field(id).kind {
            Type::Int | Type::Float => message.push_str(&String::from_utf8_lossy(row.raw(id))),
            Type::Text => message.push_str(&String::from_utf8_lossy(row.text(id))),
            Type::Bool => message.push_str(if value == 1.0 { "true" } else { "false" }),
            Type::Time => write_rfc3339(value as i64, message),
            Type::Enum(labels) => message.push_str(&labels.iter().find(|label| label.code == value)?.name),
        }
        Some(())
    }
}
