//! Our side of an encrypted connection to a server: whom we trust, and what we show.

use std::sync::OnceLock;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslConnector, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use super::{Credentials, Findings, Use};

/// Whom a client trusts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The authorities of its use alone.
    Own,
    /// The public ones as well.
    Public,
}

/// Makes connections with what a use has at this moment.
pub(crate) struct Client {
    connector: SslConnector,
    used_for: Use,
    shows: bool,
}

impl Client {
    pub(crate) fn new(credentials: &Credentials, trust: Trust) -> Result<Self, ErrorStack> {
        let material = credentials.material();
        let mut store = X509StoreBuilder::new()?;
        let public = if trust == Trust::Public { public() } else { &[] };
        for authority in material.authorities.iter().chain(public) {
            store.add_cert(authority.clone())?;
        }
        let mut connector = SslConnector::builder(SslMethod::tls_client())?;
        connector.set_min_proto_version(Some(SslVersion::TLS1_2))?;
        // In place of the machine's own authorities.
        connector.set_cert_store(store.build());
        if let (Some((own, between)), Some(key)) = (material.chain.split_first(), &material.key) {
            connector.set_certificate(own)?;
            for certificate in between {
                connector.add_extra_chain_cert(certificate.clone())?;
            }
            connector.set_private_key(key)?;
        }
        Ok(Self {
            connector: connector.build(),
            used_for: credentials.used_for().clone(),
            shows: material.key.is_some(),
        })
    }

    /// What a handshake with the server of that name or address begins with, and where it is found why one fails.
    pub(crate) fn begin(&self, host: &str) -> Result<(Ssl, Findings), ErrorStack> {
        let findings = Findings::new(host, &self.used_for, self.shows);
        let mut connection = self.connector.configure()?;
        let seen = findings.clone();
        connection.set_verify_callback(SslVerifyMode::PEER, move |is_good, context| {
            if !is_good {
                seen.note(context);
            }
            is_good
        });
        Ok((connection.into_ssl(host)?, findings))
    }
}

/// The public certificate authorities, as Mozilla lists them.
fn public() -> &'static [X509] {
    static PUBLIC: OnceLock<Vec<X509>> = OnceLock::new();
    // All are good; a test holds it.
    let read = || webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter_map(|der| X509::from_der(der).ok()).collect();
    PUBLIC.get_or_init(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_public_authority_is_read() {
        assert_eq!(public().len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
        assert!(public().len() > 100);
    }
}
