//! What is wrong now, beside what has been told: which alerts are raised and which are over. Pure.

use std::collections::{BTreeMap, BTreeSet};

use triage_core::monitor::{Finding, Findings};
use triage_core::program::{Acknowledgement, TECHNICAL_IDS};
use triage_core::syntax::ast::Priority;

use crate::alerts::alert::State;

/// Something that is wrong, from when it began to when it is over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode {
    pub(super) id: String,
    pub(super) rule: &'static str,
    /// Epoch milliseconds.
    pub(super) since: i64,
    /// Who has seen it, the first to say so, and when.
    acknowledged: Option<(String, i64)>,
    resolved: Option<i64>,
    pub(super) finding: Finding,
    /// What was told of it last.
    told: Option<State>,
}

/// What is new of an episode; times in epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News<'a> {
    Raised,
    Acknowledged { by: &'a str, at: i64 },
    Resolved { at: i64 },
}

impl News<'_> {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Raised => State::Raised,
            Self::Acknowledged { .. } => State::Acknowledged,
            Self::Resolved { .. } => State::Resolved,
        }
    }
}

impl Episode {
    fn begin(id: String, rule: &'static str, since: i64, finding: Finding) -> Self {
        Self { id, rule, since, acknowledged: None, resolved: None, finding, told: None }
    }

    /// What is to be told next.
    fn untold(&self) -> Option<News<'_>> {
        match (self.told, &self.acknowledged, self.resolved) {
            (None, ..) => Some(News::Raised),
            (Some(State::Raised), Some((by, at)), _) => Some(News::Acknowledged { by, at: *at }),
            (Some(State::Raised | State::Acknowledged), _, Some(at)) => Some(News::Resolved { at }),
            _ => None,
        }
    }
}

/// The technical alerts of a process.
#[derive(Debug)]
pub(super) struct Episodes {
    process: String,
    next: u64,
    open: BTreeMap<(&'static str, String), Episode>,
    /// Rules that something has been open of, and how urgent it was.
    known: BTreeSet<(&'static str, Priority)>,
    /// Over, and that is not told yet.
    ended: Vec<Episode>,
    /// Ids of those of erased patients, whose alerts are to be taken away.
    erased: Vec<String>,
}

impl Episodes {
    pub(super) fn new(process: String) -> Self {
        Self { process, next: 0, open: BTreeMap::new(), known: BTreeSet::new(), ended: Vec::new(), erased: Vec::new() }
    }

    /// Begins and ends episodes by what is wrong at `now`. Of what nobody has heard of yet nobody hears once it is over.
    pub(super) fn update(&mut self, findings: &Findings, now: i64) {
        let gone = self.open.extract_if(.., |(rule, subject), _| findings.get(rule, subject).is_none());
        let told = gone.filter(|(_, episode)| episode.told.is_some());
        self.ended.extend(told.map(|(_, episode)| Episode { resolved: Some(now), ..episode }));
        for (rule, subject, finding) in findings.iter() {
            let key = (rule, subject.to_owned());
            if self.open.contains_key(&key) {
                continue;
            }
            let id = format!("{TECHNICAL_IDS}{}/{}@{now}/{rule}", self.process, self.next);
            self.next += 1;
            self.known.insert((rule, finding.priority));
            self.open.insert(key, Episode::begin(id, rule, now, finding.clone()));
        }
    }

    /// Somebody has seen an alert; only the first to say so of one that is open counts.
    pub(super) fn acknowledge(&mut self, said: Acknowledgement) {
        let Acknowledgement { id, by, time } = said;
        if let Some(episode) = self.open.values_mut().find(|episode| episode.id == id) {
            episode.acknowledged.get_or_insert((by, time));
        }
    }

    /// Whether anybody has been told of one that is open.
    pub(super) fn is_any_told(&self) -> bool {
        self.open.values().any(|episode| episode.told.is_some())
    }

    /// Somebody else has said of these that they are over. Those that are not begin anew.
    pub(super) fn begin_anew(&mut self, over: &BTreeSet<String>) {
        self.open.retain(|_, episode| episode.told.is_none() || !over.contains(&episode.id));
    }

    /// A patient is erased: theirs are gone without a word, which would have their id. One that nobody has been told of may have
    /// arrived all the same.
    pub(super) fn forget(&mut self, patient: &str) {
        let is_theirs = |episode: &Episode| episode.finding.patient.as_deref() == Some(patient);
        let open = self.open.extract_if(.., |_, episode| is_theirs(episode)).map(|(_, episode)| episode);
        let ended = self.ended.extract_if(.., |episode| is_theirs(episode));
        self.erased.extend(open.chain(ended).map(|episode| episode.id));
    }

    /// The next alert that is to be taken away.
    pub(super) fn to_bury(&self) -> Option<&str> {
        self.erased.last().map(String::as_str)
    }

    /// It has been taken away.
    pub(super) fn buried(&mut self) {
        self.erased.pop();
    }

    /// Whether this is one of these.
    pub(super) fn has(&self, id: &str) -> bool {
        self.open.values().chain(&self.ended).any(|episode| episode.id == id)
    }

    /// What is to be told next: of those that are over first.
    pub(super) fn untold(&self) -> Option<(&Episode, News<'_>)> {
        self.ended.iter().chain(self.open.values()).find_map(|episode| Some((episode, episode.untold()?)))
    }

    /// What was to be told next of it has been told.
    pub(super) fn told(&mut self, id: &str) {
        if let Some(episode) = self.ended.iter_mut().chain(self.open.values_mut()).find(|episode| episode.id == id) {
            episode.told = episode.untold().map(|news| news.state()).or(episode.told);
        }
        self.ended.retain(|episode| episode.untold().is_some());
    }

    /// How many are open, by rule and priority; 0 where there was one before.
    pub(super) fn counts(&self) -> BTreeMap<(&'static str, Priority), i64> {
        let mut counts: BTreeMap<_, i64> = self.known.iter().map(|known| (*known, 0)).collect();
        for episode in self.open.values() {
            *counts.entry((episode.rule, episode.finding.priority)).or_default() += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
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

    fn tell(episodes: &mut Episodes) -> Vec<(String, State)> {
        let mut told = Vec::new();
        while let Some((episode, news)) = episodes.untold() {
            let (id, state) = (episode.id.clone(), news.state());
            episodes.told(&id);
            told.push((id, state));
        }
        told
    }

    fn said(id: &str, by: &str, time: i64) -> Acknowledgement {
        Acknowledgement { id: id.to_owned(), by: by.to_owned(), time }
    }

    #[test]
    fn an_acknowledgement_is_told_once_and_before_the_end() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a", "b"]), 5);
        let ids: Vec<String> = tell(&mut episodes).into_iter().map(|(id, _)| id).collect();
        episodes.acknowledge(said(&ids[0], "eve", 6));
        episodes.acknowledge(said(&ids[0], "adam", 7));
        episodes.acknowledge(said("technical/other/0@5/technical.x", "eve", 6));
        let news = episodes.untold().map(|(_, news)| news);
        assert_eq!(news, Some(News::Acknowledged { by: "eve", at: 6 }));
        assert_eq!(tell(&mut episodes), [(ids[0].clone(), State::Acknowledged)]);
        episodes.acknowledge(said(&ids[0], "adam", 8));
        episodes.acknowledge(said(&ids[1], "eve", 8));
        episodes.update(&wrong(&[]), 9);
        episodes.acknowledge(said(&ids[0], "adam", 10));
        let rest = [(&ids[0], State::Resolved), (&ids[1], State::Acknowledged), (&ids[1], State::Resolved)];
        assert_eq!(tell(&mut episodes), rest.map(|(id, state)| (id.clone(), state)));
    }

    #[test]
    fn one_that_begins_anew_is_not_acknowledged() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a"]), 5);
        let id = tell(&mut episodes).remove(0).0;
        episodes.acknowledge(said(&id, "eve", 6));
        tell(&mut episodes);
        episodes.begin_anew(&BTreeSet::from([id]));
        episodes.update(&wrong(&["a"]), 7);
        assert_eq!(tell(&mut episodes), [("technical/w/1@7/technical.x".to_owned(), State::Raised)]);
    }

    #[test]
    fn one_that_another_process_took_for_over_is_raised_anew() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a", "b"]), 5);
        let told = tell(&mut episodes);
        episodes.update(&wrong(&["a", "b", "c"]), 6);
        episodes.begin_anew(&BTreeSet::from([told[0].0.clone()]));
        episodes.update(&wrong(&["a", "b", "c"]), 7);
        let again: Vec<String> = tell(&mut episodes).into_iter().map(|(id, _)| id).collect();
        assert_eq!(again, ["technical/w/3@7/technical.x", "technical/w/2@6/technical.x"]);
    }

    #[test]
    fn each_is_told_once_when_it_begins_and_once_when_it_is_over() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a"]), 5);
        assert_eq!(tell(&mut episodes), [("technical/w/0@5/technical.x".to_owned(), State::Raised)]);
        episodes.update(&wrong(&["a", "b"]), 6);
        assert_eq!(tell(&mut episodes), [("technical/w/1@6/technical.x".to_owned(), State::Raised)]);
        episodes.update(&wrong(&["b"]), 7);
        episodes.update(&wrong(&["b", "a"]), 8);
        let again = [("technical/w/0@5/technical.x", State::Resolved), ("technical/w/2@8/technical.x", State::Raised)];
        assert_eq!(tell(&mut episodes), again.map(|(id, state)| (id.to_owned(), state)));
    }

    #[test]
    fn those_of_a_rule_are_counted_by_how_urgent_they_are() {
        let mut episodes = Episodes::new("w".to_owned());
        let (low, high) = (("technical.x", Priority::Low), ("technical.x", Priority::High));
        episodes.update(&wrong(&["a", "b"]), 5);
        assert_eq!(episodes.counts(), BTreeMap::from([(low, 2)]));
        let mut findings = wrong(&["b"]);
        let urgent = Finding { priority: Priority::High, ..findings.get("technical.x", "b").unwrap().clone() };
        findings.open("technical.x", "c", urgent);
        episodes.update(&findings, 6);
        assert_eq!(episodes.counts(), BTreeMap::from([(low, 1), (high, 1)]));
        episodes.update(&wrong(&["b"]), 7);
        assert_eq!(episodes.counts(), BTreeMap::from([(low, 1), (high, 0)]));
    }

    #[test]
    fn those_of_an_erased_patient_are_taken_away_and_never_told() {
        let mut episodes = Episodes::new("w".to_owned());
        let mut findings = wrong(&["a"]);
        let theirs = Finding { patient: Some("p1".to_owned()), ..findings.get("technical.x", "a").unwrap().clone() };
        for subject in ["p1", "p1 again"] {
            findings.open("technical.x", subject, theirs.clone());
        }
        episodes.update(&findings, 5);
        assert_eq!(tell(&mut episodes).len(), 3);
        findings.close("technical.x", "p1");
        episodes.update(&findings, 6);
        episodes.forget("p1");
        findings.forget("p1");
        episodes.update(&findings, 7);
        assert_eq!(tell(&mut episodes), []);
        let mut buried = Vec::new();
        while let Some(id) = episodes.to_bury().map(str::to_owned) {
            buried.push(id);
            episodes.buried();
        }
        assert_eq!(buried, ["technical/w/1@5/technical.x", "technical/w/2@5/technical.x"]);
        assert_eq!(episodes.counts().values().sum::<i64>(), 1);
    }

    #[test]
    fn what_nobody_heard_of_is_not_resolved() {
        let mut episodes = Episodes::new("w".to_owned());
        episodes.update(&wrong(&["a"]), 5);
        episodes.update(&wrong(&[]), 6);
        assert_eq!(tell(&mut episodes), []);
    }
}
