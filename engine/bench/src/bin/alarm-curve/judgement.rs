//! Alarms beside what really happened.

use triage::gateway::simulation::{Episode, Kind};

use crate::monitor::Alarm;

/// An alarm that comes later than this after the episode was fully there is late, in milliseconds.
pub(crate) const LATE: i64 = 30_000;

/// What a hold does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// How long a condition must hold, in seconds.
    pub(crate) hold: u64,
    /// Episodes that there were.
    pub(crate) episodes: usize,
    /// Alarms raised.
    pub(crate) alarms: usize,
    /// Those of them that no episode explains.
    pub(crate) vain: usize,
    /// Episodes during which no alarm stood that is for them.
    pub(crate) missed: usize,
    /// Episodes whose first alarm came late, those missed not counted.
    pub(crate) late: usize,
    /// The same of the short kind, hypotension.
    pub(crate) short: Short,
}

/// Hypotension, which lasts from half a minute on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Short {
    pub(crate) episodes: usize,
    pub(crate) missed: usize,
    pub(crate) late: usize,
}

impl Judgement {
    pub(crate) fn of(hold: u64, alarms: &[Alarm], episodes: &[Episode]) -> Self {
        let explained = |alarm: &&Alarm| !episodes.iter().any(|episode| is_for(alarm, episode));
        let vain = alarms.iter().filter(explained).count();
        let mut judgement = Self {
            hold,
            episodes: episodes.len(),
            alarms: alarms.len(),
            vain,
            missed: 0,
            late: 0,
            short: Short::default(),
        };
        for episode in episodes {
            judgement.count(episode, first(alarms, episode));
        }
        judgement
    }

    fn count(&mut self, episode: &Episode, first: Option<i64>) {
        let missed = usize::from(first.is_none());
        let late = usize::from(first.is_some_and(|first| first > episode.established + LATE));
        self.missed += missed;
        self.late += late;
        if episode.kind == Kind::Hypotension {
            self.short.episodes += 1;
            self.short.missed += missed;
            self.short.late += late;
        }
    }
}

/// When an alarm for the episode first stood while it went on.
fn first(alarms: &[Alarm], episode: &Episode) -> Option<i64> {
    let alarm = alarms.iter().find(|alarm| is_for(alarm, episode))?;
    Some(alarm.raised.max(episode.start))
}

/// Whether the alarm stood for what the episode is, while it went on.
fn is_for(alarm: &Alarm, episode: &Episode) -> bool {
    let rule = match episode.kind {
        Kind::HypertensiveCrisis | Kind::StrokeSequence => "monitor.high_pressure",
        Kind::Hypotension => "monitor.low_pressure",
        Kind::Fever => "monitor.fever",
    };
    alarm.rule == rule
        && alarm.patient == episode.patient
        && alarm.raised <= episode.end
        && alarm.resolved >= episode.start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alarm(rule: &str, raised: i64, resolved: i64) -> Alarm {
        Alarm { rule: rule.to_owned(), patient: "p1".to_owned(), raised, resolved }
    }

    fn episode(start: i64) -> Episode {
        let kind = Kind::Hypotension;
        Episode { patient: "p1".to_owned(), kind, start, established: start + 30_000, end: start + 300_000 }
    }

    #[test]
    fn alarms_are_for_an_episode_or_in_vain() {
        let low = "monitor.low_pressure";
        let alarms = [
            alarm(low, 0, 5_000),
            alarm("monitor.high_pressure", 130_000, 140_000),
            alarm(low, 150_000, 160_000),
            alarm(low, 200_000, 210_000),
        ];
        let judgement = Judgement::of(0, &alarms, &[episode(100_000)]);
        assert_eq!((judgement.alarms, judgement.vain, judgement.missed, judgement.late), (4, 2, 0, 0));
    }

    #[test]
    fn an_alarm_in_time_a_late_one_and_none() {
        let alarms =
            [alarm("monitor.low_pressure", 1_060_000, 1_070_000), alarm("monitor.low_pressure", 2_060_001, 2_070_000)];
        let judgement = Judgement::of(15, &alarms, &[episode(1_000_000), episode(2_000_000), episode(3_000_000)]);
        assert_eq!((judgement.vain, judgement.missed, judgement.late), (0, 1, 1));
        assert_eq!(judgement.short, Short { episodes: 3, missed: 1, late: 1 });
    }

    #[test]
    fn an_alarm_that_stands_when_the_episode_begins_is_in_time() {
        let judgement = Judgement::of(0, &[alarm("monitor.low_pressure", 0, 150_000)], &[episode(100_000)]);
        assert_eq!((judgement.vain, judgement.missed, judgement.late), (0, 0, 0));
    }
}
