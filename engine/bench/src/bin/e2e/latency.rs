//! How long after its reading was sent an alert is seen, by a consumer that reads committed records. The Kafka time of an
//! output is its reading's, which is the moment of sending: one clock, in milliseconds.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use crate::stream::{Readings, now};
use crate::topics::{PARTITIONS, ends, reader};

/// What comes of the first readings does not count.
const WARM_UP: Duration = Duration::from_secs(2);

/// How long after the last reading its alerts are waited for.
const TAIL: Duration = Duration::from_secs(3);

/// Milliseconds, sorted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delays(Vec<i64>);

impl Delays {
    fn new(mut delays: Vec<i64>) -> Self {
        delays.sort_unstable();
        Self(delays)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The delay that this share of the alerts does not exceed; 1 is the largest.
    pub(crate) fn quantile(&self, share: f64) -> i64 {
        let rank = (self.0.len() as f64 * share).ceil() as usize;
        self.0.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

/// Sends `readings` at a rate and watches the alerts that come of them.
pub(crate) fn watch(bootstrap: &str, readings: &mut Readings, rate: u32, seconds: u32) -> KafkaResult<Delays> {
    let consumer = reader(bootstrap)?;
    let mut places = TopicPartitionList::new();
    for ((topic, partition), end) in ends(bootstrap)? {
        if topic.starts_with("alerts.") {
            places.add_partition_offset(&topic, partition, Offset::Offset(end))?;
        }
    }
    debug_assert_eq!(places.count(), 2 * PARTITIONS as usize);
    consumer.assign(&places)?;
    let lasting = WARM_UP + Duration::from_secs(seconds.into());
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| readings.trickle(bootstrap, rate, lasting));
        let delays = delays(&consumer, lasting + TAIL)?;
        sender.join().unwrap_or(Err(KafkaError::Canceled))?;
        Ok(Delays::new(delays))
    })
}

/// How late each alert is that `consumer` sees for so long.
fn delays(consumer: &BaseConsumer, lasting: Duration) -> KafkaResult<Vec<i64>> {
    let counted_from = now() + WARM_UP.as_millis() as i64;
    let until = Instant::now() + lasting;
    let mut delays = Vec::new();
    while Instant::now() < until {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                let sent = message.timestamp().to_millis().unwrap_or_default();
                if sent >= counted_from {
                    delays.push(now() - sent);
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(delays)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_delays_that_occurred() {
        let delays = Delays::new((1..=100).rev().collect());
        assert_eq!([0.5, 0.99, 1.0].map(|share| delays.quantile(share)), [50, 99, 100]);
        assert_eq!(Delays::new(vec![7]).quantile(0.5), 7);
    }
}
