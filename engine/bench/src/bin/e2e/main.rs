//! `make bench-e2e`: the engine and the hand-written program on one Apache Kafka, in turn, on the same readings. Both must
//! write the same number of records to each topic, or it fails.

mod arguments;
mod contender;
mod latency;
mod machine;
mod report;
mod round;
#[path = "../../../../triage/tests/support/services.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared with the tests of package triage, which use all of it; without a broker there is nothing to measure"
)]
mod services;
mod stream;
mod topics;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
use contender::{Contender, Kind};
use machine::Machine;
use report::Report;
use round::Bench;

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0} is not set: start this with `make bench-e2e`, which installs Apache Kafka and says where it is")]
    Unset(&'static str),
    #[error("the broker: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("topics cannot be made: {0}")]
    Topics(String),
    #[error(transparent)]
    Contender(#[from] contender::ContenderError),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0} readings were asked for, {1} are needed at least, one for each partition and some to measure")]
    TooFew(usize, usize),
    #[error(
        "{name} wrote other records than the engine did in its first round, by topic:\n{engine:?}\n{other:?}\n\
         the rules and `engine/bench/src/bin/by-hand` must say the same"
    )]
    Differ { name: &'static str, engine: topics::Counts, other: topics::Counts },
    #[error("no alert of {0} was seen while latency was measured")]
    Unseen(&'static str),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("bench-e2e: {failure}");
            ExitCode::from(3)
        }
    }
}

fn run(arguments: &Arguments) -> Result<Report, Failure> {
    if arguments.readings < Arguments::FEWEST {
        return Err(Failure::TooFew(arguments.readings, Arguments::FEWEST));
    }
    if std::env::var_os("SERVICES_KAFKA_LIBS").is_none() {
        return Err(Failure::Unset("SERVICES_KAFKA_LIBS"));
    }
    let contenders = Contender::both(arguments)?;
    let mut report = Report::new(arguments, contenders.each_ref().map(|contender| contender.name));
    eprintln!("starting Apache Kafka");
    let kafka = services::Kafka::start();
    let bootstrap = kafka.bootstrap();
    topics::make(&bootstrap)?;
    let mut bench = Bench::new(&bootstrap, arguments)?;
    for round in 0..arguments.rounds {
        // Who goes first changes: a broker that warms up or slows down favours nobody.
        let order = if round % 2 == 0 { [Kind::Engine, Kind::Other] } else { [Kind::Other, Kind::Engine] };
        for kind in order {
            let measured = bench.round(round, &contenders[kind as usize])?;
            report.add(kind, measured);
        }
    }
    for kind in [Kind::Engine, Kind::Other] {
        let delays = bench.latency(&contenders[kind as usize], arguments)?;
        report.set_latency(kind, delays);
    }
    report.end(Machine::look());
    Ok(report)
}
