//! One life of a webhook's clients: read, deliver, commit, again. An error that leaves here means new clients.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use tokio::task::{Id, JoinError, JoinSet};

use super::attempt::Page;
use super::connection::Connector;
use super::delivery::{Delivery, Outcome};
use super::lane::Lane;
use super::{WebhookError, group};
use crate::config::{WebhookConfig, signing_key};
use crate::dead_letters::post::{Post, Refused};
use crate::dead_letters::taken::Taken;
use crate::dead_letters::{self, Stage};
use crate::kafka::consumer::is_passing;
use crate::kafka::measure::Measures;
use crate::kafka::properties;
use crate::kafka::topics::{RESENT_ALERTS, alerts_of};
use crate::shared::Shared;
use crate::tls::InUse;

/// How long nothing may happen before records, rebalances and the shutdown are looked at.
const IDLE: Duration = Duration::from_millis(20);

/// How many records are read before deliveries have their turn.
const MOST_AT_ONCE: usize = 1_000;

/// How long a stop waits for attempts that are under way.
const STOPPING: Duration = Duration::from_secs(5);

/// Where records are read: a topic and a partition.
type Place = (String, i32);

/// One life of a webhook's clients.
pub(super) struct Session {
    delivery: Arc<Delivery>,
    consumer: BaseConsumer<Measures>,
    /// The certificates of the Kafka clients.
    in_use: InUse,
    post: Post,
    lanes: BTreeMap<Place, Lane>,
    running: JoinSet<Ended>,
    /// The next offset of each place whose record before is dealt with.
    dealt_with: BTreeMap<Place, i64>,
    /// Rebalances that the lanes have been held against.
    rebalances: u64,
}

/// What came of one record.
struct Ended {
    taken: Arc<Taken>,
    outcome: Outcome,
}

impl Session {
    pub(super) fn open(shared: &Arc<Shared>, topic: &str, webhook: &WebhookConfig) -> Result<Self, WebhookError> {
        let url = webhook.url.as_ref().ok_or(WebhookError::Half)?;
        let key = webhook.secret.as_ref().and_then(signing_key).ok_or(WebhookError::Half)?;
        let delivery = Delivery {
            shared: Arc::clone(shared),
            topic: topic.to_owned(),
            connector: Connector::new(url, webhook)?,
            key,
            timeout: webhook.timeout,
            give_up_after: webhook.give_up_after,
        };
        let config = &shared.config;
        let in_use = config.kafka.tls.in_use();
        // Before the consumer: it fences an earlier self, so that offsets of an open transaction are settled when they are
        // asked for.
        let id = config.webhook_transactional_id(topic);
        let producer = properties::producer(&config.kafka, &id, dead_letters::LARGEST);
        let post = Post::open(Stage::Webhook, &producer)?;
        let consumer: BaseConsumer<Measures> = properties::consumer(&config.kafka)
            .set("group.id", group(&config.kafka, topic))
            .create_with_context(Measures::default())?;
        consumer.subscribe(&[&alerts_of(topic), RESENT_ALERTS])?;
        Ok(Self {
            delivery: Arc::new(delivery),
            consumer,
            in_use,
            post,
            lanes: BTreeMap::new(),
            running: JoinSet::new(),
            dealt_with: BTreeMap::new(),
            rebalances: 0,
        })
    }

    pub(super) fn has_delivered(&self) -> bool {
        !self.dealt_with.is_empty()
    }

    /// Runs until the shutdown is asked for, or new certificates have been taken up; attempts that are under way may end first.
    pub(super) async fn serve(&mut self) -> Result<(), WebhookError> {
        while !self.delivery.shared.shutdown.is_asked() && !self.in_use.is_outdated() {
            self.gather()?;
            self.regroup()?;
            self.dispatch()?;
            self.limit()?;
            self.wait().await?;
            self.measure();
        }
        self.stop().await
    }

    fn gather(&mut self) -> Result<(), WebhookError> {
        for _ in 0..MOST_AT_ONCE {
            match self.consumer.poll(Duration::ZERO) {
                None => return Ok(()),
                Some(Ok(message)) => {
                    let (place, offset) = ((message.topic().to_owned(), message.partition()), message.offset());
                    self.lanes.entry(place).or_default().take(offset, Taken::new(message.detach(), RESENT_ALERTS));
                }
                Some(Err(error)) if is_passing(&error) => {
                    tracing::debug!(topic = self.delivery.topic, %error, "a webhook's poll failed, and is tried again");
                    return Ok(());
                }
                Some(Err(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// After a rebalance: what is another process' now is left to it. What is still ours goes on.
    fn regroup(&mut self) -> KafkaResult<()> {
        let rebalances = self.consumer.context().rebalances();
        if rebalances == self.rebalances {
            return Ok(());
        }
        self.rebalances = rebalances;
        let assigned = self.consumer.assignment()?;
        self.lanes.retain(|(topic, partition), _| assigned.find_partition(topic, *partition).is_some());
        // Partitions that came anew are not paused, whatever they were before.
        self.lanes.values_mut().for_each(|lane| lane.paused = false);
        self.dealt_with.retain(|(topic, partition), _| assigned.find_partition(topic, *partition).is_some());
        Ok(())
    }

    /// Begins what can be begun: one of each lane.
    fn dispatch(&mut self) -> Result<(), WebhookError> {
        let places: Vec<Place> = self.lanes.keys().cloned().collect();
        for place in places {
            while let Some((taken, came)) = self.lanes.get_mut(&place).and_then(Lane::pop) {
                let Some(value) = taken.record.payload().filter(|_| self.is_ours(&taken)) else {
                    // A tombstone, or what was sent again for another webhook.
                    self.dealt_with(&taken)?;
                    continue;
                };
                match Page::read(taken.record.key(), value) {
                    Ok(page) => {
                        let delivery = Arc::clone(&self.delivery);
                        let running = self.running.spawn(async move {
                            let outcome = delivery.deliver(&page, came).await;
                            Ended { taken, outcome }
                        });
                        if let Some(lane) = self.lanes.get_mut(&place) {
                            lane.begun(running);
                        }
                    }
                    Err(foreign) => self.give_up(&taken, "not-an-alert", foreign.to_string())?,
                }
            }
        }
        Ok(())
    }

    fn is_ours(&self, taken: &Taken) -> bool {
        taken.record.topic() == alerts_of(&self.delivery.topic)
    }

    /// What is fetched ahead is bounded: a lane that has enough gets no more.
    fn limit(&mut self) -> KafkaResult<()> {
        for ((topic, partition), lane) in &mut self.lanes {
            if !lane.pause_changes() {
                continue;
            }
            let mut place = TopicPartitionList::new();
            place.add_partition(topic, *partition);
            if lane.paused { self.consumer.pause(&place)? } else { self.consumer.resume(&place)? }
        }
        Ok(())
    }

    /// Until a delivery has ended, or a while.
    async fn wait(&mut self) -> Result<(), WebhookError> {
        if self.running.is_empty() {
            tokio::time::sleep(IDLE).await;
            return Ok(());
        }
        if let Ok(Some(ended)) = tokio::time::timeout(IDLE, self.running.join_next_with_id()).await {
            self.finish(ended)?;
        }
        while let Some(ended) = self.running.try_join_next_with_id() {
            self.finish(ended)?;
        }
        Ok(())
    }

    fn finish(&mut self, ended: Result<(Id, Ended), JoinError>) -> Result<(), WebhookError> {
        let (task, Ended { taken, outcome }) = match ended {
            Ok(ended) => ended,
            Err(error) if error.is_cancelled() => return Ok(()),
            Err(error) => return Err(WebhookError::Broken(error)),
        };
        let (topic, partition, _) = taken.place();
        // A lane that is gone is another process' by now, and so is its record.
        let place = (topic.to_owned(), partition);
        if !self.lanes.get_mut(&place).is_some_and(|lane| lane.ended(task)) {
            return Ok(());
        }
        match outcome {
            Outcome::Delivered => Ok(self.dealt_with(&taken)?),
            Outcome::GivenUp { reason, sentence } => self.give_up(&taken, reason, sentence),
            Outcome::Stopped => Ok(()),
        }
    }

    /// The dead letter and the offset of its record are one transaction.
    fn give_up(&mut self, taken: &Arc<Taken>, reason: &'static str, sentence: String) -> Result<(), WebhookError> {
        let (topic, partition, offset) = taken.place();
        let mut next = TopicPartitionList::new();
        next.add_partition_offset(topic, partition, Offset::Offset(offset + 1))?;
        let group = self.consumer.group_metadata().ok_or(KafkaError::Canceled)?;
        tracing::error!(topic, partition, offset, reason, sentence, "a webhook gives an alert up: it is a dead letter");
        let because = sentence.clone();
        self.post.send(&[Refused { taken: Arc::clone(taken), reason, sentence }], &next, &group)?;
        self.dealt_with.insert((topic.to_owned(), partition), offset + 1);
        let Delivery { shared, topic, .. } = &*self.delivery;
        shared.metrics.webhook_dead_letter(topic, reason);
        shared.webhooks.gave_up(topic, because);
        Ok(())
    }

    /// A commit that fails is made up for by the next one; until then the alert may be delivered twice, under one key.
    fn dealt_with(&mut self, taken: &Taken) -> KafkaResult<()> {
        let (topic, partition, offset) = taken.place();
        self.dealt_with.insert((topic.to_owned(), partition), offset + 1);
        let mut next = TopicPartitionList::new();
        next.add_partition_offset(topic, partition, Offset::Offset(offset + 1))?;
        if let Err(error) = self.consumer.commit(&next, CommitMode::Async) {
            tracing::warn!(topic, partition, %error, "what a webhook has delivered is not committed yet");
        }
        Ok(())
    }

    fn measure(&self) {
        let Some(measured) = self.consumer.context().take() else { return };
        let topic = &self.delivery.topic;
        let ours = alerts_of(topic);
        for (place, measured) in measured.iter().filter(|((topic, _), _)| *topic == ours) {
            let next = self.dealt_with.get(place).copied().unwrap_or(measured.committed);
            self.delivery.shared.metrics.webhook_lag(topic, place.1, measured.end - next);
        }
    }

    async fn stop(&mut self) -> Result<(), WebhookError> {
        let deadline = tokio::time::Instant::now() + STOPPING;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.running.join_next_with_id()).await {
            self.finish(ended)?;
        }
        self.running.abort_all();
        let mut next = TopicPartitionList::new();
        for ((topic, partition), offset) in &self.dealt_with {
            next.add_partition_offset(topic, *partition, Offset::Offset(*offset))?;
        }
        if next.count() > 0 {
            self.consumer.commit(&next, CommitMode::Sync)?;
        }
        Ok(())
    }
}
