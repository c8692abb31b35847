//! The gateway simulator: a ward's readings to Kafka, each when it is due, or to a file. Prints nothing: it tells its
//! caller how it goes.

mod delivery;
pub(crate) mod file;
mod json;
pub(crate) mod rows;
pub mod simulation;
pub mod table;
pub(crate) mod ward;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};

use crate::clock::now;
use crate::config::KafkaConfig;
use crate::kafka::{encryption, properties};
use crate::tls::InUse;
use delivery::{Deliveries, DeliveryContext};
use ward::{Extent, Sample, Ward};

/// How often the caller is told how it goes.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// How long what is still on its way is waited for before the next reading, or by whoever is stopped.
const FLUSH: Duration = Duration::from_secs(10);
/// The same after the last reading.
const LAST_FLUSH: Duration = Duration::from_mins(1);

/// Where to, and how much.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The broker.
    pub(crate) kafka: KafkaConfig,
    /// The Kafka topic.
    pub(crate) topic: String,
    /// How much to send.
    pub(crate) extent: Extent,
}

/// How it goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Readings handed to the producer.
    pub(crate) sent: u64,
    /// Readings that the broker has confirmed.
    pub(crate) delivered: u64,
    /// Readings that could not be delivered, by reason.
    pub(crate) failed: BTreeMap<String, u64>,
    /// What it waits for, if it cannot go on.
    pub(crate) waiting: Option<String>,
}

impl Status {
    /// Readings that were sent and have neither arrived nor failed.
    pub(crate) fn on_the_way(&self) -> u64 {
        self.sent - self.delivered - self.failed.values().sum::<u64>()
    }
}

/// Why nothing could be sent at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    #[error("cannot make a Kafka producer: {0}")]
    Producer(KafkaError),
    #[error("cannot send to the topic `{topic}`: {source}")]
    Send { topic: String, source: KafkaError },
}

/// Sends the ward's readings until there were enough or `stop` is set, then waits for what is on its way. What was not
/// delivered is in the status that it returns: a broker that is away is waited for, not given up.
pub(crate) fn send(
    ward: &mut Ward,
    options: &Options,
    stop: &AtomicBool,
    tell: &mut dyn FnMut(&Status),
) -> Result<Status, GatewayError> {
    let deliveries = Arc::new(Deliveries::default());
    let in_use = options.kafka.tls.in_use();
    let producer = producer(options, &deliveries).map_err(GatewayError::Producer)?;
    let mut run = Run { producer, in_use, deliveries, options, stop, tell, sent: 0, told: Instant::now() };
    run.wait_for_topic();
    run.send_all(ward)?;
    Ok(run.finish())
}

type GatewayProducer = ThreadedProducer<DeliveryContext>;

fn producer(options: &Options, deliveries: &Arc<Deliveries>) -> Result<GatewayProducer, KafkaError> {
    let mut config = properties::plain(&options.kafka);
    config.set("enable.idempotence", "true"); // a patient's readings keep their order through retries
    config.set("message.timeout.ms", "0"); // a broker that is away is waited for
    config.set("client.id", "triage-gateway");
    config.create_with_context(DeliveryContext(Arc::clone(deliveries)))
}

/// One call of [`send`].
struct Run<'a> {
    producer: GatewayProducer,
    /// The certificates that it was made with.
    in_use: InUse,
    deliveries: Arc<Deliveries>,
    options: &'a Options,
    stop: &'a AtomicBool,
    tell: &'a mut dyn FnMut(&Status),
    sent: u64,
    told: Instant,
}

impl Run<'_> {
    /// Without the topic a broker refuses readings for good; the engine makes it when it starts.
    fn wait_for_topic(&mut self) {
        let topic = &self.options.topic;
        while !self.stopped() {
            let waiting = match self.producer.client().fetch_metadata(Some(topic), Duration::from_secs(2)) {
                // The client itself hears why: a wrong password, say.
                Err(error) => encryption::refused(&self.options.kafka)
                    .map(|refused| format!("no encrypted connection to {refused}; trying again"))
                    .or_else(|| self.status().waiting)
                    .unwrap_or_else(|| format!("the broker does not answer ({error}), trying again")),
                Ok(metadata) => match metadata.topics().first() {
                    Some(found) if found.error().is_none() && !found.partitions().is_empty() => return,
                    Some(found)
                        if found.error().map(RDKafkaErrorCode::from)
                            == Some(RDKafkaErrorCode::TopicAuthorizationFailed) =>
                    {
                        format!("this user lacks the right `Write` on the topic `{topic}`, waiting for it")
                    }
                    _ => format!("there is no topic `{topic}` yet, waiting for the engine to make it"),
                },
            };
            (self.tell)(&Status { waiting: Some(waiting), ..Status::default() });
            self.sleep(Duration::from_millis(500));
        }
    }

    fn send_all(&mut self, ward: &mut Ward) -> Result<(), GatewayError> {
        let begun = Instant::now();
        ward.begin_at(now());
        while let Some(due) = ward.next_due().filter(|due| self.options.extent.holds(self.sent, *due)) {
            self.wait_until(begun + due);
            if self.stopped() {
                break;
            }
            self.renew()?;
            let Some(sample) = ward.next_sample(now()) else { break };
            self.enqueue(&sample)?;
            self.sent += 1;
        }
        Ok(())
    }

    /// Hands the reading over; waits while the producer's queue is full, which is what a broker that is away comes to.
    fn enqueue(&mut self, sample: &Sample) -> Result<(), GatewayError> {
        loop {
            let record = BaseRecord::to(&self.options.topic).key(&sample.key).payload(&sample.json);
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) if !self.stopped() => {
                    self.sleep(Duration::from_millis(5));
                }
                Err((source, _)) => return Err(GatewayError::Send { topic: self.options.topic.clone(), source }),
            }
        }
    }

    /// With new certificates, another producer. Not while something is on its way, so that each patient's readings keep their
    /// order; what does not arrive in time is waited for again.
    fn renew(&mut self) -> Result<(), GatewayError> {
        if !self.in_use.is_outdated() {
            return Ok(());
        }
        self.flush(FLUSH);
        if self.status().on_the_way() == 0 {
            self.in_use = self.options.kafka.tls.in_use();
            self.producer = producer(self.options, &self.deliveries).map_err(GatewayError::Producer)?;
        }
        Ok(())
    }

    fn flush(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        while self.status().on_the_way() > 0 && Instant::now() < deadline {
            self.sleep(Duration::from_millis(5));
        }
    }

    fn finish(mut self) -> Status {
        self.flush(if self.stopped() { FLUSH } else { LAST_FLUSH });
        let status = self.status();
        (self.tell)(&status);
        status
    }

    fn wait_until(&mut self, due: Instant) {
        while !self.stopped() {
            let left = due.saturating_duration_since(Instant::now());
            self.tell_now_and_then();
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
    }

    fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
        self.tell_now_and_then();
    }

    fn tell_now_and_then(&mut self) {
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let status = self.status();
            (self.tell)(&status);
        }
    }

    fn status(&self) -> Status {
        self.deliveries.status(self.sent)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
