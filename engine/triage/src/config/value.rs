//! How the texts of the configuration are read: each function says what it should have been, and never what it was, where that
//! may be a secret.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use mongodb::options::{ConnectionString, Tls};

use super::Secret;

pub(super) fn required(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("a text that is not empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// What a file holds, without the line's end.
pub(super) fn secret_of(path: &str) -> Result<String, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("a file that can be read, with the secret in it ({error})"))?;
    Ok(text.trim().to_owned())
}

/// The name of a file with certificates or a key. Who writes these themselves there is not to find them in the log.
pub(super) fn file(text: &str) -> Result<Option<PathBuf>, String> {
    if text.contains("-----BEGIN") {
        return Err("the name of a file, and not what belongs into it".to_owned());
    }
    Ok(optional(text).map(PathBuf::from))
}

/// The name of a file with a password, which is read with the key.
pub(super) fn password_file(text: &str) -> Result<Option<PathBuf>, String> {
    let Some(path) = file(text)? else { return Ok(None) };
    secret_of(text).and_then(|password| required(&password)).map(|_| Some(path))
}

/// The driver's own words are not told: they quote what is wrong, which may be the password.
pub(super) fn connection_string(text: &str) -> Result<Option<Secret>, String> {
    let Some(uri) = optional(text) else { return Ok(None) };
    match ConnectionString::parse(&uri) {
        Ok(parsed) if names_certificates(&parsed) => {
            Err("without `tlsCAFile` and `tlsCertificateKeyFile`: name those files by `store.mongodb.tls_ca_file`, \
                 `store.mongodb.tls_certificate_file` and `store.mongodb.tls_key_file`, where new ones are taken up"
                .to_owned())
        }
        Ok(_) => Ok(Some(Secret::new(uri))),
        Err(_) => Err("a connection string such as `mongodb://user:password@host:27017/?authSource=admin`, \
                       percent-encoded where a password has other signs than letters and digits \
                       (instead of `mongodb+srv`, list the hosts)"
            .to_owned()),
    }
}

fn names_certificates(uri: &ConnectionString) -> bool {
    matches!(&uri.tls, Some(Tls::Enabled(tls)) if tls.ca_file_path.is_some() || tls.cert_key_file_path.is_some())
}

pub(super) fn parsed<T: FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| expected.to_owned())
}

pub(super) fn number<T>(text: &str, range: std::ops::RangeInclusive<T>) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display,
{
    let expected = || format!("a whole number from {} to {}", range.start(), range.end());
    let number: T = text.parse().map_err(|_| expected())?;
    if range.contains(&number) { Ok(number) } else { Err(expected()) }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    parsed(text, "`true` or `false`")
}

pub(super) fn duration(text: &str, range: std::ops::RangeInclusive<Duration>) -> Result<Duration, String> {
    let written = humantime::format_duration;
    let expected =
        || format!("a duration from {} to {}, such as `50ms`", written(*range.start()), written(*range.end()));
    let duration = humantime::parse_duration(text).map_err(|_| expected())?;
    if range.contains(&duration) { Ok(duration) } else { Err(expected()) }
}
