//! The pauses that people have asked for, as the topic `acknowledgements` says. The engine decides when one is over: when
//! the stream's time has passed its end; here it is over when the wall clock has.

use std::collections::BTreeMap;

use triage_core::program::{MOST_PAUSES, Pause, Scope};

const RULE: &str = "rule";

const PATIENT: &str = "patient";

/// Pauses by partition.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    partitions: BTreeMap<i32, Vec<Pause>>,
}

impl Pauses {
    /// Takes a pause of a partition in, at that time in epoch milliseconds; beyond the most that the engine keeps none.
    pub(crate) fn take(&mut self, partition: i32, pause: Pause, now: i64) {
        let pauses = self.partitions.entry(partition).or_default();
        pauses.retain(|pause| pause.until >= now);
        if pause.until >= now && pauses.len() < MOST_PAUSES {
            pauses.push(pause);
        }
    }

    /// Forgets a patient's.
    pub(crate) fn erase(&mut self, partition: i32, patient: &str) {
        if let Some(pauses) = self.partitions.get_mut(&partition) {
            pauses.retain(|pause| scope(&pause.scope) != (PATIENT, patient));
        }
    }

    /// Those that last at that time, the first to end first, each with the partitions that have it.
    pub(crate) fn lasting(&self, now: i64) -> Vec<(Pause, Vec<i32>)> {
        let mut lasting: Vec<(Pause, Vec<i32>)> = Vec::new();
        for (partition, pauses) in &self.partitions {
            for pause in pauses.iter().filter(|pause| pause.until >= now) {
                match lasting.iter_mut().find(|(known, _)| known == pause) {
                    Some((_, partitions)) if partitions.contains(partition) => {}
                    Some((_, partitions)) => partitions.push(*partition),
                    None => lasting.push((pause.clone(), vec![*partition])),
                }
            }
        }
        lasting.sort_by(|(left, _), (right, _)| order(left).cmp(&order(right)));
        lasting
    }

    /// How many last at that time, by what they are of.
    pub(crate) fn counts(&self, now: i64) -> [(&'static str, usize); 2] {
        let lasting = self.lasting(now);
        [RULE, PATIENT].map(|kind| (kind, lasting.iter().filter(|(pause, _)| scope(&pause.scope).0 == kind).count()))
    }
}

fn order(pause: &Pause) -> (i64, &'static str, &str, &str, &str) {
    let (kind, name) = scope(&pause.scope);
    (pause.until, kind, name, &pause.by, &pause.why)
}

/// `rule` or `patient`, and which.
pub(crate) fn scope(scope: &Scope) -> (&'static str, &str) {
    match scope {
        Scope::Rule(rule) => (RULE, rule),
        Scope::Patient(patient) => (PATIENT, patient),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(rule: &str, until: i64) -> Pause {
        Pause { scope: Scope::Rule(rule.to_owned()), until, by: "eve".to_owned(), why: "moved".to_owned() }
    }

    #[test]
    fn pauses_are_told_once_until_they_end() {
        let mut pauses = Pauses::default();
        for partition in [0, 1] {
            pauses.take(partition, pause("late", 90), 5);
            pauses.take(partition, pause("soon", 10), 5);
        }
        pauses.take(1, pause("soon", 10), 5);
        pauses.take(0, pause("past", 4), 5);
        assert_eq!(pauses.lasting(10), [(pause("soon", 10), vec![0, 1]), (pause("late", 90), vec![0, 1])]);
        assert_eq!(pauses.lasting(11), [(pause("late", 90), vec![0, 1])]);
        let of_patient = Pause { scope: Scope::Patient("p".to_owned()), ..pause("", 50) };
        pauses.take(1, of_patient, 11);
        assert_eq!(
            (pauses.counts(10), pauses.counts(51)),
            ([("rule", 2), ("patient", 1)], [("rule", 1), ("patient", 0)])
        );
        pauses.take(0, pause("more", 100), 91);
        assert_eq!(pauses.partitions.get(&0).map(Vec::len), Some(1));
    }

    #[test]
    fn no_more_are_kept_than_the_engine_keeps() {
        let mut pauses = Pauses::default();
        for until in 0..300 {
            pauses.take(0, pause("r", until), 0);
        }
        assert_eq!(pauses.lasting(0).len(), MOST_PAUSES);
    }
}
