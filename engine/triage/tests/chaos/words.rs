//! People who acknowledge alerts while everything fails: some of what is raised, some of it twice, some that is not open, and
//! some in a form that nobody can read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::plan::Random;

pub(crate) struct People {
    enough: Arc<AtomicBool>,
    acknowledging: JoinHandle<usize>,
}

impl People {
    pub(crate) fn start(bootstrap: &str, topics: &[&str], seed: u64) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", bootstrap).set("message.timeout.ms", "300000");
        let consumer: BaseConsumer = client
            .clone()
            .set("group.id", "people")
            .set("isolation.level", "read_committed")
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(topics).unwrap();
        let producer: BaseProducer = client.create().unwrap();
        let (until, random) = (Arc::clone(&enough), Random(seed ^ 0x00AC_0FFE));
        let acknowledging = std::thread::spawn(move || acknowledge(&consumer, &producer, random, &until));
        Self { enough, acknowledging }
    }

    /// How many records they have sent.
    pub(crate) fn stop(self) -> usize {
        self.enough.store(true, Ordering::Relaxed);
        self.acknowledging.join().unwrap()
    }
}

fn acknowledge(consumer: &BaseConsumer, producer: &BaseProducer, mut random: Random, enough: &AtomicBool) -> usize {
    let mut sent = 0;
    while !enough.load(Ordering::Relaxed) {
        producer.poll(Duration::ZERO);
        let Some(Ok(alert)) = consumer.poll(Duration::from_millis(100)) else { continue };
        let Some(value) = alert.payload() else { continue };
        let said: serde_json::Value = serde_json::from_slice(value).unwrap();
        let id = said["id"].as_str().unwrap();
        let words = match random.below(12) {
            0..3 => vec![word(id, &mut random)],
            3 => vec![word(id, &mut random), word(id, &mut random)],
            4 if random.below(10) == 0 => vec![word("research/0/1@2/vitals.sustained", &mut random)],
            5 if random.below(10) == 0 => vec![format!("{{\"id\":\"{id}\"}}")],
            6 if random.below(10) == 0 => vec!["not a word of JSON".to_owned()],
            _ => Vec::new(),
        };
        for word in words {
            let record = BaseRecord::<[u8], str>::to("acknowledgements").partition(alert.partition()).payload(&word);
            producer.send(record).map_err(|(error, _)| error).unwrap();
            sent += 1;
        }
    }
    producer.flush(Duration::from_mins(5)).unwrap();
    sent
}

fn word(id: &str, random: &mut Random) -> String {
    format!(
        "{{\"id\":\"{id}\",\"by\":\"nurse {}\",\"ts\":{}}}",
        random.below(5),
        1_700_000_000_000 + random.below(1_000_000)
    )
}
