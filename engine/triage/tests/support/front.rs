//! An encrypted door before a server that speaks in the clear: whom it lets in, it connects through.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use openssl::pkey::PKey;
use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

use super::authority::{Authority, Issued};

pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    acceptor: Arc<Mutex<SslAcceptor>>,
    visitors: Arc<Mutex<Vec<String>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Front {
    /// Shows `issued`; asks for a client certificate by `asks`, if there is one.
    pub(crate) fn before(server: SocketAddr, issued: &Issued, asks: Option<&Authority>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = StdListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = Arc::new(Mutex::new(acceptor(issued, asks)));
        let visitors = Arc::new(Mutex::new(Vec::new()));
        let (accepting, seen) = (Arc::clone(&acceptor), Arc::clone(&visitors));
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (accepting.lock().unwrap().clone(), Arc::clone(&seen));
                tokio::spawn(pass(stream, acceptor, server, seen));
            }
        });
        Self { address, acceptor, visitors, _runtime: runtime }
    }

    /// From now on it shows and asks for something else.
    pub(crate) fn change(&self, issued: &Issued, asks: Option<&Authority>) {
        *self.acceptor.lock().unwrap() = acceptor(issued, asks);
    }

    /// Whose certificates were shown, in order; empty for none.
    pub(crate) fn visitors(&self) -> Vec<String> {
        self.visitors.lock().unwrap().clone()
    }
}

fn acceptor(issued: &Issued, asks: Option<&Authority>) -> SslAcceptor {
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_session_id_context(b"front").unwrap();
    acceptor.set_certificate(&X509::from_pem(issued.certificate.as_bytes()).unwrap()).unwrap();
    acceptor.set_private_key(&PKey::private_key_from_pem(issued.key.as_bytes()).unwrap()).unwrap();
    if let Some(asks) = asks {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(X509::from_pem(asks.pem().as_bytes()).unwrap()).unwrap();
        acceptor.set_cert_store(store.build());
        acceptor.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    acceptor.build()
}

async fn pass(stream: TcpStream, acceptor: SslAcceptor, server: SocketAddr, seen: Arc<Mutex<Vec<String>>>) {
    let mut stream = SslStream::new(Ssl::new(acceptor.context()).unwrap(), stream).unwrap();
    // Who is not let in is told by TLS, and is who the test looks at.
    if Pin::new(&mut stream).accept().await.is_err() {
        return;
    }
    let shown = stream.ssl().peer_certificate().map_or_else(String::new, |certificate| {
        let name = certificate.subject_name().entries().next().unwrap();
        name.data().to_string().unwrap()
    });
    seen.lock().unwrap().push(shown);
    let mut server = TcpStream::connect(server).await.unwrap();
    // Either side may break off at any time.
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
}
