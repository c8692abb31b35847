//! The table of keys: name, default, meaning, and how each is read. File, environment, flags and the documentation's test
//! all go by this one table.

use std::path::PathBuf;
use std::time::Duration;

use super::retention::{DAY, kept};
use super::value::{
    boolean, connection_string, duration, file, number, optional, parsed, password_file, required, secret_of,
};
use super::{Config, LogFormat, Right, Secret, SecurityProtocol};
use crate::tls::Part;

/// One key of the configuration, or of a section `T` of it that is there more than once.
#[derive(Debug)]
pub struct Key<T: 'static = Config> {
    /// `section.name`; of a section that is there more than once, the name.
    pub path: &'static str,
    /// As it would be written; empty is none.
    pub default: &'static str,
    /// One sentence.
    pub meaning: &'static str,
    read: Read<T>,
}

/// Puts a text into the configuration, or says what it should have been.
type Read<T> = fn(&mut T, &str) -> Result<(), String>;

/// Properties that are passed through; each is a key of its own below this.
pub(super) const PROPERTIES: &str = "kafka.properties.";

pub(super) const fn key<T>(path: &'static str, default: &'static str, meaning: &'static str, read: Read<T>) -> Key<T> {
    Key { path, default, meaning, read }
}

/// Every key, in the order of the documentation; `kafka.properties.…` beside them.
pub static KEYS: &[Key] = &[
    key("kafka.bootstrap_servers", "127.0.0.1:9092", "brokers to begin with, separated by commas", |config, text| {
        required(text).map(|text| config.kafka.bootstrap_servers = text)
    }),
    key("kafka.group", "triage", "the consumer group of the engine", |config, text| {
        required(text).map(|text| config.kafka.group = text)
    }),
    key(
        "kafka.transactional_id_prefix",
        "",
        "transactional ids are `<prefix>-<worker>`; empty: the group and the machine's name",
        |config, text| {
            text.clone_into(&mut config.kafka.transactional_id_prefix);
            Ok(())
        },
    ),
    key("kafka.partitions", "1", "partitions of a stream topic that has to be made", |config, text| {
        number(text, 1..=10_000).map(|number| config.kafka.partitions = number)
    }),
    key(
        "kafka.replication",
        "0",
        "replicas of topics that have to be made; 0 leaves it to the broker",
        |config, text| number(text, 0..=100).map(|number| config.kafka.replication = number),
    ),
    key(
        "kafka.security_protocol",
        "plaintext",
        "`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`: whether connections are encrypted, and whether somebody logs in",
        |config, text| {
            config.kafka.security_protocol = match text {
                "plaintext" => SecurityProtocol::Plaintext,
                "ssl" => SecurityProtocol::Ssl,
                "sasl_plaintext" => SecurityProtocol::SaslPlaintext,
                "sasl_ssl" => SecurityProtocol::SaslSsl,
                _ => return Err("`plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`".to_owned()),
            };
            Ok(())
        },
    ),
    key(
        "kafka.ssl_ca_file",
        "",
        "a PEM file of the certificate authorities that the brokers' certificates are by",
        |config, text| file(text).map(|path| config.kafka.tls.name(Part::Authorities, path)),
    ),
    key(
        "kafka.ssl_certificate_file",
        "",
        "a PEM file with the client certificate that brokers are shown, and those between it and its authority",
        |config, text| file(text).map(|path| config.kafka.tls.name(Part::Certificate, path)),
    ),
    key("kafka.ssl_key_file", "", "a PEM file with the key of that certificate", |config, text| {
        file(text).map(|path| config.kafka.tls.name(Part::Key, path))
    }),
    key(
        "kafka.ssl_key_password_file",
        "",
        "a file that holds the password of that key, if it has one",
        |config, text| password_file(text).map(|path| config.kafka.tls.name(Part::Password, path)),
    ),
    key(
        "kafka.sasl_password_file",
        "",
        "a file that holds the password of `kafka.properties`' `sasl.username`",
        |config, text| {
            let Some(path) = optional(text) else { return Ok(()) };
            let password = secret_of(&path).and_then(|password| required(&password))?;
            config.kafka.properties.insert("sasl.password".to_owned(), Secret::new(password));
            Ok(())
        },
    ),
    key("rules.path", "rules/hospital", "the folder of `*.rules` files", |config, text| {
        required(text).map(|text| config.rules.path = PathBuf::from(text))
    }),
    key(
        "rules.watch",
        "false",
        "whether a changed rule file, or a changed model that the rules name, is taken up without being asked",
        |config, text| boolean(text).map(|watch| config.rules.watch = watch),
    ),
    key("engine.workers", "0", "worker threads; 0 is one per core", |config, text| {
        number(text, 0..=1_024).map(|number| config.engine.workers = number)
    }),
    key("engine.batch_size", "10000", "the most records of one transaction", |config, text| {
        number(text, 1..=1_000_000).map(|number| config.engine.batch_size = number)
    }),
    key("engine.batch_age", "50ms", "how long a transaction gathers at most, under load", |config, text| {
        duration(text, Duration::from_millis(2)..=Duration::from_secs(10)).map(|age| config.engine.batch_age = age)
    }),
    key(
        "engine.max_record_bytes",
        "1000000",
        "the largest value of a record; larger ones are dead letters",
        |config, text| number(text, 1..=100_000_000).map(|number| config.engine.max_record_bytes = number),
    ),
    key("engine.max_skew", "5m", "how far a reading's time may be ahead of Kafka's", |config, text| {
        duration(text, Duration::ZERO..=Duration::from_hours(366 * 24)).map(|skew| config.engine.max_skew = skew)
    }),
    key(
        "engine.stop_grace",
        "20s",
        "how long a stop may take, while the broker or the store does not answer, before the process ends all the same",
        |config, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(1))
                .map(|grace| config.engine.stop_grace = grace)
        },
    ),
    key(
        "engine.snapshot_age",
        "30s",
        "how old the last snapshot of a patient may be who has changed since: readings that are newer are judged again when the \
         state is restored",
        |config, text| {
            duration(text, Duration::from_millis(1)..=Duration::from_hours(24))
                .map(|age| config.engine.snapshot_age = age)
        },
    ),
    key(
        "engine.fresh_state",
        "false",
        "let partitions whose state is refused begin without it: their windows, runs and open episodes are lost",
        |config, text| boolean(text).map(|fresh| config.engine.fresh_state = fresh),
    ),
    key(
        "http.listen",
        "127.0.0.1:9180",
        "address and port of the web side; port 0 takes a free one",
        |config, text| {
            parsed(text, "an address and a port such as `127.0.0.1:9180`").map(|listen| config.http.listen = listen)
        },
    ),
    key("http.token", "", "the bearer token that every endpoint except `/healthz` asks for", |config, text| {
        config.http.tokens.set(Right::Everything, optional(text).map(Secret::new));
        Ok(())
    }),
    key("http.token_file", "", "a file that holds the token", |config, text| {
        if text.is_empty() { Ok(()) } else { config.http.tokens.name(Right::Everything, text) }
    }),
    key(
        "http.metrics_token_file",
        "",
        "a file that holds another token, which opens `/metrics` alone: for Prometheus",
        |config, text| role(config, Right::Metrics, text),
    ),
    key(
        "http.read_token_file",
        "",
        "a file that holds another token, which opens what can be looked at: `/alerts`, `/readyz`, `/rules` and `/`",
        |config, text| role(config, Right::Read, text),
    ),
    key(
        "http.acknowledge_token_file",
        "",
        "a file that holds another token, which opens acknowledging and pausing, and `/alerts`",
        |config, text| role(config, Right::Acknowledge, text),
    ),
    key(
        "http.operate_token_file",
        "",
        "a file that holds another token, which opens `/reload` and `/reload/check`, `/readyz` and `/rules`",
        |config, text| role(config, Right::Operate, text),
    ),
    key(
        "http.tls_certificate_file",
        "",
        "a PEM file with the certificate of the web side, and those between it and its authority; empty: it speaks in the clear",
        |config, text| file(text).map(|path| config.http.tls.name(Part::Certificate, path)),
    ),
    key("http.tls_key_file", "", "a PEM file with the key of that certificate", |config, text| {
        file(text).map(|path| config.http.tls.name(Part::Key, path))
    }),
    key(
        "http.tls_key_password_file",
        "",
        "a file that holds the password of that key, if it has one",
        |config, text| password_file(text).map(|path| config.http.tls.name(Part::Password, path)),
    ),
    key(
        "http.tls_client_ca_file",
        "",
        "a PEM file of certificate authorities: only who shows a certificate by one of them is answered",
        |config, text| file(text).map(|path| config.http.tls.name(Part::Authorities, path)),
    ),
    key(
        "http.tls_ca_file",
        "",
        "for the commands that ask the web side: a PEM file of the certificate authorities that its certificate is by",
        |config, text| file(text).map(|path| config.http.asking.name(Part::Authorities, path)),
    ),
    key(
        "http.tls_name",
        "",
        "for those commands: the name or address that the certificate of the web side is for; empty: the address of `http.listen`",
        |config, text| {
            config.http.name = optional(text);
            Ok(())
        },
    ),
    key(
        "http.tls_client_certificate_file",
        "",
        "for those commands: a PEM file with the certificate that they show, where one is asked for",
        |config, text| file(text).map(|path| config.http.asking.name(Part::Certificate, path)),
    ),
    key("http.tls_client_key_file", "", "a PEM file with the key of that certificate", |config, text| {
        file(text).map(|path| config.http.asking.name(Part::Key, path))
    }),
    key(
        "store.sqlite",
        "",
        "the SQLite file for readings, records and alerts; empty: nothing is stored",
        |config, text| {
            config.store.sqlite = optional(text).map(PathBuf::from);
            Ok(())
        },
    ),
    key(
        "store.mongodb.uri",
        "",
        "the connection string of the MongoDB server for readings, records and alerts; empty: none",
        |config, text| connection_string(text).map(|uri| config.store.mongodb.uri = uri),
    ),
    key("store.mongodb.uri_file", "", "a file that holds the connection string", |config, text| {
        let Some(path) = optional(text) else { return Ok(()) };
        connection_string(&secret_of(&path)?).map(|uri| config.store.mongodb.uri = uri)
    }),
    key("store.mongodb.database", "Ehealth", "the database on the MongoDB server", |config, text| {
        required(text).map(|text| config.store.mongodb.database = text)
    }),
    key(
        "store.mongodb.tls_ca_file",
        "",
        "a PEM file of the certificate authorities that the server's certificate is by; the connection is encrypted then",
        |config, text| file(text).map(|path| config.store.mongodb.tls.name(Part::Authorities, path)),
    ),
    key(
        "store.mongodb.tls_certificate_file",
        "",
        "a PEM file with the client certificate that the server is shown, and those between it and its authority",
        |config, text| file(text).map(|path| config.store.mongodb.tls.name(Part::Certificate, path)),
    ),
    key("store.mongodb.tls_key_file", "", "a PEM file with the key of that certificate", |config, text| {
        file(text).map(|path| config.store.mongodb.tls.name(Part::Key, path))
    }),
    key(
        "store.mongodb.tls_key_password_file",
        "",
        "a file that holds the password of that key, if it has one",
        |config, text| password_file(text).map(|path| config.store.mongodb.tls.name(Part::Password, path)),
    ),
    key("store.batch_documents", "1000", "the most documents of one write to the store", |config, text| {
        number(text, 1..=1_000_000).map(|number| config.store.batch_documents = number)
    }),
    key("store.batch_age", "200ms", "how long documents gather at most before they are written", |config, text| {
        duration(text, Duration::from_millis(1)..=Duration::from_mins(1)).map(|age| config.store.batch_age = age)
    }),
    key("store.group", "triage-store", "the consumer group of the store", |config, text| {
        required(text).map(|text| config.store.group = text)
    }),
    key("store.sasl_username", "", "as whom the store logs in to Kafka; empty: as the engine", |config, text| {
        config.store.sasl_username = optional(text);
        Ok(())
    }),
    key("store.sasl_password_file", "", "a file that holds the password of `store.sasl_username`", |config, text| {
        let Some(path) = optional(text) else { return Ok(()) };
        let password = secret_of(&path).and_then(|password| required(&password))?;
        config.store.sasl_password = Some(Secret::new(password));
        Ok(())
    }),
    key("alerts.follow", "true", "whether this process knows which alerts are open: `GET /alerts`", |config, text| {
        boolean(text).map(|follow| config.alerts.follow = follow)
    }),
    key(
        "alerts.delayed_after",
        "5m",
        "an alert that is older when it is sent is marked as delayed, and is no fresh page",
        |config, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(24))
                .map(|age| config.alerts.delayed_after = age)
        },
    ),
    key("heartbeat.every", "5s", "how often a heartbeat is sent while every worker judges", |config, text| {
        duration(text, Duration::from_secs(1)..=Duration::from_mins(10)).map(|every| config.heartbeat.every = every)
    }),
    key("technical.notify", "clinical engineer", "whom technical alerts are for", |config, text| {
        text.clone_into(&mut config.technical.notify);
        Ok(())
    }),
    key(
        "technical.not_evaluable",
        "50",
        "the percentage of an hour's readings beyond which a rule that is unknown is a technical alert",
        |config, text| {
            number(text, 1..=100).map(|percent: u8| config.technical.not_evaluable = f64::from(percent) / 100.0)
        },
    ),
    key(
        "technical.no_readings",
        "1m",
        "how long no reading at all may come before it is a technical alert",
        |config, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(24))
                .map(|silence| config.technical.no_readings = silence)
        },
    ),
    key(
        "technical.store_behind",
        "2m",
        "how long the store may be behind by more than one write, or fail, before it is a technical alert",
        |config, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(24))
                .map(|behind| config.technical.store_behind = behind)
        },
    ),
    key(
        "technical.clock_skew",
        "1m",
        "how far the times of a patient's readings may be off their arrival, or this machine's clock off the broker's, before it is \
         a technical alert",
        |config, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(24))
                .map(|skew| config.technical.clock_skew = skew)
        },
    ),
    key("retention.readings", "7d", "how long readings stay on the stream; `forever` is for good", |config, text| {
        kept(text, DAY).map(|kept| config.retention.readings = kept)
    }),
    key("retention.records", "7d", "how long derived records stay on their topics", |config, text| {
        kept(text, DAY).map(|kept| config.retention.records = kept)
    }),
    key(
        "retention.alerts",
        "7d",
        "how long every state of an alert stays on its topic, and how long a closed alert does; an open one stays",
        |config, text| duration(text, DAY..=366 * DAY).map(|kept| config.retention.alerts = kept),
    ),
    key("retention.dead_letters", "30d", "how long dead letters stay, and those on their way back", |config, text| {
        kept(text, DAY).map(|kept| config.retention.dead_letters = kept)
    }),
    key(
        "retention.acknowledgements",
        "35d",
        "how long stays what people have said: acknowledgements, pauses, erasures",
        |config, text| kept(text, 7 * DAY).map(|kept| config.retention.acknowledgements = kept),
    ),
    key(
        "retention.journal",
        "7d",
        "how long entries stay on `triage-journal`: an outage that is longer costs the state",
        |config, text| kept(text, DAY).map(|kept| config.retention.journal = kept),
    ),
    key(
        "retention.documents",
        "forever",
        "how long documents stay in the store, by their `ts`; older ones are removed within the hour",
        |config, text| kept(text, 7 * DAY).map(|kept| config.retention.documents = kept),
    ),
    key("log.level", "info", "a level, or directives such as `info,triage=debug`", |config, text| {
        required(text).map(|text| config.log.level = text)
    }),
    key("log.format", "text", "`text` or `json`", |config, text| {
        config.log.format = match text {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            _ => return Err("`text` or `json`".to_owned()),
        };
        Ok(())
    }),
    key(
        "log.access_file",
        "",
        "a file for the access log, a JSON object a line: who has looked at or changed what is a patient's; empty: in the log",
        |config, text| {
            config.log.access_file = optional(text).map(PathBuf::from);
            Ok(())
        },
    ),
];

impl Key {
    /// The variable that sets it.
    pub fn variable(&self) -> String {
        format!("TRIAGE_{}", self.path.replace('.', "_").to_uppercase())
    }
}

impl<T> Key<T> {
    /// Whether its value must not be printed.
    pub fn is_secret(&self) -> bool {
        matches!(self.path, "http.token" | "store.mongodb.uri" | "url" | "secret")
    }

    pub(super) fn read(&self, config: &mut T, text: &str) -> Result<(), String> {
        (self.read)(config, text)
    }
}

/// The file of a token that opens that alone, or none.
fn role(config: &mut Config, right: Right, path: &str) -> Result<(), String> {
    if path.is_empty() {
        config.http.tokens.set(right, None);
        return Ok(());
    }
    config.http.tokens.name(right, path)
}
