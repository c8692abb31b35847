//! The pages about alerts: those that are open, and what people say about them. Knows nothing of how it is known or written.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{ACCEPT, HeaderMap};
use serde_json::{Value, json};

use super::Site;
use super::answer::{Answer, answer, as_json, plain};
use crate::alerts::alert::Priority;
use crate::alerts::{Filter, Refusal, Said, View, acknowledge, pause};
use crate::clock::now;

/// The alerts that are open. While it is not known whether these are all, the status says so: 503.
pub(super) fn open(site: &Site, query: &str, headers: &HeaderMap) -> Answer {
    let filter = match Filter::read(query, &topics(site)) {
        Ok(filter) => filter,
        Err(allowed) => return plain(StatusCode::BAD_REQUEST, &allowed),
    };
    let view = site.shared.alerts.view(&filter, now());
    let status = if view.trouble.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    if wants_text(headers) {
        return plain(status, &view.text());
    }
    answer(status, "application/json", Bytes::from(view.json()))
}

/// How many alerts are open, for `/readyz`.
pub(super) fn summary(site: &Site) -> Value {
    let View { trouble, pauses, .. } = site.shared.alerts.view(&Filter::default(), now());
    let counts = Priority::ALL.into_iter().zip(site.shared.alerts.counts());
    let open: serde_json::Map<String, Value> =
        counts.map(|(priority, count)| (priority.as_str().to_owned(), count.into())).collect();
    json!({"complete": trouble.is_none(), "why": trouble, "open": open, "pauses": pauses.len()})
}

/// An acknowledgement or a pause: checked, then written, then told where it lies.
pub(super) async fn say(site: &Site, path: &str, body: &[u8]) -> Answer {
    match said(site, path, body).await {
        Ok(answer) => answer,
        Err(refusal) => {
            let status = match refusal {
                Refusal::Wrong(_) => StatusCode::BAD_REQUEST,
                Refusal::Unknown(_) => StatusCode::NOT_FOUND,
                Refusal::Conflict(_) => StatusCode::CONFLICT,
                Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
                Refusal::NotNow(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            plain(status, &format!("{refusal}\n"))
        }
    }
}

async fn said(site: &Site, path: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let said = check(site, path, body)?;
    let places = site.speaker.say(&said).await?;
    tracing::info!(path, ?places, "somebody has said something about alerts");
    Ok(as_json(StatusCode::ACCEPTED, &json!({"said": said.value, "places": places})))
}

fn check(site: &Site, path: &str, body: &[u8]) -> Result<Said, Refusal> {
    match path {
        "/alerts/pause" => pause(body, &site.shared.current.load().program, now()),
        _ => acknowledge(body, &site.shared.alerts, now()),
    }
}

/// Those that are followed, and those of the rule set, whose Kafka topics may be a moment away.
fn topics(site: &Site) -> Vec<String> {
    let current = site.shared.current.load();
    let ours = current.program.topics().iter().filter(|topic| topic.alerts).map(|topic| topic.name.clone());
    let mut topics: Vec<String> = site.shared.alerts.topics().into_iter().chain(ours).collect();
    topics.sort();
    topics.dedup();
    topics
}

/// `text/plain` asked for, and JSON not.
fn wants_text(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    accepted.contains("text/plain") && !accepted.contains("application/json")
}
