//! The topics that a rule set writes to: made where they are missing, checked where they are there. Done at start and
//! before a reload is taken up, so that no record finds its topic missing or too narrow.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use triage_core::program::Program;

use super::properties;
use crate::config::{Config, KafkaConfig};

/// Where records go that are no readings.
pub(crate) const DEAD_LETTERS: &str = "dead-letters";

/// Where the rule set is published that all processes run.
pub(crate) const RULE_SETS: &str = "rule-sets";

/// Room for key, headers and framing beside a value.
const ENVELOPE: usize = 16 * 1024;

/// What a Kafka broker takes when nobody has said anything.
const BROKERS_DEFAULT: usize = 1_048_588;

/// How long one request to the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Seven days: longer than any reader of alerts is away.
const ALERT_COMPACTION_LAG_MS: &str = "604800000";

/// Why the topics are not as they must be.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// The broker does not answer, or not well.
    #[error("the broker does not answer: {0}")]
    Broker(KafkaError),
    /// The runtime that waits for the broker cannot be made.
    #[error("cannot wait for the broker: {0}")]
    Runtime(std::io::Error),
    /// A topic cannot be made.
    #[error("topic `{topic}` cannot be made: {reason}")]
    NotMade {
        /// The topic.
        topic: String,
        /// The broker's reason.
        reason: String,
    },
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
    /// A topic loses records by age that must stay.
    #[error("topic `{topic}` has `cleanup.policy={policy}`, `compact` is needed")]
    NotCompacted {
        /// The topic.
        topic: String,
        /// What it has.
        policy: String,
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
}

impl TopicError {
    /// Whether waiting may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Broker(_))
    }
}

/// What the topics turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The largest record that a producer may have to send.
    pub(crate) largest_record: usize,
}

/// What a topic is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Derived,
    Alerts,
    DeadLetters,
}

/// Makes and checks topics. One client for the life of the engine: making one takes longer than all it asks.
pub(crate) struct Topics {
    client: AdminClient<DefaultClientContext>,
}

impl std::fmt::Debug for Topics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Topics")
    }
}

impl Topics {
    pub(crate) fn new(config: &KafkaConfig) -> Result<Self, TopicError> {
        Ok(Self { client: properties::plain(config).create().map_err(TopicError::Broker)? })
    }

    /// Makes the topic of rule sets if it is missing. Blocks.
    pub(crate) fn ensure_rule_sets(&self, config: &Config) -> Result<(), TopicError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(TopicError::Runtime)?;
        let admin = Admin { client: &self.client, runtime, config };
        if admin.partitions()?.contains_key(RULE_SETS) {
            return admin.check_compacted(RULE_SETS);
        }
        admin.make(RULE_SETS, 1, &[("cleanup.policy", "compact")])
    }

    /// Makes and checks every topic that `program` reads or writes. Blocks.
    pub(crate) fn ensure(&self, config: &Config, program: &Program) -> Result<Layout, TopicError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(TopicError::Runtime)?;
        let admin = Admin { client: &self.client, runtime, config };
        let mut partitions = admin.partitions()?;
        let stream = program.stream();
        if !partitions.contains_key(stream) {
            admin.make(stream, config.kafka.partitions, &[])?;
            partitions.insert(stream.to_owned(), config.kafka.partitions);
        }
        let needed = Needed {
            stream,
            partitions: partitions.get(stream).copied().unwrap_or(config.kafka.partitions),
            stream_limit: admin.limit(stream)?.unwrap_or(BROKERS_DEFAULT),
        };
        for (topic, purpose) in outputs(program) {
            match partitions.get(&topic) {
                Some(has) => admin.check(&topic, purpose, *has, &needed)?,
                None => admin.make_output(&topic, purpose, &needed)?,
            }
        }
        Ok(Layout { largest_record: needed.roomy() })
    }
}

/// The topic of a topic's alerts.
pub(crate) fn alerts_of(topic: &str) -> String {
    format!("alerts.{topic}")
}

fn outputs(program: &Program) -> Vec<(String, Use)> {
    let derived = program.topics().iter().map(|topic| (topic.name.clone(), Use::Derived));
    let alerts = program.topics().iter().filter(|topic| topic.alerts);
    let alerts = alerts.map(|topic| (alerts_of(&topic.name), Use::Alerts));
    derived.chain(alerts).chain([(DEAD_LETTERS.to_owned(), Use::DeadLetters)]).collect()
}

/// What the stream asks of the outputs.
struct Needed<'a> {
    stream: &'a str,
    partitions: i32,
    stream_limit: usize,
}

impl Needed<'_> {
    /// A dead letter carries its record whole; derived records and alerts carry at most a reading.
    fn limit(&self, purpose: Use, largest_value: usize) -> usize {
        match purpose {
            Use::DeadLetters => self.stream_limit + ENVELOPE,
            Use::Derived | Use::Alerts => self.stream_limit.min(largest_value) + ENVELOPE,
        }
    }

    /// What a topic is made for: an alert's text may say a field more than once.
    fn roomy(&self) -> usize {
        self.stream_limit * 2 + ENVELOPE
    }
}

struct Admin<'a> {
    client: &'a AdminClient<DefaultClientContext>,
    runtime: tokio::runtime::Runtime,
    config: &'a Config,
}

impl Admin<'_> {
    /// Every topic's number of partitions. All are asked for, because asking for one by name may make it.
    fn partitions(&self) -> Result<BTreeMap<String, i32>, TopicError> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE).map_err(TopicError::Broker)?;
        let topics = metadata.topics().iter();
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
    }

    fn make_output(&self, topic: &str, purpose: Use, needed: &Needed<'_>) -> Result<(), TopicError> {
        let limit = needed.roomy().to_string();
        let mut properties = vec![("max.message.bytes", limit.as_str())];
        if purpose == Use::Alerts {
            properties.extend([("cleanup.policy", "compact"), ("min.compaction.lag.ms", ALERT_COMPACTION_LAG_MS)]);
        }
        self.make(topic, needed.partitions, &properties)
    }

    fn make(&self, topic: &str, partitions: i32, properties: &[(&str, &str)]) -> Result<(), TopicError> {
        let replicas = match self.config.kafka.replication {
            0 => -1,
            replicas => replicas,
        };
        let mut wanted = NewTopic::new(topic, partitions, TopicReplication::Fixed(replicas));
        for (name, value) in properties {
            wanted = wanted.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
        let results =
            self.runtime.block_on(self.client.create_topics([&wanted], &options)).map_err(TopicError::Broker)?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
            Some(Err((_, code))) => Err(TopicError::NotMade { topic: topic.to_owned(), reason: code.to_string() }),
            Some(Ok(_)) | None => {
                tracing::info!(topic, partitions, "topic made");
                Ok(())
            }
        }
    }

    fn check(&self, topic: &str, purpose: Use, has: i32, needed: &Needed<'_>) -> Result<(), TopicError> {
        if has < needed.partitions {
            let stream = needed.stream.to_owned();
            return Err(TopicError::TooFewPartitions {
                topic: topic.to_owned(),
                has,
                stream,
                needs: needed.partitions,
            });
        }
        let needs = needed.limit(purpose, self.config.engine.max_record_bytes);
        match self.limit(topic)? {
            Some(has) if has < needs => Err(TopicError::TooNarrow { topic: topic.to_owned(), has, needs }),
            _ => Ok(()),
        }
    }

    /// A rule set that the broker deletes by age would be gone at the next start.
    fn check_compacted(&self, topic: &str) -> Result<(), TopicError> {
        match self.setting(topic, "cleanup.policy")? {
            Some(policy) if policy != "compact" => Err(TopicError::NotCompacted { topic: topic.to_owned(), policy }),
            _ => Ok(()),
        }
    }

    /// The topic's `max.message.bytes`; none if we may not ask.
    fn limit(&self, topic: &str) -> Result<Option<usize>, TopicError> {
        Ok(self.setting(topic, "max.message.bytes")?.and_then(|value| value.parse().ok()))
    }

    fn setting(&self, topic: &str, name: &str) -> Result<Option<String>, TopicError> {
        let resource = ResourceSpecifier::Topic(topic);
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let results =
            self.runtime.block_on(self.client.describe_configs([&resource], &options)).map_err(TopicError::Broker)?;
        let Some(Ok(found)) = results.into_iter().next() else {
            tracing::warn!(topic, "the topic's limits cannot be read, and are not checked");
            return Ok(None);
        };
        Ok(found.get(name).and_then(|entry| entry.value.clone()))
    }
}
