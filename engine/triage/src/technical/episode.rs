//! What is wrong now, beside what has been told: which alerts are raised and which are over. Pure.

use std::collections::{BTreeMap, BTreeSet};

use triage_core::monitor::{Finding, Findings};

/// Something that is wrong, from when it began to when it is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode {
    pub(super) id: String,
    pub(super) rule: &'static str,
    /// Epoch milliseconds.
    pub(super) since: i64,
    pub(super) resolved: Option<i64>,
    pub(super) finding: Finding,
    /// Whether anybody has been told that it began.
    told: bool,
}

/// The technical alerts of a process.
#[derive(Debug)]
pub(super) struct Episodes {
    process: String,
    next: u64,
    open: BTreeMap<(&'static str, String), Episode>,
    /// Rules that something has been open of.
    rules: BTreeSet<&'static str>,
    /// Over, and their end is not told yet.
    ended: Vec<Episode>,
}

impl Episodes {
    pub(super) fn new(process: String) -> Self {
        Self { process, next: 0, open: BTreeMap::new(), rules: BTreeSet::new(), ended: Vec::new() }
    }

    /// Begins and ends episodes by what is wrong at `now`. Of what nobody has heard of yet nobody hears once it is over.
    pub(super) fn update(&mut self, findings: &Findings, now: i64) {
        let gone = self.open.extract_if(.., |(rule, subject), _| findings.get(rule, subject).is_none());
        let told = gone.filter(|(_, episode)| episode.told);
        self.ended.extend(told.map(|(_, episode)| Episode { resolved: Some(now), ..episode }));
        for (rule, subject, finding) in findings.iter() {
            let key = (rule, subject.to_owned());
            if self.open.contains_key(&key) {
                continue;
            }
            let id = format!("technical/{}/{}@{now}/{rule}", self.process, self.next);
            self.next += 1;
            self.rules.insert(rule);
            let finding = finding.clone();
            self.open.insert(key, Episode { id, rule, since: now, resolved: None, finding, told: false });
        }
    }

    /// Whether this is one of these.
    pub(super) fn has(&self, id: &str) -> bool {
        self.open.values().chain(&self.ended).any(|episode| episode.id == id)
    }

    /// What is to be told next: ends first.
    pub(super) fn untold(&self) -> Option<&Episode> {
        self.ended.first().or_else(|| self.open.values().find(|episode| !episode.told))
    }

    /// It has been told.
    pub(super) fn told(&mut self, id: &str) {
        self.ended.retain(|episode| episode.id != id);
        if let Some(episode) = self.open.values_mut().find(|episode| episode.id == id) {
            episode.told = true;
        }
    }

    /// How many are open, by rule; 0 of a rule of which there was one before.
    pub(super) fn by_rule(&self) -> BTreeMap<&'static str, i64> {
        let mut counts: BTreeMap<&'static str, i64> = self.rules.iter().map(|rule| (*rule, 0)).collect();
        for episode in self.open.values() {
            *counts.entry(episode.rule).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use triage_core::syntax::ast::Priority;

    use super::*;

    fn wrong(subjects: &[&str]) -> Findings {
        let mut findings = Findings::default();
        for subject in subjects {
            let finding =
                Finding { priority: Priority::Low, patient: None, message: String::new(), values: Vec::new() };
            findings.open("technical.x", subject, finding);
        }
        findings
    }

    fn tell(episodes: &mut Episodes) -> Vec<(String, bool)> {
        let mut told = Vec::new();
        while let Some(next) = episodes.untold().cloned() {
            told.push((next.id.clone(), next.resolved.is_some()));
            episodes.told(&next.id);
        }
        told
    }

    #[test]
    fn each_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a"]), 5);
        assert_eq!(tell(&mut episodes), [("technical/w/0@5/technical.x".to_owned(), false)]);
        episodes.update(&wrong(&["a", "b"]), 6);
        assert_eq!(tell(&mut episodes), [("technical/w/1@6/technical.x".to_owned(), false)]);
        assert_eq!(episodes.by_rule(), BTreeMap::from([("technical.x", 2)]));
        episodes.update(&wrong(&["b"]), 7);
        episodes.update(&wrong(&["b", "a"]), 8);
        let again =
            [("technical/w/0@5/technical.x".to_owned(), true), ("technical/w/2@8/technical.x".to_owned(), false)];
        assert_eq!(tell(&mut episodes), again);
    }

    #[test]
    fn what_nobody_heard_of_is_not_resolved() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a"]), 5);
        episodes.update(&wrong(&[]), 6);
        assert_eq!(tell(&mut episodes), []);
    }
}
