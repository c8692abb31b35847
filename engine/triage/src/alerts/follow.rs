//! Follows every topic of alerts, and the pauses of `acknowledgements`: from their beginning, in no group's name, so that
//! each process knows what is open in all of them. Topics of rules that are gone are followed too: what is open there is open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use triage_core::program::{read_erasure, read_pause};

use crate::clock::now;
use crate::config::KafkaConfig;
use crate::kafka::consumer::is_passing;
use crate::kafka::logged::Logged;
use crate::kafka::properties;
use crate::kafka::records::record;
use crate::kafka::rights::explained;
use crate::kafka::topics::{ACKNOWLEDGEMENTS, topic_of_alerts};
use crate::shared::Shared;
use crate::shutdown::Backoff;
use crate::worker::LIMITS_OF_WORDS;

/// How often the follower looks which topics there are, and whether the broker answers.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How long the broker may take to say it.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the follower sleeps when nothing has come.
const IDLE: Duration = Duration::from_millis(20);

/// How many records of a partition are taken before the others have their turn.
const MOST_AT_ONCE: usize = 1_000;

type Place = (String, i32);

/// Starts the follower's thread, if alerts are to be followed here.
pub(crate) fn start(shared: &Arc<Shared>) -> Result<Option<JoinHandle<()>>, std::io::Error> {
    if !shared.config.alerts.follow {
        shared.alerts.off();
        return Ok(None);
    }
    let shared = Arc::clone(shared);
    std::thread::Builder::new().name("alerts".to_owned()).spawn(move || run(&shared)).map(Some)
}

/// Until the shutdown is asked for. Whatever fails, and with new certificates, everything is read again.
fn run(shared: &Shared) {
    let mut backoff = fresh_backoff();
    while !shared.shutdown.is_asked() {
        let Err(error) = follow(shared, &mut backoff) else { continue };
        tracing::error!(error = explained(&error), "alerts cannot be followed; reading them anew");
        shared.alerts.unknown(explained(&error));
        shared.shutdown.sleep(backoff.take());
    }
}

/// Until the shutdown is asked for, or new certificates have been taken up.
fn follow(shared: &Shared, backoff: &mut Backoff) -> KafkaResult<()> {
    let in_use = shared.config.kafka.tls.in_use();
    let mut follower = Follower::new(&shared.config.kafka)?;
    shared.alerts.clear();
    let mut looked = None;
    while !shared.shutdown.is_asked() && !in_use.is_outdated() {
        let generation = shared.current.load().generation;
        if looked.is_none_or(|(at, of): (Instant, u64)| at.elapsed() > LOOK_EVERY || of != generation) {
            follower.look(shared)?;
            looked = Some((Instant::now(), generation));
        }
        if follower.poll(shared)? {
            *backoff = fresh_backoff();
        } else {
            shared.shutdown.sleep(IDLE);
        }
    }
    Ok(())
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(250), Duration::from_secs(10))
}

/// A consumer, and how far it is. Each partition has a queue of its own: the end of one does not say of which topic it is.
struct Follower {
    consumer: Arc<BaseConsumer<Logged>>,
    places: BTreeMap<Place, Followed>,
    /// Why the broker does not say which topics there are.
    unanswered: Option<String>,
}

struct Followed {
    queue: PartitionQueue<Logged>,
    reach: Reach,
}

/// How far a partition has been read.
///
/// One that was made anew, or cut short, and ends before that is read again from its beginning by librdkafka. What was known of
/// it stays known: the engine has those episodes, and tells their ends. What is there is not all known before the end comes once more.
/// One that is made anew and has passed the place within [`LOOK_EVERY`] is not noticed; one that is gone for longer is, since it is
/// followed from its beginning when it is there again.
#[derive(Debug, Default, Clone, Copy)]
struct Reach {
    next: i64,
    /// Whether it has been read to its end, and not gone back since.
    arrived: bool,
}

impl Reach {
    /// A record has come; whether from before the last.
    fn comes(&mut self, offset: i64) -> bool {
        let is_back = offset < self.next;
        self.next = offset + 1;
        self.arrived &= !is_back;
        is_back
    }

    /// The end has come; whether for the first time, or the first since it went back.
    fn ends(&mut self) -> bool {
        !std::mem::replace(&mut self.arrived, true)
    }
}

impl Follower {
    fn new(config: &KafkaConfig) -> KafkaResult<Self> {
        let mut properties = properties::consumer(config);
        properties.set("enable.partition.eof", "true").set("statistics.interval.ms", "0");
        let consumer = Arc::new(properties.create_with_context(Logged)?);
        Ok(Self { consumer, places: BTreeMap::new(), unanswered: None })
    }

    /// Takes in what is new, leaves what is gone. A broker that does not answer leaves it unknown what is open.
    fn look(&mut self, shared: &Shared) -> KafkaResult<()> {
        match self.there() {
            Ok(there) => {
                self.unanswered = None;
                self.assign(&there)?;
                let topics = there.iter().filter_map(|(topic, _)| topic_of_alerts(topic)).map(str::to_owned);
                shared.alerts.follows(topics.collect());
            }
            Err(error) => self.unanswered = Some(explained(&error)),
        }
        self.tell(shared);
        Ok(())
    }

    fn there(&self) -> KafkaResult<BTreeSet<Place>> {
        // All topics are asked for, because asking for one by name may make it.
        let metadata = self.consumer.fetch_metadata(None, PATIENCE)?;
        let topics = metadata.topics().iter();
        let ours = topics.filter(|topic| topic.name() == ACKNOWLEDGEMENTS || topic_of_alerts(topic.name()).is_some());
        let partitions =
            ours.flat_map(|topic| topic.partitions().iter().map(|partition| (topic.name(), partition.id())));
        Ok(partitions.map(|(topic, partition)| (topic.to_owned(), partition)).collect())
    }

    fn assign(&mut self, there: &BTreeSet<Place>) -> KafkaResult<()> {
        let mut gone = TopicPartitionList::new();
        for (topic, partition) in self.places.keys().filter(|place| !there.contains(*place)) {
            gone.add_partition(topic, *partition);
        }
        if gone.count() > 0 {
            self.consumer.incremental_unassign(&gone)?;
        }
        self.places.retain(|place, _| there.contains(place));
        let mut new = TopicPartitionList::new();
        for (topic, partition) in there {
            let place = (topic.clone(), *partition);
            if self.places.contains_key(&place) {
                continue;
            }
            // Before it is assigned, so that nothing of it goes another way.
            let Some(queue) = self.consumer.split_partition_queue(topic, *partition) else { continue };
            self.places.insert(place, Followed { queue, reach: Reach::default() });
            new.add_partition_offset(topic, *partition, Offset::Beginning)?;
        }
        if new.count() > 0 {
            self.consumer.incremental_assign(&new)?;
        }
        Ok(())
    }

    /// Takes what there is; whether there was something.
    fn poll(&mut self, shared: &Shared) -> KafkaResult<bool> {
        let polled = self.consumer.poll(Duration::ZERO).map_or(Ok(Taken::Nothing), |polled| taken(polled, shared))?;
        let mut taken = matches!(polled, Taken::Record(_));
        let mut arrived = false;
        for ((topic, partition), Followed { queue, reach }) in &mut self.places {
            for polled in std::iter::from_fn(|| queue.poll(Duration::ZERO)).take(MOST_AT_ONCE) {
                match self::taken(polled, shared)? {
                    Taken::Record(offset) => {
                        taken = true;
                        if reach.comes(offset) {
                            tracing::error!(
                                topic,
                                partition,
                                offset,
                                "a topic was made anew or cut short, and is read again"
                            );
                        }
                    }
                    Taken::End => arrived |= reach.ends(),
                    Taken::Nothing => {}
                }
            }
        }
        if taken || arrived {
            self.tell(shared);
        }
        Ok(taken)
    }

    fn tell(&self, shared: &Shared) {
        match &self.unanswered {
            Some(error) => shared.alerts.unknown(error.clone()),
            None => shared.alerts.behind(self.places.values().filter(|place| !place.reach.arrived).count()),
        }
        shared.metrics.open_alerts(shared.alerts.counts());
        shared.metrics.pauses(shared.alerts.pauses(now()));
    }
}

/// What a poll has brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// A record, and its offset.
    Record(i64),
    /// The end of the partition.
    End,
    Nothing,
}

fn taken(polled: KafkaResult<BorrowedMessage<'_>>, shared: &Shared) -> KafkaResult<Taken> {
    match polled {
        Ok(message) => {
            take(shared, &message);
            Ok(Taken::Record(message.offset()))
        }
        Err(KafkaError::PartitionEOF(_)) => Ok(Taken::End),
        Err(error) if is_passing(&error) => {
            tracing::debug!(error = explained(&error), "alerts cannot be read now, and are tried again");
            Ok(Taken::Nothing)
        }
        Err(error) => Err(error),
    }
}

fn take(shared: &Shared, message: &BorrowedMessage<'_>) {
    let Some(topic) = topic_of_alerts(message.topic()) else {
        let (word, partition) = (record(message), message.partition());
        if let Some(pause) = read_pause(&word, &LIMITS_OF_WORDS) {
            shared.alerts.take_pause(partition, pause, now());
        }
        if let Some(patient) = read_erasure(&word, &LIMITS_OF_WORDS) {
            shared.alerts.erase(partition, &patient);
            shared.technical.heard_of_erasure((partition, message.offset()), patient);
        }
        return;
    };
    if let Err(foreign) = shared.alerts.take((topic, message.partition()), message.key(), message.payload()) {
        shared.metrics.foreign_alert();
        let (partition, offset) = (message.partition(), message.offset());
        tracing::warn!(topic = message.topic(), partition, offset, %foreign, "a record among the alerts is none, and is not shown");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_gone_back_is_not_all_known_before_its_end_comes_again() {
        let mut reach = Reach::default();
        assert!(!reach.arrived);
        for offset in [0, 1, 5] {
            assert!(!reach.comes(offset));
        }
        assert!(reach.ends() && !reach.ends() && reach.arrived);
        assert!(!reach.comes(6) && reach.arrived);
        assert!(reach.comes(0) && !reach.arrived);
        assert!(!reach.comes(1) && !reach.arrived);
        assert!(reach.ends() && reach.arrived);
    }
}
