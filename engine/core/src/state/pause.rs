//! Alerts that somebody has asked not to be sent for a while.

/// A pause: it lasts until the stream's time passes its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) scope: Scope,
    /// In epoch milliseconds.
    pub(crate) until: i64,
    pub(crate) by: String,
    pub(crate) why: String,
}

/// Whose alerts are not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The rule's of that name.
    Rule(String),
    /// The patient's.
    Patient(String),
}

impl Pause {
    /// Whether it keeps the rule's alerts about the patient.
    pub(crate) fn covers(&self, rule: &str, patient: Option<&str>) -> bool {
        match &self.scope {
            Scope::Rule(paused) => paused == rule,
            Scope::Patient(paused) => patient == Some(paused.as_str()),
        }
    }
}
