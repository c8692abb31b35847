//! Certificate authorities of a test's own, and what they issue. Keys are made when they are needed and outlive no test.

use std::ops::Range;
use std::path::{Path, PathBuf};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name};

/// Days from now in which a certificate is good.
pub(crate) const GOOD: Range<i64> = -1..30;
pub(crate) const OVER: Range<i64> = -9..-2;

/// Names and addresses of this machine.
pub(crate) const HERE: &[&str] = &["localhost", "127.0.0.1"];

pub(crate) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = new_key();
        let mut builder = begun(name, &key, &(-20..3_650));
        builder.set_issuer_name(&common_name(name)).unwrap();
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// A certificate for `names`; the subject is the first.
    pub(crate) fn issue(&self, names: &[&str], days: Range<i64>) -> Issued {
        let key = new_key();
        let mut builder = begun(names[0], &key, &days);
        builder.set_issuer_name(self.certificate.subject_name()).unwrap();
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            if name.parse::<std::net::IpAddr>().is_ok() {
                alternatives.ip(name)
            } else {
                alternatives.dns(name)
            };
        }
        let alternatives = alternatives.build(&builder.x509v3_context(Some(&self.certificate), None)).unwrap();
        builder.append_extension(alternatives).unwrap();
        builder.append_extension(ExtendedKeyUsage::new().server_auth().client_auth().build().unwrap()).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let (certificate, key) = (builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
        Issued { certificate: String::from_utf8(certificate).unwrap(), key: String::from_utf8(key).unwrap() }
    }
}

impl Issued {
    pub(crate) fn both(&self) -> String {
        format!("{}{}", self.key, self.certificate)
    }

    /// Writes `<name>.pem` and `<name>.key`, and says where they are.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> (String, String) {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        (write(folder, &certificate, &self.certificate), write(folder, &key, &self.key))
    }
}

/// Where the file is.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn new_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn begun(name: &str, key: &PKey<Private>, days: &Range<i64>) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    let serial: Asn1Integer = serial.to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&common_name(name)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&day(days.start)).unwrap();
    builder.set_not_after(&day(days.end)).unwrap();
    builder
}

fn common_name(name: &str) -> X509Name {
    let mut built = X509Name::builder().unwrap();
    built.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    built.build()
}

fn day(from_now: i64) -> Asn1Time {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    Asn1Time::from_unix(now + from_now * 86_400).unwrap()
}
