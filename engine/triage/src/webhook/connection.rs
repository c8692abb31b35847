//! One request, one answer, over a connection of its own: HTTP/1.1, over TLS for `https`. Redirects are not followed.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper::header::{HeaderValue, RETRY_AFTER};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use openssl::error::ErrorStack;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_openssl::SslStream;

use crate::config::{WebhookConfig, WebhookUrl};
use crate::tls::{Client, Credentials, FileError, Refusal, Trust};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no encrypted connection: {0}")]
    Refused(Refusal),
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] ErrorStack),
    #[error("the connection broke off: {0}")]
    Broken(#[from] hyper::Error),
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    /// How long it asks to be left alone.
    pub(super) retry_after: Option<Duration>,
}

/// Connects to one address.
pub(super) struct Connector {
    url: WebhookUrl,
    credentials: Credentials,
}

impl Connector {
    /// Reads the certificate authorities, if some are named.
    pub(super) fn new(url: &WebhookUrl, webhook: &WebhookConfig) -> Result<Self, FileError> {
        webhook.tls.load()?;
        Ok(Self { url: url.clone(), credentials: webhook.tls.clone() })
    }

    pub(super) fn url(&self) -> &WebhookUrl {
        &self.url
    }

    /// Sends the request; the body of the answer is not read.
    pub(super) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answered, NoAnswer> {
        let host = self.url.host();
        let stream = TcpStream::connect((host, self.url.port())).await.map_err(NoAnswer::Connect)?;
        if !self.url.is_https() {
            return exchange(stream, request).await;
        }
        let (ssl, findings) = Client::new(&self.credentials, Trust::Public)?.begin(host)?;
        let mut stream = SslStream::new(ssl, stream)?;
        Pin::new(&mut stream).connect().await.map_err(|error| NoAnswer::Refused(findings.refusal(&error)))?;
        exchange(stream, request).await
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answered, NoAnswer>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this function, however that ends: nothing is left behind of an attempt that took too long.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    Ok(answered(&sender.send_request(request).await?))
}

fn answered<B>(answer: &Response<B>) -> Answered {
    Answered { status: answer.status(), retry_after: answer.headers().get(RETRY_AFTER).and_then(retry_after) }
}

/// Seconds, or a date.
fn retry_after(value: &HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_date() {
        let read = |text: &str| HeaderValue::from_str(text).ok().and_then(|value| retry_after(&value));
        assert_eq!(read("120"), Some(Duration::from_mins(2)));
        assert_eq!(read("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        // A date has whole seconds.
        let (begun, minute) = (Instant::now(), Duration::from_mins(1));
        let pause = read(&httpdate::fmt_http_date(SystemTime::now() + minute));
        let least = minute.saturating_sub(begun.elapsed() + Duration::from_secs(1));
        assert!(pause.is_some_and(|pause| (least..=minute).contains(&pause)), "{pause:?}");
        assert_eq!(read("soon"), None);
    }
}
