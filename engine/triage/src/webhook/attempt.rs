//! One attempt at a delivery: what is sent, and what the answer means.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};

use super::connection::{Answered, NoAnswer};
use super::signature::{idempotency_key, sign, webhook_id};
use crate::alerts::age::{AGE, DELAYED, delayed};
use crate::alerts::alert::{Foreign, Head, with_members};
use crate::config::WebhookUrl;

/// An alert that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    /// `id/state/ts`
    pub(super) name: String,
    /// The alert's time, in epoch milliseconds.
    ts: i64,
    json: String,
}

impl Page {
    pub(super) fn read(key: Option<&[u8]>, value: &[u8]) -> Result<Self, Foreign> {
        let (head, json) = Head::read(key, value)?;
        Ok(Self { name: head.name(), ts: head.ts, json: json.to_owned() })
    }

    /// The alert's own bytes; if it is older than `after` at `now`, in epoch milliseconds, with its age behind them.
    fn body(&self, now: i64, after: Duration) -> String {
        match delayed(self.ts, now, after) {
            None => self.json.clone(),
            Some(age) => with_members(&self.json, &format!(",\"{DELAYED}\":true,\"{AGE}\":{age}")),
        }
    }
}

/// The request of an attempt at `now`, in epoch milliseconds.
pub(super) fn request(
    page: &Page,
    (url, key): (&WebhookUrl, &[u8]),
    now: i64,
    delayed_after: Duration,
) -> Result<Request<Full<Bytes>>, Box<dyn std::error::Error + Send + Sync>> {
    let body = page.body(now, delayed_after);
    let (id, timestamp) = (webhook_id(&page.name), now / 1_000);
    let signature = sign(key, &id, timestamp, body.as_bytes())?;
    let uri = url.expose();
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str());
    Ok(Request::post(target)
        .header(HOST, host)
        .header(USER_AGENT, concat!("triage/", env!("CARGO_PKG_VERSION")))
        .header(CONTENT_TYPE, "application/json")
        .header(CONNECTION, "close")
        .header("idempotency-key", idempotency_key(&page.name))
        .header("webhook-id", id)
        .header("webhook-timestamp", timestamp)
        .header("webhook-signature", signature)
        .body(Full::new(Bytes::from(body)))?)
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Delivered,
    /// Another attempt would fare no better.
    Refused(String),
    /// Another may, not before the pause that was asked for.
    Failed {
        why: String,
        pause: Option<Duration>,
    },
}

impl Verdict {
    pub(super) fn of(answer: &Result<Answered, NoAnswer>) -> Self {
        let Answered { status, retry_after: pause } = match answer {
            Ok(answered) => *answered,
            Err(error) => return Self::Failed { why: error.to_string(), pause: None },
        };
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        let why = format!("the answer is {}", status.as_u16());
        match status {
            status if status.is_success() => Self::Delivered,
            status if status.is_server_error() || passing.contains(&status) => Self::Failed { why, pause },
            status if status.is_redirection() => Self::Refused(format!("{why}, and redirects are not followed")),
            _ => Self::Refused(why),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_old_alert_bears_its_age_and_a_new_one_its_own_bytes() {
        let page = Page { name: "n".into(), ts: 1_000, json: r#"{"ts":1000,"origin":{}}"#.into() };
        assert_eq!(page.body(61_000, Duration::from_mins(1)), page.json);
        let old = page.body(62_000, Duration::from_mins(1));
        assert_eq!(old, r#"{"ts":1000,"origin":{},"delayed":true,"age_seconds":61}"#);
    }

    #[test]
    fn answers_decide_whether_to_try_again() {
        let of = |status: u16| {
            Verdict::of(&Ok(Answered { status: StatusCode::from_u16(status).unwrap(), retry_after: None }))
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(of(status), Verdict::Delivered);
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(of(status), Verdict::Failed { .. }), "{status}");
        }
        for status in [301, 304, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(of(status), Verdict::Refused(_)), "{status}");
        }
    }
}
