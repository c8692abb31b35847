//! What is asked of the broker about topics, and what it is told to make.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigSource, NewTopic, OwnedResourceSpecifier, ResourceSpecifier};
use rdkafka::admin::{ConfigEntry, ConfigResource, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::TopicError;
use super::fault::Settings;
use crate::config::Config;
use crate::kafka::encryption;
use crate::kafka::logged::Logged;
use crate::kafka::login::refused_user;

/// How long one request to the broker may take.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Admin<'a> {
    client: Arc<AdminClient<Logged>>,
    runtime: tokio::runtime::Runtime,
    pub(super) config: &'a Config,
}

impl<'a> Admin<'a> {
    pub(super) fn new(client: Arc<AdminClient<Logged>>, config: &'a Config) -> Result<Self, TopicError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        Ok(Self { client, runtime: runtime.map_err(TopicError::Runtime)?, config })
    }

    /// Every topic's number of partitions. All are asked for, because asking for one by name may make it.
    pub(super) fn partitions(&self) -> Result<BTreeMap<String, i32>, TopicError> {
        let metadata = self.client.inner().fetch_metadata(None, PATIENCE).map_err(|error| self.unanswered(error))?;
        let topics = metadata.topics().iter();
        Ok(topics.map(|topic| (topic.name().to_owned(), topic.partitions().len() as i32)).collect())
    }

    fn unanswered(&self, error: KafkaError) -> TopicError {
        let kafka = &self.config.kafka;
        let refused = encryption::refused(kafka).map(TopicError::Encryption);
        refused.or_else(|| refused_user(kafka).map(TopicError::Login)).unwrap_or(TopicError::Broker(error))
    }

    pub(super) fn make(&self, topic: &str, partitions: i32, properties: &[(&str, &str)]) -> Result<(), TopicError> {
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
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) if self.partitions()?.contains_key(topic) => Ok(()),
            Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Err(TopicError::Hidden(topic.to_owned())),
            Some(Err((_, code))) => Err(TopicError::NotMade { topic: topic.to_owned(), code }),
            Some(Ok(_)) | None => {
                tracing::info!(topic, partitions, "topic made");
                Ok(())
            }
        }
    }

    /// The settings of each topic; none for those that we may not ask about.
    pub(super) fn settings(&self, topics: &[String]) -> Result<BTreeMap<String, Settings>, TopicError> {
        if topics.is_empty() {
            return Ok(BTreeMap::new());
        }
        let resources: Vec<ResourceSpecifier<'_>> =
            topics.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let options = AdminOptions::new().request_timeout(Some(PATIENCE));
        let results =
            self.runtime.block_on(self.client.describe_configs(&resources, &options)).map_err(TopicError::Broker)?;
        Ok(results.into_iter().flatten().filter_map(settings).collect())
    }
}

fn settings(resource: ConfigResource) -> Option<(String, Settings)> {
    let OwnedResourceSpecifier::Topic(topic) = resource.specifier else { return None };
    let mut settings = Settings::default();
    for ConfigEntry { name, value, source, .. } in resource.entries {
        settings.add(name, value?, source == ConfigSource::DynamicTopic);
    }
    Some((topic, settings))
}
