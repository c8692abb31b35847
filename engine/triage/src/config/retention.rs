//! `[retention]`: how long what is written stays, in topics and in the store. What must stay for as long as something else is
//! checked here, so that a setting cannot take away what the engine needs.

use std::fmt;
use std::time::Duration;

/// A day.
pub(crate) const DAY: Duration = Duration::from_hours(24);

/// How long a reading or a journal entry is needed to restore a state, besides two snapshots of a patient: an outage that
/// nobody notices.
const OUTAGE: Duration = Duration::from_hours(1);

/// Kafka deletes whole segments, which are a day long, and looks now and then: so much longer than it should a record may stay.
const SLACK: Duration = Duration::from_hours(2 * 24);

/// How long something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kept {
    /// So long.
    For(Duration),
    /// For good.
    Forever,
}

impl Kept {
    /// As Kafka has it in `retention.ms`: milliseconds, or -1.
    pub(crate) fn millis(self) -> i64 {
        match self {
            Self::For(duration) => i64::try_from(duration.as_millis()).unwrap_or(i64::MAX),
            Self::Forever => -1,
        }
    }

    fn and(self, more: Duration) -> Self {
        match self {
            Self::For(duration) => Self::For(duration.saturating_add(more)),
            Self::Forever => Self::Forever,
        }
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::For(7 * DAY)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(duration) => humantime::format_duration(*duration).fmt(formatter),
            Self::Forever => formatter.write_str("forever"),
        }
    }
}

/// `[retention]`
#[derive(Debug, Clone, Default)]
pub struct RetentionConfig {
    /// Readings on the stream.
    pub readings: Kept,
    /// Derived records.
    pub records: Kept,
    /// Every state of an alert, and closed alerts at all.
    pub alerts: Duration,
    /// Dead letters, and those on their way back.
    pub dead_letters: Kept,
    /// What people have said, erasures among it.
    pub acknowledgements: Kept,
    /// What has changed states and is not in the stream.
    pub journal: Kept,
    /// Documents of the store, by their `ts`.
    pub documents: Kept,
}

impl RetentionConfig {
    /// The first setting that is too short for what rests on it: the key, and what it must be at least and why.
    pub(super) fn fault(&self, snapshot_age: Duration) -> Option<(&'static str, String)> {
        let state = Kept::For(needed_by_state(snapshot_age));
        for (key, kept) in [("retention.readings", self.readings), ("retention.journal", self.journal)] {
            if kept < state {
                let why = "a state is restored from two snapshots (`engine.snapshot_age`) and what came since";
                return Some((key, format!("{state} or more: {why}")));
            }
        }
        let others = [
            ("retention.readings", self.readings),
            ("retention.records", self.records),
            ("retention.alerts", Kept::For(self.alerts)),
            ("retention.dead_letters", self.dead_letters),
        ];
        let (longest, kept) = others.into_iter().max_by_key(|(_, kept)| *kept)?;
        let needed = kept.and(SLACK);
        (self.acknowledgements < needed).then(|| {
            let why = "it says which patients are erased, and what is theirs must be gone before that is";
            ("retention.acknowledgements", format!("{needed} or more, `{longest}` and two days: {why}"))
        })
    }
}

/// How long readings and journal entries must stay for a state to be restored. A mark is two sweeps old at most.
pub(crate) fn needed_by_state(snapshot_age: Duration) -> Duration {
    snapshot_age.saturating_mul(2).saturating_add(OUTAGE)
}

/// A duration of a day or more, or `forever`.
pub(super) fn kept(text: &str, least: Duration) -> Result<Kept, String> {
    if text == "forever" {
        return Ok(Kept::Forever);
    }
    let least_written = humantime::format_duration(least);
    match humantime::parse_duration(text) {
        Ok(duration) if duration >= least && duration <= MOST => Ok(Kept::For(duration)),
        _ => Err(format!("`forever`, or a duration from {least_written} to 100years, such as `30d`")),
    }
}

/// Longer is for good.
const MOST: Duration = Duration::from_hours(100 * 366 * 24);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn retention() -> RetentionConfig {
        let acknowledgements = Kept::For(35 * DAY);
        RetentionConfig { alerts: 7 * DAY, acknowledgements, documents: Kept::Forever, ..RetentionConfig::default() }
    }

    #[test]
    fn how_long_reads_as_it_is_written() {
        for text in ["forever", "7days", "1year"] {
            assert_eq!(kept(text, DAY).unwrap().to_string(), text);
        }
        assert!(Kept::Forever > Kept::For(MOST));
        for wrong in ["", "12h", "-1", "200years", "for good"] {
            assert!(kept(wrong, DAY).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_state_and_erasures_rest_on_is_not_shorter() {
        assert_eq!(retention().fault(Duration::from_secs(30)), None);
        let (key, least) = retention().fault(4 * DAY).unwrap();
        assert_eq!((key, least.starts_with("8days 1h or more")), ("retention.readings", true), "{least}");
        let forever = RetentionConfig { records: Kept::Forever, ..retention() };
        let (key, least) = forever.fault(Duration::from_secs(30)).unwrap();
        assert_eq!(key, "retention.acknowledgements");
        assert!(least.starts_with("forever or more, `retention.records` and two days"), "{least}");
    }
}
