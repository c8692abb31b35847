//! From one rule set to the next: state goes with the expressions that stay, episodes with the names of their rules.

use std::collections::{BTreeMap, HashMap};

use super::alert::{Marks, Origin, Telling};
use super::output::{Cause, OutputKind, Outputs};
use super::{OriginPlan, Program};
use crate::graph::CellName;
use crate::operator::episode::Episode;
use crate::state::{Layout, Partition, Patient, RuleLayout, Silence, States};
use crate::syntax::ast::AlertState;

/// What a reload did to the state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migration {
    /// Expressions whose state goes on.
    pub kept: Vec<String>,
    /// Expressions that begin afresh.
    pub started: Vec<String>,
    /// Expressions that nothing uses any more: their state is freed.
    pub dropped: Vec<String>,
    /// Rules whose open episodes go by another name now, from and to.
    pub moved: Vec<(String, String)>,
    /// How many episodes were resolved because their rule is gone, by rule.
    pub resolved: BTreeMap<String, u64>,
    /// The patients, by partition, whose episodes moved or were resolved.
    pub touched: Vec<(i32, String)>,
}

impl Program {
    /// Takes over the states of the program before. What was touched since the last commit is committed first, and a
    /// rollback does not undo the migration: keep `outputs`, which says which episodes are resolved, until it is sent. Its
    /// alerts go to the topics of `old`.
    pub fn take_over(&self, old: &Program, states: &mut States, outputs: &mut Outputs) -> Migration {
        states.commit();
        let plan = Plan::new(old, self);
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

/// Where everything goes.
struct Plan<'a> {
    old: &'a Program,
    new: &'a Program,
    /// By new cell: the old one.
    cells: Vec<Option<usize>>,
    /// By new silence: the old one.
    silences: Vec<Option<usize>>,
    /// By old rule: the new one.
    rules: Vec<Option<u32>>,
    origin: OriginPlan,
}

impl<'a> Plan<'a> {
    fn new(old: &'a Program, new: &'a Program) -> Self {
        let (before, after) = (&old.layout, &new.layout);
        let find_cell = |name| before.cells.iter().position(|cell| cell.name == name);
        let find_silence = |name| before.silences.iter().position(|silence| silence.name == name);
        Self {
            old,
            new,
            cells: after.cells.iter().map(|cell| find_cell(cell.name)).collect(),
            silences: after.silences.iter().map(|silence| find_silence(silence.name)).collect(),
            rules: successors(before, after, old, new),
            origin: OriginPlan {
                before_partition: old.origin.before_partition.clone(),
                after_offset: new.origin.after_offset.clone(),
            },
        }
    }

    fn report(&self) -> Migration {
        let mut migration = Migration::default();
        let (before, after) = (&self.old.layout, &self.new.layout);
        let cells = after.cells.iter().map(|cell| &cell.text).zip(&self.cells);
        let silences = after.silences.iter().map(|silence| &silence.text).zip(&self.silences);
        for (text, from) in cells.chain(silences) {
            let list = if from.is_some() { &mut migration.kept } else { &mut migration.started };
            list.push(text.clone());
        }
        let gone = |kept: &[Option<usize>], index: usize| !kept.contains(&Some(index));
        let cells = before.cells.iter().enumerate().filter(|(index, _)| gone(&self.cells, *index));
        migration.dropped.extend(cells.map(|(_, cell)| cell.text.clone()));
        let silences = before.silences.iter().enumerate().filter(|(index, _)| gone(&self.silences, *index));
        migration.dropped.extend(silences.map(|(_, silence)| silence.text.clone()));
        for (rule, successor) in before.rules.iter().zip(&self.rules) {
            let new = successor.and_then(|successor| after.rules.get(successor as usize));
            if let Some(new) = new.filter(|new| new.name != rule.name) {
                migration.moved.push((rule.name.clone(), new.name.clone()));
            }
        }
        migration
    }

    /// Takes one patient over.
    fn patient(&self, id: &str, partition: &mut Partition, migration: &mut Migration, outputs: &mut Outputs) {
        let (number, now) = (partition.number(), partition.time().unwrap_or(0));
        let Some(patient) = partition.slot(id).and_then(|slot| partition.patient_mut(slot)) else { return };
        let mut cells: Vec<_> = std::mem::take(&mut patient.cells).into_iter().map(Some).collect();
        let fresh = self.new.layout.fresh_cells();
        let kept = self.cells.iter().zip(fresh);
        patient.cells =
            kept.map(|(from, fresh)| from.and_then(|from| cells.get_mut(from)?.take()).unwrap_or(fresh)).collect();
        let silences = std::mem::take(&mut patient.silences);
        let new = self.silences.iter().zip(&self.new.layout.silences);
        patient.silences = new
            .map(|(from, plan)| match from {
                Some(from) => silences.get(*from).copied().unwrap_or_default(),
                None => begun(patient, plan.field.is_none(), plan.hold, now),
            })
            .collect();
        let mut changed = false;
        for (rule, episode) in std::mem::take(&mut patient.episodes) {
            let new = self.rules.get(rule as usize).copied().flatten();
            changed |= new != Some(rule);
            if let Some(new) = new {
                patient.open(new, episode);
            } else {
                self.resolve(rule, &episode, id, (number, now), migration, outputs);
            }
        }
        if changed {
            migration.touched.push((number, id.to_owned()));
        }
    }

    /// Takes over what is the partition's own: ends that are still to be told.
    fn own(&self, partition: &mut Partition, migration: &mut Migration, outputs: &mut Outputs) {
        let at = (partition.number(), partition.time().unwrap_or(0));
        for ((patient, rule), owed) in std::mem::take(&mut partition.own.owed) {
            match self.rules.get(rule as usize).copied().flatten() {
                Some(new) => drop(partition.own.owed.insert((patient, new), owed)),
                None => self.resolve(rule, &owed.episode, &patient, at, migration, outputs),
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
        let Some(info) = self.old.rules.get(rule as usize) else { return };
        *migration.resolved.entry(info.name.clone()).or_default() += 1;
        let Some(alert) = info.alert.as_ref().filter(|_| episode.told) else { return };
        let telling = Telling {
            state: AlertState::Resolved,
            partition,
            began: episode.began,
            patient: Some(patient),
            time: now,
            since: episode.since,
            said: &episode.said,
            marks: Marks { reason: Some("rule removed"), ..Marks::default() },
            origin: Origin::Reading(episode.began.offset),
        };
        let cause = Cause { row: 0, partition, timestamp: Some(now) };
        outputs.push_alert(cause, OutputKind::Alert(info.topic), Some((telling.state, telling.time)), |out| {
            Some(self.old.write_alert_from(&self.origin, info, alert, &telling, out))
        });
    }
}

/// A silence that no rule waited for before. The patient's last reading is known, so that `no reading for` is counted from
/// it; a silence that is over long enough already is not announced by a reload.
fn begun(patient: &Patient, any_reading: bool, hold: i64, now: i64) -> Silence {
    let since = patient.last.filter(|last| any_reading && last.time.saturating_add(hold) >= now);
    Silence { since, fired: false }
}

/// By old rule: the new one that its episodes go to. The one of its name, or, if there is none, the one new rule of its topic
/// with the same condition. Where two old rules would go to one, the first does.
fn successors(before: &Layout, after: &Layout, old: &Program, new: &Program) -> Vec<Option<u32>> {
    let topic = |program: &Program, rule: usize| {
        let rule = program.listing.get(rule)?;
        Some(program.topic(rule.topic).name.clone())
    };
    // New rules by topic and condition; of several that are alike none takes anything over.
    let mut arrived: HashMap<(Option<String>, CellName), Option<u32>> = HashMap::new();
    for (index, rule) in after.rules.iter().enumerate().filter(|(_, rule)| before.rule(&rule.name).is_none()) {
        let only = arrived.entry((topic(new, index), rule.condition));
        only.and_modify(|only| *only = None).or_insert(Some(index as u32));
    }
    let mut successor = |index: usize, rule: &RuleLayout| {
        rule.episodes.as_ref()?;
        let new = match after.rule(&rule.name) {
            Some(same) => same,
            // Taken out: what one has taken over is nobody else's.
            None => arrived.get_mut(&(topic(old, index), rule.condition))?.take()?,
        };
        after.terms(new).map(|_| new)
    };
    before.rules.iter().enumerate().map(|(index, rule)| successor(index, rule)).collect()
}
