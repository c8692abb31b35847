//! The engine on Apache Kafka.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "support/bed.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod bed;
#[path = "support/services.rs"]
#[allow(dead_code, reason = "each test uses a part")]
mod services;

use std::collections::BTreeSet;

use bed::{Bed, Seen, stop, wait_for};
use services::Kafka;

/// A script of `deploy/readers`, with what it prints.
fn reader(script: &str, arguments: &[&str]) -> std::process::Child {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/readers").join(script);
    let mut command = std::process::Command::new(services::required("SERVICES_PYTHON"));
    command.arg(path).args(arguments).stdout(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_nurse_sees_each_alert_once_and_goes_on_where_she_left() {
    let kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let engine = bed.start_ready(1);
    let bootstrap = kafka.bootstrap();
    let arguments = ["--bootstrap-servers", &bootstrap, "--topic", "alerts.high", "--count", "3"];
    bed.producer().send(98..104);
    let mut seen = Vec::new();
    for _ in 0..2 {
        let output = reader("nurse.py", &arguments).wait_with_output().unwrap();
        assert!(output.status.success());
        seen.extend(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect::<Vec<_>>());
        bed.producer().send(104..107);
    }
    seen.sort_by_key(|line| line[line.len() - 3..].to_owned());
    let words: Vec<Vec<&str>> = seen.iter().map(|line| line.split_whitespace().skip(2).collect()).collect();
    let expected: Vec<String> = (101..107).map(|v| format!("high p{} v is {v}", v % 2)).collect();
    assert_eq!(words.iter().map(|words| words.join(" ")).collect::<Vec<_>>(), expected);
    stop(engine);
}

#[test]
fn a_broker_that_is_killed_and_comes_back_costs_no_reading_and_doubles_none() {
    let mut kafka = Kafka::start();
    let bed = Bed::at(kafka.bootstrap().parse().unwrap(), 2);
    let engine = bed.start_ready(2);
    let readings = bed.producer();
    readings.send(0..2_000);
    kafka.kill();
    kafka.restart();
    readings.send(2_000..4_000);
    let seen = bed.read("every", 4_000);
    let origins: BTreeSet<(i64, i64)> = seen.iter().map(Seen::origin).collect();
    assert_eq!((seen.len(), origins.len()), (4_000, 4_000));
    wait_for("the engine to be ready again", || engine.is_ready());
    stop(engine);
}
