//! What is wrong, in words, and with numbers about the system that are nobody's measurements.

use std::collections::BTreeMap;

use crate::syntax::ast::Priority;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// How urgent it is.
    pub priority: Priority,
    /// The patient whose device it is, if it is one device.
    pub patient: Option<String>,
    /// What is wrong, for a person.
    pub message: String,
    /// Numbers about the system.
    pub values: Vec<(&'static str, f64)>,
}

/// What is wrong now, by the technical rule that found it and by what it is about: a rule, a field, a patient.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Findings {
    open: BTreeMap<(&'static str, String), Finding>,
}

impl Findings {
    /// All of them, in order of rule and subject.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str, &Finding)> {
        self.open.iter().map(|((rule, subject), finding)| (*rule, subject.as_str(), finding))
    }

    /// The one of this rule about this subject.
    pub fn get(&self, rule: &'static str, subject: &str) -> Option<&Finding> {
        self.open.get(&(rule, subject.to_owned()))
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Something is wrong. What has been found before keeps its words.
    pub fn open(&mut self, rule: &'static str, subject: &str, finding: Finding) {
        self.open.entry((rule, subject.to_owned())).or_insert(finding);
    }

    /// It is wrong no longer.
    pub fn close(&mut self, rule: &'static str, subject: &str) {
        self.open.remove(&(rule, subject.to_owned()));
    }

    /// Of this rule only what concerns these subjects stays.
    pub fn retain(&mut self, rule: &'static str, keep: impl Fn(&str) -> bool) {
        self.open.retain(|(of, subject), _| *of != rule || keep(subject));
    }

    /// What concerns a patient who is erased is found no longer.
    pub fn forget(&mut self, patient: &str) {
        self.open.retain(|_, finding| finding.patient.as_deref() != Some(patient));
    }

    /// Adds all of `others`.
    pub fn extend(&mut self, others: &Findings) {
        self.open.extend(others.open.iter().map(|(key, finding)| (key.clone(), finding.clone())));
    }
}
