//! From one rule set to the next: state goes with the expressions that stay, episodes with the names of their rules.

use std::collections::BTreeMap;

use super::alert::{Marks, Origin, Telling};
use super::output::{Cause, OutputKind, Outputs};
use super::succession::Succession;
use super::{OriginPlan, Program};
use crate::operator::Cell;
use crate::operator::episode::Episode;
use crate::state::{Partition, Patient, Silence, States};
use crate::syntax::ast::AlertState;

/// What a reload did to the episodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// How many open episodes go by another name now, by the old and the new name of their rule.
    pub moved: BTreeMap<(String, String), u64>,
    /// How many episodes were resolved because their rule is gone, by rule.
    pub resolved: BTreeMap<String, u64>,
    /// The patients, by partition, whose episodes moved or were resolved.
    pub touched: Vec<(i32, String)>,
}

impl Migration {
    /// Takes in what became of the episodes of other partitions; whose they are is left out.
    pub fn add(&mut self, other: Self) {
        for (names, episodes) in other.moved {
            *self.moved.entry(names).or_default() += episodes;
        }
        for (rule, episodes) in other.resolved {
            *self.resolved.entry(rule).or_default() += episodes;
        }
    }
}

impl Program {
    /// Takes over the states of the program before. What was touched since the last commit is committed first, and a
    /// rollback does not undo the migration: keep `outputs`, which says which episodes are resolved, until it is sent. Its
    /// alerts go to the topics of `old`.
    pub fn take_over(&self, old: &Program, states: &mut States, outputs: &mut Outputs) -> Migration {
        states.commit();
        let plan = Plan::new(Succession::between(old, self));
        let mut migration = plan.report();
        for partition in states.all() {
            let ids: Vec<String> = partition.ids().into_iter().map(str::to_owned).collect();
            for id in ids {
                plan.patient(&id, partition, &mut migration, outputs);
            }
            plan.own(partition, &mut migration, outputs);
            if !self.layout.keeps_state {
                partition.clear();
            }
            partition.queue_all(&self.layout);
        }
        migration
    }
}

/// Where everything goes, and how the ends of episodes say where they come from.
struct Plan<'a> {
    succession: Succession<'a>,
    cells_stay: bool,
    origin: OriginPlan,
}

impl<'a> Plan<'a> {
    fn new(succession: Succession<'a>) -> Self {
        let (old, new) = (&succession.old.origin, &succession.new.origin);
        let origin =
            OriginPlan { before_partition: old.before_partition.clone(), after_offset: new.after_offset.clone() };
        Self { cells_stay: succession.keeps_cells_in_place(), succession, origin }
    }

    /// Nothing yet; a rename is told even if no episode is open.
    fn report(&self) -> Migration {
        let names = self.succession.renamed().map(|(old, new)| ((old.to_owned(), new.to_owned()), 0));
        Migration { moved: names.collect(), ..Migration::default() }
    }

    /// Takes one patient over.
    fn patient(&self, id: &str, partition: &mut Partition, migration: &mut Migration, outputs: &mut Outputs) {
        let (number, now) = (partition.number(), partition.time().unwrap_or(0));
        let Some(patient) = partition.slot(id).and_then(|slot| partition.patient_mut(slot)) else { return };
        self.cells(&mut patient.cells);
        if self.succession.old.layout.forget != self.succession.new.layout.forget {
            patient.heard_at = now;
        }
        let silences = std::mem::take(&mut patient.silences);
        let new = self.succession.silences.iter().zip(&self.succession.new.layout.silences);
        patient.silences = new
            .map(|(from, plan)| match from {
                Some(from) => silences.get(*from).copied().unwrap_or_default(),
                None => begun(patient, plan.field.is_none(), plan.hold, now),
            })
            .collect();
        let mut changed = false;
        for (rule, mut episode) in std::mem::take(&mut patient.episodes) {
            let new = self.successor(rule);
            changed |= new != Some(rule);
            // Its pause may be of another name than the rule has now: whether it is held back is looked at again.
            episode.held = false;
            if let Some(new) = new {
                if let Some(names) = self.rename(rule, new, &mut episode) {
                    *migration.moved.entry(names).or_default() += 1;
                }
                patient.open(new, episode);
            } else {
                self.resolve(rule, &episode, id, (number, now), migration, outputs);
            }
        }
        if changed {
            migration.touched.push((number, id.to_owned()));
        }
    }

    /// Takes the cells of one patient over, in the order of the new layout.
    fn cells(&self, cells: &mut Vec<Cell>) {
        if self.cells_stay {
            return;
        }
        let mut old: Vec<_> = std::mem::take(cells).into_iter().map(Some).collect();
        let new = self.succession.cells.iter().zip(&self.succession.new.layout.cells);
        let mut kept = |from: Option<usize>| old.get_mut(from?)?.take();
        *cells = new.map(|(from, plan)| kept(*from).unwrap_or_else(|| plan.kind.fresh())).collect();
    }

    fn successor(&self, rule: u32) -> Option<u32> {
        self.succession.rules.get(rule as usize).copied().flatten()
    }

    /// Makes it an episode of the new rule; the old and the new name if they differ.
    fn rename(&self, from: u32, to: u32, episode: &mut Episode) -> Option<(String, String)> {
        let old = &self.succession.old.layout.rules.get(from as usize)?.name;
        let new = &self.succession.new.layout.rules.get(to as usize)?.name;
        if old == new {
            return None;
        }
        episode.rename(old, new);
        Some((old.clone(), new.clone()))
    }

    /// Takes over what is the partition's own: ends that are still to be told.
    fn own(&self, partition: &mut Partition, migration: &mut Migration, outputs: &mut Outputs) {
        let at = (partition.number(), partition.time().unwrap_or(0));
        for ((patient, rule, began), mut owed) in std::mem::take(&mut partition.own.owed) {
            if let Some(new) = self.successor(rule) {
                self.rename(rule, new, &mut owed.episode);
                partition.own.owed.insert((patient, new, began), owed);
            } else {
                self.resolve(rule, &owed.episode, &patient, at, migration, outputs);
            }
        }
    }

    /// Tells that an episode is over because its rule is gone.
    fn resolve(
        &self,
        rule: u32,
        episode: &Episode,
        patient: &str,
        (partition, now): (i32, i64),
        migration: &mut Migration,
        outputs: &mut Outputs,
    ) {
        let Some(info) = self.succession.old.rules.get(rule as usize) else { return };
        *migration.resolved.entry(info.name.clone()).or_default() += 1;
        let Some(alert) = info.alert.as_ref().filter(|_| episode.told) else { return };
        let telling = Telling {
            state: AlertState::Resolved,
            partition,
            began: episode.began,
            named: episode.named.as_deref(),
            patient: Some(patient),
            time: now,
            since: episode.since,
            said: &episode.said,
            marks: Marks { reason: Some("rule removed"), ..Marks::default() },
            origin: Origin::Reading(episode.began.offset),
        };
        let cause = Cause { row: 0, partition, timestamp: Some(now) };
        outputs.push_alert(cause, OutputKind::Alert(info.topic), Some((telling.state, telling.time)), |out| {
            Some(self.succession.old.write_alert_from(&self.origin, info, alert, &telling, out))
        });
    }
}

/// A silence that no rule waited for before. The patient's last reading is known, so that `no reading for` is counted from
/// it; a silence that is over long enough already is not announced by a reload.
fn begun(patient: &Patient, any_reading: bool, hold: i64, now: i64) -> Silence {
    let since = patient.last.filter(|last| any_reading && last.time.saturating_add(hold) >= now);
    Silence { since, fired: false }
}
