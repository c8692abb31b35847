//! The topics that a rule set reads and writes: made where they are missing, checked where they are there. Done at start
//! and before a reload is taken up, so that no record finds its topic missing or too narrow; looked at again while the
//! engine runs, because others change topics too.

mod admin;
mod fault;
mod lifetime;
mod retention;

use std::collections::BTreeMap;

use rdkafka::admin::AdminClient;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use triage_core::program::Program;

use super::lasting::Lasting;
use super::logged::Logged;
use super::properties;
use super::rights::{explained, right};
use crate::config::{Config, KafkaConfig, RetentionConfig, needed_by_state};
use admin::Admin;
pub(crate) use fault::Fault;
use fault::{Needed, Settings, Use};
pub(crate) use lifetime::{Gone, Lifetime};

/// Where records go that are no readings.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// Which dead letters have been sent again.
pub(crate) const DEAD_LETTERS_RESENT: &str = "dead-letters-resent";

/// Dead letters on their way back to the store.
pub(crate) const RESENT_DOCUMENTS: &str = "resent-documents";

/// Dead letters on their way back to their webhook.
pub(crate) const RESENT_ALERTS: &str = "resent-alerts";

/// What people say about alerts.
pub(crate) const ACKNOWLEDGEMENTS: &str = "acknowledgements";

/// Patients' states, as of some place of the stream.
pub(crate) const SNAPSHOTS: &str = "triage-snapshots";

/// What has changed states and is not in the stream.
pub(crate) const JOURNAL: &str = "triage-journal";

/// What the engine says of itself.
pub(crate) const TECHNICAL_ALERTS: &str = "alerts.technical";

/// Its only partition, and that of `acknowledgements` on which people say that they have seen one.
pub(crate) const TECHNICAL_PARTITION: i32 = 0;

/// That readings are being judged.
pub(crate) const HEARTBEAT: &str = "heartbeat";

/// An hour: whoever looks wants the last few.
const HEARTBEAT_RETENTION_MS: &str = "3600000";

/// Where the rule set is published that all processes run.
pub(crate) const RULE_SETS: &str = "rule-sets";

/// Whatever comes before the name of a topic in that of its alerts' topic.
const ALERTS: &str = "alerts.";

/// Why the topics are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The broker does not answer, or not well.
    #[error("the broker does not answer: {}", explained(.0))]
    Broker(KafkaError),
    /// The broker does not let us in.
    #[error(
        "the broker refuses the user or the password of `{0}`: see `kafka.properties`' `sasl.username` and `kafka.sasl_password_file`"
    )]
    Login(String),
    /// There is no encrypted connection.
    #[error("no encrypted connection to the broker: {0}")]
    Encryption(String),
    /// The runtime that waits for the broker cannot be made.
    #[error("cannot wait for the broker: {0}")]
    Runtime(std::io::Error),
    /// A topic cannot be made.
    #[error("topic `{topic}` cannot be made: {}", reason(topic, *.code))]
    NotMade {
        /// The topic.
        topic: String,
        /// The broker's reason.
        code: RDKafkaErrorCode,
    },
    /// A topic is there, and the broker does not show it.
    #[error(
        "topic `{0}` is there and cannot be seen: just made by another, or this user lacks the right `Describe` on it"
    )]
    Hidden(String),
    /// Topics are there, and not as they must be.
    #[error("{}", in_one_line(.0))]
    Unfit(Vec<Fault>),
}

fn reason(topic: &str, code: RDKafkaErrorCode) -> String {
    match right(code) {
        Some(_) => format!("this user lacks the right `Create` on the topic `{topic}` or on the cluster ({code})"),
        None => code.to_string(),
    }
}

fn in_one_line(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; ")
}

impl TopicError {
    /// Whether waiting may help.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Broker(_) | Self::Login(_) | Self::Encryption(_) | Self::Hidden(_) => true,
            Self::NotMade { code, .. } => passes(*code),
            Self::Runtime(_) | Self::Unfit(_) => false,
        }
    }

    /// Whether somebody has to do something, though waiting may help too.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Login(_) | Self::Encryption(_))
    }
}

/// Whether a broker that makes no topic now may make it later. It has too few replicas to offer also while brokers start.
fn passes(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::BrokerNotAvailable
            | Code::BrokerTransportFailure
            | Code::CoordinatorLoadInProgress
            | Code::InvalidReplicationFactor
            | Code::LeaderNotAvailable
            | Code::NetworkException
            | Code::NotController
            | Code::NotLeaderForPartition
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::StaleControllerEpoch
            | Code::ThrottlingQuotaExceeded
    )
}

/// What the topics turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The largest record that a producer may have to send.
    pub(crate) largest_record: usize,
    /// The stream's partitions.
    pub(crate) partitions: i32,
}

/// Makes and checks topics. One client for the life of the engine: making one takes longer than all it asks.
pub(crate) struct Topics {
    client: Lasting<AdminClient<Logged>>,
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Topics")
    }
}

impl Topics {
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self, TopicError> {
        let client = Lasting::new(config, |config| properties::plain(config).create_with_context(Logged));
        Ok(Self { client: client.map_err(TopicError::Broker)? })
    }

    fn admin<'a>(&self, config: &'a Config) -> Result<Admin<'a>, TopicError> {
        Admin::new(self.client.get().map_err(TopicError::Broker)?, config)
    }

    /// Makes the topic of rule sets if it is missing, and checks it otherwise. Blocks.
    pub(crate) fn ensure_rule_sets(&self, config: &Config) -> Result<(), TopicError> {
        let admin = self.admin(config)?;
        if !admin.partitions()?.contains_key(RULE_SETS) {
            return admin.make(RULE_SETS, 1, &[("cleanup.policy", "compact")]);
        }
        let settings = admin.settings(&[RULE_SETS.to_owned()])?.remove(RULE_SETS).unwrap_or_default();
        let faults = settings.faults_of_rule_sets(RULE_SETS);
        if faults.is_empty() { Ok(()) } else { Err(TopicError::Unfit(faults)) }
    }

    /// Makes the topics that dead letters are sent again by, if they are missing. Blocks.
    pub(crate) fn ensure_resent(&self, config: &Config, partitions: i32) -> Result<(), TopicError> {
        let admin = self.admin(config)?;
        let there = admin.partitions()?;
        if !there.contains_key(DEAD_LETTERS_RESENT) {
            admin.make(DEAD_LETTERS_RESENT, 1, &[("cleanup.policy", "compact")])?;
        }
        for topic in [RESENT_DOCUMENTS, RESENT_ALERTS].into_iter().filter(|topic| !there.contains_key(*topic)) {
            let limit = admin.settings(&[DEAD_LETTERS.to_owned()])?.remove(DEAD_LETTERS).unwrap_or_default().limit();
            let limit = limit.map(|limit| limit.to_string());
            let (_, kept) = retention::settings(Use::DeadLetters, &config.retention);
            let mut properties: Vec<_> = kept.iter().map(|(name, value)| (*name, value.as_str())).collect();
            properties.extend(limit.iter().map(|limit| ("max.message.bytes", limit.as_str())));
            admin.make(topic, partitions, &properties)?;
        }
        Ok(())
    }

    /// Makes what is missing of the topics that `program` reads or writes, and checks the others. Blocks.
    pub(crate) fn ensure(&self, config: &Config, program: &Program) -> Result<Layout, TopicError> {
        let admin = self.admin(config)?;
        let survey = survey(&admin, program)?;
        if !survey.partitions.contains_key(program.stream()) {
            let (_, kept) = retention::settings(Use::Stream, &config.retention);
            let properties: Vec<_> = kept.iter().map(|(name, value)| (*name, value.as_str())).collect();
            admin.make(program.stream(), survey.needed.partitions, &properties)?;
        }
        let faults = survey.faults(config.engine.max_record_bytes);
        if !faults.is_empty() {
            return Err(TopicError::Unfit(faults));
        }
        for topic in &survey.untold {
            tracing::warn!(
                topic,
                "the topic's settings are not checked: the broker does not tell them, \
                 perhaps because this user lacks the right `DescribeConfigs` on it"
            );
        }
        for warning in survey.warnings(&config.retention) {
            tracing::warn!("{warning}");
        }
        for (topic, purpose) in survey.missing() {
            make_output(&admin, topic, *purpose, &survey.needed)?;
        }
        Ok(Layout { largest_record: survey.needed.roomy(), partitions: survey.needed.partitions })
    }

    /// How topics forget, by name. Blocks.
    pub(crate) fn lifetimes(
        &self,
        config: &Config,
        topics: &[String],
    ) -> Result<BTreeMap<String, Lifetime>, TopicError> {
        let told = self.admin(config)?.settings(topics)?;
        let lifetime = |topic: &String| told.get(topic).map_or(Lifetime::Untold, Lifetime::of);
        Ok(topics.iter().map(|topic| (topic.clone(), lifetime(topic))).collect())
    }

    /// Looks whether all is still as it must be; makes nothing.
    pub(crate) fn look(&self, config: &Config, program: &Program) -> Result<(), TopicError> {
        let survey = survey(&self.admin(config)?, program)?;
        let mut faults = survey.faults(config.engine.max_record_bytes);
        let stream = [program.stream().to_owned()].into_iter().filter(|stream| !survey.partitions.contains_key(stream));
        let outputs = survey.missing().map(|(topic, _)| topic.clone());
        faults.extend(stream.chain(outputs).map(|topic| Fault::Gone { topic }));
        if faults.is_empty() { Ok(()) } else { Err(TopicError::Unfit(faults)) }
    }
}

/// Whether a topic is for people to read: the others hold what engine and store need.
pub(crate) fn is_for_people(topic: &str) -> bool {
    ![HEARTBEAT, RULE_SETS, SNAPSHOTS, JOURNAL, DEAD_LETTERS_RESENT, RESENT_DOCUMENTS, RESENT_ALERTS].contains(&topic)
}

/// The topic of a topic's alerts.
pub(crate) fn alerts_of(topic: &str) -> String {
    format!("{ALERTS}{topic}")
}

/// The topic whose alerts are in that Kafka topic; none if no alerts are.
pub(crate) fn topic_of_alerts(kafka: &str) -> Option<&str> {
    kafka.strip_prefix(ALERTS).filter(|topic| !topic.is_empty())
}

/// Everything that is written, by the engine and by whoever sends dead letters again.
fn outputs(config: &Config, program: &Program) -> Vec<(String, Use)> {
    let derived = program.topics().iter().map(|topic| (topic.name.clone(), Use::Derived));
    let alerts = program.topics().iter().filter(|topic| topic.alerts);
    let alerts = alerts.map(|topic| (alerts_of(&topic.name), Use::Alerts));
    let resent = [(RESENT_DOCUMENTS, config.store.is_used()), (RESENT_ALERTS, !config.webhooks.is_empty())];
    let resent = resent.into_iter().filter(|(_, used)| *used).map(|(topic, _)| (topic.to_owned(), Use::DeadLetters));
    let kept = [(JOURNAL, Use::Journal), (SNAPSHOTS, Use::Snapshots)];
    let kept = kept.into_iter().filter(|_| program.keeps_state()).map(|(topic, purpose)| (topic.to_owned(), purpose));
    let always = [
        (ACKNOWLEDGEMENTS, Use::Acknowledgements),
        (DEAD_LETTERS, Use::DeadLetters),
        (TECHNICAL_ALERTS, Use::TechnicalAlerts),
        (HEARTBEAT, Use::Heartbeat),
    ];
    let always = always.into_iter().map(|(topic, purpose)| (topic.to_owned(), purpose));
    derived.chain(alerts).chain(kept).chain(always).chain(resent).collect()
}

/// What is there.
struct Survey {
    outputs: Vec<(String, Use)>,
    partitions: BTreeMap<String, i32>,
    settings: BTreeMap<String, Settings>,
    /// Topics whose settings the broker does not tell.
    untold: Vec<String>,
    needed: Needed,
}

fn survey(admin: &Admin<'_>, program: &Program) -> Result<Survey, TopicError> {
    let partitions = admin.partitions()?;
    let outputs = outputs(admin.config, program);
    let topics = outputs.iter().map(|(topic, _)| topic.clone()).chain([program.stream().to_owned()]);
    let there: Vec<String> = topics.filter(|topic| partitions.contains_key(topic)).collect();
    let mut settings = admin.settings(&there)?;
    let untold = there.into_iter().filter(|topic| !settings.contains_key(topic)).collect();
    let stream = settings.remove(program.stream()).unwrap_or_default();
    let has = partitions.get(program.stream()).copied().unwrap_or(admin.config.kafka.partitions);
    let state = program.keeps_state().then(|| needed_by_state(admin.config.engine.snapshot_age));
    Ok(Survey { outputs, partitions, settings, untold, needed: Needed::new(program.stream(), has, stream, state) })
}

impl Survey {
    fn missing(&self) -> impl Iterator<Item = &(String, Use)> {
        self.outputs.iter().filter(|(topic, _)| !self.partitions.contains_key(topic))
    }

    fn faults(&self, largest_value: usize) -> Vec<Fault> {
        let mut faults = self.needed.faults_of_stream();
        for (topic, purpose) in &self.outputs {
            let Some(has) = self.partitions.get(topic) else { continue };
            let settings = self.settings.get(topic).cloned().unwrap_or_default();
            faults.extend(self.needed.faults(topic, *purpose, *has, &settings, largest_value));
        }
        faults
    }

    fn warnings(&self, retention: &RetentionConfig) -> Vec<String> {
        let stream = (self.needed.stream.clone(), Use::Stream);
        let uses = self.outputs.iter().chain([&stream]);
        let settings = |topic: &String| {
            if topic == &self.needed.stream { Some(&self.needed.settings) } else { self.settings.get(topic) }
        };
        let told = uses.filter_map(|(topic, purpose)| Some((topic, *purpose, settings(topic)?)));
        let told = told.flat_map(|(topic, purpose, has)| {
            let unwise = has.warning(topic, purpose);
            unwise.into_iter().chain(retention::difference(topic, purpose, has, retention))
        });
        told.collect()
    }
}

fn make_output(admin: &Admin<'_>, topic: &str, purpose: Use, needed: &Needed) -> Result<(), TopicError> {
    let limit = needed.roomy().to_string();
    let (_, kept) = retention::settings(purpose, &admin.config.retention);
    let mut properties = vec![("max.message.bytes", limit.as_str())];
    properties.extend(needed.settings.time_limits());
    properties.extend(kept.iter().map(|(name, value)| (*name, value.as_str())));
    match purpose {
        Use::Alerts | Use::TechnicalAlerts | Use::Snapshots => properties.push(("cleanup.policy", "compact")),
        // The broker's time beside ours says how far our clock is off.
        Use::Heartbeat => {
            properties.extend([("retention.ms", HEARTBEAT_RETENTION_MS), ("message.timestamp.type", "LogAppendTime")]);
        }
        Use::Stream | Use::Derived | Use::DeadLetters | Use::Acknowledgements | Use::Journal => {}
    }
    admin.make(topic, needed.partitions_of(purpose), &properties)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_made(code: RDKafkaErrorCode) -> TopicError {
        TopicError::NotMade { topic: "vitals".to_owned(), code }
    }

    #[test]
    fn a_broker_that_cannot_make_a_topic_at_the_moment_does_not_end_the_engine() {
        use RDKafkaErrorCode as Code;
        for code in
            [Code::RequestTimedOut, Code::NotController, Code::LeaderNotAvailable, Code::InvalidReplicationFactor]
        {
            assert!(not_made(code).is_passing(), "{code}");
        }
        for code in [Code::TopicAuthorizationFailed, Code::PolicyViolation, Code::InvalidTopic, Code::InvalidConfig] {
            assert!(!not_made(code).is_passing(), "{code}");
        }
        let told = not_made(Code::InvalidReplicationFactor).to_string();
        assert!(told.starts_with("topic `vitals` cannot be made: InvalidReplicationFactor"), "{told}");
    }
}
