//! How long the records of a topic stay, in Kafka's settings. Topics that are made get them; one that is there is left as it
//! is, and what differs is told: shortening deletes at once and for good, and an engine has no right to change settings.

use std::time::Duration;

use super::fault::{Settings, Use};
use crate::config::{DAY, Kept, RetentionConfig};

/// A compacted topic forgets what has a tombstone no later than so long after it may.
pub(crate) const COMPACTED_WITHIN: Duration = DAY;

/// Kafka deletes whole segments: so long is one.
const SEGMENT: Duration = DAY;

/// The settings of a topic that is for that, and who asks for them: mostly a key of the configuration.
pub(super) fn settings(purpose: Use, retention: &RetentionConfig) -> (&'static str, Vec<(&'static str, String)>) {
    let deleted =
        |key, kept: Kept| (key, vec![("retention.ms", kept.millis().to_string()), ("segment.ms", millis(SEGMENT))]);
    match purpose {
        Use::Stream => deleted("retention.readings", retention.readings),
        Use::Derived => deleted("retention.records", retention.records),
        Use::DeadLetters => deleted("retention.dead_letters", retention.dead_letters),
        Use::Acknowledgements => deleted("retention.acknowledgements", retention.acknowledgements),
        Use::Journal => deleted("retention.journal", retention.journal),
        Use::Alerts | Use::TechnicalAlerts => {
            let most = retention.alerts.saturating_add(COMPACTED_WITHIN);
            let lags = [("min.compaction.lag.ms", retention.alerts), ("max.compaction.lag.ms", most)];
            ("retention.alerts", lags.map(|(name, lag)| (name, millis(lag))).into())
        }
        Use::Snapshots => ("triage erase", vec![("max.compaction.lag.ms", millis(COMPACTED_WITHIN))]),
        Use::Heartbeat => ("heartbeat.every", Vec::new()),
    }
}

/// What differs on a topic that is there, and how it is put right; none if nothing does, or nothing is told.
pub(super) fn difference(topic: &str, purpose: Use, has: &Settings, retention: &RetentionConfig) -> Option<String> {
    let (key, wanted) = settings(purpose, retention);
    let differs = |(name, wanted): &(&str, String)| has.number(name).is_some_and(|has| has.to_string() != *wanted);
    let wanted: Vec<_> = wanted.into_iter().filter(differs).collect();
    if wanted.is_empty() {
        return None;
    }
    let list = |separator: &str, value: &dyn Fn(&(&str, String)) -> String| {
        wanted.iter().map(value).collect::<Vec<_>>().join(separator)
    };
    let is = list(", ", &|(name, _)| format!("`{name}` = {}", has.number(name).unwrap_or_default()));
    let wanted = list(",", &|(name, wanted)| format!("{name}={wanted}"));
    Some(format!(
        "topic `{topic}` was made otherwise than `{key}` asks for: it has {is}; the engine changes no topic that is there, an \
         administrator does: `kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {wanted}`"
    ))
}

fn millis(duration: Duration) -> String {
    duration.as_millis().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retention() -> RetentionConfig {
        RetentionConfig { alerts: 7 * DAY, dead_letters: Kept::Forever, ..RetentionConfig::default() }
    }

    #[test]
    fn every_kind_of_topic_has_its_time() {
        let made = |purpose| settings(purpose, &retention()).1;
        assert_eq!(made(Use::Stream)[0], ("retention.ms", "604800000".to_owned()));
        assert_eq!(made(Use::DeadLetters)[0], ("retention.ms", "-1".to_owned()));
        let lags = [("min.compaction.lag.ms", "604800000"), ("max.compaction.lag.ms", "691200000")];
        assert_eq!(made(Use::Alerts), lags.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn what_differs_is_told_with_the_way_to_change_it() {
        let mut has = Settings::default();
        has.add("retention.ms".to_owned(), "3600000".to_owned(), true);
        let told = difference("research", Use::Stream, &has, &retention()).unwrap_or_default();
        assert!(told.contains("`retention.readings` asks for: it has `retention.ms` = 3600000;"), "{told}");
        assert!(told.ends_with("--entity-name research --add-config retention.ms=604800000`"), "{told}");
        let mut same = Settings::default();
        same.add("retention.ms".to_owned(), "604800000".to_owned(), true);
        assert_eq!(difference("research", Use::Stream, &same, &retention()), None);
        assert_eq!(difference("research", Use::Stream, &Settings::default(), &retention()), None);
    }
}
