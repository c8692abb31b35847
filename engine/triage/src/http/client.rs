//! Asks a running engine: one request, one answer, over a connection of its own, encrypted if the web side is.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use openssl::error::ErrorStack;
use openssl::ssl::HandshakeError;

use crate::config::{HttpConfig, Right};
use crate::reload::ReloadOutcome;
use crate::tls::{Client, FileError, Findings, Part, Refusal, Trust, Use};

/// A reload answers when every worker has taken the rules up; that may take a while.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// What is known is answered at once. Health checks give up after some seconds as well.
pub(crate) const QUICK: Duration = Duration::from_secs(3);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there, or the connection broke off.
    #[error("no engine answers at {0}: {1}")]
    Connection(SocketAddr, std::io::Error),
    /// The connection broke off, which is what an encrypted web side does with who speaks in the clear.
    #[error(
        "what answers at {0} breaks off: if its web side is encrypted, name the authority of its certificate by `{1}`"
    )]
    BrokenOff(SocketAddr, String),
    /// The web side is encrypted, and nothing says by whom its certificate may be.
    #[error("the web side at {0} is encrypted: name the authority of its certificate by `{1}`")]
    Unnamed(SocketAddr, String),
    /// Certificates cannot be used.
    #[error(transparent)]
    Certificates(#[from] FileError),
    /// There is no encrypted connection.
    #[error("no encrypted connection to the engine at {0}: {1}")]
    Refused(SocketAddr, String),
    /// The engine wants another token.
    #[error("the engine at {0} refuses the token; it is `http.token` or `http.token_file`")]
    Token(SocketAddr),
    /// The token is one of the engine's, and of another right.
    #[error("the token, `http.token` or `http.token_file`, does not open that at {0}: it is one for something else")]
    Right(SocketAddr),
    /// Something answers that is not an engine.
    #[error("what answers at {0} is no engine: {1}")]
    NotAnEngine(SocketAddr, String),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) method: &'static str,
    /// With the query.
    pub(crate) path: &'a str,
    /// The media type that is wanted.
    pub(crate) accept: &'static str,
    /// JSON, or nothing.
    pub(crate) body: &'a str,
    /// How long the answer may take.
    pub(crate) patience: Duration,
}

/// Asks the engine to reload.
///
/// # Errors
/// There is no answer, or none of an engine.
pub fn ask_reload(engine: &HttpConfig) -> Result<ReloadOutcome, AskError> {
    ask_for_outcome("/reload", engine)
}

/// Asks the engine what a reload would do.
///
/// # Errors
/// As [`ask_reload`].
pub fn ask_check(engine: &HttpConfig) -> Result<ReloadOutcome, AskError> {
    ask_for_outcome("/reload/check", engine)
}

fn ask_for_outcome(path: &str, engine: &HttpConfig) -> Result<ReloadOutcome, AskError> {
    let question = Question { method: "POST", path, accept: "application/json", body: "", patience: PATIENCE };
    let (status, body) = ask(engine, question)?;
    serde_json::from_str(&body).map_err(|_| AskError::NotAnEngine(engine.listen, format!("it answers {status}")))
}

/// Status and body of the answer.
///
/// # Errors
/// There is no answer, or none of an engine; the token is another.
pub(crate) fn ask(engine: &HttpConfig, question: Question<'_>) -> Result<(u16, String), AskError> {
    let address = engine.listen;
    let answer = exchange(engine, question)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    match head.split(' ').nth(1).and_then(|status| status.parse().ok()) {
        Some(401) => Err(AskError::Token(address)),
        Some(403) => Err(AskError::Right(address)),
        Some(status) if head.starts_with("HTTP/1.") => Ok((status, body.to_owned())),
        _ if answer.is_empty() && !engine.is_asked_encrypted() => {
            Err(AskError::BrokenOff(address, Use::Asking.setting(Part::Authorities)))
        }
        _ => Err(AskError::NotAnEngine(address, head.lines().next().unwrap_or("an empty answer").to_owned())),
    }
}

fn exchange(engine: &HttpConfig, question: Question<'_>) -> Result<Vec<u8>, AskError> {
    let address = engine.listen;
    let broken = |error| AskError::Connection(address, error);
    let stream = TcpStream::connect_timeout(&address, question.patience.min(Duration::from_secs(5))).map_err(broken)?;
    stream.set_read_timeout(Some(question.patience)).map_err(broken)?;
    let request = request(engine, question);
    if !engine.is_asked_encrypted() {
        return converse(stream, &request).map_err(|error| match error.kind() {
            ErrorKind::ConnectionReset => AskError::BrokenOff(address, Use::Asking.setting(Part::Authorities)),
            _ => broken(error),
        });
    }
    let (stream, findings) = encrypted(engine, stream)?;
    converse(stream, &request).map_err(|error| match alert(&error, &findings) {
        Some(refusal) => AskError::Refused(address, refusal.to_string()),
        None => broken(error),
    })
}

fn request(engine: &HttpConfig, question: Question<'_>) -> String {
    let (address, token) = (engine.listen, engine.tokens.of(Right::Everything));
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.expose()));
    let Question { method, path, accept, body, .. } = question;
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Accept: {accept}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn converse(mut stream: impl Read + Write, request: &str) -> std::io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}

type Encrypted = openssl::ssl::SslStream<TcpStream>;

fn encrypted(engine: &HttpConfig, stream: TcpStream) -> Result<(Encrypted, Findings), AskError> {
    let refused = |why: &dyn std::fmt::Display| AskError::Refused(engine.listen, why.to_string());
    if !engine.asking.has(Part::Authorities) {
        return Err(AskError::Unnamed(engine.listen, Use::Asking.setting(Part::Authorities)));
    }
    engine.asking.load()?;
    let begun = Client::new(&engine.asking, Trust::Own).and_then(|client| client.begin(&name(engine)));
    let (ssl, findings) = begun.map_err(|error: ErrorStack| refused(&error))?;
    match ssl.connect(stream) {
        Ok(stream) => Ok((stream, findings)),
        Err(HandshakeError::Failure(failed)) => Err(refused(&findings.refusal(failed.error()))),
        Err(HandshakeError::WouldBlock(_)) => Err(refused(&"it does not answer a TLS handshake")),
        Err(HandshakeError::SetupFailure(error)) => Err(refused(&error)),
    }
}

/// What the certificate of the web side is for. Who listens on every address is asked at this machine's own.
fn name(engine: &HttpConfig) -> String {
    let address = match engine.listen.ip() {
        ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        ip => ip,
    };
    engine.name.clone().unwrap_or_else(|| address.to_string())
}

/// What the engine says of our certificate, which is after the handshake.
fn alert(error: &std::io::Error, findings: &Findings) -> Option<Refusal> {
    findings.alert(error.get_ref()?.downcast_ref()?)
}
