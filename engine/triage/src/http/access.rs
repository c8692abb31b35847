//! What the access log has of a request: every one that shows or changes what is a patient's, and every one that was not let in.

use std::net::SocketAddr;

use hyper::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::access::{Access, fingerprint};
use crate::config::Right;

/// Requests that show or change what is a patient's, or how patients are judged.
const AUDITED: &[&str] = &["/alerts", "/alerts/acknowledge", "/alerts/pause", "/reload"];

/// By what somebody comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admitted {
    /// No token is asked for.
    Anybody,
    /// A token that is one of ours.
    By(Right),
    /// Without one.
    Nobody,
}

/// A request, as far as it is written down.
#[derive(Debug)]
pub(super) struct Asked {
    is_audited: bool,
    what: String,
    filters: String,
    from: SocketAddr,
}

impl Asked {
    pub(super) fn new(method: &hyper::Method, uri: &hyper::Uri, from: SocketAddr) -> Self {
        let is_audited = AUDITED.contains(&uri.path());
        // A path that nobody knows may be anything.
        let path = if is_audited { uri.path() } else { "a page" };
        Self { is_audited, what: format!("{method} {path}"), filters: filters(uri.query().unwrap_or_default()), from }
    }

    /// `words` is the body of what somebody has said, if it was read.
    pub(super) fn answered(self, words: &[u8], admitted: Admitted, status: StatusCode) {
        if !self.is_audited && !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return;
        }
        let said: Value = serde_json::from_slice(words).unwrap_or_default();
        let who = match (said["by"].as_str(), admitted) {
            (_, Admitted::Nobody) => "unknown",
            (Some(by), _) => by,
            (None, Admitted::By(_)) => "token",
            (None, Admitted::Anybody) => "anybody",
        };
        let token = match admitted {
            Admitted::By(right) => right.name(),
            Admitted::Anybody | Admitted::Nobody => "none",
        };
        let of = if words.is_empty() { self.filters } else { subject(&said) };
        let from = self.from.to_string();
        let outcome = status.as_str().to_owned();
        Access { who: who.to_owned(), token, what: self.what, of, from, outcome }.log();
    }
}

/// The names of the filters, and the fingerprints of patients who are asked for.
fn filters(query: &str) -> String {
    let filter = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "patient" => format!("patient {}", fingerprint(&percent_decode_str(value).decode_utf8_lossy())),
            "priority" | "topic" | "state" => name.to_owned(),
            _ => "unknown filter".to_owned(),
        }
    };
    let mut filters: Vec<String> = query.split('&').filter(|pair| !pair.is_empty()).map(filter).collect();
    filters.dedup();
    filters.join(", ")
}

/// What was spoken of. An alert's id names a place of the stream, and no patient.
fn subject(said: &Value) -> String {
    let text = |name: &str| said[name].as_str();
    let of = [
        text("id").map(|id| format!("alert {id}")),
        text("rule").map(|rule| format!("rule {rule}")),
        text("patient").map(|patient| format!("patient {}", fingerprint(patient))),
    ];
    of.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patients_who_are_asked_for_are_fingerprints() {
        let p1 = fingerprint("p1");
        assert_eq!(filters("patient=%70%31&priority=high&priority=low"), format!("patient {p1}, priority"));
        assert_eq!(filters("patietn=p1"), "unknown filter");
        assert_eq!(subject(&serde_json::json!({"patient": "p1", "by": "eve"})), format!("patient {p1}"));
    }
}
