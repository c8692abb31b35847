//! Certificates, key and authorities, read and fitting one another.

use std::fmt;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Ref};

use super::file::{Contents, Trouble};
use super::{Part, Use};
use crate::config::Secret;

/// What is in the files of a use; each part that has no file is empty.
#[derive(Clone, Default)]
pub struct Material {
    /// Whose certificates are trusted.
    pub(crate) authorities: Vec<X509>,
    /// Our certificate, then those between it and its authority.
    pub(crate) chain: Vec<X509>,
    /// The key of our certificate.
    pub(crate) key: Option<PKey<Private>>,
    pem: Pem,
}

/// The same in PEM; the key without a password.
#[derive(Clone, Default)]
struct Pem {
    authorities: Option<Secret>,
    chain: Option<Secret>,
    key: Option<Secret>,
}

impl fmt::Debug for Material {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let subjects: Vec<String> = self.chain.iter().map(|certificate| subject(certificate)).collect();
        formatter.debug_struct("Material").field("chain", &subjects).finish_non_exhaustive()
    }
}

impl Material {
    /// What is in the files; what is wrong otherwise, and with which of them.
    pub(super) fn parse(contents: &Contents, used_for: &Use) -> Result<Self, (Part, Trouble)> {
        let within = |part: Part| move |trouble: Trouble| (part, trouble);
        let authorities = match contents.of(Part::Authorities) {
            Some(pem) => authorities(pem).map_err(within(Part::Authorities))?,
            None => Vec::new(),
        };
        let chain = match contents.of(Part::Certificate) {
            Some(pem) => certificates(pem).map_err(within(Part::Certificate))?,
            None => Vec::new(),
        };
        let key = match contents.of(Part::Key) {
            Some(pem) => Some(key(pem, contents.of(Part::Password), used_for).map_err(within(Part::Key))?),
            None => None,
        };
        if let (Some(own), Some(key)) = (chain.first(), &key)
            && !own.public_key().is_ok_and(|public| public.public_eq(key))
        {
            return Err((Part::Key, Trouble::OtherKey(used_for.setting(Part::Certificate))));
        }
        let pem = Pem::of(&authorities, &chain, key.as_ref()).map_err(|error| (Part::Certificate, error.into()))?;
        Ok(Self { authorities, chain, key, pem })
    }

    /// Whether our certificate is good at this moment.
    pub(super) fn check_time(&self) -> Result<(), Trouble> {
        let (Some(own), now) = (self.chain.first(), Asn1Time::days_from_now(0)?) else { return Ok(()) };
        if own.not_after() < now {
            return Err(Trouble::Expired(own.not_after().to_string()));
        }
        if own.not_before() > now {
            return Err(Trouble::NotYet(own.not_before().to_string()));
        }
        Ok(())
    }

    /// When our certificate, or one between it and its authority, expires, in seconds since 1970.
    pub(super) fn certificate_expiry(&self) -> Option<i64> {
        self.chain.iter().filter_map(|certificate| seconds(certificate.not_after()).ok()).min()
    }

    /// When the next authority expires of those that have not yet, in seconds since 1970; the last one that has, if all have.
    pub(super) fn authority_expiry(&self, now: i64) -> Option<i64> {
        let expiries = self.authorities.iter().filter_map(|authority| seconds(authority.not_after()).ok());
        let (over, to_come): (Vec<i64>, Vec<i64>) = expiries.partition(|expiry| *expiry <= now);
        to_come.into_iter().min().or_else(|| over.into_iter().max())
    }

    /// The authorities in PEM; none without.
    pub(crate) fn authorities_pem(&self) -> Option<&Secret> {
        self.pem.authorities.as_ref()
    }

    /// Our certificate and those behind it in PEM; none without.
    pub(crate) fn chain_pem(&self) -> Option<&Secret> {
        self.pem.chain.as_ref()
    }

    /// The key in PEM, without a password; none without a key.
    pub(crate) fn key_pem(&self) -> Option<&Secret> {
        self.pem.key.as_ref()
    }
}

impl Pem {
    fn of(authorities: &[X509], chain: &[X509], key: Option<&PKey<Private>>) -> Result<Self, ErrorStack> {
        let key = key.map(|key| key.private_key_to_pem_pkcs8()).transpose()?;
        let key = key.map(|pem| Secret::new(String::from_utf8_lossy(&pem)));
        Ok(Self { authorities: pem(authorities)?, chain: pem(chain)?, key })
    }
}

fn pem(certificates: &[X509]) -> Result<Option<Secret>, ErrorStack> {
    let mut text = String::new();
    for certificate in certificates {
        text.push_str(&String::from_utf8_lossy(&certificate.to_pem()?));
    }
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

fn authorities(pem: &[u8]) -> Result<Vec<X509>, Trouble> {
    if pem.windows(KEY_ENDS.len()).any(|window| window == KEY_ENDS) {
        return Err(Trouble::KeyAmongAuthorities);
    }
    certificates(pem)
}

/// How the first line of any kind of private key ends in PEM.
const KEY_ENDS: &[u8] = b"PRIVATE KEY-----";

fn certificates(pem: &[u8]) -> Result<Vec<X509>, Trouble> {
    let certificates = X509::stack_from_pem(pem).map_err(Trouble::BrokenCertificate)?;
    if certificates.is_empty() { Err(Trouble::NoCertificate) } else { Ok(certificates) }
}

/// The callback keeps OpenSSL from asking for a password at the terminal.
fn key(pem: &[u8], password: Option<&[u8]>, used_for: &Use) -> Result<PKey<Private>, Trouble> {
    let password = password.map(<[u8]>::trim_ascii);
    let mut asked = false;
    let key = PKey::private_key_from_pem_callback(pem, |room| {
        asked = true;
        let password = password.filter(|password| password.len() <= room.len()).ok_or_else(ErrorStack::get)?;
        room[..password.len()].copy_from_slice(password);
        Ok(password.len())
    });
    let setting = || used_for.setting(Part::Password);
    key.map_err(|_| match password {
        _ if !asked => Trouble::NoKey,
        None => Trouble::Encrypted(setting()),
        Some(_) => Trouble::WrongPassword(setting()),
    })
}

/// Whose certificate it is.
pub(super) fn subject(certificate: &X509Ref) -> String {
    name(certificate.subject_name())
}

/// `O=Hospital, CN=engine`
pub(super) fn name(name: &openssl::x509::X509NameRef) -> String {
    let part = |entry: &openssl::x509::X509NameEntryRef| {
        let value = entry.data().to_string().unwrap_or_else(|_| "?".to_owned());
        format!("{}={value}", entry.object().nid().short_name().unwrap_or("?"))
    };
    name.entries().map(part).collect::<Vec<_>>().join(", ")
}

/// Since 1970.
fn seconds(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * 86_400 + i64::from(since.secs))
}
