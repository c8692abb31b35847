//! Open alerts and pauses as they are shown: JSON for programs, lines for people.

use std::fmt::Write;

use serde_json::{Value, json};
use triage_core::program::Pause;

use super::alert::with_members;
use super::open::OpenAlert;
use super::pauses::scope;
use crate::terminal::{printable, time};

/// What is known at one moment.
#[derive(Debug)]
pub(crate) struct View {
    /// Why there may be alerts that are not known. With none, these are all.
    pub(crate) trouble: Option<String>,
    /// The moment, in epoch milliseconds.
    pub(crate) as_of: i64,
    pub(crate) alerts: Vec<Shown>,
    /// The pauses that last, and the partitions that have each.
    pub(crate) pauses: Vec<(Pause, Vec<i32>)>,
}

/// An open alert.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) alert: OpenAlert,
    /// Why nothing more is sent of it for now.
    pub(crate) paused: Option<Pause>,
}

impl View {
    /// An object; the alerts are the bytes that the engine sent, with `topic` and `paused` behind.
    pub(crate) fn json(&self) -> String {
        let why = self.trouble.as_ref().map_or_else(String::new, |trouble| format!(",\n\"why\":{}", json!(trouble)));
        let pauses: Vec<String> = self.pauses.iter().map(pause_json).collect();
        let alerts: Vec<String> = self.alerts.iter().map(Shown::json).collect();
        format!(
            "{{\"complete\":{}{why},\n\"as_of\":{},\n\"pauses\":{},\n\"alerts\":{}}}\n",
            self.trouble.is_none(),
            self.as_of,
            list(&pauses),
            list(&alerts)
        )
    }

    /// Lines for a terminal: an alert, then its id.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(trouble) = &self.trouble {
            // Writing to a text cannot fail, here and below.
            let _ = writeln!(text, "NOT COMPLETE: {trouble}\n");
        }
        let width = self
            .alerts
            .iter()
            .filter_map(|shown| shown.alert.patient.as_deref())
            .map(|patient| patient.chars().count())
            .max();
        for shown in &self.alerts {
            shown.write_lines(width.unwrap_or(1), &mut text);
        }
        let _ = writeln!(text, "{}", counted(self.alerts.len(), "open alert"));
        for (pause, _) in &self.pauses {
            let (kind, name) = scope(&pause.scope);
            let (name, by, why) = (printable(name), printable(&pause.by), printable(&pause.why));
            let _ = writeln!(text, "paused until {}: the {kind} {name}, by {by}: {why}", time(Some(pause.until)));
        }
        text
    }
}

impl Shown {
    fn json(&self) -> String {
        let paused = self.paused.as_ref().map_or_else(String::new, |pause| {
            let pause = json!({"by": pause.by, "why": pause.why, "until": pause.until});
            format!(",\"paused\":{pause}")
        });
        with_members(&self.alert.json, &format!(",\"topic\":{}{paused}", json!(self.alert.topic)))
    }

    fn write_lines(&self, width: usize, text: &mut String) {
        let Self { alert, paused } = self;
        let state = match &alert.by {
            Some(by) => format!("{} by {}", alert.state.as_str(), printable(by)),
            None => alert.state.as_str().to_owned(),
        };
        let patient = printable(alert.patient.as_deref().unwrap_or("-"));
        let notify =
            alert.notify.as_deref().map_or_else(String::new, |notify| format!(", for the {}", printable(notify)));
        let paused = if paused.is_some() { "  (paused)" } else { "" };
        let _ = writeln!(
            text,
            "{:<6}  {}  {patient:<width$}  {}  [{}{notify}]  {state}{paused}\n        {}",
            alert.priority.as_str().to_uppercase(),
            time(Some(alert.since)),
            printable(&alert.message),
            printable(&alert.rule),
            printable(&alert.id)
        );
    }
}

fn pause_json((pause, partitions): &(Pause, Vec<i32>)) -> String {
    let (kind, name) = scope(&pause.scope);
    let mut object = json!({"by": pause.by, "why": pause.why, "until": pause.until, "partitions": partitions});
    if let Value::Object(members) = &mut object {
        members.insert(kind.to_owned(), name.into());
    }
    object.to_string()
}

/// One a line.
fn list(items: &[String]) -> String {
    if items.is_empty() { "[]".to_owned() } else { format!("[\n{}\n]", items.join(",\n")) }
}

fn counted(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use triage_core::program::Scope;

    use super::super::alert::{Priority, State};
    use super::*;

    fn view() -> View {
        let pause = Pause { scope: Scope::Patient("p1".into()), until: 90_000, by: "eve".into(), why: "moved".into() };
        let alert = OpenAlert {
            topic: "stroke".into(),
            partition: 0,
            id: "research/0/1@2/stroke.crisis".into(),
            rule: "stroke.crisis".into(),
            state: State::Acknowledged,
            priority: Priority::High,
            patient: Some("p1".into()),
            since: 60_000,
            message: "BP 190\x1b[2J".into(),
            notify: Some("doctor".into()),
            by: Some("adam".into()),
            json: r#"{"id":"research/0/1@2/stroke.crisis","values":{"v":1.50}}"#.into(),
        };
        let alerts = vec![Shown { alert, paused: Some(pause.clone()) }];
        View { trouble: None, as_of: 70_000, alerts, pauses: vec![(pause, vec![0, 1])] }
    }

    #[test]
    fn json_keeps_the_alerts_bytes() {
        let json = view().json();
        assert!(
            json.contains(r#""values":{"v":1.50},"topic":"stroke","paused":{"by":"eve","until":90000,"why":"moved"}}"#),
            "{json}"
        );
        let value: Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&value["complete"], &value["pauses"][0]["patient"]), (&json!(true), &json!("p1")));
        assert_eq!(value["pauses"][0]["partitions"], json!([0, 1]));
    }

    #[test]
    fn lines_say_who_what_and_which() {
        let expected = "HIGH    1970-01-01T00:01:00.000Z  p1  BP 190\u{fffd}[2J  [stroke.crisis, for the doctor]  acknowledged by adam  (paused)\n        \
                        research/0/1@2/stroke.crisis\n1 open alert\n\
                        paused until 1970-01-01T00:01:30.000Z: the patient p1, by eve: moved\n";
        assert_eq!(view().text(), expected);
    }

    #[test]
    fn what_is_not_complete_says_so_first() {
        let mut view = view();
        view.trouble = Some("nobody knows".to_owned());
        assert!(view.text().starts_with("NOT COMPLETE: nobody knows\n"));
        let value: Value = serde_json::from_str(&view.json()).unwrap();
        assert_eq!((&value["complete"], &value["why"]), (&json!(false), &json!("nobody knows")));
    }
}
