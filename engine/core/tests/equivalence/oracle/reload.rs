//! One rule set after another: what is remembered goes on under the name of its expression, episodes under the name of
//! their rule.

use std::collections::BTreeMap;

use super::episode::sending;
use super::output::Alert;
use super::partition::{Partition, Patient};
use super::rule::{Condition, Rule};
use super::{Oracle, Sending, Sent, output};

impl Oracle {
    /// Goes on as `next`; `row` marks what the change itself sends.
    pub(crate) fn reload(&mut self, next: Oracle, row: usize) -> Vec<Sent> {
        let mut old = std::mem::replace(self, next);
        (self.width, self.replays) = (old.width, old.replays);
        let heirs = heirs(&old, self);
        let mut all = Vec::new();
        for (number, mut partition) in std::mem::take(&mut old.partitions) {
            let mut out = Vec::new();
            let now = partition.now.unwrap_or(0);
            self.remember(&old, &mut partition, now);
            self.inherit(&old, &heirs, &mut partition, now, &mut out);
            let sent = |(to, key, value)| Sent { row, to, key, value, partition: number, timestamp: Some(now) };
            all.extend(out.into_iter().map(sent));
            // Without state there is nothing to go on with, neither before nor after.
            if old.stateful && self.stateful {
                partition.quiet_until = i64::MIN;
                self.partitions.insert(number, partition);
            }
        }
        all
    }

    /// What an expression of another name than any before has not seen: all readings so far.
    fn remember(&self, old: &Oracle, partition: &mut Partition, now: i64) {
        let (before, after) = (old.remembered(), self.remembered());
        for patient in partition.patients.values_mut() {
            patient.seen.iter_mut().for_each(|reading| reading.said = self.ask(&reading.states));
            let begun = |name: &String| {
                let earlier = patient.begun.get(name).copied().unwrap_or(0);
                (name.clone(), if before.contains(name) { earlier } else { patient.seen.len() })
            };
            patient.begun = after.iter().map(begun).collect();
            let fired = |(at, rule): (usize, &Rule)| Some((at, self.fired(old, rule, patient, now)?));
            patient.fired = self.rules.iter().enumerate().filter_map(fired).collect();
        }
    }

    /// The reading from which a silence has been told that lasts: of a new one that is over already, the last.
    fn fired(&self, old: &Oracle, rule: &Rule, patient: &Patient, now: i64) -> Option<i64> {
        let Condition::Silence { field, hold } = &rule.condition else { return None };
        let name = self.condition_name(rule);
        if let Some(at) = old.rules.iter().position(|other| old.condition_name(other) == name) {
            return patient.fired.get(&at).copied();
        }
        let last = patient.seen.last().expect("a patient has been seen");
        (field.is_none() && last.ts + hold < now).then_some(last.offset)
    }

    /// Episodes go to the heirs of their rules; those that have none are over.
    fn inherit(
        &self,
        old: &Oracle,
        heirs: &BTreeMap<usize, usize>,
        partition: &mut Partition,
        now: i64,
        out: &mut Vec<Sending>,
    ) {
        let mut over = |at: usize, alert: &Alert, began: (i32, i64)| {
            let origin = self.origin_of(began);
            let alert = Alert { state: "resolved", ts: now, origin, reason: Some("rule removed"), ..alert.clone() };
            out.push(sending(&old.rules[at], &alert));
        };
        for patient in partition.patients.values_mut() {
            for (at, mut episode) in std::mem::take(&mut patient.episodes) {
                if let Some(heir) = heirs.get(&at) {
                    self.adopt(*heir, &mut episode.said);
                    patient.episodes.insert(*heir, episode);
                } else if episode.told {
                    over(at, &episode.said, episode.began);
                }
            }
        }
        let mut owed = std::mem::take(&mut partition.owed);
        owed.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        for (name, at, mut alert, began) in owed {
            if let Some(heir) = heirs.get(&at) {
                self.adopt(*heir, &mut alert);
                partition.owed.push((name, *heir, alert, began));
            } else {
                over(at, &alert, began);
            }
        }
    }

    /// The words stay, and so does the id; who says them, how urgently and to whom is the rule's.
    fn adopt(&self, heir: usize, said: &mut Alert) {
        let rule = &self.rules[heir];
        said.rule.clone_from(&rule.name);
        said.priority = rule.alert.as_ref().expect("a rule with an alert").priority;
        said.notify.clone_from(&self.topic(rule).notify);
    }

    pub(super) fn origin_of(&self, (partition, offset): (i32, i64)) -> String {
        output::origin(&self.stream.name.node, partition, offset, &self.ruleset)
    }
}

/// By rule with episodes: the one of its name, or the only new one of its topic with its condition.
fn heirs(old: &Oracle, new: &Oracle) -> BTreeMap<usize, usize> {
    let mut heirs = BTreeMap::new();
    for (at, rule) in old.rules.iter().enumerate().filter(|(_, rule)| rule.has_episodes()) {
        let same = new.rules.iter().position(|other| other.name == rule.name);
        let renamed = || {
            let is_new = |other: &Rule| old.rules.iter().all(|known| known.name != other.name);
            let is_like =
                |other: &Rule| other.topic == rule.topic && new.condition_name(other) == old.condition_name(rule);
            let mut alike = (0..new.rules.len()).filter(|at| is_new(&new.rules[*at]) && is_like(&new.rules[*at]));
            let only = alike.next().filter(|_| alike.next().is_none())?;
            (!heirs.values().any(|taken| *taken == only)).then_some(only)
        };
        if let Some(heir) = same.or_else(renamed).filter(|heir| new.rules[*heir].has_episodes()) {
            heirs.insert(at, heir);
        }
    }
    heirs
}
