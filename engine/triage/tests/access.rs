//! The access log of a process: one line for each request that shows or changes what is a patient's, and for each that was not
//! let in; none of a patient's values in it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/web.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod web;

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bed::{Bed, path};
use serde_json::Value;

/// The engine as a process, whose log is its own; killed when it goes.
struct Process(std::process::Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is what is wanted.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn until_it_listens(address: SocketAddr) {
    let until = Instant::now() + Duration::from_mins(1);
    while std::net::TcpStream::connect(address).is_err() {
        assert!(Instant::now() < until, "the engine does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_asks_for_patients_is_written_down() {
    let bed = Bed::new(1);
    let folder = tempfile::tempdir().unwrap();
    let (file, address) = (folder.path().join("access.log"), free_port());
    let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
    command.args(["run", "--rules", &path(bed.rules.path()), "--listen", &address.to_string(), "--log-level", "error"]);
    command.args(["--bootstrap-servers", &bed.broker.to_string()]);
    let read = folder.path().join("read-token");
    std::fs::write(&read, "poppy").unwrap();
    command
        .env("TRIAGE_HTTP_READ_TOKEN_FILE", &read)
        .env("TRIAGE_LOG_ACCESS_FILE", &file)
        .env("TRIAGE_HTTP_TOKEN", "sesame")
        .current_dir(folder.path());
    let _engine = Process(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    until_it_listens(address);
    let token = "Authorization: Bearer sesame\r\n";
    web::ask(address, "GET /alerts?patient=secret-1&priority=high", token);
    web::ask(address, "GET /metrics", token);
    web::ask(address, "GET /alerts", "Authorization: Bearer poppy\r\n");
    web::ask(address, "POST /reload", "Authorization: Bearer poppy\r\n");
    web::ask(address, "GET /secret-1", "");
    let body = r#"{"patient":"secret-1","for":"5m","by":"eve","why":"secret-2"}"#;
    let headers = format!("{token}Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    web::send(address, "POST /alerts/pause", &headers, body);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = |name: &str| lines.iter().map(|line| line[name].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        told("what"),
        ["GET /alerts", "GET /alerts", "POST /reload", "GET a page", "POST /alerts/pause"],
        "{text}"
    );
    assert_eq!(told("who"), ["token", "token", "token", "unknown", "eve"]);
    assert_eq!(told("token"), ["everything", "read", "read", "none", "everything"]);
    assert_eq!(told("outcome")[2..4], ["403", "401"]);
    let patient = told("of")[4].clone();
    assert!(patient.starts_with("patient ") && told("of")[0] == format!("{patient}, priority"), "{text}");
    assert!(told("from").iter().all(|from| from.starts_with("127.0.0.1:")), "{text}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}
