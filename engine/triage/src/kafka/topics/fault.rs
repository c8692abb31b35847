//! What a topic's settings must be so that no reading, record or alert is lost in it. Asks no broker.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::published::PART_BYTES;

/// Room for key, headers and framing beside a value.
const ENVELOPE: usize = 16 * 1024;

/// The most bytes of a patient's state: what all windows together may hold, and room for the rest.
const LARGEST_STATE: usize = 900_000;

/// The largest record of a rule set: a part, escaped, with what is around it.
const RULE_SET_RECORD: usize = 2 * PART_BYTES + ENVELOPE;

/// What a Kafka broker takes when nobody has said anything.
const BROKERS_DEFAULT: usize = 1_048_588;

/// Records that go sooner are likely to go before somebody has looked.
const SHORT_RETENTION_MS: i64 = 24 * 60 * 60 * 1000;

/// How far a record's time may be off the broker's clock; outputs carry the time of their reading.
const TIME_LIMITS: [&str; 3] =
    ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms", "message.timestamp.difference.max.ms"];

/// Why a topic cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A topic has too few partitions.
    #[error("topic `{topic}` has {has} partitions, and the stream `{stream}` has {needs}: add partitions to `{topic}`")]
    TooFewPartitions {
        /// The topic.
        topic: String,
        /// How many it has.
        has: i32,
        /// The stream.
        stream: String,
        /// How many the stream has.
        needs: i32,
    },
    /// A topic does not take the largest record that may have to go there.
    #[error("topic `{topic}` takes records of {has} bytes, {needs} are needed: raise its `max.message.bytes`")]
    TooNarrow {
        /// The topic.
        topic: String,
        /// Its limit.
        has: usize,
        /// What is needed.
        needs: usize,
    },
    /// Compaction takes all but the last record of a patient.
    #[error(
        "topic `{topic}` is compacted, which drops all but the last record of each patient: set its `cleanup.policy` to `delete`"
    )]
    Compacted {
        /// The topic.
        topic: String,
    },
    /// A topic loses records by age that must stay.
    #[error("topic `{topic}` has the `cleanup.policy` `{policy}`, which drops what is old: set it to `compact`")]
    Ages {
        /// The topic.
        topic: String,
        /// What it has.
        policy: String,
    },
    /// The broker puts its own time in place of the reading's.
    #[error(
        "topic `{topic}` replaces the time of a reading by its own: set its `message.timestamp.type` to `CreateTime`"
    )]
    OwnTime {
        /// The topic.
        topic: String,
    },
    /// The topic refuses records whose time the stream takes.
    #[error(
        "topic `{topic}` has `{setting}` at {has}, below the {needs} of the stream: it would refuse what comes of some readings"
    )]
    TimeRefused {
        /// The topic.
        topic: String,
        /// The setting.
        setting: &'static str,
        /// What it is.
        has: i64,
        /// What it is on the stream.
        needs: i64,
    },
    /// Records go before the state that rests on them can be restored.
    #[error(
        "topic `{topic}` keeps records for {has} ms, and restoring a state needs those of {needs} ms: raise its `retention.ms`"
    )]
    TooShort {
        /// The topic.
        topic: String,
        /// Its `retention.ms`.
        has: i64,
        /// What is needed.
        needs: i64,
    },
    /// The topic was there, and is no longer.
    #[error("topic `{topic}` is gone")]
    Gone {
        /// The topic.
        topic: String,
    },
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Stream,
    Derived,
    Alerts,
    DeadLetters,
    Acknowledgements,
    Journal,
    Snapshots,
    TechnicalAlerts,
    Heartbeat,
}

/// What the broker says of a topic. A setting that it does not tell is not checked.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings {
    values: BTreeMap<String, String>,
    /// The names of those that were set for this topic.
    own: Vec<String>,
}

impl Settings {
    pub(super) fn add(&mut self, name: String, value: String, own: bool) {
        if own {
            self.own.push(name.clone());
        }
        self.values.insert(name, value);
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.values.get(name)?.parse().ok()
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.values.get("cleanup.policy").is_some_and(|policy| policy.contains("compact"))
    }

    /// The largest record that the topic takes.
    pub(super) fn limit(&self) -> Option<usize> {
        self.number("max.message.bytes").and_then(|limit| usize::try_from(limit).ok())
    }

    /// A rule set that the broker deletes by age would be gone at the next start.
    pub(super) fn faults_of_rule_sets(&self, topic: &str) -> Vec<Fault> {
        let ages = self.ages(topic);
        let limit = self.limit().filter(|has| *has < RULE_SET_RECORD);
        let narrow = limit.map(|has| Fault::TooNarrow { topic: topic.to_owned(), has, needs: RULE_SET_RECORD });
        ages.into_iter().chain(narrow).collect()
    }

    /// What a topic must not do that keeps the last record of each key for good.
    fn ages(&self, topic: &str) -> Option<Fault> {
        let policy = self.values.get("cleanup.policy").filter(|policy| *policy != "compact")?;
        Some(Fault::Ages { topic: topic.to_owned(), policy: policy.clone() })
    }

    /// The limits of time that were set for this topic: those of the stream hold for its outputs too.
    pub(super) fn time_limits(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.values.iter().filter(|(name, _)| self.own.contains(name));
        own.map(|(name, value)| (name.as_str(), value.as_str())).filter(|(name, _)| TIME_LIMITS.contains(name))
    }

    /// What may be meant, and is worth a word.
    pub(super) fn warning(&self, topic: &str, purpose: Use) -> Option<String> {
        if matches!(purpose, Use::Alerts | Use::TechnicalAlerts)
            && !self.values.get("cleanup.policy")?.contains("compact")
        {
            let retention = self.number("retention.ms").unwrap_or(-1);
            return Some(format!(
                "topic `{topic}` is not compacted: alerts that are still open vanish after `retention.ms` = {retention}; \
                 `cleanup.policy` = `compact` keeps them"
            ));
        }
        if purpose == Use::Heartbeat {
            return None;
        }
        let retention = self.number("retention.ms")?;
        let deletes = self.values.get("cleanup.policy").is_none_or(|policy| policy.contains("delete"));
        let short = deletes && (0..SHORT_RETENTION_MS).contains(&retention);
        short.then(|| {
            format!("topic `{topic}` keeps records for less than a day (`retention.ms` = {retention}): after a longer outage they are gone")
        })
    }
}

/// What the stream asks of the outputs.
pub(super) struct Needed {
    pub(super) stream: String,
    pub(super) partitions: i32,
    pub(super) settings: Settings,
    /// How long readings and the journal must stay, if state is kept.
    state: Option<Duration>,
}

impl Needed {
    pub(super) fn new(stream: &str, partitions: i32, settings: Settings, state: Option<Duration>) -> Self {
        Self { stream: stream.to_owned(), partitions, settings, state }
    }

    /// What a topic is made for: an alert's text may say a field more than once.
    pub(super) fn roomy(&self) -> usize {
        self.stream_limit() * 2 + ENVELOPE
    }

    /// What comes of readings goes to the number of their partition; what the engine says of itself to the first.
    pub(super) fn partitions_of(&self, purpose: Use) -> i32 {
        if matches!(purpose, Use::TechnicalAlerts | Use::Heartbeat) { 1 } else { self.partitions }
    }

    fn stream_limit(&self) -> usize {
        self.settings.limit().unwrap_or(BROKERS_DEFAULT)
    }

    /// A dead letter carries its record whole; derived records and alerts carry at most a reading.
    fn limit(&self, purpose: Use, largest_value: usize) -> usize {
        match purpose {
            Use::Stream | Use::DeadLetters => self.stream_limit() + ENVELOPE,
            Use::Derived | Use::Alerts => self.stream_limit().min(largest_value) + ENVELOPE,
            Use::Acknowledgements | Use::TechnicalAlerts | Use::Heartbeat => ENVELOPE,
            Use::Journal => 2 * ENVELOPE,
            Use::Snapshots => LARGEST_STATE + ENVELOPE,
        }
    }

    pub(super) fn faults_of_stream(&self) -> Vec<Fault> {
        let compacted = self.settings.is_compacted().then(|| Fault::Compacted { topic: self.stream.clone() });
        compacted.into_iter().chain(self.too_short(&self.stream, &self.settings)).collect()
    }

    /// What the state rests on must not go too soon.
    fn too_short(&self, topic: &str, settings: &Settings) -> Option<Fault> {
        let needs = i64::try_from(self.state?.as_millis()).unwrap_or(i64::MAX);
        let has = settings.number("retention.ms").filter(|has| (0..needs).contains(has))?;
        Some(Fault::TooShort { topic: topic.to_owned(), has, needs })
    }

    pub(super) fn faults(
        &self,
        topic: &str,
        purpose: Use,
        has: i32,
        settings: &Settings,
        largest_value: usize,
    ) -> Vec<Fault> {
        let topic = topic.to_owned();
        let mut faults = Vec::new();
        let needs = self.partitions_of(purpose);
        if has < needs {
            let stream = self.stream.clone();
            faults.push(Fault::TooFewPartitions { topic: topic.clone(), has, stream, needs });
        }
        let needs = self.limit(purpose, largest_value);
        if let Some(has) = settings.limit().filter(|has| *has < needs) {
            faults.push(Fault::TooNarrow { topic: topic.clone(), has, needs });
        }
        match purpose {
            Use::Alerts | Use::TechnicalAlerts | Use::Heartbeat => {}
            Use::Snapshots => faults.extend(settings.ages(&topic)),
            _ if settings.is_compacted() => faults.push(Fault::Compacted { topic: topic.clone() }),
            _ => {}
        }
        if purpose == Use::Journal {
            faults.extend(self.too_short(&topic, settings));
        }
        let bears_reading_time = matches!(purpose, Use::Stream | Use::Derived | Use::Alerts | Use::DeadLetters);
        if !bears_reading_time {
            return faults;
        }
        if settings.values.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime") {
            faults.push(Fault::OwnTime { topic: topic.clone() });
        }
        faults.extend(self.refused_times(&topic, settings));
        faults
    }

    fn refused_times(&self, topic: &str, settings: &Settings) -> Vec<Fault> {
        // A stream that takes the broker's time has no reading of another time.
        if self.settings.values.get("message.timestamp.type").is_some_and(|kind| kind == "LogAppendTime") {
            return Vec::new();
        }
        let limits = TIME_LIMITS.into_iter().filter_map(|setting| {
            let (has, needs) = (settings.number(setting)?, self.settings.number(setting)?);
            (has < needs).then(|| Fault::TimeRefused { topic: topic.to_owned(), setting, has, needs })
        });
        limits.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        for (name, value) in pairs {
            settings.add((*name).to_owned(), (*value).to_owned(), true);
        }
        settings
    }

    #[test]
    fn all_faults_of_a_topic_are_found() {
        let needed = Needed::new("s", 4, settings(&[("message.timestamp.after.max.ms", "3600000")]), None);
        let bad = settings(&[
            ("max.message.bytes", "1000"),
            ("cleanup.policy", "compact,delete"),
            ("message.timestamp.type", "LogAppendTime"),
            ("message.timestamp.after.max.ms", "1000"),
        ]);
        assert_eq!(needed.faults("t", Use::Derived, 3, &bad, 65_536).len(), 5);
        assert_eq!(needed.faults("t", Use::Alerts, 4, &bad, 65_536).len(), 3);
        assert!(needed.faults("t", Use::Derived, 4, &Settings::default(), 65_536).is_empty());
    }

    #[test]
    fn a_compacted_stream_is_refused() {
        let needed = Needed::new("s", 4, settings(&[("cleanup.policy", "compact")]), None);
        assert_eq!(needed.faults_of_stream(), [Fault::Compacted { topic: "s".to_owned() }]);
    }

    #[test]
    fn what_state_rests_on_must_stay() {
        let short = settings(&[("retention.ms", "3599999")]);
        let hour = Some(Duration::from_hours(1));
        let stateful = Needed::new("s", 1, short.clone(), hour);
        let fault = |topic: &str| Fault::TooShort { topic: topic.to_owned(), has: 3_599_999, needs: 3_600_000 };
        assert_eq!(stateful.faults_of_stream(), [fault("s")]);
        assert_eq!(stateful.faults("triage-journal", Use::Journal, 1, &short, 1), [fault("triage-journal")]);
        assert!(stateful.faults("t", Use::Derived, 1, &short, 1).is_empty());
        assert!(Needed::new("s", 1, short, None).faults_of_stream().is_empty());
        assert!(Needed::new("s", 1, settings(&[("retention.ms", "-1")]), hour).faults_of_stream().is_empty());
    }

    #[test]
    fn rule_sets_are_kept_and_fit() {
        let bad = settings(&[("cleanup.policy", "delete"), ("max.message.bytes", "300000")]);
        assert_eq!(bad.faults_of_rule_sets("rule-sets").len(), 2);
        let good = settings(&[("cleanup.policy", "compact"), ("max.message.bytes", "1048588")]);
        assert!(good.faults_of_rule_sets("rule-sets").is_empty());
    }

    #[test]
    fn short_retention_and_ageing_alerts_are_told() {
        let hour = settings(&[("cleanup.policy", "delete"), ("retention.ms", "3600000")]);
        assert!(hour.warning("t", Use::Derived).is_some_and(|text| text.contains("less than a day")));
        assert!(hour.warning("alerts.t", Use::Alerts).is_some_and(|text| text.contains("still open")));
        let kept = settings(&[("cleanup.policy", "delete"), ("retention.ms", "-1")]);
        assert_eq!(kept.warning("t", Use::Stream), None);
        let compacted = settings(&[("cleanup.policy", "compact"), ("retention.ms", "3600000")]);
        assert_eq!(compacted.warning("alerts.t", Use::Alerts), None);
    }

    #[test]
    fn outputs_take_the_limits_of_time_of_the_stream() {
        let stream = settings(&[("message.timestamp.after.max.ms", "5"), ("retention.ms", "7")]);
        assert_eq!(stream.time_limits().collect::<Vec<_>>(), [("message.timestamp.after.max.ms", "5")]);
    }
}
