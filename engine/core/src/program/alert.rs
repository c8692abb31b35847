//! The bytes of alerts: who, what, how urgent, and a message in the ward's words.

use std::fmt::Write as _;

use super::nodes::{Judged, NodeId, NumberId};
use super::record::write_int;
use super::step::Row;
use super::{Program, RuleInfo};
use crate::json::escape_into;
use crate::reading::write_rfc3339;
use crate::syntax::ast::Priority;
use crate::types::{FieldId, Type};

/// An alert as a program sends it.
#[derive(Debug)]
pub(crate) struct AlertPlan {
    pub(crate) priority: Priority,
    pub(crate) message: Vec<Part>,
    /// Whom it is for, as JSON.
    pub(crate) notify: Option<Vec<u8>>,
    /// The condition's fields in order of first mention.
    pub(crate) values: Vec<FieldId>,
}

/// A part of a message.
#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Field(FieldId),
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
        row: &Row<'_>,
        judged: &Judged,
        out: &mut Vec<u8>,
    ) -> usize {
        let start = out.len();
        self.write_place(row, out);
        out.push(b'/');
        out.extend_from_slice(rule.name.as_bytes());
        let length = out.len() - start;
        out.extend_from_slice(b"{\"id\":\"");
        self.write_place(row, out);
        out.push(b'/');
        out.extend_from_slice(&rule.quoted[1..]);
        out.extend_from_slice(b",\"rule\":");
        out.extend_from_slice(&rule.quoted);
        out.extend_from_slice(b",\"state\":\"raised\",\"priority\":\"");
        out.extend_from_slice(priority(alert.priority));
        out.push(b'"');
        if let Some(patient) = row.patient {
            out.extend_from_slice(b",\"patient\":\"");
            escape_into(patient, out);
            out.push(b'"');
        }
        for name in [&b",\"ts\":"[..], b",\"since\":"] {
            out.extend_from_slice(name);
            write_int(row.time, out);
        }
        out.extend_from_slice(b",\"message\":\"");
        escape_into(&self.message(alert, row, judged), out);
        out.push(b'"');
        if let Some(notify) = &alert.notify {
            out.extend_from_slice(b",\"notify\":");
            out.extend_from_slice(notify);
        }
        out.extend_from_slice(b",\"single\":true,\"values\":{");
        self.write_values(alert, row, out);
        out.extend_from_slice(b"},");
        self.write_origin(row, out);
        length
    }

    fn write_values(&self, alert: &AlertPlan, row: &Row<'_>, out: &mut Vec<u8>) {
        let known = alert.values.iter().filter(|field| !row.value(**field).is_nan());
        for (index, field) in known.enumerate() {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&self.field_names[field.index()]);
            out.push(b':');
            self.write_value(*field, row, out);
        }
    }

    fn message(&self, alert: &AlertPlan, row: &Row<'_>, judged: &Judged) -> String {
        let mut message = String::new();
        for part in &alert.message {
            let number = |id: &NumberId| judged.number(*id, row.index, &self.nodes, row.batch);
            let written = match part {
                Part::Text(text) => {
                    message.push_str(text);
                    Some(())
                }
                Part::Field(field) => self.say(*field, row, &mut message),
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
        message
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
