//! Alerts and reload reports for a person's eyes, in the colours that IEC 60601-1-8 gives to priorities.

use std::fmt::Write;
use std::io::IsTerminal;

use serde::Deserialize;

use crate::reload::ReloadOutcome;

const RESET: &str = "\x1b[0m";

/// Whether colours are wanted: on a terminal, unless `NO_COLOR` is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    coloured: bool,
}

/// What of an alert is shown.
#[derive(Debug, Deserialize)]
pub(super) struct Alert {
    rule: String,
    state: String,
    priority: String,
    patient: Option<String>,
    message: String,
    notify: Option<String>,
}

impl Paint {
    pub(super) fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { coloured: !refused && std::io::stdout().is_terminal() }
    }

    pub(super) fn alert(self, alert: &Alert) -> String {
        let patient = alert.patient.as_deref().unwrap_or("?");
        let priority = alert.priority.to_uppercase();
        let mut line = format!("{priority:<6}  {patient:<5} {}", alert.message);
        if alert.state != "raised" {
            line.insert_str(0, &format!("{} ", alert.state));
        }
        let notify = alert.notify.as_deref().map_or_else(String::new, |notify| format!(", for the {notify}"));
        // Writing to a text cannot fail.
        let _ = write!(line, "  [{}{notify}]", alert.rule);
        self.coloured(colour_of(&alert.priority), &line)
    }

    pub(super) fn reload(self, outcome: &ReloadOutcome) -> String {
        let colour = match outcome {
            ReloadOutcome::Applied { .. } => "\x1b[32m",
            ReloadOutcome::Checked { .. } | ReloadOutcome::Unchanged { .. } => "",
            ReloadOutcome::Refused { .. } => "\x1b[35m",
        };
        self.coloured(colour, &format!("rules {}", outcome.to_string().trim_end()))
    }

    fn coloured(self, colour: &str, text: &str) -> String {
        if self.coloured && !colour.is_empty() { format!("{colour}{text}{RESET}") } else { text.to_owned() }
    }
}

/// High red, medium yellow, low cyan; `info` is no alarm and has none.
fn colour_of(priority: &str) -> &'static str {
    match priority {
        "high" => "\x1b[1;31m",
        "medium" => "\x1b[33m",
        "low" => "\x1b[36m",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(priority: &str) -> Alert {
        Alert {
            rule: "stroke.crisis".to_owned(),
            state: "raised".to_owned(),
            priority: priority.to_owned(),
            patient: Some("p1".to_owned()),
            message: "BP 190".to_owned(),
            notify: Some("emergency doctor".to_owned()),
        }
    }

    #[test]
    fn priorities_have_their_colours() {
        let paint = Paint { coloured: true };
        for (priority, colour) in [("high", "\x1b[1;31mHIGH"), ("medium", "\x1b[33mMEDIUM"), ("low", "\x1b[36mLOW")] {
            assert!(paint.alert(&alert(priority)).starts_with(colour), "{priority}");
        }
        assert!(paint.alert(&alert("info")).starts_with("INFO"));
    }

    #[test]
    fn without_colours_there_is_no_escape() {
        let line = Paint { coloured: false }.alert(&alert("high"));
        assert_eq!(line, "HIGH    p1    BP 190  [stroke.crisis, for the emergency doctor]");
    }
}
