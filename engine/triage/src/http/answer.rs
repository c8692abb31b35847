//! A request to an answer. Knows nothing of sockets.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::config::Secret;
use crate::reload::{ReloadOutcome, Reloads};
use crate::shared::Shared;

/// No request needs a body; a larger one is refused unread.
const LARGEST_BODY: u64 = 64 * 1024;

/// The media type in which Prometheus reads.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every endpoint: method, path, meaning.
const ENDPOINTS: &[(Method, &str, &str)] = &[
    (Method::GET, "/", "this page"),
    (Method::GET, "/metrics", "metrics, for Prometheus"),
    (Method::GET, "/healthz", "200 while the process lives"),
    (Method::GET, "/readyz", "200 while every worker judges readings, else 503"),
    (Method::GET, "/rules", "the rule set that runs, and the last reload"),
    (Method::POST, "/reload", "read the rules again"),
    (Method::POST, "/reload/check", "what that would do"),
];

/// What the web side shows.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reloads: Arc<Reloads>,
}

type Answer = Response<Full<Bytes>>;

impl Site {
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Answer {
        let path = request.uri().path();
        if path != "/healthz" && !self.is_allowed(request.headers()) {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        let Some((method, ..)) = ENDPOINTS.iter().find(|(_, known, _)| *known == path) else {
            return plain(StatusCode::NOT_FOUND, "no such page; `/` lists them\n");
        };
        if request.method() != method && !(request.method() == Method::HEAD && method == Method::GET) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "another method is needed\n");
            let allowed = if *method == Method::GET { "GET, HEAD" } else { "POST" };
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return answer;
        }
        if is_too_large(request.headers()) {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, "no request here needs a body\n");
        }
        self.page(path).await
    }

    async fn page(&self, path: &str) -> Answer {
        match path {
            "/" => plain(StatusCode::OK, &index()),
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/metrics" => self.metrics(),
            "/readyz" => self.ready(),
            "/rules" => as_json(StatusCode::OK, &self.rules()),
            "/reload/check" => self.reload(|reloads| reloads.check()).await,
            _ => self.reload(|reloads| reloads.reload("http")).await,
        }
    }

    fn is_allowed(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.shared.config.http.token else { return true };
        let given = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
        given.and_then(|given| given.strip_prefix(b"Bearer ")).is_some_and(|given| is_same(given, token))
    }

    fn metrics(&self) -> Answer {
        match self.shared.metrics.render() {
            Ok(text) => answer(StatusCode::OK, PROMETHEUS, Bytes::from(text)),
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("metrics cannot be written: {error}\n")),
        }
    }

    fn ready(&self) -> Answer {
        let ready = self.shared.board.all_ready();
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = json!({
            "ready": ready,
            "broker": self.shared.board.trouble(),
            "rules": self.shared.published.known().trouble,
            "workers": self.shared.board.workers(),
            "ruleset": self.shared.current.load().program.version(),
            "last_reload": self.reloads.last(),
        });
        as_json(status, &body)
    }

    fn rules(&self) -> Value {
        let current = self.shared.current.load();
        let program = &current.program;
        let topic_of = |rule: &triage_core::program::Rule| &program.topics()[rule.topic.0 as usize].name;
        let rules = program.rules().iter();
        let rules: Vec<Value> =
            rules.map(|rule| json!({"name": rule.name, "topic": topic_of(rule), "text": rule.text})).collect();
        let topics = program.topics().iter();
        let topics: Vec<Value> = topics
            .map(|topic| json!({"name": topic.name, "store": topic.store, "notify": topic.notify, "alerts": topic.alerts}))
            .collect();
        json!({
            "version": program.version(),
            "stream": program.stream(),
            "topics": topics,
            "rules": rules,
            "published": self.shared.published.known(),
            "partitions": self.shared.board.positions(),
            "last_reload": self.reloads.last(),
        })
    }

    /// A reload, or its report alone, blocks, so it runs beside the threads that serve.
    async fn reload(&self, ask: fn(&Reloads) -> ReloadOutcome) -> Answer {
        let reloads = Arc::clone(&self.reloads);
        let outcome = tokio::task::spawn_blocking(move || ask(&reloads)).await;
        match outcome {
            Ok(outcome) => {
                let status = match outcome {
                    ReloadOutcome::Refused { .. } => StatusCode::CONFLICT,
                    _ => StatusCode::OK,
                };
                as_json(status, &json!(outcome))
            }
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, &format!("the reload broke off: {error}\n")),
        }
    }
}

/// Compares in a time that does not depend on where two tokens differ.
fn is_same(given: &[u8], token: &Secret) -> bool {
    let token = token.expose().as_bytes();
    let differing = given.iter().zip(token).fold(0_u8, |differing, (left, right)| differing | (left ^ right));
    given.len() == token.len() && std::hint::black_box(differing) == 0
}

fn is_too_large(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|text| text.parse().ok());
    length.is_some_and(|length: u64| length > LARGEST_BODY)
}

fn index() -> String {
    let lines = ENDPOINTS.iter().map(|(method, path, meaning)| format!("{method:<5} {path:<13} {meaning}\n"));
    format!("Triage {}\n\n{}", env!("CARGO_PKG_VERSION"), lines.collect::<String>())
}

fn plain(status: StatusCode, text: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

fn as_json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", Bytes::from(format!("{value:#}\n")))
}

fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
