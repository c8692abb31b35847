//! Accepts connections until the shutdown is asked for. Knows nothing of pages.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

use super::Site;
use crate::config::HttpConfig;
use crate::shutdown::Shutdown;
use crate::tls::Server;

/// How often the listener looks whether it is to stop.
const LOOKING_UP: Duration = Duration::from_millis(100);

/// How long a client may take for its headers.
const HEADERS: Duration = Duration::from_secs(10);

/// How long a client may take to hear that it is refused.
const PARTING: Duration = Duration::from_secs(1);

/// The web side cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("`http.listen`: {address} cannot be used: {error}")]
pub struct BindError {
    address: SocketAddr,
    error: std::io::Error,
}

/// A bound port, not yet served.
pub(crate) struct Listening {
    listener: std::net::TcpListener,
    address: SocketAddr,
    /// None speaks in the clear.
    encryption: Option<Server>,
}

impl Listening {
    /// Takes the port.
    pub(crate) fn bind(config: &HttpConfig) -> Result<Self, BindError> {
        let address = config.listen;
        let failed = |error| BindError { address, error };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, encryption: config.is_encrypted().then(|| Server::new(config.tls.clone())) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own.
    pub(crate) fn serve(self, site: Site, shutdown: Shutdown) -> Result<JoinHandle<()>, BindError> {
        let address = self.address;
        let failed = |error| BindError { address, error };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(self.listener).map_err(failed)?
        };
        let thread = std::thread::Builder::new().name("http".to_owned());
        let encryption = self.encryption;
        thread.spawn(move || runtime.block_on(accept(listener, encryption, site, shutdown))).map_err(failed)
    }
}

async fn accept(listener: TcpListener, mut encryption: Option<Server>, site: Site, shutdown: Shutdown) {
    while !shutdown.is_asked() {
        match tokio::time::timeout(LOOKING_UP, listener.accept()).await {
            Ok(Ok((stream, from))) => match encryption.as_mut().map(Server::acceptor).transpose() {
                Ok(acceptor) => drop(tokio::spawn(receive(stream, from, acceptor, site.clone()))),
                Err(error) => tracing::error!(%error, "no connection can be encrypted"),
            },
            Ok(Err(error)) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(LOOKING_UP).await;
            }
            Err(_) => {}
        }
    }
}

/// Encrypts the connection first, if the web side does.
async fn receive(stream: TcpStream, from: SocketAddr, acceptor: Option<SslAcceptor>, site: Site) {
    let Some(acceptor) = acceptor else { return converse(stream, from, site).await };
    match tokio::time::timeout(HEADERS, encrypted(stream, &acceptor)).await {
        Ok(Ok(stream)) => converse(stream, from, site).await,
        Ok(Err(error)) => tracing::debug!(error, "a connection is not encrypted, and not answered"),
        Err(_) => tracing::debug!("a connection was not encrypted in time"),
    }
}

async fn encrypted(stream: TcpStream, acceptor: &SslAcceptor) -> Result<SslStream<TcpStream>, String> {
    let stream = Ssl::new(acceptor.context()).and_then(|ssl| SslStream::new(ssl, stream));
    let mut stream = stream.map_err(|error| error.to_string())?;
    let Err(error) = Pin::new(&mut stream).accept().await else { return Ok(stream) };
    part(stream.get_mut()).await;
    Err(error.to_string())
}

/// A client without certificate learns of its refusal when it has sent its request. Closed with that unread, the connection would
/// be reset, and the reason lost on the way.
async fn part(stream: &mut TcpStream) {
    let all = async {
        stream.shutdown().await?;
        tokio::io::copy(stream, &mut tokio::io::sink()).await
    };
    if !matches!(tokio::time::timeout(PARTING, all).await, Ok(Ok(_))) {
        tracing::debug!("a connection that was refused broke off");
    }
}

async fn converse<S>(stream: S, from: SocketAddr, site: Site)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(|request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request, from).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke off");
    }
}
