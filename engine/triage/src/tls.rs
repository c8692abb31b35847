//! Encrypted connections: certificates, keys and authorities from files, taken up again when the files change; what a client
//! trusts and shows, what a server shows and asks for, and in which words a connection is refused. OpenSSL alone, because
//! librdkafka knows no other. Knows nothing of Kafka, `MongoDB` or HTTP.

mod client;
mod credentials;
mod file;
mod material;
mod probe;
mod refusal;
mod server;
mod watch;

pub(crate) use client::{Client, Trust};
pub use credentials::Credentials;
pub(crate) use credentials::InUse;
pub use file::{FileError, Trouble};
pub use material::Material;
pub(crate) use probe::probe;
pub(crate) use refusal::{Findings, Refusal};
pub(crate) use server::Server;
pub(crate) use watch::{Condition, LOOK, watch};

/// What certificates are used for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// As a client of Kafka.
    Kafka,
    /// As a client of `MongoDB`.
    MongoDb,
    /// By the web side.
    Http,
    /// By commands that ask the web side.
    Asking,
    /// By the webhook of this topic.
    Webhook(String),
}

/// A file of a use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Certificates of the authorities that the other side's certificate may be by.
    Authorities,
    /// Our certificate, and those between it and its authority.
    Certificate,
    /// The key of our certificate.
    Key,
    /// The password of that key.
    Password,
}

impl Use {
    /// As metrics and the log call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Kafka => "kafka".to_owned(),
            Self::MongoDb => "mongodb".to_owned(),
            Self::Http => "http".to_owned(),
            Self::Asking => "asking".to_owned(),
            Self::Webhook(topic) => format!("webhook.{topic}"),
        }
    }

    /// The key of the configuration that names the file.
    pub(crate) fn setting(&self, part: Part) -> String {
        let name = match part {
            Part::Authorities => "ca_file",
            Part::Certificate => "certificate_file",
            Part::Key => "key_file",
            Part::Password => "key_password_file",
        };
        match self {
            Self::Kafka => format!("kafka.ssl_{name}"),
            Self::MongoDb => format!("store.mongodb.tls_{name}"),
            Self::Http if part == Part::Authorities => format!("http.tls_client_{name}"),
            Self::Asking if part != Part::Authorities => format!("http.tls_client_{name}"),
            Self::Http | Self::Asking => format!("http.tls_{name}"),
            Self::Webhook(topic) => format!("webhook.{topic}.{name}"),
        }
    }
}
