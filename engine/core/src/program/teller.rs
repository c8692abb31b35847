//! Episodes and what is told of them: at readings, in silence, and when somebody acts. What a reading does to an episode is
//! decided in `operator::episode`; here it is looked up, kept and written.

use super::alert::{AlertPlan, Marks, Origin, Telling};
use super::nodes::Judged;
use super::output::{Cause, OutputKind, Outputs};
use super::step::{Match, Row};
use super::{Counts, Program, RuleInfo, When};
use crate::operator::episode::{Change, Episode, Place, Terms, Verdict};
use crate::state::{Owed, Partition};
use crate::syntax::ast::AlertState;

/// Tells of the episodes of one partition; without one there are none.
pub(super) struct Teller<'a> {
    pub(super) program: &'a Program,
    pub(super) partition: Option<&'a mut Partition>,
    pub(super) counts: &'a mut Counts,
    pub(super) outputs: &'a mut Outputs,
    pub(super) cause: Cause,
}

/// When something is told, and from what it comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) time: i64,
    pub(super) origin: Origin,
    pub(super) marks: Marks<'a>,
}

impl<'a> Occasion<'a> {
    pub(super) fn at(time: i64, origin: Origin) -> Self {
        Self { time, origin, marks: Marks::default() }
    }

    pub(super) fn marked(self, marks: Marks<'a>) -> Self {
        Self { marks, ..self }
    }
}

impl<'a> Teller<'a> {
    /// A rule and its alert.
    pub(super) fn alert(&self, rule: u32) -> Option<(&'a RuleInfo, &'a AlertPlan)> {
        let rule = self.program.rules.get(rule as usize)?;
        Some((rule, rule.alert.as_ref()?))
    }

    /// Takes a reading in: its patient's last.
    pub(super) fn heard(&mut self, slot: u32, row: &Row<'_>) {
        let Some(partition) = &mut self.partition else { return };
        let now = partition.time().unwrap_or(row.time);
        let silences = &self.program.layout.silences;
        if let Some(patient) = partition.patient_mut(slot) {
            let breaks = |index: usize| silences[index].field.is_none_or(|field| !row.value(field).is_nan());
            patient.heard(row.place(), now, breaks);
        }
    }

    /// The alerts of a reading that no episode is of: each match by itself.
    pub(super) fn singles(&mut self, matched: &[Match], row: &Row<'_>, judged: &Judged) {
        for found in matched {
            self.single(found.rule, row, judged);
        }
    }

    fn single(&mut self, rule: u32, row: &Row<'_>, judged: &Judged) {
        let Some((info, alert)) = self.alert(rule) else { return };
        if self.is_paused(info, row.patient) {
            return;
        }
        let said = self.program.said(alert, row, judged);
        let telling = Telling {
            state: AlertState::Raised,
            partition: row.record.partition,
            began: row.place(),
            named: None,
            patient: row.patient,
            time: row.time,
            since: row.time,
            said: &said,
            marks: Marks { single: true, ..row.standing },
            origin: Origin::Reading(row.record.offset),
        };
        self.send(info, alert, &telling);
    }

    /// The alerts of a reading that its patient's state sees, in rule order: of the rules that match, and of those that an
    /// episode is open of.
    pub(super) fn episodes(&mut self, slot: u32, matched: &[Match], row: &Row<'_>, judged: &Judged) {
        let Some(patient) = self.partition.as_ref().and_then(|partition| partition.patient(slot)) else { return };
        let mut rules: Vec<(u32, bool)> = matched.iter().map(|found| (found.rule, true)).collect();
        for (rule, _) in &patient.episodes {
            if let Err(place) = rules.binary_search_by_key(rule, |(rule, _)| *rule) {
                rules.insert(place, (*rule, false));
            }
        }
        for (rule, matches) in rules {
            match self.program.layout.terms(rule) {
                Some(terms) => self.episode(slot, rule, terms, row, judged),
                None if matches => self.single(rule, row, judged),
                None => {}
            }
        }
        self.queue(slot);
    }

    /// What a reading does to the episode of one rule.
    fn episode(&mut self, slot: u32, rule: u32, terms: &Terms, row: &Row<'_>, judged: &Judged) {
        let Some((info, alert)) = self.alert(rule) else { return };
        let truth = |node| judged.truth(node, row.index);
        let verdict = match info.when {
            When::Reading(node) => {
                let verdict = Verdict::new(truth(node));
                alert.clear.map_or(verdict, |clear| verdict.cleared_by(truth(clear)))
            }
            When::Silence(index) => {
                let field = self.program.layout.silences[index as usize].field;
                let broken = field.is_none_or(|field| !row.value(field).is_nan());
                Verdict::new(broken.then_some(false))
            }
        };
        let Some(patient) = self.partition.as_mut().and_then(|partition| partition.patient_mut(slot)) else { return };
        let occasion = Occasion::at(row.time, Origin::Reading(row.record.offset));
        match verdict.apply(patient.episode(rule), terms, row.time) {
            Change::Nothing => {}
            Change::Raised => {
                let said = self.program.said(alert, row, judged);
                patient.open(rule, Episode::raised(row.place(), row.time, said));
                self.tell(slot, rule, AlertState::Raised, occasion);
            }
            Change::Repeated => {
                let said = self.program.said(alert, row, judged);
                if let Some(episode) = patient.episode(rule) {
                    (episode.said, episode.last) = (said, row.time);
                }
                self.tell(slot, rule, AlertState::Repeated, occasion);
            }
            Change::Resolved => self.resolve(slot, rule, occasion),
        }
    }

    /// Raises an alert about a silence, or takes back the request to end the one that is open.
    pub(super) fn silent(&mut self, slot: u32, rule: u32, moment: i64, since: Place) {
        let Some((_, alert)) = self.alert(rule) else { return };
        let Some(patient) = self.partition.as_mut().and_then(|partition| partition.patient_mut(slot)) else { return };
        if let Some(episode) = patient.episode(rule) {
            episode.asks_end = false;
            return;
        }
        let said = self.program.said_of_silence(alert, &patient.id, moment);
        patient.open(rule, Episode::raised(since, moment, said));
        self.tell(slot, rule, AlertState::Raised, Occasion::at(moment, Origin::Reading(since.offset)));
    }

    /// Ends an episode. While its alerts are paused, its end is owed if its beginning was told.
    pub(super) fn resolve(&mut self, slot: u32, rule: u32, occasion: Occasion<'_>) {
        let Some((info, alert)) = self.alert(rule) else { return };
        let Some(partition) = &mut self.partition else { return };
        let Some(patient) = partition.patient_mut(slot) else { return };
        let id = patient.id.clone();
        let Some(episode) = patient.close(rule).filter(|episode| episode.told) else { return };
        if self.is_paused(info, Some(&id)) {
            let owed = Owed { episode, forgotten: occasion.marks.reason.is_some() };
            if let Some(partition) = &mut self.partition {
                partition.touch_own();
                partition.own.owed.insert((id, rule, owed.episode.began), owed);
            }
            return;
        }
        let telling = self.telling(AlertState::Resolved, &episode, Some(&id), occasion);
        self.send(info, alert, &telling);
    }

    /// Tells of an open episode, unless its alerts are paused; whether it did. From then on it has been told of.
    pub(super) fn tell(&mut self, slot: u32, rule: u32, state: AlertState, occasion: Occasion<'_>) -> bool {
        let Some((info, alert)) = self.alert(rule) else { return false };
        let Some(partition) = &mut self.partition else { return false };
        let number = partition.number();
        let Some(patient) = partition.patient(slot) else { return false };
        if partition.own.pauses.iter().any(|pause| pause.covers(&info.name, Some(&patient.id))) {
            return false;
        }
        let Some(patient) = partition.patient_mut(slot) else { return false };
        let id = std::mem::take(&mut patient.id);
        if let Some(episode) = patient.episode(rule) {
            episode.told = true;
            let telling = Telling {
                state,
                partition: number,
                began: episode.began,
                named: episode.named.as_deref(),
                patient: Some(&id),
                time: occasion.time,
                since: episode.since,
                said: &episode.said,
                marks: occasion.marks,
                origin: occasion.origin,
            };
            send(self.program, self.cause, info, alert, &telling, self.outputs);
        }
        patient.id = id;
        true
    }

    pub(super) fn telling<'t>(
        &self,
        state: AlertState,
        episode: &'t Episode,
        patient: Option<&'t str>,
        occasion: Occasion<'t>,
    ) -> Telling<'t> {
        Telling {
            state,
            partition: self.cause.partition,
            began: episode.began,
            named: episode.named.as_deref(),
            patient,
            time: occasion.time,
            since: episode.since,
            said: &episode.said,
            marks: occasion.marks,
            origin: occasion.origin,
        }
    }

    pub(super) fn send(&mut self, rule: &RuleInfo, alert: &AlertPlan, telling: &Telling<'_>) {
        send(self.program, self.cause, rule, alert, telling, self.outputs);
    }

    /// Whether somebody has asked not to be told.
    pub(super) fn is_paused(&self, rule: &RuleInfo, patient: Option<&str>) -> bool {
        let pauses = self.partition.as_ref().map_or(&[][..], |partition| partition.own.pauses.as_slice());
        pauses.iter().any(|pause| pause.covers(&rule.name, patient))
    }

    /// Sees to it that the patient's timers are looked at in time.
    pub(super) fn queue(&mut self, slot: u32) {
        if let Some(partition) = &mut self.partition {
            partition.queue(slot, &self.program.layout);
        }
    }
}

fn send(
    program: &Program,
    cause: Cause,
    rule: &RuleInfo,
    alert: &AlertPlan,
    telling: &Telling<'_>,
    outputs: &mut Outputs,
) {
    outputs.push_alert(cause, OutputKind::Alert(rule.topic), Some((telling.state, telling.time)), |out| {
        Some(program.write_alert(rule, alert, telling, out))
    });
}
