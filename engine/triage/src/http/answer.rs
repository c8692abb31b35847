//! A request to an answer. Knows nothing of sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::access::{Admitted, Asked};
use super::alerts;
use crate::alerts::Speaker;
use crate::config::Right;
use crate::reload::{ReloadOutcome, Reloads};
use crate::shared::Shared;

/// A larger body is refused; what is said in one is far smaller.
pub(super) const LARGEST_BODY: usize = 64 * 1024;

/// How long a client may take for its body.
const BODY: Duration = Duration::from_secs(10);

const TOO_LARGE: &str = "no request here needs a body of more than 64 KiB\n";

/// The media type in which Prometheus reads.
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every endpoint: method, path, what opens it beside the token that opens everything, meaning. `/healthz` is open to everybody.
const ENDPOINTS: &[(Method, &str, &[Right], &str)] = &[
    (Method::GET, "/", &[Right::Read], "this page"),
    (Method::GET, "/metrics", &[Right::Metrics], "metrics, for Prometheus"),
    (Method::GET, HEALTH, &[], "200 while the process lives"),
    (Method::GET, "/readyz", &[Right::Read, Right::Operate], "200 while every worker judges readings, else 503"),
    (Method::GET, "/rules", &[Right::Read, Right::Operate], "the rule set that runs, and the last reload"),
    (Method::POST, "/reload", &[Right::Operate], "read the rules again"),
    (Method::POST, "/reload/check", &[Right::Operate], "what that would do"),
    (
        Method::GET,
        "/alerts",
        &[Right::Read, Right::Acknowledge],
        "the alerts that are open, in all processes, and pauses; ?priority= topic= patient= state=",
    ),
    (Method::POST, "/alerts/acknowledge", &[Right::Acknowledge], "{\"id\":…,\"by\":…}"),
    (
        Method::POST,
        "/alerts/pause",
        &[Right::Acknowledge],
        "{\"rule\" or \"patient\":…,\"by\":…,\"why\":…,\"until\" or \"for\":…}",
    ),
];

/// The page that nobody needs a token for.
const HEALTH: &str = "/healthz";

/// What the web side shows.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) shared: Arc<Shared>,
    pub(crate) reloads: Arc<Reloads>,
    pub(crate) speaker: Speaker,
}

pub(super) type Answer = Response<Full<Bytes>>;

impl Site {
    pub(crate) async fn answer<B>(&self, request: Request<B>, from: SocketAddr) -> Answer
    where
        B: Body,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let asked = Asked::new(request.method(), request.uri(), from);
        let mut words = Bytes::new();
        let admitted = self.admit(request.headers());
        let answer = match refusal(request.uri().path(), admitted) {
            Some(refusal) => refusal,
            None => self.answered(request, &mut words).await,
        };
        asked.answered(&words, admitted, answer.status());
        answer
    }

    /// What somebody has said is put into `words`.
    async fn answered<B>(&self, request: Request<B>, words: &mut Bytes) -> Answer
    where
        B: Body,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let path = request.uri().path();
        let Some((method, ..)) = ENDPOINTS.iter().find(|(_, known, ..)| *known == path) else {
            return plain(StatusCode::NOT_FOUND, "no such page; `/` lists them\n");
        };
        if request.method() != method && !(request.method() == Method::HEAD && method == Method::GET) {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "another method is needed\n");
            let allowed = if *method == Method::GET { "GET, HEAD" } else { "POST" };
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            return answer;
        }
        if is_too_large(request.headers()) {
            return plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE);
        }
        let (head, body) = request.into_parts();
        match head.uri.path() {
            path @ ("/alerts/acknowledge" | "/alerts/pause") => match read(&head.headers, body).await {
                Ok(body) => {
                    words.clone_from(&body);
                    alerts::say(self, path, &body).await
                }
                Err(refused) => refused,
            },
            "/alerts" => alerts::open(self, head.uri.query().unwrap_or_default(), &head.headers),
            path => self.page(path).await,
        }
    }

    async fn page(&self, path: &str) -> Answer {
        match path {
            "/" => plain(StatusCode::OK, &index()),
            HEALTH => plain(StatusCode::OK, "ok\n"),
            "/metrics" => self.metrics(),
            "/readyz" => self.ready(),
            "/rules" => as_json(StatusCode::OK, &self.rules()),
            "/reload/check" => self.reload(Reloads::check).await,
            _ => self.reload(|reloads| reloads.reload("http")).await,
        }
    }

    /// By what somebody comes in.
    fn admit(&self, headers: &HeaderMap) -> Admitted {
        let tokens = &self.shared.config.http.tokens;
        if tokens.is_empty() {
            return Admitted::Anybody;
        }
        let shown = headers.get(AUTHORIZATION).and_then(|given| given.as_bytes().strip_prefix(b"Bearer "));
        shown.and_then(|shown| tokens.right_of(shown)).map_or(Admitted::Nobody, Admitted::By)
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
            "alerts": alerts::summary(self),
            "webhooks": self.shared.webhooks.conditions(),
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

/// Why somebody does not see a page.
fn refusal(path: &str, admitted: Admitted) -> Option<Answer> {
    let opens = |right: Right| {
        let page = ENDPOINTS.iter().find(|(_, known, ..)| *known == path);
        right == Right::Everything || page.is_some_and(|(_, _, rights, _)| rights.contains(&right))
    };
    match admitted {
        _ if path == HEALTH => None,
        Admitted::Anybody => None,
        Admitted::By(right) if opens(right) => None,
        Admitted::By(_) => Some(plain(StatusCode::FORBIDDEN, "this token does not open this page\n")),
        Admitted::Nobody => {
            let mut answer = plain(StatusCode::UNAUTHORIZED, "a bearer token is needed\n");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            Some(answer)
        }
    }
}

fn is_too_large(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()).and_then(|text| text.parse().ok());
    length.is_some_and(|length: u64| length > LARGEST_BODY as u64)
}

/// The body of a request that says something. It must say that it is JSON: a page of another site cannot, without asking first.
async fn read<B>(headers: &HeaderMap, body: B) -> Result<Bytes, Answer>
where
    B: Body,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let is_json = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).is_some_and(|given| {
        given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    });
    if !is_json {
        return Err(plain(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the header `Content-Type: application/json` is needed\n",
        ));
    }
    match tokio::time::timeout(BODY, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(plain(StatusCode::PAYLOAD_TOO_LARGE, TOO_LARGE)),
        Ok(Err(error)) => Err(plain(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}\n"))),
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT, "the body did not come within 10 s\n")),
    }
}

fn index() -> String {
    let lines = ENDPOINTS.iter().map(|(method, path, _, meaning)| format!("{method:<5} {path:<20} {meaning}\n"));
    format!("Triage {}\n\n{}", env!("CARGO_PKG_VERSION"), lines.collect::<String>())
}

pub(super) fn plain(status: StatusCode, text: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", Bytes::copy_from_slice(text.as_bytes()))
}

pub(super) fn as_json(status: StatusCode, value: &Value) -> Answer {
    answer(status, "application/json", Bytes::from(format!("{value:#}\n")))
}

pub(super) fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    answer
}
