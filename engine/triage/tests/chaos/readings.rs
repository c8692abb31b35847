//! The known set of readings: patients of a hospital, with gaps, impossible values, and records that are no readings.

use std::fmt::Write as _;
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::plan::{Plan, Random};
use crate::topics::Read;

/// Many, so that the plain interpreter, which reads a patient's past again for every reading, ends in time.
const PATIENTS: u64 = 499;

/// A record as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) partition: i32,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) timestamp: i64,
}

/// Sends all of them at the plan's rate, straight to the broker; what was sent, in order.
pub(crate) fn send(plan: &Plan, bootstrap: &str) -> JoinHandle<Vec<Reading>> {
    let readings = make(plan);
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("linger.ms", "5")
        .set("message.timeout.ms", "300000")
        .create()
        .unwrap();
    let rate = plan.rate as f64;
    std::thread::spawn(move || {
        let begun = Instant::now();
        for (number, reading) in readings.iter().enumerate() {
            let due = Duration::from_secs_f64(number as f64 / rate);
            producer.poll(due.saturating_sub(begun.elapsed()));
            send_one(&producer, reading);
        }
        producer.flush(Duration::from_mins(5)).unwrap();
        readings
    })
}

fn send_one(producer: &BaseProducer, reading: &Reading) {
    let mut record = BaseRecord::<[u8], [u8]>::to("research").partition(reading.partition);
    record.key = Some(&reading.key);
    record.payload = reading.value.as_deref();
    record.timestamp = Some(reading.timestamp);
    while let Err((_, again)) = producer.send(record) {
        record = again;
        producer.poll(Duration::from_millis(10));
    }
}

/// The stream holds each of them once, each partition in the order of sending: what the engines were given is known.
pub(crate) fn assert_all_arrived(sent: &[Reading], stream: &[Vec<Read>]) {
    for (partition, read) in stream.iter().enumerate() {
        let sent: Vec<_> = sent.iter().filter(|reading| reading.partition == partition as i32).collect();
        assert_eq!(sent.len(), read.len(), "readings on partition {partition}");
        for (sent, read) in sent.iter().zip(read) {
            assert_eq!((Some(&sent.key), &sent.value), (read.key.as_ref(), &read.value));
        }
    }
}

fn make(plan: &Plan) -> Vec<Reading> {
    let mut random = Random(plan.seed ^ 0x00C0_FFEE);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64;
    let step = 1_000 / plan.rate.max(1) as i64;
    (0..plan.readings)
        .map(|number| {
            let patient = random.below(PATIENTS);
            let timestamp = now + number as i64 * step;
            Reading {
                partition: (patient % plan.partitions as u64) as i32,
                key: format!("p{patient}").into_bytes(),
                value: value(&mut random, patient, timestamp, number),
                timestamp,
            }
        })
        .collect()
}

/// One in a hundred is no reading: a tombstone, no JSON, a time that cannot be read, a name twice.
fn value(random: &mut Random, patient: u64, timestamp: i64, number: usize) -> Option<Vec<u8>> {
    let text = match random.below(400) {
        0 => return None,
        1 => format!("{{\"patient\":\"p{patient}\",\"ts\":"),
        2 => format!("{{\"patient\":\"p{patient}\",\"ts\":\"yesterday\",\"n\":{number}}}"),
        3 => format!("{{\"age\":4,\"age\":5,\"n\":{number}}}"),
        _ => reading(random, patient, timestamp, number),
    };
    Some(text.into_bytes())
}

fn reading(random: &mut Random, patient: u64, timestamp: i64, number: usize) -> String {
    // Some come late, and some under another patient's key.
    let ts = if random.below(40) == 0 { timestamp - random.below(4_000) as i64 } else { timestamp };
    let named = if random.below(100) == 0 { patient + 1 } else { patient };
    let mut text = format!("{{\"patient\":\"p{named}\",\"ts\":{ts},\"n\":{number}");
    let fields: [(&str, u64, u64); 14] = [
        ("age", 20, 80),
        ("sex", 0, 2),
        ("cp", 0, 4),
        ("trestbps", 90, 130),
        ("Temp", 35, 6),
        ("chol", 120, 250),
        ("fbs", 0, 2),
        ("restecg", 0, 3),
        ("thalach", 60, 140),
        ("exang", 0, 2),
        ("oldpeak", 0, 5),
        ("slope", 0, 3),
        ("ca", 0, 5),
        ("thal", 0, 4),
    ];
    for (name, least, width) in fields {
        let value = least + random.below(width);
        let _ = match random.below(20) {
            0 => Ok(()),
            1 => write!(text, ",\"{name}\":null"),
            2 => write!(text, ",\"{name}\":{}", value * 1_000),
            _ => write!(text, ",\"{name}\":{value}"),
        };
    }
    text.push('}');
    text
}
