//! What the engine is told: `triage.toml`, then `TRIAGE_…` variables, then flags; the later wins. A key that nobody knows
//! is refused, with the one that was probably meant. `docs/configuration.md` lists every key.

mod keys;
mod layers;
mod retention;
mod secret;
mod tokens;
mod value;
mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::tls::{Credentials, Part, Use};

pub use keys::{KEYS, Key};
pub use layers::{ConfigError, Layers};
pub(crate) use retention::{DAY, needed_by_state};
pub use retention::{Kept, RetentionConfig};
pub use secret::Secret;
pub(crate) use tokens::{Held as HeldTokens, TokenError};
pub use tokens::{Right, Tokens};
pub(crate) use webhook::signing_key;
pub use webhook::{WEBHOOK_KEYS, WebhookConfig, WebhookUrl};

/// Everything the engine is told.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The broker, and how we appear there.
    pub kafka: KafkaConfig,
    /// Where the rules are.
    pub rules: RulesConfig,
    /// How readings are judged.
    pub engine: EngineConfig,
    /// The web side.
    pub http: HttpConfig,
    /// The document store.
    pub store: StoreConfig,
    /// Alerts as people get them.
    pub alerts: AlertsConfig,
    /// Where alerts are sent besides Kafka, by topic.
    pub webhooks: BTreeMap<String, WebhookConfig>,
    /// The heartbeat.
    pub heartbeat: HeartbeatConfig,
    /// Technical alerts.
    pub technical: TechnicalConfig,
    /// How long what is written stays.
    pub retention: RetentionConfig,
    /// The log.
    pub log: LogConfig,
}

/// `[kafka]`
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// Brokers to begin with, separated by commas.
    pub bootstrap_servers: String,
    /// The consumer group of the engine.
    pub group: String,
    /// Transactional ids are `<prefix>-<worker>`; empty: the group and this machine's name.
    pub transactional_id_prefix: String,
    /// Partitions of a stream topic that has to be made.
    pub partitions: i32,
    /// Replicas of topics that have to be made; 0 leaves it to the broker.
    pub replication: i32,
    /// Whether connections are encrypted, and whether somebody logs in.
    pub security_protocol: SecurityProtocol,
    /// Certificates, where connections are encrypted.
    pub tls: Credentials,
    /// Passed through to librdkafka, for consumer, producer and admin client.
    pub properties: BTreeMap<String, Secret>,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: String::new(),
            group: String::new(),
            transactional_id_prefix: String::new(),
            partitions: 0,
            replication: 0,
            security_protocol: SecurityProtocol::default(),
            tls: Credentials::new(Use::Kafka),
            properties: BTreeMap::new(),
        }
    }
}

/// How the broker is spoken to, in Kafka's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecurityProtocol {
    /// In the clear, and nobody logs in.
    #[default]
    Plaintext,
    /// Encrypted; who shows a certificate is logged in by it.
    Ssl,
    /// In the clear, with a login.
    SaslPlaintext,
    /// Encrypted, with a login.
    SaslSsl,
}

impl SecurityProtocol {
    /// As Kafka writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plaintext => "plaintext",
            Self::Ssl => "ssl",
            Self::SaslPlaintext => "sasl_plaintext",
            Self::SaslSsl => "sasl_ssl",
        }
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }
}

/// `[rules]`
#[derive(Debug, Clone, Default)]
pub struct RulesConfig {
    /// The folder of `*.rules` files.
    pub path: PathBuf,
    /// Whether a changed file is taken up without being asked.
    pub watch: bool,
}

/// `[engine]`
#[derive(Debug, Clone, Default)]
pub struct EngineConfig {
    /// Worker threads; 0 is one per core.
    pub workers: usize,
    /// The most records of one transaction.
    pub batch_size: usize,
    /// How long a transaction gathers at most, under load.
    pub batch_age: Duration,
    /// The largest value of a record.
    pub max_record_bytes: usize,
    /// How far a reading's time may be ahead of Kafka's.
    pub max_skew: Duration,
    /// How long a stop may take before the process ends all the same.
    pub stop_grace: Duration,
    /// How old the last snapshot of a patient's state may be, who has changed since.
    pub snapshot_age: Duration,
    /// Whether a partition whose state is refused begins without it.
    pub fresh_state: bool,
}

/// `[http]`
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The bearer tokens that every endpoint except `/healthz` asks for.
    pub tokens: Tokens,
    /// What the web side shows, and whose certificates it asks for; without a certificate it speaks in the clear.
    pub tls: Credentials,
    /// Whom commands trust that ask the web side, and what they show it.
    pub asking: Credentials,
    /// The name or address that the certificate of the web side is for; none: that of `listen`.
    pub name: Option<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tokens: Tokens::default(),
            tls: Credentials::new(Use::Http),
            asking: Credentials::new(Use::Asking),
            name: None,
        }
    }
}

impl HttpConfig {
    /// Whether the web side speaks TLS.
    pub fn is_encrypted(&self) -> bool {
        self.tls.has(Part::Certificate)
    }

    /// Whether commands ask for the web side by TLS.
    pub fn is_asked_encrypted(&self) -> bool {
        self.is_encrypted() || self.asking.has(Part::Authorities)
    }
}

/// `[store]`
#[derive(Debug, Clone, Default)]
pub struct StoreConfig {
    /// The `SQLite` file; never beside a `MongoDB` server. With neither, nothing is stored.
    pub sqlite: Option<PathBuf>,
    /// The `MongoDB` server.
    pub mongodb: MongoConfig,
    /// The most documents of one write.
    pub batch_documents: usize,
    /// How long documents gather at most before they are written.
    pub batch_age: Duration,
    /// The consumer group of the store.
    pub group: String,
    /// Whether the store begins with its topics' beginning; a flag of `triage run`, and no key.
    pub rebuild: bool,
    /// As whom the store logs in to Kafka; none: as the engine.
    pub sasl_username: Option<String>,
    /// The password of that user.
    pub sasl_password: Option<Secret>,
}

impl StoreConfig {
    /// Whether documents are stored at all.
    pub fn is_used(&self) -> bool {
        self.sqlite.is_some() || self.mongodb.uri.is_some()
    }
}

/// `[store.mongodb]`
#[derive(Debug, Clone)]
pub struct MongoConfig {
    /// The connection string, with the password; none: documents are not stored there.
    pub uri: Option<Secret>,
    /// The database.
    pub database: String,
    /// Certificates, where the connection is encrypted.
    pub tls: Credentials,
}

impl Default for MongoConfig {
    fn default() -> Self {
        Self { uri: None, database: String::new(), tls: Credentials::new(Use::MongoDb) }
    }
}

/// `[alerts]`
#[derive(Debug, Clone, Default)]
pub struct AlertsConfig {
    /// Whether this process knows which alerts are open.
    pub follow: bool,
    /// How old an alert may be when it is sent without being marked as delayed.
    pub delayed_after: Duration,
}

/// `[heartbeat]`
#[derive(Debug, Clone, Default)]
pub struct HeartbeatConfig {
    /// How often it is sent.
    pub every: Duration,
}

/// `[technical]`
#[derive(Debug, Clone, Default)]
pub struct TechnicalConfig {
    /// Whom technical alerts are for.
    pub notify: String,
    /// The share of an hour's readings, 0..1, for which a rule may be unknown.
    pub not_evaluable: f64,
    /// How long nothing may come.
    pub no_readings: Duration,
    /// How long the store may be behind, or fail.
    pub store_behind: Duration,
    /// How far the times of readings may be off their arrival, and our clock off the broker's.
    pub clock_skew: Duration,
}

/// `[log]`
#[derive(Debug, Clone, Default)]
pub struct LogConfig {
    /// A level, or directives such as `info,triage=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// Where the access log goes; none: to the log.
    pub access_file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For a person.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Every key at its default.
    ///
    /// # Errors
    /// None, while the table of keys is right; a test holds it.
    pub fn defaults() -> Result<Self, ConfigError> {
        Layers::new().build()
    }

    /// A worker's transactional id: stable from one start to the next, another on each machine.
    pub fn transactional_id(&self, worker: usize) -> String {
        self.transactional_name(&worker.to_string())
    }

    /// The transactional id under which the store sends its dead letters. It begins as the store's group does: the store may
    /// have a user of its own, who may use those and no other.
    pub fn store_transactional_id(&self) -> String {
        format!("{}-{}", self.store.group, self.process())
    }

    /// The transactional id under which tombstones of closed alerts are sent.
    pub fn tombstones_transactional_id(&self) -> String {
        self.transactional_name("tombstones")
    }

    /// The transactional id under which the webhook of a topic sends its dead letters.
    pub fn webhook_transactional_id(&self, topic: &str) -> String {
        self.transactional_name(&format!("webhook-{topic}"))
    }

    /// What this process is called: the first part of its transactional ids.
    pub fn process(&self) -> String {
        let prefix = &self.kafka.transactional_id_prefix;
        if !prefix.is_empty() {
            return prefix.clone();
        }
        format!("{}-{}", self.kafka.group, gethostname::gethostname().to_string_lossy())
    }

    fn transactional_name(&self, owner: &str) -> String {
        format!("{}-{owner}", self.process())
    }

    /// The broker as the store sees it: with a user of its own, if it has one.
    pub fn kafka_of_store(&self) -> KafkaConfig {
        let mut kafka = self.kafka.clone();
        if let (Some(user), Some(password)) = (&self.store.sasl_username, &self.store.sasl_password) {
            kafka.properties.insert("sasl.username".to_owned(), Secret::new(user));
            kafka.properties.insert("sasl.password".to_owned(), password.clone());
        }
        kafka
    }

    /// The certificates of every use that a running engine has.
    pub fn credentials(&self) -> Vec<Credentials> {
        let webhooks = self.webhooks.values().map(|webhook| webhook.tls.clone());
        [self.kafka.tls.clone(), self.store.mongodb.tls.clone(), self.http.tls.clone()]
            .into_iter()
            .chain(webhooks)
            .collect()
    }

    /// How many workers run.
    pub fn workers(&self) -> usize {
        match self.engine.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers,
        }
    }

    /// Whether the web side is open to other machines and asks for no token.
    pub fn is_unguarded(&self) -> bool {
        !self.http.listen.ip().is_loopback() && self.http.tokens.is_empty()
    }
}
