//! A worker's consumer. The callbacks of a rebalance become events that the worker reads between two polls; they run on
//! the worker's own thread, inside its poll.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;
use rdkafka::topic_partition_list::TopicPartitionList;

/// The consumer of a worker.
pub(crate) type StreamConsumer = BaseConsumer<Events>;

/// What happened to the assignment, or was measured, since the worker last looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// These partitions are ours from now on.
    Assigned(Vec<i32>),
    /// These are no longer.
    Revoked(Vec<i32>),
    /// These have been taken from us: the group has gone on without this member.
    Lost(Vec<i32>),
    /// The stable end of each partition: one past the last record that a reader may see.
    Ends(Vec<(i32, i64)>),
    /// Whether some broker is connected.
    Connected(bool),
}

/// Keeps the events until the worker takes them.
#[derive(Debug)]
pub(crate) struct Events {
    topic: String,
    waiting: Mutex<Vec<Event>>,
}

/// Subscribes to the stream.
pub(crate) fn subscribe(properties: &ClientConfig, topic: &str) -> KafkaResult<StreamConsumer> {
    let events = Events { topic: topic.to_owned(), waiting: Mutex::default() };
    let consumer: StreamConsumer = properties.create_with_context(events)?;
    consumer.subscribe(&[topic])?;
    Ok(consumer)
}

/// Whether a failed poll leaves the consumer where it was, so that the next poll may do better. After any other failure it
/// may already be past records that it never gave: librdkafka reports a damaged batch and goes on behind it.
pub(crate) fn is_passing(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else { return false };
    matches!(
        code,
        Code::AllBrokersDown
            | Code::BrokerTransportFailure
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::NetworkException
            | Code::NodeUpdate
            | Code::PollExceeded
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
    )
}

impl Events {
    /// What happened since the last call, in order.
    pub(crate) fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, event: Event) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        // An end is no problem; whoever polls is told of it.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!(%error, reason, "the broker reports a problem to the consumer");
    }

    fn stats(&self, statistics: Statistics) {
        self.push(Event::Connected(statistics.brokers.values().any(|broker| broker.state == "UP")));
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        let known = topic.partitions.values().filter(|partition| partition.partition >= 0 && partition.ls_offset >= 0);
        let ends: Vec<(i32, i64)> = known.map(|partition| (partition.partition, partition.ls_offset)).collect();
        if !ends.is_empty() {
            self.push(Event::Ends(ends));
        }
    }
}

impl ConsumerContext for Events {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => self.push(Event::Assigned(numbers(partitions))),
            Rebalance::Revoke(partitions) if consumer.assignment_lost() => self.push(Event::Lost(numbers(partitions))),
            Rebalance::Revoke(partitions) => self.push(Event::Revoked(numbers(partitions))),
            Rebalance::Error(error) => tracing::warn!(%error, "a rebalance failed"),
        }
    }

    /// Nothing of a new partition comes before its state is there.
    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance
            && let Err(error) = consumer.pause(partitions)
        {
            tracing::error!(%error, "new partitions cannot be paused");
        }
    }
}

fn numbers(partitions: &TopicPartitionList) -> Vec<i32> {
    partitions.elements().iter().map(rdkafka::topic_partition_list::TopicPartitionListElem::partition).collect()
}

/// A line of librdkafka's own log.
pub(crate) fn log(level: RDKafkaLogLevel, facility: &str, message: &str) {
    match level {
        RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
            tracing::error!(target: "librdkafka", facility, "{message}");
        }
        RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{message}"),
        RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_batch_is_not_passed_over() {
        for code in [RDKafkaErrorCode::BadMessage, RDKafkaErrorCode::BadCompression, RDKafkaErrorCode::NotImplemented] {
            assert!(!is_passing(&KafkaError::MessageConsumption(code)), "{code}");
        }
        assert!(!is_passing(&KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::AllBrokersDown)));
        assert!(is_passing(&KafkaError::MessageConsumption(RDKafkaErrorCode::AllBrokersDown)));
    }
}
