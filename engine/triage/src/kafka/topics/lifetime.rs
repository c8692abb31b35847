//! When a record of a topic is gone for good, by the topic's own settings.

use serde::Serialize;

use super::fault::Settings;

/// Kafka looks for segments to delete or to compact every five minutes by default, and deletes them a minute later.
const LOOKING: i64 = 10 * 60 * 1000;

/// How a topic forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// By age: so many milliseconds after its time at the latest.
    Aged(i64),
    /// By a tombstone: so many milliseconds after that at the latest.
    Compacted(i64),
    /// It does not.
    Endless,
    /// The broker does not tell.
    Untold,
}

/// When a record is gone at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gone {
    /// In milliseconds since 1970.
    By(i64),
    /// It stays for good.
    Never,
    /// It cannot be told.
    Unknown,
}

impl Lifetime {
    pub(super) fn of(settings: &Settings) -> Self {
        let number = |name| settings.number(name);
        if settings.is_compacted() {
            return match number("max.compaction.lag.ms") {
                Some(lag) if lag < i64::MAX => Self::Compacted(lag.saturating_add(LOOKING)),
                Some(_) => Self::Endless,
                None => Self::Untold,
            };
        }
        match (number("retention.ms"), number("segment.ms")) {
            (Some(retention), _) if retention < 0 => Self::Endless,
            // The segment of a record is full after so long, and goes when its last record is too old.
            (Some(retention), Some(segment)) => Self::Aged(retention.saturating_add(segment).saturating_add(LOOKING)),
            _ => Self::Untold,
        }
    }

    /// When a record of that time is gone, in milliseconds since 1970; on a compacted topic one whose tombstone is written now.
    pub(crate) fn gone(self, time: i64, now: i64) -> Gone {
        match self {
            Self::Aged(after) => Gone::By(time.saturating_add(after)),
            Self::Compacted(after) => Gone::By(now.saturating_add(after)),
            Self::Endless => Gone::Never,
            Self::Untold => Gone::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifetime(pairs: &[(&str, &str)]) -> Lifetime {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.add((*name).to_owned(), (*value).to_owned(), true);
        }
        Lifetime::of(&settings)
    }

    #[test]
    fn a_record_is_gone_when_its_segment_is_too_old() {
        let aged = lifetime(&[("cleanup.policy", "delete"), ("retention.ms", "1000"), ("segment.ms", "10")]);
        assert_eq!(aged.gone(7, 99), Gone::By(1_017 + LOOKING));
        assert_eq!(lifetime(&[("retention.ms", "-1"), ("segment.ms", "10")]).gone(7, 99), Gone::Never);
        assert_eq!(lifetime(&[]).gone(7, 99), Gone::Unknown);
    }

    #[test]
    fn a_compacted_topic_forgets_within_its_longest_lag() {
        let compacted = lifetime(&[("cleanup.policy", "compact"), ("max.compaction.lag.ms", "1000")]);
        assert_eq!(compacted.gone(7, 99), Gone::By(1_099 + LOOKING));
        let unbounded = [("cleanup.policy", "compact"), ("max.compaction.lag.ms", "9223372036854775807")];
        assert_eq!(lifetime(&unbounded).gone(7, 99), Gone::Never);
    }
}
