//! The stream's time moves, and what waited for it happens: silences, escalations, ends of pauses, forgetting. In order of
//! moment, then patient, then rule; what is sent bears the moment. A timer that another one sets in passing (the escalation
//! of a silence) takes its own place in that order, so that one long step of time does what many short ones do.

use super::alert::{Marks, Origin};
use super::output::{Cause, OutputKind, Outputs};
use super::teller::{Occasion, Teller};
use super::{Program, Workspace};
use crate::operator::episode::Place;
use crate::state::States;
use crate::syntax::ast::AlertState;

/// What becomes due for one patient and rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    /// Nothing has come since this reading.
    Silence(Place),
    Escalation,
}

/// What is to be told when a pause ends, in order for one patient and rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Untold {
    /// Of the episode that began there.
    End(Place),
    Open,
}

impl Program {
    /// Lets the stream's time of a partition pass to `to` (in epoch milliseconds) without a reading, and appends what that
    /// brings about to `outputs`. A time that is past changes nothing, nor does any before the partition's first reading:
    /// there is no time yet that could go on.
    pub fn advance(
        &self,
        partition: i32,
        to: i64,
        states: &mut States,
        workspace: &mut Workspace,
        outputs: &mut Outputs,
    ) {
        if !self.layout.keeps_state {
            return;
        }
        let position = states.position(partition);
        let partition_state = states.at(position);
        if partition_state.as_ref().and_then(|state| state.time()).is_none_or(|time| time >= to) {
            return;
        }
        workspace.counts.fit(self);
        let cause = Cause { row: 0, partition, timestamp: Some(to) };
        let counts = &mut workspace.counts;
        Teller { program: self, partition: partition_state, counts, outputs, cause }.advance(to, None);
    }
}

impl Teller<'_> {
    /// Moves the stream's time; `row` is the reading of the batch that moves it.
    pub(super) fn advance(&mut self, to: i64, row: Option<usize>) {
        let Some(partition) = &mut self.partition else { return };
        partition.touch_own();
        partition.own.time = Some(to);
        while let Some(partition) = &mut self.partition {
            let timer = partition.next_timer().filter(|moment| *moment < to);
            let pause = partition.own.pauses.iter().map(|pause| pause.until).min().filter(|until| *until < to);
            match (timer, pause) {
                (None, None) => return,
                // A pause ends before the other timers of its moment: an escalation that is due then is not held back.
                (timer, Some(pause)) if timer.is_none_or(|timer| pause <= timer) => self.end_pauses(pause),
                _ => self.fire(row),
            }
        }
    }

    /// Fires what is due for the first patient in line.
    fn fire(&mut self, row: Option<usize>) {
        let layout = &self.program.layout;
        let Some(partition) = &mut self.partition else { return };
        let Some((moment, slot)) = partition.take_timer() else { return };
        let Some(patient) = partition.patient(slot) else { return };
        let is_due = |at: Option<i64>| at.is_some_and(|at| at <= moment);
        let mut due: Vec<(u32, Due)> = Vec::new();
        let silent = (0..layout.silences.len()).filter(|index| is_due(patient.silent(*index, layout)));
        let silent: Vec<usize> = silent.collect();
        for (index, silence) in silent.iter().map(|index| (*index, patient.silences[*index])) {
            let since = silence.since.unwrap_or(Place { offset: 0, time: 0 });
            due.extend(layout.silences[index].rules.iter().map(|rule| (*rule, Due::Silence(since))));
        }
        for (rule, episode) in &patient.episodes {
            if is_due(layout.terms(*rule).and_then(|terms| episode.escalation(terms))) {
                due.push((*rule, Due::Escalation));
            }
        }
        due.sort_unstable();
        let forgotten = is_due(patient.forgotten(layout));
        if !due.is_empty() || forgotten {
            partition.touch(slot);
        }
        if let Some(patient) = partition.patient_mut(slot) {
            for index in silent {
                patient.silences[index].fired = true;
            }
        }
        for (rule, what) in due {
            match what {
                Due::Silence(since) => self.fall_silent(slot, rule, moment, since),
                Due::Escalation => self.escalate(slot, rule, moment),
            }
        }
        if forgotten {
            self.forget(slot, moment, row);
        }
        self.queue(slot);
    }

    /// First the record, then the alert.
    fn fall_silent(&mut self, slot: u32, rule: u32, moment: i64, since: Place) {
        let Some(info) = self.program.rules.get(rule as usize) else { return };
        let Some(patient) = self.partition.as_ref().and_then(|partition| partition.patient(slot)) else { return };
        if let Some(matched) = self.counts.matched.get_mut(rule as usize) {
            *matched += 1;
        }
        let (program, number) = (self.program, self.cause.partition);
        self.outputs.push(self.cause, OutputKind::Derived(info.topic), |out| {
            out.extend_from_slice(patient.id.as_bytes());
            program.write_silence(info, &patient.id, moment, (number, since), out);
            Some(patient.id.len())
        });
        self.silent(slot, rule, moment, since);
    }

    fn escalate(&mut self, slot: u32, rule: u32, moment: i64) {
        let patient = self.partition.as_mut().and_then(|partition| partition.patient_mut(slot));
        let Some(episode) = patient.and_then(|patient| patient.episode(rule)) else { return };
        // While its alerts are paused it is escalated when the pause is over.
        episode.held = true;
        let origin = Origin::Reading(episode.began.offset);
        if self.tell(slot, rule, AlertState::Escalated, Occasion::at(moment, origin)) {
            self.escalated(slot, rule);
        }
    }

    fn escalated(&mut self, slot: u32, rule: u32) {
        let patient = self.partition.as_mut().and_then(|partition| partition.patient_mut(slot));
        if let Some(episode) = patient.and_then(|patient| patient.episode(rule)) {
            (episode.escalated, episode.held) = (true, false);
        }
    }

    /// Forgets the patient. Readings of the batch at hand that are still to come have begun the cells afresh already.
    fn forget(&mut self, slot: u32, moment: i64, row: Option<usize>) {
        let Some(patient) = self.partition.as_ref().and_then(|partition| partition.patient(slot)) else { return };
        let origin = Origin::Reading(patient.last.map_or(0, |last| last.offset));
        let comes_again = patient.ahead.zip(row).is_some_and(|(ahead, row)| ahead.last_row >= row);
        let open: Vec<u32> = patient.episodes.iter().map(|(rule, _)| *rule).collect();
        let marks = Marks { reason: Some(FORGOTTEN), ..Marks::default() };
        for rule in open {
            self.resolve(slot, rule, Occasion::at(moment, origin).marked(marks));
        }
        self.counts.forgotten += 1;
        let Some(partition) = &mut self.partition else { return };
        match partition.patient_mut(slot) {
            Some(patient) if comes_again => patient.forget(),
            _ => partition.remove(slot),
        }
    }

    /// Ends the pauses that last until `moment`: what nobody was told meanwhile is told now, as far as it still matters.
    fn end_pauses(&mut self, moment: i64) {
        let Some(partition) = &mut self.partition else { return };
        partition.touch_own();
        partition.own.pauses.retain(|pause| pause.until > moment);
        let Some(partition) = &self.partition else { return };
        let is_told = |rule: u32, patient: &str| {
            let info = self.program.rules.get(rule as usize);
            info.is_some_and(|info| !self.is_paused(info, Some(patient)))
        };
        let mut untold: Vec<(Box<str>, u32, Untold)> = Vec::new();
        for (patient, rule, began) in partition.own.owed.keys().filter(|(patient, rule, _)| is_told(*rule, patient)) {
            untold.push((patient.clone(), *rule, Untold::End(*began)));
        }
        for patient in partition.patients() {
            let open = patient.episodes.iter().filter(|(_, episode)| episode.has_untold());
            let open = open.filter(|(rule, _)| is_told(*rule, &patient.id));
            untold.extend(open.map(|(rule, _)| (patient.id.clone(), *rule, Untold::Open)));
        }
        untold.sort_unstable();
        for (patient, rule, what) in untold {
            match what {
                Untold::End(began) => self.tell_end((patient, rule, began), moment),
                Untold::Open => self.tell_open(&patient, rule, moment),
            }
        }
    }

    fn tell_end(&mut self, end: (Box<str>, u32, Place), moment: i64) {
        let Some(partition) = &mut self.partition else { return };
        let Some(owed) = partition.own.owed.remove(&end) else { return };
        let (patient, rule, _) = end;
        let Some((info, alert)) = self.alert(rule) else { return };
        let marks = Marks { reason: owed.forgotten.then_some(FORGOTTEN), ..Marks::default() };
        let occasion = Occasion::at(moment, Origin::Reading(owed.episode.began.offset)).marked(marks);
        let telling = self.telling(AlertState::Resolved, &owed.episode, Some(&patient), occasion);
        self.send(info, alert, &telling);
    }

    /// That it is open, who has acknowledged it, and that nobody has for so long, as far as nobody was told.
    fn tell_open(&mut self, patient: &str, rule: u32, moment: i64) {
        let Some(partition) = &mut self.partition else { return };
        let Some(slot) = partition.slot(patient) else { return };
        partition.touch(slot);
        let Some(episode) = partition.patient_mut(slot).and_then(|patient| patient.episode(rule)) else { return };
        let occasion = Occasion::at(moment, Origin::Reading(episode.began.offset));
        let (is_told, by, escalates) = (episode.told, episode.untold_by.take(), episode.owes_escalation());
        if !is_told {
            self.tell(slot, rule, AlertState::Raised, occasion);
        }
        if let Some(by) = by {
            let marks = Marks { by: Some(&by), ..Marks::default() };
            self.tell(slot, rule, AlertState::Acknowledged, occasion.marked(marks));
        }
        if escalates {
            self.tell(slot, rule, AlertState::Escalated, occasion);
            self.escalated(slot, rule);
        }
    }
}

/// Why an episode is over whose patient is forgotten.
const FORGOTTEN: &str = "forgotten";
