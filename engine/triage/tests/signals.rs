//! `triage run` and its signals: a reload on SIGHUP, a clean end on SIGTERM, an end at once on the second.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, Stdio};

use bed::{Bed, path};

fn run(bed: &Bed) -> (Child, std::io::Lines<BufReader<ChildStderr>>) {
    run_with(bed, &[])
}

fn run_with(bed: &Bed, more: &[&str]) -> (Child, std::io::Lines<BufReader<ChildStderr>>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_triage"))
        .args(["run", "--listen", "127.0.0.1:0", "--set", "engine.workers=1"])
        .args(["--rules", &path(bed.rules.path()), "--bootstrap-servers", &bed.broker.to_string()])
        .args(more)
        .current_dir(bed.rules.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    (child, lines)
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn read_until(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) -> String {
    lines.map(Result::unwrap).find(|line| line.contains(text)).unwrap_or_else(|| panic!("`{text}` was never logged"))
}

#[test]
fn sighup_reloads_and_sigterm_ends_with_zero() {
    let bed = Bed::new(1);
    let (mut child, mut lines) = run(&bed);
    read_until(&mut lines, "partitions assigned");
    bed.write("b.rules", "every.one when v is known\nhigh.big when v > 7 alert high \"v\" each reading\n");
    send("-HUP", &child);
    assert!(read_until(&mut lines, "rules reloaded").contains("high.big"));
    bed.producer().send(0..50);
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_at_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    // Somebody listens and never answers: a stop has to wait for the request that is under way.
    let bed = Bed::at(nobody.local_addr().unwrap(), 1);
    let (mut child, mut lines) = run_with(&bed, &["--log-level", "triage=debug"]);
    read_until(&mut lines, "looking for published rules");
    send("-TERM", &child);
    read_until(&mut lines, "asked to stop");
    send("-TERM", &child);
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn a_stop_that_hangs_ends_after_its_grace_and_says_so() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let bed = Bed::at(nobody.local_addr().unwrap(), 1);
    let (mut child, mut lines) = run_with(&bed, &["--log-level", "triage=debug", "--set", "engine.stop_grace=1s"]);
    read_until(&mut lines, "looking for published rules");
    send("-TERM", &child);
    read_until(&mut lines, "the engine has not stopped");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}
