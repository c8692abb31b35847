//! Accepts connections until the shutdown is asked for. Knows nothing of pages.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::Site;
use crate::shutdown::Shutdown;

/// How often the listener looks whether it is to stop.
const LOOKING_UP: Duration = Duration::from_millis(100);

/// How long a client may take for its headers.
const HEADERS: Duration = Duration::from_secs(10);

/// The web side cannot begin.
#[derive(Debug, thiserror::Error)]
#[error("`http.listen`: {address} cannot be used: {error}")]
pub struct BindError {
    address: SocketAddr,
    error: std::io::Error,
}

/// A bound port, not yet served.
#[derive(Debug)]
pub(crate) struct Listening {
    listener: std::net::TcpListener,
    address: SocketAddr,
}

impl Listening {
    /// Takes the port.
    pub(crate) fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let failed = |error| BindError { address, error };
        let listener = std::net::TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
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
        thread.spawn(move || runtime.block_on(accept(listener, site, shutdown))).map_err(failed)
    }
}

async fn accept(listener: TcpListener, site: Site, shutdown: Shutdown) {
    while !shutdown.is_asked() {
        match tokio::time::timeout(LOOKING_UP, listener.accept()).await {
            Ok(Ok((stream, _))) => drop(tokio::spawn(converse(stream, site.clone()))),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a connection cannot be accepted");
                tokio::time::sleep(LOOKING_UP).await;
            }
            Err(_) => {}
        }
    }
}

async fn converse(stream: TcpStream, site: Site) {
    let service = service_fn(|request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection broke off");
    }
}
