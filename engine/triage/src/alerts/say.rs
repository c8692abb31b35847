//! Writes what people say to the topic `acknowledgements`, and waits until all replicas have it.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::util::TokioRuntime;
use serde::Serialize;
use serde_json::Value;

use super::words::{Refusal, Said};
use crate::config::KafkaConfig;
use crate::kafka::lasting::Lasting;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::rights::explained;
use crate::kafka::topics::ACKNOWLEDGEMENTS;

/// How long the broker may take to say how many partitions there are.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where something was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Place {
    topic: &'static str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

/// The producer of people's words.
#[derive(Clone)]
pub(crate) struct Speaker {
    producer: Arc<Lasting<SpokenBy>>,
}

type SpokenBy = FutureProducer<Logged, TokioRuntime>;

impl std::fmt::Debug for Speaker {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Speaker")
    }
}

impl Speaker {
    pub(crate) fn new(config: &KafkaConfig) -> KafkaResult<Self> {
        let producer = Lasting::new(config, |config| properties::speaker(config).create_with_context(Logged))?;
        Ok(Self { producer: Arc::new(producer) })
    }

    /// Writes it to its partition, or to every one; where it lies.
    pub(crate) async fn say(&self, said: &Said) -> Result<Vec<Place>, Refusal> {
        let there = self.partitions().await?;
        let partitions: Vec<i32> = match said.partition {
            Some(partition) if partition < there => vec![partition],
            Some(partition) => {
                return Err(Refusal::Unknown(format!(
                    "`{ACKNOWLEDGEMENTS}` has no partition {partition}, which the `id` names"
                )));
            }
            None => (0..there).collect(),
        };
        let mut places = Vec::new();
        for partition in partitions {
            let place = self.write(partition, &said.value).await.map_err(|error| {
                let written = places.len();
                let reason = explained(&error);
                Refusal::NotNow(format!(
                    "not written to partition {partition}, after {written} others that have it: {reason}; ask again"
                ))
            })?;
            places.push(place);
        }
        Ok(places)
    }

    async fn write(&self, partition: i32, value: &Value) -> KafkaResult<Place> {
        let text = value.to_string();
        let record = FutureRecord::<(), str>::to(ACKNOWLEDGEMENTS).partition(partition).payload(&text);
        // Held until it is there: a producer that goes takes along what is on its way.
        let producer = self.producer.get()?;
        let delivery = producer.send_result(record).map_err(|(error, _)| error)?;
        let delivered = delivery.await.map_err(|_| KafkaError::Canceled)?.map_err(|(error, _)| error)?;
        Ok(Place { topic: ACKNOWLEDGEMENTS, partition: delivered.partition, offset: delivered.offset })
    }

    /// How many there are. Asking blocks, so it is done beside the threads that serve.
    async fn partitions(&self) -> Result<i32, Refusal> {
        let producer = Arc::clone(&self.producer);
        let asked = tokio::task::spawn_blocking(move || partitions(&*producer.get()?)).await;
        match asked {
            Ok(Ok(0)) => Err(Refusal::NotNow(format!(
                "there is no topic `{ACKNOWLEDGEMENTS}`, or this user may not see it: an engine makes it when it starts; ask again"
            ))),
            Ok(Ok(partitions)) => Ok(partitions),
            Ok(Err(error)) => {
                Err(Refusal::NotNow(format!("the broker does not answer: {}; ask again", explained(&error))))
            }
            Err(error) => Err(Refusal::NotNow(format!("asking the broker broke off: {error}"))),
        }
    }
}

fn partitions<C: ClientContext + 'static>(producer: &FutureProducer<C, TokioRuntime>) -> KafkaResult<i32> {
    // All topics are asked for, because asking for one by name may make it.
    let metadata = producer.client().fetch_metadata(None, PATIENCE)?;
    let found = metadata.topics().iter().find(|topic| topic.name() == ACKNOWLEDGEMENTS);
    Ok(found.map_or(0, |topic| topic.partitions().len() as i32))
}
