//! What is in the files of a use at this moment, byte by byte, and what can be wrong with it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use sha2::{Digest as _, Sha256};

use super::{Part, Use};

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{setting}`: {path}: {trouble}", path = path.display())]
pub struct FileError {
    /// The key of the configuration that names it.
    pub setting: String,
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub trouble: Trouble,
}

/// What is wrong with a file. No variant shows what is in it.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The system does not give it out.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// There is no certificate in it.
    #[error("no certificate in PEM is in it, from `-----BEGIN CERTIFICATE-----` on")]
    NoCertificate,
    /// There is one that is none.
    #[error("a certificate in it is broken: {0}")]
    BrokenCertificate(ErrorStack),
    /// There is no key in it.
    #[error("no private key in PEM is in it, from `-----BEGIN PRIVATE KEY-----` on")]
    NoKey,
    /// The key has a password that nobody has named.
    #[error("the key in it is encrypted: name the file with its password by `{0}`")]
    Encrypted(String),
    /// The key has another password.
    #[error("the key in it cannot be opened with the password of `{0}`")]
    WrongPassword(String),
    /// A key lies where others look for authorities.
    #[error("a private key is in it, which has no place among certificate authorities: take it out")]
    KeyAmongAuthorities,
    /// Certificate and key are not of one pair.
    #[error("the key in it is not that of the certificate of `{0}`")]
    OtherKey(String),
    /// The certificate is over.
    #[error("the certificate in it has expired, on {0}: ask its authority for a new one")]
    Expired(String),
    /// The certificate has not begun.
    #[error("the certificate in it is not valid before {0}: is this machine's clock wrong?")]
    NotYet(String),
    /// OpenSSL cannot do what it always can.
    #[error("OpenSSL failed: {0}")]
    OpenSsl(#[from] ErrorStack),
}

/// What all files of a use hold, told apart by a hash.
pub(super) type Digest = [u8; 32];

/// What the files of a use hold.
#[derive(Default)]
pub(super) struct Contents(BTreeMap<Part, Vec<u8>>);

impl Contents {
    pub(super) fn read(used_for: &Use, files: &BTreeMap<Part, PathBuf>) -> Result<Self, FileError> {
        let read = |(part, path): (&Part, &PathBuf)| match std::fs::read(path) {
            Ok(bytes) => Ok((*part, bytes)),
            Err(error) => Err(wrong(used_for, *part, path, error)),
        };
        files.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn of(&self, part: Part) -> Option<&[u8]> {
        self.0.get(&part).map(Vec::as_slice)
    }

    pub(super) fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for (part, bytes) in &self.0 {
            hash.update([*part as u8]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hash.finalize().into()
    }
}

pub(super) fn wrong(used_for: &Use, part: Part, path: &Path, trouble: impl Into<Trouble>) -> FileError {
    FileError { setting: used_for.setting(part), path: path.to_owned(), trouble: trouble.into() }
}
