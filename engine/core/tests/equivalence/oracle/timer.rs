//! What time alone brings about: silences, escalations, forgetting, and the ends of pauses.

use super::condition::Judge;
use super::episode::{Episode, sending};
use super::field::{State, Value};
use super::history::begun;
use super::json::quote;
use super::output::Alert;
use super::partition::{Partition, Patient};
use super::reading::Reading;
use super::rule::{Condition, Rule};
use super::{Destination, Oracle, Sending, message, output};
use triage_core::syntax::ast::Role;

/// A timer: its moment, then what orders those of one moment. Ends of pauses come first, so that what they hold back
/// does not come after what happens then; forgetting a patient is the last thing that happens to it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Timer<'p> {
    PauseEnds,
    Of { patient: &'p str, rule: usize, what: What },
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
        if to <= partition.quiet_until {
            return;
        }
        while let Some((moment, timer)) = self.first(partition) {
            if moment >= to {
                partition.quiet_until = moment;
                return;
            }
            let Timer::Of { patient, rule, what } = timer else {
                self.end_pauses(partition, moment, out);
                continue;
            };
            let patient = &patient.to_owned();
            match what {
                What::Silence => self.fall_silent(partition, patient, rule, moment, out),
                What::Escalation => self.escalate(partition, patient, rule, moment, out),
                What::Forgetting => self.forget(partition, patient, moment, out),
            }
        }
    }

    /// The first of all timers.
    fn first<'p>(&'p self, partition: &'p Partition) -> Option<(i64, Timer<'p>)> {
        let pauses = partition.pauses.iter().map(|pause| (pause.until, Timer::PauseEnds));
        let timers = partition.patients.iter().flat_map(|(name, patient)| self.timers(name, patient));
        let held = |timer: &Timer<'_>| match timer {
            Timer::Of { patient, rule, what: What::Escalation } => {
                partition.is_paused(&self.rules[*rule].name, Some(patient))
            }
            _ => false,
        };
        pauses.chain(timers.filter(|(_, timer)| !held(timer))).min()
    }

    /// The least time between a reading and a timer that it sets.
    pub(super) fn shortest(&self) -> i64 {
        let silence = |rule: &Rule| match &rule.condition {
            Condition::Silence { hold, .. } => Some(*hold),
            Condition::Expr(_) => None,
        };
        let escalation = |rule: &Rule| Some(rule.alert.as_ref()?.escalate.as_ref()?.1);
        let of_rules = self.rules.iter().flat_map(|rule| [silence(rule), escalation(rule)]).flatten();
        of_rules.chain([self.forget]).min().expect("one at least")
    }

    /// All timers of a patient.
    fn timers<'p>(&'p self, name: &'p str, patient: &'p Patient) -> impl Iterator<Item = (i64, Timer<'p>)> {
        let of = move |rule, what| Timer::Of { patient: name, rule, what };
        let silence = move |at: &usize| Some((self.silence(patient, *at)?, of(*at, What::Silence)));
        let escalation =
            move |(at, episode): (&usize, &Episode)| Some((self.escalation(*at, episode)?, of(*at, What::Escalation)));
        let clock = patient.seen.last().expect("a patient has been seen").ts;
        let forgetting = (clock + self.forget, of(self.rules.len(), What::Forgetting));
        let silences = self.silences.iter().filter_map(silence);
        silences.chain(patient.episodes.iter().filter_map(escalation)).chain([forgetting])
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
            Some(_) => begun(&patient.begun, || self.condition_name(&self.rules[at])),
            None => 0,
        };
        patient.seen.iter().skip(begun).rev().find(ends)
    }

    fn escalation(&self, at: usize, episode: &Episode) -> Option<i64> {
        let (_, after) = self.rules[at].alert.as_ref()?.escalate.as_ref()?;
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
        let episode = partition.patients.get_mut(name).and_then(|patient| patient.episodes.get_mut(&at));
        let episode = episode.expect("an open episode");
        episode.escalated = true;
        let alert = episode.in_state("escalated", moment, &self.origin_of(episode.began));
        let alert = Alert { notify: self.escalates_to(at), ..alert };
        self.tell(partition, at, &alert, out);
    }

    fn escalates_to(&self, at: usize) -> Option<String> {
        Some(self.rules[at].alert.as_ref()?.escalate.as_ref()?.0.clone())
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
    /// before what is open, that it is open before who has acknowledged it, or that it is escalated.
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
                let Some(episode) = patient.episodes.get_mut(&at).filter(|_| !paused) else { continue };
                let origin = self.origin_of(episode.began);
                if !episode.told {
                    episode.told = true;
                    due.push((name.clone(), at, episode.in_state("raised", moment, &origin)));
                }
                if let Some(by) = episode.untold_by.take() {
                    let alert = episode.in_state("acknowledged", moment, &origin);
                    due.push((name.clone(), at, Alert { by: Some(by), ..alert }));
                }
                if self.escalation(at, episode).is_some_and(|due| due < moment) {
                    episode.escalated = true;
                    let alert = episode.in_state("escalated", moment, &origin);
                    due.push((name.clone(), at, Alert { notify: self.escalates_to(at), ..alert }));
                }
            }
        }
        due.sort_by(|(a, at, _), (b, bt, _)| (a, at).cmp(&(b, bt)));
        for (_, at, alert) in due {
            out.push(sending(&self.rules[at], &alert));
        }
    }
}
