//! Alerts that somebody has asked not to be sent for a while.

/// A pause: it lasts until the stream's time passes its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Whose alerts are not sent.
    pub scope: Scope,
    /// In epoch milliseconds.
    pub until: i64,
    /// Who asked for it.
    pub by: String,
    /// Why, in that person's words.
    pub why: String,
}

/// Whose alerts are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The rule's of that name.
    Rule(String),
    /// The patient's.
    Patient(String),
}

impl Pause {
    /// Whether it keeps the rule's alerts about the patient.
    pub fn covers(&self, rule: &str, patient: Option<&str>) -> bool {
        match &self.scope {
            Scope::Rule(paused) => paused == rule,
            Scope::Patient(paused) => patient == Some(paused.as_str()),
        }
    }
}
