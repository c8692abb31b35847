//! What the driver is given of certificates. It takes them from files alone, and reads these again for each server that it finds:
//! hence files in memory, which hold what was read last and are good as long as the client is.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use mongodb::options::{ClientOptions, Tls, TlsOptions};

use crate::tls::Material;

/// The files of one client.
#[derive(Default)]
pub(super) struct Files(Vec<File>);

impl Files {
    /// Options with these certificates, and the files that must outlive the client. Those between our certificate and its
    /// authority go with the authorities: the driver reads one certificate of ours, and OpenSSL finds the others there.
    pub(super) fn name_in(material: &Material, options: &mut ClientOptions) -> std::io::Result<Self> {
        let mut files = Self::default();
        let mut tls = match options.tls.take() {
            Some(Tls::Enabled(tls)) => tls,
            Some(Tls::Disabled) | None => TlsOptions::default(),
        };
        if let Some(authorities) = material.authorities_pem() {
            let chain = material.chain_pem().map_or("", |chain| chain.expose());
            tls.ca_file_path = Some(files.add(&[authorities.expose(), behind_the_first(chain)])?);
        }
        if let (Some(chain), Some(key)) = (material.chain_pem(), material.key_pem()) {
            tls.cert_key_file_path = Some(files.add(&[chain.expose(), key.expose()])?);
        }
        options.tls = Some(Tls::Enabled(tls));
        Ok(files)
    }

    fn add(&mut self, texts: &[&str]) -> std::io::Result<PathBuf> {
        let (mut file, path) = in_memory()?;
        for text in texts {
            file.write_all(text.as_bytes())?;
        }
        self.0.push(file);
        Ok(path)
    }
}

/// The certificates after the first.
fn behind_the_first(pem: &str) -> &str {
    const END: &str = "-----END CERTIFICATE-----";
    pem.split_once(END).map_or("", |(_, behind)| behind)
}

/// A key is never on a disk because of us, and a container need not have one that can be written to.
#[cfg(target_os = "linux")]
fn in_memory() -> std::io::Result<(File, PathBuf)> {
    use std::os::fd::AsRawFd as _;

    let file = File::from(rustix::fs::memfd_create("triage-certificates", rustix::fs::MemfdFlags::CLOEXEC)?);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok((file, path.into()))
}

#[cfg(not(target_os = "linux"))]
fn in_memory() -> std::io::Result<(File, PathBuf)> {
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, "certificates for MongoDB need Linux"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_after_the_first_are_found() {
        let one = "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n";
        assert_eq!(behind_the_first(one).trim(), "");
        assert_eq!(behind_the_first(&one.repeat(3)).trim(), one.repeat(2).trim());
        assert_eq!(behind_the_first(""), "");
    }
}
