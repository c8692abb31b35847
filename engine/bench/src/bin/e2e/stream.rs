//! The readings: generated, the same in each run, keyed by patient.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use triage_bench::readings::{Keys, endless};

use crate::topics::{PARTITIONS, PATIENCE, STREAM, client};

/// Those that have not been sent yet, from the earliest on: one that comes again, or late, raises no alert that its patient has.
pub(crate) struct Readings(Box<dyn Iterator<Item = Vec<u8>> + Send>);

impl Readings {
    pub(crate) fn new() -> Self {
        Self(Box::new(endless(Keys::Ordered, 0)))
    }

    /// Fills the stream.
    pub(crate) fn fill(&mut self, bootstrap: &str, count: usize) -> KafkaResult<()> {
        let producer: BaseProducer =
            client(bootstrap).set("linger.ms", "20").set("compression.type", "lz4").set("acks", "all").create()?;
        for (number, value) in self.0.by_ref().take(count).enumerate() {
            send(&producer, &value)?;
            if (number + 1) % 250_000 == 0 {
                eprintln!("filling: {} of {count} readings", number + 1);
            }
        }
        producer.flush(PATIENCE)
    }

    /// Sends at a rate for a while, each reading with its moment as Kafka's time.
    pub(crate) fn trickle(&mut self, bootstrap: &str, rate: u32, lasting: Duration) -> KafkaResult<()> {
        let producer: BaseProducer = client(bootstrap).set("linger.ms", "0").set("compression.type", "lz4").create()?;
        let count = (lasting.as_secs_f64() * f64::from(rate)) as usize;
        let begun = Instant::now();
        for (number, value) in self.0.by_ref().take(count).enumerate() {
            let due = Duration::from_secs_f64(number as f64 / f64::from(rate));
            let early = due.saturating_sub(begun.elapsed());
            if early > Duration::from_millis(1) {
                producer.poll(Duration::ZERO);
                std::thread::sleep(early);
            }
            send(&producer, &value)?;
        }
        producer.flush(PATIENCE)
    }
}

fn send(producer: &BaseProducer, value: &[u8]) -> KafkaResult<()> {
    let patient = patient(value);
    let number = patient.iter().rev().take(2).map(|digit| i32::from(digit - b'0')).sum::<i32>();
    let mut record = BaseRecord::to(STREAM).partition(number % PARTITIONS).key(patient).payload(value).timestamp(now());
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), again)) => {
                record = again;
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// `{"patient":"p1234",…`: the patients of the generator have four digits.
fn patient(value: &[u8]) -> &[u8] {
    value.get(12..17).unwrap_or_default()
}

/// Milliseconds since 1970, Kafka's own unit.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_patient() {
        assert!(endless(Keys::Ordered, 0).take(100).all(|value| {
            let patient = patient(&value);
            patient[0] == b'p' && patient[1..].iter().all(u8::is_ascii_digit) && value[17] == b'"'
        }));
    }
}
