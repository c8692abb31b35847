//! The web side, asked over a plain socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::collections::BTreeSet;
use std::net::TcpListener;

use bed::{Bed, stop, wait_for};
use serde_json::Value;
use triage::config::{HttpConfig, Secret, Tokens};
use triage::http::{AskError, ask_reload};
use triage::reload::ReloadOutcome;
use web::{ask, say, send};

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
        ("POST /alerts", 405, ""),
        ("GET /alerts/acknowledge", 405, ""),
        ("GET /alerts/pause", 405, ""),
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
    wait_for("readiness", || engine.is_ready());
    let address = engine.address();
    assert_eq!(ask(address, "GET /healthz", "").0, 200);
    for path in ["/", "/metrics", "/readyz", "/rules", "/alerts", "/nothing"] {
        assert_eq!(ask(address, &format!("GET {path}"), "").0, 401);
        assert_eq!(ask(address, &format!("GET {path}"), "Authorization: Bearer sesam\r\n").0, 401);
        assert_ne!(ask(address, &format!("GET {path}"), "Authorization: Bearer sesame\r\n").0, 401);
    }
    assert_eq!(say(address, "/alerts/acknowledge", "{}").0, 401);
    assert_eq!(say(address, "/alerts/pause", "{}").0, 401);
    let engine_with = |tokens: Tokens| HttpConfig { listen: address, tokens, ..HttpConfig::default() };
    assert!(matches!(ask_reload(&engine_with(Tokens::default())), Err(AskError::Token(_))));
    let outcome = ask_reload(&engine_with(Tokens::everything(Secret::new("sesame")))).unwrap();
    assert!(matches!(outcome, ReloadOutcome::Unchanged { .. }));
    stop(engine);
}

#[test]
fn the_token_of_metrics_opens_metrics_alone() {
    let bed = Bed::new(1);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("metrics-token");
    std::fs::write(&file, "poppy\n").unwrap();
    let layers = bed.layers(1).flag("http.token", "sesame").flag("http.metrics_token_file", file.display().to_string());
    let engine = bed.start_with(layers);
    let address = engine.address();
    let status = |request: &str, token: &str| ask(address, request, &format!("Authorization: Bearer {token}\r\n")).0;
    let pages = ["/", "/readyz", "/rules", "/alerts", "/metrics/", "/nothing"].map(|path| format!("GET {path}"));
    let posts = ["/reload", "/reload/check", "/alerts/acknowledge", "/alerts/pause"].map(|path| format!("POST {path}"));
    for request in pages.iter().chain(&posts) {
        let refused = [401, 403].contains(&status(request, "sesame"));
        assert_eq!((status(request, "poppy"), refused), (403, false), "{request}");
    }
    for request in ["GET /metrics", "HEAD /metrics"] {
        assert_eq!((status(request, "poppy"), status(request, "sesame"), status(request, "popp")), (200, 200, 401));
    }
    assert_eq!((status("POST /metrics", "poppy"), ask(address, "GET /metrics", "").0), (405, 401));
    stop(engine);
}

#[test]
fn the_token_of_a_right_opens_its_pages_and_no_others() {
    let bed = Bed::new(1);
    let folder = tempfile::tempdir().unwrap();
    let mut layers = bed.layers(1).flag("http.token", "sesame");
    for right in ["read", "acknowledge", "operate"] {
        let file = folder.path().join(right);
        std::fs::write(&file, format!("the {right} token\n")).unwrap();
        layers = layers.flag(&format!("http.{right}_token_file"), file.display().to_string());
    }
    let engine = bed.start_with(layers);
    let address = engine.address();
    let opens = |request: &str, right: &str| {
        let (status, ..) = ask(address, request, &format!("Authorization: Bearer the {right} token\r\n"));
        assert_ne!(status, 401, "{request}");
        status != 403
    };
    for (request, rights) in [
        ("GET /", [true, false, false]),
        ("GET /metrics", [false, false, false]),
        ("GET /readyz", [true, false, true]),
        ("GET /rules", [true, false, true]),
        ("GET /alerts", [true, true, false]),
        ("GET /nothing", [false, false, false]),
        ("POST /reload", [false, false, true]),
        ("POST /reload/check", [false, false, true]),
        ("POST /alerts/acknowledge", [false, true, false]),
        ("POST /alerts/pause", [false, true, false]),
    ] {
        assert_eq!(["read", "acknowledge", "operate"].map(|right| opens(request, right)), rights, "{request}");
    }
    let tokens = Tokens::everything(Secret::new("the read token"));
    let refused = ask_reload(&HttpConfig { listen: address, tokens, ..HttpConfig::default() });
    assert!(matches!(refused, Err(AskError::Right(_))), "{refused:?}");
    stop(engine);
}

/// A token that somebody knows who is not to have it is another within seconds, and no alarm stops for it.
#[test]
fn a_new_token_is_taken_up_without_a_restart_and_none_that_cannot_be_used() {
    let bed = Bed::new(1);
    let folder = tempfile::tempdir().unwrap();
    let named = |name: &str| folder.path().join(name);
    std::fs::write(named("token"), "sesame\n").unwrap();
    std::fs::write(named("read"), "poppy\n").unwrap();
    let layers = bed.layers(1).flag("http.token_file", named("token").display().to_string());
    let engine = bed.start_with(layers.flag("http.read_token_file", named("read").display().to_string()));
    let address = engine.address();
    let opens = |token: &str| ask(address, "GET /readyz", &format!("Authorization: Bearer {token}\r\n")).0 != 401;
    assert!(opens("sesame") && opens("poppy") && !opens("thistle"));
    let is_refused = || {
        let metrics = String::from_utf8(engine.metrics().render().unwrap()).unwrap();
        metrics.contains("triage_tokens_refused 1\n")
    };

    std::fs::write(named("token"), "thistle\n").unwrap();
    // Who looks between its two steps finds an empty file.
    wait_for("the new token", || opens("thistle") && !is_refused());
    assert!(!opens("sesame") && opens("poppy"));

    // Nothing, garbage, two lines, and one that would open more than it does.
    for wrong in [&b""[..], b"\xff\xfe", b"a\nb", b"poppy"] {
        std::fs::write(named("token"), wrong).unwrap();
        wait_for("what cannot be used to be told", is_refused);
        assert!(opens("thistle") && opens("poppy"), "{wrong:?}");
        std::fs::write(named("token"), "thistle").unwrap();
        wait_for("the end of that", || !is_refused());
    }
    std::fs::remove_file(named("token")).unwrap();
    wait_for("the file that is gone to be told", is_refused);
    assert!(opens("thistle"));
    std::fs::write(named("token"), "clover").unwrap();
    wait_for("the next token", || opens("clover"));
    assert!(!opens("thistle") && opens("poppy"));
    stop(engine);
}

/// Exit code and standard error of `triage health`.
fn health(address: std::net::SocketAddr, token: &str) -> (i32, String) {
    let mut command = assert_cmd::Command::cargo_bin("triage").unwrap();
    command.args(["health", "--listen", &address.to_string()]).env("TRIAGE_HTTP_TOKEN", token);
    let output = command.current_dir("/").output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// An engine that is slow to answer is asked again.
fn wait_for_refusal(address: std::net::SocketAddr, token: &str, why: &str) {
    wait_for(why, || {
        let (code, text) = health(address, token);
        code == 3 && text.contains(why)
    });
}

#[test]
fn health_says_by_its_exit_code_whether_readings_are_judged() {
    let bed = Bed::new(1);
    let engine = bed.start_with(bed.layers(1).flag("http.token", "sesame"));
    wait_for("readiness", || engine.is_ready());
    let address = engine.address();
    wait_for("health", || health(address, "sesame") == (0, String::new()));
    wait_for_refusal(address, "sesam", "refuses the token");
    stop(engine);
    wait_for_refusal(address, "sesame", "no engine answers");

    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let engine = Bed::at(nobody, 1).start(1);
    wait_for_refusal(engine.address(), "", "the broker does not answer");
    stop(engine);
}

#[test]
fn what_people_say_must_have_its_form() {
    let bed = Bed::new(1);
    let engine = bed.start_ready(1);
    let address = engine.address();
    for path in ["/alerts/acknowledge", "/alerts/pause"] {
        for body in ["", "{", "[]", "7", "{\"id\":\"x\",\"by\":\"eve\",\"because\":1}", "\u{1}"] {
            let (status, answer) = say(address, path, body);
            assert_eq!((status, answer.contains("the body is not")), (400, true), "{path} {body}: {answer}");
        }
        let post = format!("POST {path}");
        assert_eq!(send(address, &post, "Content-Length: 2\r\n", "{}").0, 415);
        assert_eq!(send(address, &post, "Content-Type: text/plain\r\nContent-Length: 2\r\n", "{}").0, 415);
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        assert_eq!(send(address, &post, &format!("{json}Content-Length: 2\r\n"), "{}").0, 400);
        assert_eq!(send(address, &post, &format!("{json}Content-Length: 99999\r\n"), "").0, 413);
        // Without a length nobody knows how large it is before it has come.
        let chunk = format!("18000\r\n{}\r\n0\r\n\r\n", "x".repeat(0x18000));
        assert_eq!(send(address, &post, &format!("{json}Transfer-Encoding: chunked\r\n"), &chunk).0, 413);
    }
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
    wait_for("the port, if somebody else has it", || triage::embedded::spawn(port).is_ok());
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
