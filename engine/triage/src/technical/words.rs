//! What people say about technical alerts, on the first partition of `acknowledgements`: whichever process they ask writes it
//! there, and every process reads it, from its beginning and in no group's name, since only the one that has raised an
//! alert can tell that it was seen. What was said before, or of others, changes nothing.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::{Acknowledgement, TECHNICAL_IDS, read_acknowledgement};

use crate::config::KafkaConfig;
use crate::kafka::consumer::is_passing;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::records::record;
use crate::kafka::rights::explained;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, TECHNICAL_PARTITION};
use crate::shutdown::Backoff;
use crate::tls::InUse;
use crate::worker::LIMITS_OF_WORDS;

/// The most that is read at once.
const MOST: usize = 1_000;

/// A reader that is made anew when it fails, and with new certificates.
pub(super) struct Words {
    config: KafkaConfig,
    reader: Option<(InUse, BaseConsumer<Logged>)>,
    /// When it is tried again, and how long after that.
    again: Instant,
    backoff: Backoff,
}

impl Words {
    pub(super) fn new(config: &KafkaConfig) -> Self {
        Self { config: config.clone(), reader: None, again: Instant::now(), backoff: fresh_backoff() }
    }

    /// What has come of technical alerts. Does not wait.
    pub(super) fn read(&mut self) -> Vec<Acknowledgement> {
        let mut said = Vec::new();
        if Instant::now() < self.again {
            return said;
        }
        match self.read_into(&mut said) {
            Ok(()) => self.backoff = fresh_backoff(),
            Err(error) => {
                let error = explained(&error);
                tracing::error!(error, "who has seen technical alerts cannot be read; reading it anew");
                self.reader = None;
                self.again = Instant::now() + self.backoff.take();
            }
        }
        said
    }

    fn read_into(&mut self, said: &mut Vec<Acknowledgement>) -> KafkaResult<()> {
        let consumer = match &mut self.reader {
            Some((in_use, consumer)) if !in_use.is_outdated() => consumer,
            reader => &mut reader.insert((self.config.tls.in_use(), begin(&self.config)?)).1,
        };
        for polled in std::iter::from_fn(|| consumer.poll(Duration::ZERO)).take(MOST) {
            match polled {
                Ok(message) => {
                    let acknowledgement = read_acknowledgement(&record(&message), &LIMITS_OF_WORDS);
                    said.extend(acknowledgement.filter(|said| said.id.starts_with(TECHNICAL_IDS)));
                }
                Err(error) if is_passing(&error) => {
                    tracing::warn!(error = explained(&error), "who has seen technical alerts cannot be read now");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn begin(config: &KafkaConfig) -> KafkaResult<BaseConsumer<Logged>> {
    let mut properties = properties::consumer(config);
    let consumer: BaseConsumer<Logged> = properties.set("statistics.interval.ms", "0").create_with_context(Logged)?;
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(ACKNOWLEDGEMENTS, TECHNICAL_PARTITION, Offset::Beginning)?;
    consumer.assign(&place)?;
    Ok(consumer)
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_secs(1), Duration::from_mins(1))
}
