//! Episodes: what an alert's clauses make of a rule's truth, reading by reading.

use super::output::{self, Alert};
use super::partition::Partition;
use super::reading::Reading;
use super::rule::{self, Rule};
use super::{Destination, Judged, Oracle, Sending};

/// No values.
const NOTHING: &str = "{}";

/// An open episode.
#[derive(Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a thing that the page says of an episode")]
pub(crate) struct Episode {
    /// The last `raised` or `repeated`, sent or not.
    pub(crate) said: Alert,
    /// The partition and the offset of the reading that began it, or from which the silence is counted.
    pub(crate) began: (i32, i64),
    /// Whether somebody has acknowledged it.
    pub(crate) acknowledged: bool,
    /// Whether it has been escalated.
    pub(crate) escalated: bool,
    /// Whether the last reading that decided asked for its end.
    pub(crate) asked: bool,
    /// Whether anybody has been told of it: not while it began in a pause.
    pub(crate) told: bool,
    /// Who acknowledged it in a pause that lasts: nobody has been told of that.
    pub(crate) untold_by: Option<String>,
}

impl Episode {
    /// The episode's alert in another state.
    pub(crate) fn in_state(&self, state: &'static str, ts: i64, origin: &str) -> Alert {
        Alert { state, ts, origin: origin.into(), ..self.said.clone() }
    }
}

impl Oracle {
    /// What a reading does to the alerts of a rule.
    pub(super) fn decide(
        &self,
        partition: &mut Partition,
        at: usize,
        reading: &Reading,
        seen: bool,
        judged: &Judged,
        out: &mut Vec<Sending>,
    ) {
        let rule = &self.rules[at];
        let Some(clauses) = &rule.alert else { return };
        if !seen || clauses.each {
            if judged.truth == Some(true) && !partition.is_paused(&rule.name, reading.patient.as_deref()) {
                let alert = Alert { single: true, ..self.raised(rule, reading, judged) };
                out.push(sending(rule, &alert));
            }
            return;
        }
        let name = reading.patient.as_ref().expect("the patient of a reading that is seen");
        let patient = partition.patients.get_mut(name).expect("a patient that was seen");
        let matches = judged.truth == Some(true) && judged.asks != Some(true);
        match patient.episodes.get_mut(&at) {
            None if matches => self.open(partition, at, reading, self.raised(rule, reading, judged), out),
            None => {}
            Some(episode) => {
                episode.asked = judged.asks.unwrap_or(episode.asked);
                let may_end = !clauses.latch || episode.acknowledged;
                let due = clauses.repeat.is_some_and(|every| reading.ts - episode.said.ts >= every);
                if judged.asks == Some(true) && may_end {
                    self.close(partition, name, at, reading.ts, &self.origin(reading), None, out);
                } else if matches && due && !episode.acknowledged {
                    let since = episode.said.since;
                    let id = episode.said.id.clone();
                    episode.said = Alert { state: "repeated", since, id, ..self.raised(rule, reading, judged) };
                    let said = episode.said.clone();
                    self.tell(partition, at, &said, out);
                }
            }
        }
    }

    /// Begins an episode of a reading with this alert.
    pub(super) fn open(
        &self,
        partition: &mut Partition,
        at: usize,
        reading: &Reading,
        said: Alert,
        out: &mut Vec<Sending>,
    ) {
        let rule = &self.rules[at];
        let told = say(partition, rule, &said, out);
        let name = said.patient.clone().expect("an episode has a patient");
        let began = (reading.partition, reading.offset);
        let episode =
            Episode { said, began, acknowledged: false, escalated: false, asked: false, told, untold_by: None };
        partition.patients.get_mut(&name).expect("a patient that was seen").episodes.insert(at, episode);
    }

    /// Tells of an open episode unless a pause forbids it; whether it did. Then somebody has been told of it.
    pub(super) fn tell(&self, partition: &mut Partition, at: usize, alert: &Alert, out: &mut Vec<Sending>) -> bool {
        let told = say(partition, &self.rules[at], alert, out);
        let name = alert.patient.as_ref().expect("an episode has a patient");
        let patient = partition.patients.get_mut(name).expect("a patient that was seen");
        patient.episodes.get_mut(&at).expect("an open episode").told |= told;
        told
    }

    /// Ends an episode: nobody is told of the end who was not told of the beginning, and what a pause holds back is owed.
    #[allow(clippy::too_many_arguments, reason = "one of each")]
    pub(super) fn close(
        &self,
        partition: &mut Partition,
        patient: &str,
        at: usize,
        ts: i64,
        origin: &str,
        reason: Option<&'static str>,
        out: &mut Vec<Sending>,
    ) {
        let episodes = &mut partition.patients.get_mut(patient).expect("a patient that was seen").episodes;
        let episode = episodes.remove(&at).expect("an open episode");
        if !episode.told {
            return;
        }
        let alert = Alert { reason, ..episode.in_state("resolved", ts, origin) };
        if !say(partition, &self.rules[at], &alert, out) {
            partition.owed.push((patient.into(), at, alert, episode.began));
        }
    }

    /// The alert that a matching reading raises.
    fn raised(&self, rule: &Rule, reading: &Reading, judged: &Judged) -> Alert {
        let message = judged.message.clone();
        let alert = self.beginning(rule, reading, reading.ts, message);
        Alert { late: reading.late, misplaced: reading.misplaced, values: judged.values.clone(), ..alert }
    }

    /// An alert that begins with a reading, or so long after it; no fields are known.
    pub(super) fn beginning(&self, rule: &Rule, reading: &Reading, ts: i64, message: String) -> Alert {
        let rule::Alert { priority, .. } = rule.alert.as_ref().expect("a rule with an alert");
        Alert {
            id: format!("{}/{}", reading.place(&self.stream), rule.name),
            rule: rule.name.clone(),
            state: "raised",
            priority,
            patient: reading.patient.clone(),
            ts,
            since: ts,
            message,
            notify: self.topic(rule).notify.clone(),
            values: NOTHING.into(),
            origin: self.origin(reading),
            ..Alert::default()
        }
    }

    pub(super) fn origin(&self, reading: &Reading) -> String {
        self.origin_of((reading.partition, reading.offset))
    }
}

pub(super) fn sending(rule: &Rule, alert: &Alert) -> Sending {
    (Destination::Alert(rule.topic.clone()), Some(alert.id.clone()), output::alert(alert))
}

/// Sends an alert of an episode unless a pause forbids it; whether it was sent.
pub(super) fn say(partition: &Partition, rule: &Rule, alert: &Alert, out: &mut Vec<Sending>) -> bool {
    let free = !partition.is_paused(&rule.name, alert.patient.as_deref());
    if free {
        out.push(sending(rule, alert));
    }
    free
}
