//! What time alone brings about: silences, escalations, forgetting, and the ends of pauses.

use super::condition::Judge;
use super::episode::{say, sending};
use super::field::{State, Value};
use super::json::quote;
use super::output::Alert;
use super::partition::{Partition, Patient};
use super::reading::Reading;
use super::rule::Condition;
use super::{Destination, Oracle, Sending, message, output};
use triage_core::syntax::ast::Role;

/// A timer: its moment, then what orders those of one moment. Ends of pauses come first, so that what they hold back
/// does not come after what happens then; forgetting a patient is the last thing that happens to it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    PauseEnds,
    Of { patient: String, rule: usize, what: What },
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Silence,
    Escalation,
    Forgetting,
}

impl Oracle {
    /// Moves the stream's time, if that is forwards, and fires every timer whose moment it passes.
    pub(super) fn advance(&mut self, partition: &mut Partition, to: i64, out: &mut Vec<Sending>) {
        if partition.now.is_some_and(|now| to <= now) {
            return;
        }
        partition.now = Some(to);
        while let Some((moment, timer)) = self.next(partition, to) {
            match timer {
                Timer::PauseEnds => self.end_pauses(partition, moment, out),
                Timer::Of { patient, rule, what: What::Silence } => {
                    self.fall_silent(partition, &patient, rule, moment, out);
                }
                Timer::Of { patient, rule, what: What::Escalation } => {
                    self.escalate(partition, &patient, rule, moment, out);
                }
                Timer::Of { patient, what: What::Forgetting, .. } => self.forget(partition, &patient, moment, out),
            }
        }
    }

    /// The first timer whose moment lies before `to`.
    fn next(&self, partition: &Partition, to: i64) -> Option<(i64, Timer)> {
        let mut timers: Vec<(i64, Timer)> = Vec::new();
        timers.extend(partition.pauses.iter().map(|pause| (pause.until, Timer::PauseEnds)));
        for (name, patient) in &partition.patients {
            let of = |rule, what| Timer::Of { patient: name.clone(), rule, what };
            let clock = patient.seen.last().expect("a patient has been seen").ts;
            timers.push((clock + self.forget, of(self.rules.len(), What::Forgetting)));
            for at in 0..self.rules.len() {
                timers.extend(self.silence(patient, at).map(|moment| (moment, of(at, What::Silence))));
                timers.extend(self.escalation(patient, at).map(|moment| (moment, of(at, What::Escalation))));
            }
        }
        timers.into_iter().filter(|(moment, _)| *moment < to).min()
    }

    /// The moment at which a patient falls silent by a rule, unless it has.
    fn silence(&self, patient: &Patient, at: usize) -> Option<i64> {
        let Condition::Silence { hold, .. } = &self.rules[at].condition else { return None };
        let counted = self.counted(patient, at)?;
        (patient.fired.get(&at) != Some(&counted.offset)).then_some(counted.ts + hold)
    }

    /// The reading from which a silence counts.
    fn counted<'p>(&self, patient: &'p Patient, at: usize) -> Option<&'p Reading> {
        let Condition::Silence { field, .. } = &self.rules[at].condition else { return None };
        let ends = |reading: &&Reading| match field {
            None => true,
            Some(field) => {
                let (at, _) = super::find(&self.stream.fields, field).expect("a field");
                reading.states[at].known().is_some()
            }
        };
        let begun = match field {
            Some(_) => patient.begun.get(&self.condition_name(&self.rules[at])).copied().unwrap_or(0),
            None => 0,
        };
        patient.seen.iter().skip(begun).rev().find(ends)
    }

    fn escalation(&self, patient: &Patient, at: usize) -> Option<i64> {
        let (_, after) = self.rules[at].alert.as_ref()?.escalate.as_ref()?;
        let episode = patient.episodes.get(&at)?;
        (!episode.acknowledged && !episode.escalated).then_some(episode.said.since + after)
    }

    /// The record of a silence, then its alert.
    fn fall_silent(&mut self, partition: &mut Partition, name: &str, at: usize, moment: i64, out: &mut Vec<Sending>) {
        self.counts.matched.resize(self.rules.len(), 0);
        self.counts.matched[at] += 1;
        let rule = &self.rules[at];
        let patient = partition.patients.get_mut(name).expect("a patient");
        let counted = self.counted(patient, at).expect("a reading").clone();
        patient.fired.insert(at, counted.offset);
        let value = output::silence(&self.stream, &counted, moment, &rule.name, &self.ruleset);
        out.push((Destination::Topic(rule.topic.clone()), Some(name.into()), value));
        let Some(clauses) = &rule.alert else { return };
        if let Some(episode) = patient.episodes.get_mut(&at) {
            episode.asked = false;
            return;
        }
        let nothing = vec![State::Missing; self.stream.fields.len()];
        let judge = Judge { states: &nothing, ..self.beside_nothing() };
        let message = message::fill(&clauses.template, &judge, &self.nothing_but(name, moment));
        self.open(partition, at, &counted, self.beginning(rule, &counted, moment, message), out);
    }

    /// A reading of nothing: only who, and when.
    fn nothing_but(&self, patient: &str, moment: i64) -> Vec<State> {
        let state = |role: Option<Role>| match role {
            Some(Role::Key) => State::Known(Value::Text(patient.into(), quote(patient))),
            Some(Role::Event) => State::Known(Value::Time(moment)),
            None => State::Missing,
        };
        self.stream.fields.iter().map(|field| state(field.role.as_ref().map(|role| role.node))).collect()
    }

    fn escalate(&self, partition: &mut Partition, name: &str, at: usize, moment: i64, out: &mut Vec<Sending>) {
        let rule = &self.rules[at];
        let role = rule.alert.as_ref().and_then(|alert| alert.escalate.as_ref()).map(|(role, _)| role.clone());
        let episode = partition.patients.get_mut(name).and_then(|patient| patient.episodes.get_mut(&at));
        let episode = episode.expect("an open episode");
        episode.escalated = true;
        let alert = Alert { notify: role, ..episode.in_state("escalated", moment, &self.origin_of(episode.began)) };
        say(partition, rule, &alert, out);
    }

    fn forget(&mut self, partition: &mut Partition, name: &str, moment: i64, out: &mut Vec<Sending>) {
        let patient = &partition.patients[name];
        let origin = self.origin(patient.seen.last().expect("a patient has been seen"));
        let open: Vec<usize> = patient.episodes.keys().copied().collect();
        for at in open {
            self.close(partition, name, at, moment, &origin, Some("forgotten"), out);
        }
        partition.patients.remove(name);
        self.counts.forgotten += 1;
    }

    /// Ends the pauses until `moment`, and says what nobody has been told yet: by patient, then by rule, what ended
    /// before what is open.
    fn end_pauses(&self, partition: &mut Partition, moment: i64, out: &mut Vec<Sending>) {
        partition.pauses.retain(|pause| pause.until != moment);
        let mut due: Vec<(String, usize, Alert)> = Vec::new();
        let owed = std::mem::take(&mut partition.owed);
        for (name, at, alert, began) in owed {
            if partition.is_paused(&self.rules[at].name, Some(&name)) {
                partition.owed.push((name, at, alert, began));
            } else {
                due.push((name, at, Alert { ts: moment, origin: self.origin_of(began), ..alert }));
            }
        }
        let names: Vec<String> = partition.patients.keys().cloned().collect();
        for name in names {
            for (at, rule) in self.rules.iter().enumerate() {
                let paused = partition.is_paused(&rule.name, Some(&name));
                let patient = partition.patients.get_mut(&name).expect("a patient");
                if let Some(episode) = patient.episodes.get_mut(&at).filter(|episode| !episode.told && !paused) {
                    episode.told = true;
                    due.push((name.clone(), at, episode.in_state("raised", moment, &self.origin_of(episode.began))));
                }
            }
        }
        due.sort_by(|(a, at, _), (b, bt, _)| (a, at).cmp(&(b, bt)));
        for (_, at, alert) in due {
            out.push(sending(&self.rules[at], &alert));
        }
    }
}
