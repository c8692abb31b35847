//! A text that is never printed, and the places where one must not stand.

use std::fmt;
use std::path::Path;

use mongodb::options::ConnectionString;

use super::keys::PROPERTIES;
use super::webhook::{WEBHOOK, bears_token};

/// A text that `Debug` does not show.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; do not print it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("***")
    }
}

/// librdkafka's properties that are secrets, beside `sasl.password`.
const SECRET_PROPERTIES: &[&str] = &["sasl.oauthbearer.client.secret"];

/// Those that are not passed through, and the key of ours that names their file.
const SECRET_FILES: [(&str, &str); 3] = [
    ("ssl.key.password", "kafka.ssl_key_password_file"),
    ("ssl.key.pem", "kafka.ssl_key_file"),
    ("ssl.keystore.password", "kafka.ssl_key_password_file"),
];

/// Where the secret that is the value of a key is to stand; none if the value is no secret.
pub(super) fn place_of(path: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    if let Some((_, file)) = SECRET_FILES.iter().find(|(property, _)| path.strip_prefix(PROPERTIES) == Some(property)) {
        return Some(format!("put it into a file that only the engine reads and name that by `{file}`"));
    }
    let variable = format!("TRIAGE_{}", path.replace('.', "_").to_uppercase());
    let webhook = path.strip_prefix(WEBHOOK).and_then(|rest| rest.rsplit_once('.'));
    let of_webhook = webhook.map(|(_, key)| key);
    let file = match path {
        "http.token" => "http.token_file".to_owned(),
        "kafka.properties.sasl.password" => "kafka.sasl_password_file".to_owned(),
        "store.mongodb.uri" if has_password(text) => "store.mongodb.uri_file".to_owned(),
        _ if of_webhook == Some("secret") => format!("{path}_file"),
        _ if of_webhook == Some("url") && bears_token(text) => format!("{path}_file"),
        _ if path.strip_prefix(PROPERTIES).is_some_and(|property| SECRET_PROPERTIES.contains(&property)) => {
            return Some(format!("set the variable `{variable}`"));
        }
        _ => return None,
    };
    let way = format!("put it into a file that only the engine reads and name that by `{file}`");
    let has_variable = webhook.is_none_or(|(topic, _)| has_variable(topic));
    Some(if has_variable { format!("{way}, or set `{variable}`") } else { way })
}

/// Whether the environment can name a topic: a variable has no dots, and is meant in small letters.
fn has_variable(topic: &str) -> bool {
    topic.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn has_password(uri: &str) -> bool {
    let credential = ConnectionString::parse(uri).ok().and_then(|uri| uri.credential);
    credential.is_some_and(|credential| credential.password.is_some())
}

/// Whether a value that must name a file may be shown: it does not, if it can be the secret itself.
pub(super) fn is_a_place(text: &str) -> bool {
    Path::new(text).parent().is_some_and(|folder| !folder.as_os_str().is_empty() && folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_have_a_place_and_the_rest_needs_none() {
        for (path, text, place) in [
            ("http.token", "sesame", Some("`http.token_file`, or set `TRIAGE_HTTP_TOKEN`")),
            ("http.token", "", None),
            ("http.token_file", "/run/secrets/token", None),
            ("store.mongodb.uri", "mongodb://engine:sesame@host/", Some("`store.mongodb.uri_file`")),
            ("store.mongodb.uri", "mongodb://host:27017/", None),
            ("webhook.ward.A.secret", "sesame", Some("`webhook.ward.A.secret_file`")),
            (
                "webhook.ward_a.secret",
                "sesame",
                Some("`webhook.ward_a.secret_file`, or set `TRIAGE_WEBHOOK_WARD_A_SECRET`"),
            ),
            ("webhook.ward.A.url", "https://pager/alerts?sesame", Some("`webhook.ward.A.url_file`")),
            ("webhook.ward.A.url", "https://pager/alerts", None),
            ("kafka.properties.sasl.password", "sesame", Some("`kafka.sasl_password_file`")),
            ("kafka.properties.ssl.key.password", "sesame", Some("`kafka.ssl_key_password_file`")),
            ("kafka.properties.ssl.key.pem", "sesame", Some("`kafka.ssl_key_file`")),
            (
                "kafka.properties.sasl.oauthbearer.client.secret",
                "sesame",
                Some("`TRIAGE_KAFKA_PROPERTIES_SASL_OAUTHBEARER_CLIENT_SECRET`"),
            ),
            ("kafka.properties.sasl.username", "triage", None),
        ] {
            let found = place_of(path, text);
            assert_eq!(found.is_some(), place.is_some(), "{path}");
            let found = found.unwrap_or_default();
            assert!(found.contains(place.unwrap_or_default()) && !found.contains("sesame"), "{path}: {found}");
            assert!(!found.contains("WARD_A") || path.contains("ward_a"), "{path}: {found}");
        }
    }
}
