//! Why an encrypted connection does not come about, in words that say what to do.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::ssl::Error;
use openssl::x509::{X509Ref, X509StoreContextRef};

use super::material::name;
use super::{Part, Use};

/// What OpenSSL says of a certificate: `X509_V_ERR_…` in its `x509_vfy.h`.
const NOT_YET_VALID: i32 = 9;
const HAS_EXPIRED: i32 = 10;
const UNTRUSTED: [i32; 5] = [2, 18, 19, 20, 21];
const OTHER_NAME: [i32; 2] = [62, 64];

/// What the other side says of ours: TLS' alerts behind 1000, as OpenSSL numbers them.
const HANDSHAKE_FAILURE: i32 = 1040;
const BAD_CERTIFICATE: i32 = 1042;
const ABOUT_CERTIFICATES: std::ops::RangeInclusive<i32> = 1042..=1049;
const CERTIFICATE_REQUIRED: i32 = 1116;

/// What OpenSSL finds in an answer that is no TLS.
const NO_TLS: [&str; 4] = ["wrong version number", "http request", "packet length too long", "unknown protocol"];

/// Why a connection is refused, by us or by the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the certificate of `{subject}` has expired, on {on}: it needs a new one")]
    Expired { subject: String, on: String },
    #[error("the certificate of `{subject}` is not valid before {from}: is a clock wrong?")]
    NotYet { subject: String, from: String },
    #[error(
        "its certificate is for {names} and not for `{host}`: connect by a name that it is for, or give it one for this name"
    )]
    OtherName { names: String, host: String },
    #[error(
        "its certificate is by `{issuer}`, which is not trusted: if it should be, add that authority's certificate to `{setting}`"
    )]
    Untrusted { issuer: String, setting: String },
    #[error("it asks for a client certificate: name ours by `{certificate}` and its key by `{key}`")]
    Asks { certificate: String, key: String },
    #[error("it refuses our certificate, that of `{setting}`: {why}")]
    RefusesOurs { setting: String, why: String },
    #[error("it does not speak TLS")]
    NoTls,
    #[error("{0}")]
    Other(String),
}

/// What is found during one handshake.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    host: String,
    used_for: Use,
    shows: bool,
    refused: Arc<Mutex<Option<Refusal>>>,
}

impl Findings {
    pub(super) fn new(host: &str, used_for: &Use, shows: bool) -> Self {
        Self { host: host.to_owned(), used_for: used_for.clone(), shows, refused: Arc::default() }
    }

    /// Notes what is wrong with a certificate of the other side; the first counts.
    pub(super) fn note(&self, context: &X509StoreContextRef) {
        let Some(certificate) = context.current_cert() else { return };
        let refusal = self.of_certificate(context.error().as_raw(), certificate).unwrap_or_else(|| {
            Refusal::Other(format!("its certificate is not good: {}", context.error().error_string()))
        });
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(refusal);
    }

    fn of_certificate(&self, code: i32, certificate: &X509Ref) -> Option<Refusal> {
        let subject = || name(certificate.subject_name());
        match code {
            HAS_EXPIRED => Some(Refusal::Expired { subject: subject(), on: certificate.not_after().to_string() }),
            NOT_YET_VALID => Some(Refusal::NotYet { subject: subject(), from: certificate.not_before().to_string() }),
            code if OTHER_NAME.contains(&code) => {
                Some(Refusal::OtherName { names: names(certificate), host: self.host.clone() })
            }
            code if UNTRUSTED.contains(&code) => {
                let setting = self.used_for.setting(Part::Authorities);
                Some(Refusal::Untrusted { issuer: name(certificate.issuer_name()), setting })
            }
            _ => None,
        }
    }

    /// Why the handshake failed.
    pub(crate) fn refusal(&self, error: &Error) -> Refusal {
        let noted = self.refused.lock().unwrap_or_else(PoisonError::into_inner).clone();
        noted.or_else(|| self.alert(error)).unwrap_or_else(|| match error.io_error() {
            Some(error) => Refusal::Other(format!("the connection broke off during the handshake: {error}")),
            None if error.ssl_error().is_none() => {
                Refusal::Other("it closed the connection during the handshake".to_owned())
            }
            None => Refusal::Other(format!("the handshake failed: {error}")),
        })
    }

    /// What the other side says of our certificate, which may be after the handshake; none if that is not what is wrong.
    pub(crate) fn alert(&self, error: &Error) -> Option<Refusal> {
        error.ssl_error()?.errors().iter().find_map(|error| {
            let why = error.reason().unwrap_or_default();
            match error.reason_code() {
                CERTIFICATE_REQUIRED => Some(self.asks()),
                HANDSHAKE_FAILURE | BAD_CERTIFICATE if !self.shows => Some(self.asks()),
                code if self.shows && ABOUT_CERTIFICATES.contains(&code) => {
                    let setting = self.used_for.setting(Part::Certificate);
                    Some(Refusal::RefusesOurs { setting, why: why.to_owned() })
                }
                _ if NO_TLS.contains(&why) => Some(Refusal::NoTls),
                _ => None,
            }
        })
    }

    fn asks(&self) -> Refusal {
        Refusal::Asks { certificate: self.used_for.setting(Part::Certificate), key: self.used_for.setting(Part::Key) }
    }
}

/// Whom a certificate is for: names and addresses.
fn names(certificate: &X509Ref) -> String {
    let named: Vec<String> = certificate
        .subject_alt_names()
        .into_iter()
        .flatten()
        .filter_map(|found| found.dnsname().map(str::to_owned).or_else(|| address(found.ipaddress()?)))
        .map(|name| format!("`{name}`"))
        .collect();
    if named.is_empty() { format!("`{}`", name(certificate.subject_name())) } else { named.join(", ") }
}

fn address(bytes: &[u8]) -> Option<String> {
    let address: IpAddr = match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok()?.into(),
        _ => <[u8; 16]>::try_from(bytes).ok()?.into(),
    };
    Some(address.to_string())
}
