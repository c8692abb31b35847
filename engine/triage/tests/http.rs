//! The web side, asked over a plain socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use bed::{Bed, stop, wait_for};
use serde_json::Value;
use triage::config::Secret;
use triage::http::{AskError, ask_reload};
use triage::reload::ReloadOutcome;

/// Status, head and body of an answer.
fn ask(address: SocketAddr, request: &str, headers: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_lowercase(), body.to_owned())
}

#[test]
fn every_endpoint_answers() {
    let bed = Bed::new(1);
    let engine = bed.start_ready(1);
    let address = engine.address();
    for (request, status, expected) in [
        ("GET /", 200, "/metrics"),
        ("HEAD /healthz", 200, ""),
        ("GET /healthz", 200, "ok"),
        ("GET /readyz", 200, "\"ready\": true"),
        ("GET /rules", 200, "\"high.big\""),
        ("GET /metrics", 200, "triage_ruleset_info"),
        ("GET /nothing", 404, "no such page"),
        ("GET /reload", 405, ""),
        ("POST /rules", 405, ""),
        ("POST /reload", 200, "\"outcome\": \"unchanged\""),
        ("POST /reload/check", 200, "\"outcome\": \"unchanged\""),
    ] {
        let (found, _, body) = ask(address, request, "");
        assert_eq!((found, body.contains(expected)), (status, true), "{request}: {body}");
    }
    let (status, head, _) = ask(address, "DELETE /reload", "");
    assert_eq!((status, head.contains("allow: post")), (405, true));
    assert_eq!(ask(address, "POST /reload", "Content-Length: 9999999\r\n").0, 413);
    stop(engine);
}

#[test]
fn a_token_is_asked_for_everywhere_but_at_healthz() {
    let bed = Bed::new(1);
    let engine = bed.start_with(bed.layers(1).flag("http.token", "sesame"));
    let address = engine.address();
    assert_eq!(ask(address, "GET /healthz", "").0, 200);
    for path in ["/", "/metrics", "/readyz", "/rules", "/nothing"] {
        assert_eq!(ask(address, &format!("GET {path}"), "").0, 401);
        assert_eq!(ask(address, &format!("GET {path}"), "Authorization: Bearer sesam\r\n").0, 401);
        assert_ne!(ask(address, &format!("GET {path}"), "Authorization: Bearer sesame\r\n").0, 401);
    }
    assert!(matches!(ask_reload(address, None), Err(AskError::Token(_))));
    let outcome = ask_reload(address, Some(&Secret::new("sesame"))).unwrap();
    assert!(matches!(outcome, ReloadOutcome::Unchanged { .. }));
    stop(engine);
}

#[test]
fn a_refused_reload_gives_every_diagnostic_and_shows_in_readyz() {
    let bed = Bed::new(1);
    let engine = bed.start_ready(1);
    let before = engine.version();
    bed.write("b.rules", "every.one when w > 100\nhigh.big when v >\n");
    let (status, _, body) = ask(engine.address(), "POST /reload", "");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &body["outcome"], &body["refusal"]["because"]), (409, &"refused".into(), &"rules".into()));
    assert_eq!(body["version"], before);
    assert!(!body["refusal"]["findings"].as_array().unwrap().is_empty());
    assert_eq!(engine.version(), before);
    let (status, _, ready) = ask(engine.address(), "GET /readyz", "");
    let ready: Value = serde_json::from_str(&ready).unwrap();
    assert_eq!((status, &ready["last_reload"]["outcome"]), (200, &"refused".into()));
    let (_, _, metrics) = ask(engine.address(), "GET /metrics", "");
    assert!(metrics.contains("triage_reloads_total{outcome=\"refused\"} 1"));
    assert!(metrics.contains("triage_last_reload_refused 1"));
    stop(engine);
}

#[test]
fn a_broker_that_is_away_at_start_is_waited_for() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let bed = Bed::at(port, 1);
    let engine = bed.start(1);
    wait_for("the trouble to be told", || {
        let (status, _, body) = ask(engine.address(), "GET /readyz", "");
        status == 503 && body.contains("the broker does not answer")
    });
    assert_eq!(ask(engine.address(), "GET /healthz", "").0, 200);
    noida::kafka::spawn(&port.to_string()).unwrap();
    wait_for("readiness", || ask(engine.address(), "GET /readyz", "").0 == 200);
    bed.producer().send(0..10);
    assert_eq!(bed.read("every", 10).len(), 10);
    stop(engine);
}

#[test]
fn the_documentation_lists_every_metric() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/metrics.md")).unwrap();
    let documented: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `triage_"))
        .filter_map(|line| line.split('`').next())
        .collect();
    let metrics = triage::metrics::Metrics::new().unwrap();
    let declared: BTreeSet<&str> = metrics.names().iter().filter_map(|name| name.strip_prefix("triage_")).collect();
    assert_eq!(documented, declared);
}
