//! Asks a server for an encrypted connection and says why there is none: drivers that connect by themselves do not.

use std::io::{ErrorKind, Read as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use openssl::ssl::HandshakeError;

use super::{Client, Credentials, Refusal, Trust};

/// How long a connection may take. Who does not answer at all gives no reason.
const CONNECTING: Duration = Duration::from_secs(3);

/// How long a step of the handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a server may take to refuse a client without certificate, which it does after the handshake.
const AFTERTHOUGHT: Duration = Duration::from_secs(3);

/// Why the server is not, or does not let us be, connected to; none if that is not what is wrong. Blocks.
pub(crate) fn probe(credentials: &Credentials, trust: Trust, host: &str, port: u16) -> Option<Refusal> {
    let (ssl, findings) = Client::new(credentials, trust).ok()?.begin(host).ok()?;
    let address = (host, port).to_socket_addrs().ok()?.next()?;
    let stream = TcpStream::connect_timeout(&address, CONNECTING).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut stream = match ssl.connect(stream) {
        Ok(stream) => stream,
        Err(HandshakeError::Failure(failed)) => return Some(findings.refusal(failed.error())),
        Err(HandshakeError::WouldBlock(_)) => {
            return Some(Refusal::Other("it does not answer a TLS handshake".to_owned()));
        }
        Err(HandshakeError::SetupFailure(_)) => return None,
    };
    stream.get_ref().set_read_timeout(Some(AFTERTHOUGHT)).ok()?;
    let error = stream.read(&mut [0]).err().filter(|error| error.kind() == ErrorKind::Other)?;
    findings.alert(error.get_ref()?.downcast_ref()?)
}
