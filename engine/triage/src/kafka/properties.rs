//! librdkafka's properties: what the user passes through, and what exactly-once needs and nobody may override.

use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::KafkaError;

use crate::config::KafkaConfig;

/// Why properties are refused.
#[derive(Debug, thiserror::Error)]
pub enum PropertyError {
    /// The engine sets it itself.
    #[error("`kafka.properties.{name}` cannot be set: {reason}")]
    Ours {
        /// The property.
        name: String,
        /// Why it is ours.
        reason: &'static str,
    },
    /// librdkafka does not take it.
    #[error("`kafka.properties.{name}`: {message}")]
    Refused {
        /// The property.
        name: String,
        /// librdkafka's words, without the value.
        message: String,
    },
}

/// Properties that are ours, and why.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "it is `kafka.bootstrap_servers`"),
    ("metadata.broker.list", "it is `kafka.bootstrap_servers`"),
    ("group.id", "it is `kafka.group`"),
    ("transactional.id", "it is `kafka.transactional_id_prefix` and the worker's number"),
    ("enable.auto.commit", "offsets are committed with the outputs, in one transaction"),
    ("enable.auto.offset.store", "offsets are committed with the outputs, in one transaction"),
    ("auto.offset.reset", "a new group begins with the earliest reading: none is skipped"),
    ("isolation.level", "readings of an aborted transaction must not be judged"),
    ("enable.idempotence", "a transaction needs it"),
    ("enable.partition.eof", "the time of an idle stream goes by the ends of its partitions"),
    ("statistics.interval.ms", "the lag is measured with it"),
    ("partitioner", "every output goes to the number of its reading's partition"),
    ("security.protocol", "it is `kafka.security_protocol`"),
    ("ssl.ca.location", "it is `kafka.ssl_ca_file`, where new certificates are taken up"),
    ("ssl.ca.pem", "it is `kafka.ssl_ca_file`, where new certificates are taken up"),
    ("ssl.certificate.location", "it is `kafka.ssl_certificate_file`, where new certificates are taken up"),
    ("ssl.certificate.pem", "it is `kafka.ssl_certificate_file`, where new certificates are taken up"),
    ("ssl.key.location", "it is `kafka.ssl_key_file`, where new keys are taken up"),
    ("ssl.key.pem", "it is `kafka.ssl_key_file`, where new keys are taken up"),
    ("ssl.key.password", "it is `kafka.ssl_key_password_file`"),
    ("ssl.keystore.location", "it is `kafka.ssl_certificate_file` and `kafka.ssl_key_file`, in PEM"),
    ("ssl.keystore.password", "it is `kafka.ssl_key_password_file`"),
];

/// Properties that only a consumer knows; librdkafka warns when a producer is given one.
const CONSUMER_ONLY: &[&str] = &[
    "session.timeout.ms",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "partition.assignment.strategy",
    "group.instance.id",
    "group.protocol",
    "group.remote.assignor",
    "check.crcs",
];

/// Properties that only a producer knows.
const PRODUCER_ONLY: &[&str] = &[
    "acks",
    "request.required.acks",
    "linger.ms",
    "queue.buffering.max.ms",
    "batch.size",
    "batch.num.messages",
    "sticky.partitioning.linger.ms",
    "transaction.timeout.ms",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "request.timeout.ms",
    "retries",
    "message.send.max.retries",
    "retry.backoff.ms",
    "retry.backoff.max.ms",
];

/// Partitions that are added to a topic are found this soon, not after librdkafka's 5 minutes.
const METADATA_AGE_MS: &str = "10000";

const CONSUMER_PREFIXES: &[&str] = &["fetch.", "queued."];
const PRODUCER_PREFIXES: &[&str] = &["queue.buffering.", "compression."];

/// Refuses what cannot be passed through.
///
/// # Errors
/// A property that is ours, or that librdkafka does not know or take.
pub(crate) fn check(config: &KafkaConfig) -> Result<(), PropertyError> {
    for (name, value) in &config.properties {
        if let Some((_, reason)) = OURS.iter().find(|(ours, _)| ours == name) {
            return Err(PropertyError::Ours { name: name.clone(), reason });
        }
        let mut alone = ClientConfig::new();
        alone.set(name.as_str(), value.expose());
        if let Err(KafkaError::ClientConfig(_, message, ..)) = alone.create_native_config() {
            return Err(PropertyError::Refused {
                name: name.clone(),
                message: without_value(&message, value.expose()),
            });
        }
    }
    Ok(())
}

fn without_value(message: &str, value: &str) -> String {
    if value.is_empty() { message.to_owned() } else { message.replace(value, "***") }
}

/// For the admin client and for anything that only asks.
pub(crate) fn plain(config: &KafkaConfig) -> ClientConfig {
    let mut properties = ClientConfig::new();
    add_common(&mut properties, config, |name| !is_consumers(name) && !is_producers(name));
    properties
}

/// For a worker's consumer.
pub(crate) fn consumer(config: &KafkaConfig) -> ClientConfig {
    let mut properties = ClientConfig::new();
    properties.set("fetch.queue.backoff.ms", "10").set("fetch.error.backoff.ms", "100");
    // A killed engine's partitions are judged by nobody for as long as its session: the least that brokers allow by
    // default, not librdkafka's 45 s. A partition that moves waits for a heartbeat of each side.
    properties.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "1000");
    // Off by default in librdkafka, which would hand out a damaged batch as if it were whole.
    properties.set("check.crcs", "true");
    // A rebalance takes away only what another worker is to have; the rest is judged on.
    properties.set("partition.assignment.strategy", "cooperative-sticky");
    // What is fetched ahead, per worker: enough for several batches. While a worker waits for the broker nothing more is
    // fetched, so memory stays bounded.
    properties.set("queued.max.messages.kbytes", "16384").set("fetch.max.bytes", "16777216");
    properties.set("topic.metadata.refresh.interval.ms", METADATA_AGE_MS);
    add_common(&mut properties, config, |name| !is_producers(name));
    properties
        .set("group.id", &config.group)
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "earliest")
        .set("isolation.level", "read_committed")
        .set("statistics.interval.ms", "1000");
    properties
}

/// For a worker's producer. `largest_record` is the largest value, key and headers included, that it may have to send.
pub(crate) fn producer(config: &KafkaConfig, transactional_id: &str, largest_record: usize) -> ClientConfig {
    let mut properties = ClientConfig::new();
    // A worker sends in bursts and then waits for all of them, so lingering only delays.
    properties
        .set("linger.ms", "0")
        .set("retry.backoff.ms", "5")
        // A killed process's open transaction holds up whoever takes its partitions over, until the broker ends it: this long,
        // and until it looks next (every 10 s, `transaction.abort.timed.out.transaction.cleanup.interval.ms`). Judging and
        // handing over a batch takes some 100 ms; who does not get it through in 10 s has been put out of the group meanwhile
        // (6 s), so that waiting longer saves nothing. Records that are not delivered must fail no later.
        .set("transaction.timeout.ms", "10000")
        .set("message.timeout.ms", "10000")
        .set("queue.buffering.max.messages", "500000")
        .set("queue.buffering.max.kbytes", largest_queue_kib(largest_record).to_string())
        .set("topic.metadata.refresh.interval.ms", METADATA_AGE_MS)
        .set("compression.type", "lz4")
        .set("message.max.bytes", largest_record.to_string());
    add_common(&mut properties, config, |name| !is_consumers(name));
    properties.set("transactional.id", transactional_id).set("enable.idempotence", "true");
    properties
}

/// For what people say: a record now and then, which all replicas must have before it counts as said.
pub(crate) fn speaker(config: &KafkaConfig) -> ClientConfig {
    let mut properties = plain(config);
    properties.set("acks", "all").set("linger.ms", "0").set("message.timeout.ms", "10000");
    properties
}

/// Room for the outputs of a batch; a worker whose queue is full waits for the broker. Never less than two of the largest.
fn largest_queue_kib(largest_record: usize) -> usize {
    (largest_record / 512 + 1).max(64 * 1024)
}

/// What the user passes through and all clients share. Set one by one: a `ClientConfig` does not give passwords out again.
fn add_common(properties: &mut ClientConfig, config: &KafkaConfig, keep: impl Fn(&str) -> bool) {
    properties.set("client.id", "triage").set("reconnect.backoff.max.ms", "2000");
    for (name, value) in config.properties.iter().filter(|(name, _)| keep(name)) {
        properties.set(name.as_str(), value.expose());
    }
    properties.set("bootstrap.servers", &config.bootstrap_servers);
    properties.set("security.protocol", config.security_protocol.as_str());
    let material = config.tls.material();
    let pem = [
        ("ssl.ca.pem", material.authorities_pem()),
        ("ssl.certificate.pem", material.chain_pem()),
        ("ssl.key.pem", material.key_pem()),
    ];
    for (name, pem) in pem {
        if let Some(pem) = pem {
            properties.set(name, pem.expose());
        }
    }
    properties.set_log_level(RDKafkaLogLevel::Warning);
}

fn is_consumers(name: &str) -> bool {
    CONSUMER_ONLY.contains(&name) || CONSUMER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_producers(name: &str) -> bool {
    PRODUCER_ONLY.contains(&name) || PRODUCER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
