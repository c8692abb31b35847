//! `[webhook.<topic>]`: where the alerts of a topic are sent besides Kafka, and the keys that say it.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::Uri;

use super::Secret;
use super::keys::{Key, key};
use super::value::{duration, file, secret_of};
use crate::tls::{Credentials, Part, Use};

/// The sections of webhooks; each is followed by a topic and a key.
pub(super) const WEBHOOK: &str = "webhook.";

/// The fewest bytes of a secret: what Standard Webhooks asks for.
const SHORTEST_SECRET: usize = 24;

/// What a secret must be.
const A_SECRET: &str = "a secret of 24 bytes or more, such as `whsec_` and what `openssl rand -base64 32` prints";

/// Where the alerts of one topic are sent.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    /// Where to; required.
    pub url: Option<WebhookUrl>,
    /// What deliveries are signed with; required.
    pub secret: Option<Secret>,
    /// Certificate authorities besides the public ones, as PEM.
    pub tls: Credentials,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How long an alert is tried before it is a dead letter.
    pub give_up_after: Duration,
}

impl WebhookConfig {
    /// Of which nothing is said yet.
    pub(super) fn new(topic: &str) -> Self {
        Self {
            url: None,
            secret: None,
            tls: Credentials::new(Use::Webhook(topic.to_owned())),
            timeout: Duration::ZERO,
            give_up_after: Duration::ZERO,
        }
    }
}

/// An address of a webhook. Its path and query may hold a token, so that only the host is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

impl WebhookUrl {
    /// The address itself; do not print it.
    pub fn expose(&self) -> &Uri {
        &self.0
    }

    /// Whether the connection is encrypted.
    pub fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The host's name or address, without the brackets of IPv6.
    pub fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, by default that of the scheme.
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https() { "https" } else { "http" };
        write!(formatter, "{scheme}://{}/…", self.0.authority().map_or("", |authority| authority.as_str()))
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The keys of a webhook, below `webhook.<topic>.`.
pub static WEBHOOK_KEYS: &[Key<WebhookConfig>] = &[
    key(
        "url",
        "",
        "where each alert of the topic is sent by `POST`: `https://…`, or `http://…`",
        |webhook, text| {
            if !text.is_empty() {
                webhook.url = Some(url(text)?);
            }
            Ok(())
        },
    ),
    key("url_file", "", "a file that holds that address, if it bears a token", |webhook, text| {
        if !text.is_empty() {
            webhook.url = Some(url(&secret_of(text)?)?);
        }
        Ok(())
    }),
    key("secret", "", "what deliveries are signed with: `whsec_` and base64, or a text", |webhook, text| {
        if !text.is_empty() {
            webhook.secret = Some(secret(text)?);
        }
        Ok(())
    }),
    key("secret_file", "", "a file that holds the secret", |webhook, text| {
        if !text.is_empty() {
            webhook.secret = Some(secret(&secret_of(text)?)?);
        }
        Ok(())
    }),
    key(
        "ca_file",
        "",
        "a PEM file of certificate authorities that are trusted besides the public ones",
        |webhook, text| file(text).map(|path| webhook.tls.name(Part::Authorities, path)),
    ),
    key("timeout", "15s", "how long one attempt may take, from the connection to the answer", |webhook, text| {
        duration(text, Duration::from_millis(100)..=Duration::from_mins(2)).map(|timeout| webhook.timeout = timeout)
    }),
    key(
        "give_up_after",
        "10m",
        "how long an alert is tried before it becomes a dead letter of the stage `webhook`",
        |webhook, text| {
            duration(text, Duration::from_secs(1)..=Duration::from_hours(24))
                .map(|patience| webhook.give_up_after = patience)
        },
    ),
];

/// The bytes that deliveries are signed with: the base64 behind `whsec_`, or those of the text.
pub(crate) fn signing_key(secret: &Secret) -> Option<Vec<u8>> {
    let bytes = match secret.expose().strip_prefix("whsec_") {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => secret.expose().as_bytes().to_vec(),
    };
    (bytes.len() >= SHORTEST_SECRET).then_some(bytes)
}

fn secret(text: &str) -> Result<Secret, String> {
    let secret = Secret::new(text);
    if signing_key(&secret).is_some() { Ok(secret) } else { Err(A_SECRET.to_owned()) }
}

/// The fewest letters and digits of a part of a path that is taken for a token, if both are among them: a file's or a folder's name has
/// words in it.
const SHORTEST_TOKEN: usize = 20;

/// Whether an address may bear a secret, which is not to stand where others see it: a user, a query, a token in its path.
pub(super) fn bears_token(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let is_token = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.bytes().any(|byte| is(&byte));
        part.len() >= SHORTEST_TOKEN
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_alphabetic)
    };
    authority.contains('@') || rest.contains('?') || path.split('/').any(is_token)
}

fn url(text: &str) -> Result<WebhookUrl, String> {
    let expected = || "an address such as `https://pager.example/alerts`, without user and password".to_owned();
    let uri: Uri = text.parse().map_err(|_| expected())?;
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    let fits = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    if fits && !has_user { Ok(WebhookUrl(uri)) } else { Err(expected()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_address_shows_its_host_alone() {
        let address = url("https://pager.example:8443/T00/hush?key=hush").unwrap();
        assert_eq!((address.host(), address.port(), address.is_https()), ("pager.example", 8443, true));
        assert_eq!(format!("{address} {address:?}"), "https://pager.example:8443/… https://pager.example:8443/…");
        assert_eq!((url("http://[::1]/x").unwrap().host(), url("http://h").unwrap().port()), ("::1", 80));
        for wrong in ["pager", "ftp://h/x", "https://", "https://eve:hush@h/x", "/x", "http://h/a b"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_with_a_user_a_query_or_a_token_bears_a_secret() {
        for secret in [
            "https://eve:hush@pager/alerts",
            "https://pager?key=hush",
            "https://pager/alerts?key=hush",
            "https://hooks.slack.example/services/T00000000/B00000000/hushHUSH0123456789hush",
        ] {
            assert!(bears_token(secret), "{secret}");
        }
        for open in
            ["https://pager", "http://[::1]:8080/alerts/ward-7", "https://pager/notifications-of-the-whole-hospital-2"]
        {
            assert!(!bears_token(open), "{open}");
        }
    }

    #[test]
    fn a_secret_has_24_bytes() {
        let key = |text: &str| signing_key(&Secret::new(text));
        assert_eq!(key("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX"), Some((0..24).collect()));
        assert_eq!(key("0123456789abcdef01234567").map(|key| key.len()), Some(24));
        for wrong in
            ["", "short", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRY=", "whsec_no base64 at all, however long it is"]
        {
            assert_eq!(key(wrong), None, "{wrong}");
        }
    }
}
