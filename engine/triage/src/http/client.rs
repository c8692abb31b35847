//! Asks a running engine to reload: one request, one answer, over a plain socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Secret;
use crate::reload::ReloadOutcome;

/// A reload answers when every worker has taken the rules up; that may take a while.
const PATIENCE: Duration = Duration::from_secs(90);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens there, or the connection broke off.
    #[error("no engine answers at {0}: {1}")]
    Connection(SocketAddr, std::io::Error),
    /// The engine wants another token.
    #[error("the engine at {0} refuses the token; it is `http.token` or `http.token_file`")]
    Token(SocketAddr),
    /// Something answers that is not an engine.
    #[error("what answers at {0} is no engine: {1}")]
    NotAnEngine(SocketAddr, String),
}

/// Asks the engine at `address` to reload.
///
/// # Errors
/// There is no answer, or none of an engine.
pub fn ask_reload(address: SocketAddr, token: Option<&Secret>) -> Result<ReloadOutcome, AskError> {
    ask("/reload", address, token)
}

/// Asks the engine at `address` what a reload would do.
///
/// # Errors
/// As [`ask_reload`].
pub fn ask_check(address: SocketAddr, token: Option<&Secret>) -> Result<ReloadOutcome, AskError> {
    ask("/reload/check", address, token)
}

fn ask(path: &str, address: SocketAddr, token: Option<&Secret>) -> Result<ReloadOutcome, AskError> {
    let answer = exchange(path, address, token).map_err(|error| AskError::Connection(address, error))?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or("");
    if status == "401" {
        return Err(AskError::Token(address));
    }
    serde_json::from_str(body)
        .map_err(|_| AskError::NotAnEngine(address, head.lines().next().unwrap_or("an empty answer").to_owned()))
}

fn exchange(path: &str, address: SocketAddr, token: Option<&Secret>) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let authorization = token.map_or_else(String::new, |token| format!("Authorization: Bearer {}\r\n", token.expose()));
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer)
}
