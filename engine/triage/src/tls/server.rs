//! Our side of an encrypted connection from a client: what we show, and whether we ask for a certificate.

use openssl::error::ErrorStack;
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;

use super::{Credentials, InUse, Material};

/// Sessions of another program are none of ours.
const SESSIONS: &[u8] = b"triage";

/// Accepts connections with what its use has at this moment.
pub(crate) struct Server {
    credentials: Credentials,
    made: Option<(InUse, SslAcceptor)>,
}

impl Server {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, made: None }
    }

    /// For the next connection.
    pub(crate) fn acceptor(&mut self) -> Result<SslAcceptor, ErrorStack> {
        if let Some((in_use, acceptor)) = &self.made
            && !in_use.is_outdated()
        {
            return Ok(acceptor.clone());
        }
        let in_use = self.credentials.in_use();
        let acceptor = acceptor(&self.credentials.material())?;
        self.made = Some((in_use, acceptor.clone()));
        Ok(acceptor)
    }
}

fn acceptor(material: &Material) -> Result<SslAcceptor, ErrorStack> {
    // TLS 1.2 and 1.3.
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    acceptor.set_session_id_context(SESSIONS)?;
    if let (Some((own, between)), Some(key)) = (material.chain.split_first(), &material.key) {
        acceptor.set_certificate(own)?;
        for certificate in between {
            acceptor.add_extra_chain_cert(certificate.clone())?;
        }
        acceptor.set_private_key(key)?;
    }
    if !material.authorities.is_empty() {
        let (mut store, mut names) = (X509StoreBuilder::new()?, Stack::new()?);
        for authority in &material.authorities {
            store.add_cert(authority.clone())?;
            names.push(authority.subject_name().to_owned()?)?;
        }
        acceptor.set_cert_store(store.build());
        acceptor.set_client_ca_list(names);
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    Ok(acceptor.build())
}
