//! The layers a configuration is made of: file, environment, flags. Each gives `key = text`; all go through the one table.

use std::path::{Path, PathBuf};

use triage_core::diagnostic::nearest;

use super::keys::{KEYS, PROPERTIES};
use super::webhook::{WEBHOOK, WEBHOOK_KEYS, WebhookConfig};
use super::{Config, Secret, secret};
use crate::tls::{Credentials, Part, Use};

/// What is wrong with a configuration. No variant shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not TOML; the text has the place.
    #[error("{path}: {message}", path = path.display())]
    NotToml {
        /// The file.
        path: PathBuf,
        /// The parser's words.
        message: String,
    },
    /// Nobody knows the key.
    #[error("{source_name}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// The file, `environment` or `flags`.
        source_name: String,
        /// As it was written.
        key: String,
        /// `; did you mean …?`, or nothing.
        hint: String,
    },
    /// The value is not what the key takes.
    #[error("{source_name}: `{key}` must be {expected}{given}")]
    BadValue {
        /// The file, `environment` or `flags`.
        source_name: String,
        /// As it was written.
        key: String,
        /// What was expected.
        expected: String,
        /// `, not …`, or nothing for a secret.
        given: String,
    },
    /// A secret stands where others see it.
    #[error("{source_name}: `{key}` is a secret, and others see it {seen}: {way_out}")]
    MisplacedSecret {
        /// The file, or `command line`.
        source_name: String,
        /// As it was written.
        key: String,
        /// Where.
        seen: &'static str,
        /// What to do instead.
        way_out: String,
    },
    /// A webhook is said half.
    #[error("the webhook of `{topic}` needs `webhook.{topic}.{key}`")]
    HalfAWebhook {
        /// Its topic.
        topic: String,
        /// The key that is not set.
        key: &'static str,
    },
    /// Something does not stay for as long as it is needed.
    #[error("`{key}` must be {least}")]
    ShortRetention {
        /// The key.
        key: &'static str,
        /// The least, and why.
        least: String,
    },
    /// Documents go to one store.
    #[error("`store.sqlite` and `store.mongodb.uri` are both set: documents go to one store, unset the other")]
    TwoStores,
    /// A name without a password, or the other way round.
    #[error("`store.sasl_username` and `store.sasl_password_file` go together: set both, or neither")]
    HalfAUser,
    /// A token that opens little opens everything, or nothing opens the rest.
    #[error("{0}")]
    Tokens(String),
    /// A certificate, or what belongs to it, is missing.
    #[error("`{set}` needs `{missing}` beside it")]
    HalfACertificate {
        /// The key that is set.
        set: String,
        /// The key that is not.
        missing: String,
    },
    /// Certificates are named for connections that are not encrypted.
    #[error("`{0}` is of no use while `kafka.security_protocol` is `{1}`: set that to `ssl` or `sasl_ssl`")]
    NotEncrypted(String, &'static str),
}

/// Settings in the order in which they apply.
#[derive(Debug, Default)]
pub struct Layers {
    settings: Vec<Setting>,
}

/// One key set by one source.
struct Setting {
    source: String,
    /// As the source writes it: a path, or a variable's name.
    written: String,
    path: String,
    text: String,
}

impl std::fmt::Debug for Setting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {} = ***", self.source, self.written)
    }
}

impl Layers {
    /// The defaults alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a secret or a value that no key takes.
    pub fn file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        let table: toml::Table = toml::from_str(&text)
            .map_err(|error| ConfigError::NotToml { path: path.to_owned(), message: without_source(&error, &text) })?;
        self.table(&path.display().to_string(), "", &table)?;
        Ok(self)
    }

    /// Adds the variables that begin with `TRIAGE_`; `TRIAGE_CONFIG` names the file and is not one of them.
    ///
    /// # Errors
    /// A variable that stands for no key.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        let mut ours: Vec<(String, String)> =
            variables.into_iter().filter(|(name, _)| name.starts_with("TRIAGE_") && name != "TRIAGE_CONFIG").collect();
        ours.sort();
        for (name, text) in ours {
            let path = path_of_variable(&name)?;
            self.settings.push(Setting { source: "environment".to_owned(), written: name, path, text });
        }
        Ok(self)
    }

    /// Adds what somebody typed.
    ///
    /// # Errors
    /// It is a secret: the list of processes shows the command line.
    pub fn argument(self, path: &str, text: &str) -> Result<Self, ConfigError> {
        refuse_secret("command line", path, text, "in the list of processes")?;
        Ok(self.flag(path, text))
    }

    /// Adds one flag.
    #[must_use]
    pub fn flag(mut self, path: &str, text: impl Into<String>) -> Self {
        let setting =
            Setting { source: "flags".to_owned(), written: path.to_owned(), path: path.to_owned(), text: text.into() };
        self.settings.push(setting);
        self
    }

    /// The configuration that the layers make.
    ///
    /// # Errors
    /// The first key that is unknown, or value that is wrong.
    pub fn build(self) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        for key in KEYS {
            key.read(&mut config, key.default).map_err(|expected| bad("defaults", key.path, key.default, expected))?;
        }
        for setting in &self.settings {
            setting.apply(&mut config)?;
        }
        if config.store.sqlite.is_some() && config.store.mongodb.uri.is_some() {
            return Err(ConfigError::TwoStores);
        }
        if config.store.sasl_username.is_some() != config.store.sasl_password.is_some() {
            return Err(ConfigError::HalfAUser);
        }
        config.http.tokens.check().map_err(|error| ConfigError::Tokens(error.to_string()))?;
        check_certificates(&config)?;
        if let Some((key, least)) = config.retention.fault(config.engine.snapshot_age) {
            return Err(ConfigError::ShortRetention { key, least });
        }
        for (topic, webhook) in &config.webhooks {
            let half = |key| ConfigError::HalfAWebhook { topic: topic.clone(), key };
            webhook.url.as_ref().ok_or_else(|| half("url"))?;
            webhook.secret.as_ref().ok_or_else(|| half("secret_file"))?;
        }
        Ok(config)
    }

    fn table(&mut self, source: &str, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
        for (name, value) in table {
            let path = format!("{prefix}{name}");
            if let toml::Value::Table(inner) = value {
                self.section(source, &path, inner)?;
                continue;
            }
            let text = text_of(value)
                .ok_or_else(|| bad(source, &path, "", "a text, a number, `true`, `false` or a list of texts".into()))?;
            refuse_secret(source, &path, &text, "wherever this file is kept, copied or shown")?;
            self.settings.push(Setting { source: source.to_owned(), written: path.clone(), path, text });
        }
        Ok(())
    }

    /// An unknown section is refused even when it is empty.
    fn section(&mut self, source: &str, path: &str, inner: &toml::Table) -> Result<(), ConfigError> {
        let below = format!("{path}.");
        let known = below.starts_with(PROPERTIES)
            || PROPERTIES.starts_with(&below)
            || below.starts_with(WEBHOOK)
            || KEYS.iter().any(|key| key.path.starts_with(&below));
        if !known {
            let sections = KEYS.iter().filter_map(|key| key.path.split('.').next()).chain(["webhook"]);
            return Err(unknown(source, path, nearest(path, sections)));
        }
        if inner.is_empty() && below.starts_with(WEBHOOK) {
            return Err(bad(
                source,
                path,
                "",
                "a webhook, `[webhook.<topic>]` with `url` and `secret_file`".to_owned(),
            ));
        }
        self.table(source, &below, inner)
    }
}

impl Setting {
    fn apply(&self, config: &mut Config) -> Result<(), ConfigError> {
        if let Some(property) = self.path.strip_prefix(PROPERTIES) {
            config.kafka.properties.insert(property.to_owned(), Secret::new(self.text.as_str()));
            return Ok(());
        }
        if let Some(rest) = self.path.strip_prefix(WEBHOOK) {
            return self.apply_to_webhook(rest, config);
        }
        let Some(key) = KEYS.iter().find(|key| key.path == self.path) else {
            return Err(unknown(&self.source, &self.written, meant(&self.path)));
        };
        key.read(config, &self.text)
            .map_err(|expected| bad(&self.source, &self.written, self.shown(key.is_secret()), expected))
    }

    /// `rest` is a topic, which may have dots in it, and a key.
    fn apply_to_webhook(&self, rest: &str, config: &mut Config) -> Result<(), ConfigError> {
        let (topic, name) = rest.rsplit_once('.').unwrap_or(("", rest));
        let found = WEBHOOK_KEYS.iter().find(|key| key.path == name).filter(|_| !topic.is_empty());
        let Some(key) = found else {
            let near = nearest(name, WEBHOOK_KEYS.iter().map(|key| key.path));
            let topic = if topic.is_empty() { "<topic>" } else { topic };
            let meant = near.map(|name| format!("{WEBHOOK}{topic}.{name}"));
            return Err(unknown(&self.source, &self.written, meant.as_deref()));
        };
        let wrong = |given: &str, expected| bad(&self.source, &self.written, given, expected);
        if !config.webhooks.contains_key(topic) {
            let mut webhook = WebhookConfig::new(topic);
            for key in WEBHOOK_KEYS {
                key.read(&mut webhook, key.default).map_err(|expected| wrong(key.default, expected))?;
            }
            config.webhooks.insert(topic.to_owned(), webhook);
        }
        let Some(webhook) = config.webhooks.get_mut(topic) else { return Ok(()) };
        key.read(webhook, &self.text).map_err(|expected| wrong(self.shown(key.is_secret()), expected))
    }

    /// The value as a refusal may tell it. Who takes `token_file` for `token` has written the secret there.
    fn shown(&self, is_secret: bool) -> &str {
        let is_hidden = is_secret || (self.path.ends_with("_file") && !secret::is_a_place(&self.text));
        if is_hidden { "" } else { &self.text }
    }
}

fn check_certificates(config: &Config) -> Result<(), ConfigError> {
    let (protocol, kafka) = (config.kafka.security_protocol, &config.kafka.tls);
    if protocol.is_encrypted() && !kafka.has(Part::Authorities) {
        let missing = Use::Kafka.setting(Part::Authorities);
        return Err(ConfigError::HalfACertificate { set: "kafka.security_protocol".to_owned(), missing });
    }
    if let Some(part) = [Part::Authorities, Part::Certificate, Part::Key].into_iter().find(|part| kafka.has(*part))
        && !protocol.is_encrypted()
    {
        return Err(ConfigError::NotEncrypted(Use::Kafka.setting(part), protocol.as_str()));
    }
    for credentials in [kafka, &config.store.mongodb.tls, &config.http.tls, &config.http.asking] {
        refuse_half(credentials)?;
    }
    let http = &config.http.tls;
    if http.has(Part::Authorities) && !http.has(Part::Certificate) {
        return Err(half_a_certificate(http, Part::Authorities, Part::Certificate));
    }
    Ok(())
}

/// A certificate and its key go together, and a password has a key that it is of.
fn refuse_half(credentials: &Credentials) -> Result<(), ConfigError> {
    for (set, needed) in [(Part::Certificate, Part::Key), (Part::Key, Part::Certificate), (Part::Password, Part::Key)] {
        if credentials.has(set) && !credentials.has(needed) {
            return Err(half_a_certificate(credentials, set, needed));
        }
    }
    Ok(())
}

fn half_a_certificate(credentials: &Credentials, set: Part, missing: Part) -> ConfigError {
    let setting = |part| credentials.used_for().setting(part);
    ConfigError::HalfACertificate { set: setting(set), missing: setting(missing) }
}

fn refuse_secret(source: &str, path: &str, text: &str, seen: &'static str) -> Result<(), ConfigError> {
    let Some(way_out) = secret::place_of(path, text) else { return Ok(()) };
    Err(ConfigError::MisplacedSecret { source_name: source.to_owned(), key: path.to_owned(), seen, way_out })
}

/// The key that `path` was probably meant to be: near as a whole, or with a last part of that name in another section.
fn meant(path: &str) -> Option<&'static str> {
    let paths = || KEYS.iter().map(|key| key.path);
    let last = path.rsplit('.').next().unwrap_or(path);
    paths().find(|known| known.rsplit('.').next() == Some(last)).or_else(|| nearest(path, paths()))
}

/// `TRIAGE_KAFKA_GROUP` is `kafka.group`; `TRIAGE_KAFKA_PROPERTIES_SASL_PASSWORD` is `kafka.properties.sasl.password`.
fn path_of_variable(name: &str) -> Result<String, ConfigError> {
    if let Some(key) = KEYS.iter().find(|key| key.variable() == name) {
        return Ok(key.path.to_owned());
    }
    if let Some(property) = name.strip_prefix("TRIAGE_KAFKA_PROPERTIES_") {
        return Ok(format!("{PROPERTIES}{}", property.to_lowercase().replace('_', ".")));
    }
    if let Some(path) = name.strip_prefix("TRIAGE_WEBHOOK_").and_then(path_of_webhook) {
        return Ok(path);
    }
    let variables: Vec<String> = KEYS.iter().map(super::Key::variable).collect();
    Err(unknown("environment", name, nearest(name, variables.iter().map(String::as_str))))
}

/// `VITALS_SECRET_FILE` is `webhook.vitals.secret_file`. A topic with capitals can only be named in a file.
fn path_of_webhook(rest: &str) -> Option<String> {
    WEBHOOK_KEYS.iter().find_map(|key| {
        let topic = rest.strip_suffix(&key.path.to_uppercase())?.strip_suffix('_').filter(|topic| !topic.is_empty())?;
        Some(format!("{WEBHOOK}{}.{}", topic.to_lowercase(), key.path))
    })
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

/// The parser's message with its line, without the line's text: it may hold a secret.
fn without_source(error: &toml::de::Error, text: &str) -> String {
    let Some(span) = error.span() else { return error.message().to_owned() };
    let line = text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1;
    format!("line {line}: {}", error.message())
}

fn unknown(source: &str, key: &str, meant: Option<&str>) -> ConfigError {
    let hint = meant.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    ConfigError::UnknownKey { source_name: source.to_owned(), key: key.to_owned(), hint }
}

fn bad(source: &str, key: &str, given: &str, expected: String) -> ConfigError {
    let given = if given.is_empty() { String::new() } else { format!(", not `{given}`") };
    ConfigError::BadValue { source_name: source.to_owned(), key: key.to_owned(), expected, given }
}
