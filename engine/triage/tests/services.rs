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
