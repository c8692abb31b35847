//! `make bench-store`: what the store costs on Apache Kafka and a server that speaks `MongoDB`'s protocol, and how long after
//! a SIGKILL it writes again. The engine has judged everything before, so that its process does nothing but store.

mod engine;
#[path = "../e2e/machine.rs"]
mod machine;
#[path = "../../../../triage/tests/support/mongo_server.rs"]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "shared with the tests of package triage, which use all of it; without a server there is nothing to measure"
)]
mod mongo_server;
#[path = "../../../../triage/tests/support/services.rs"]
#[allow(dead_code, clippy::unwrap_used, clippy::panic, reason = "as above")]
mod services;
#[path = "../e2e/stream.rs"]
#[allow(dead_code, reason = "shared with the benchmark end to end")]
mod stream;
#[path = "../e2e/topics.rs"]
#[allow(dead_code, reason = "shared with the benchmark end to end")]
mod topics;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use mongodb::bson::doc;
use triage_bench::used::Used;

use engine::{Engine, Place};
use machine::Machine;
use mongo_server::MongoServer;

/// The store's progress is looked at so often.
const LOOK: Duration = Duration::from_millis(20);

/// What the killed process may have sent, and the server writes yet: a batch.
const SENT: u64 = 1000;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_mins(5);

/// Stores readings from Apache Kafka on a server that speaks `MongoDB`'s protocol, and prints documents per second, CPU
/// seconds of the process, its peak memory, and the time from a SIGKILL to the first new document.
#[derive(Debug, Parser)]
#[command(name = "bench-store", after_help = "Example: make bench-store ARGS=\"--documents 50000 --rounds 1\"")]
struct Arguments {
    /// How many readings are stored
    #[arg(long, default_value_t = 200_000)]
    documents: u64,
    /// How often
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0} is not set: start this with `make bench-store`, which installs what it needs")]
    Unset(&'static str),
    #[error("the broker: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    #[error("topics cannot be made: {0}")]
    Topics(String),
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the server: {0}")]
    Server(#[from] mongodb::error::Error),
    #[error("`triage run` ended by itself; its last words:\n{0}")]
    Ended(String),
    #[error("{0} documents are stored instead of {1}")]
    Count(u64, u64),
    #[error("nothing more is stored after {0} documents")]
    Stuck(u64),
    #[error("/proc does not tell what a process has used: this needs Linux")]
    Unknown,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("bench-store: {failure}");
            ExitCode::from(3)
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    for variable in ["SERVICES_KAFKA_LIBS", "SERVICES_MONGODB_SERVER"] {
        if std::env::var_os(variable).is_none() {
            return Err(Failure::Unset(variable));
        }
    }
    let before = Machine::look();
    eprintln!("starting Apache Kafka and the MongoDB-wire server");
    let (kafka, server) = (services::Kafka::start(), MongoServer::start_with(&[]));
    topics::make(&kafka.bootstrap())?;
    stream::Readings::new().fill(&kafka.bootstrap(), arguments.documents as usize)?;
    let place = Place { bootstrap: kafka.bootstrap(), uri: server.root() };
    place.judge_all(arguments.documents)?;
    println!("{} documents a round; {before}.\nLoad average before: {}.\n", arguments.documents, before.load());
    println!("| round | documents/s | CPU s | documents per CPU s | peak MiB |\n|---|--:|--:|--:|--:|");
    for round in 1..=arguments.rounds {
        let (seconds, used) = store_all(&place, &server, &format!("round{round}"), arguments.documents)?;
        let documents = arguments.documents as f64;
        let (per_second, per_cpu) = (documents / seconds, documents / used.cpu_seconds);
        println!("| {round} | {per_second:.0} | {:.2} | {per_cpu:.0} | {:.0} |", used.cpu_seconds, used.peak_mib);
    }
    let seconds = killed(&place, &server, arguments.documents)?;
    println!(
        "\nFrom SIGKILL and start to the first new document: {seconds:.1} s; exactly {} in the end.",
        arguments.documents
    );
    println!("Load average after: {}.", Machine::look().load());
    Ok(())
}

/// Seconds from the first document to the last, and what the process has used from its start.
fn store_all(place: &Place, server: &MongoServer, name: &str, documents: u64) -> Result<(f64, Used), Failure> {
    let mut engine = place.start(Some(name))?;
    let first = wait_for(&mut engine, server, name, 1)?;
    let last = wait_for(&mut engine, server, name, documents)?;
    let used = engine.used()?;
    drop(engine);
    match count(server, name)? {
        found if found == documents => Ok(((last - first).as_secs_f64(), used)),
        found => Err(Failure::Count(found, documents)),
    }
}

/// Kills the process in the middle, starts another at once, and waits for its first new document and for the rest.
fn killed(place: &Place, server: &MongoServer, documents: u64) -> Result<f64, Failure> {
    let mut engine = place.start(Some("killed"))?;
    wait_for(&mut engine, server, "killed", documents / 4)?;
    drop(engine);
    let begun = Instant::now();
    let there = count(server, "killed")?;
    let mut engine = place.start(Some("killed"))?;
    let first = wait_for(&mut engine, server, "killed", there + SENT + 1)?;
    wait_for(&mut engine, server, "killed", documents)?;
    drop(engine);
    match count(server, "killed")? {
        found if found == documents => Ok((first - begun).as_secs_f64()),
        found => Err(Failure::Count(found, documents)),
    }
}

fn wait_for(engine: &mut Engine, server: &MongoServer, name: &str, documents: u64) -> Result<Instant, Failure> {
    let until = Instant::now() + PATIENCE;
    loop {
        engine.assert_runs()?;
        let found = count(server, name)?;
        if found >= documents {
            return Ok(Instant::now());
        }
        if Instant::now() > until {
            return Err(Failure::Stuck(found));
        }
        std::thread::sleep(LOOK);
    }
}

fn count(server: &MongoServer, database: &str) -> Result<u64, Failure> {
    let answer = server.command(database, doc! { "count": "patients_record" })?;
    let number = answer.get("n").and_then(|number| number.as_i64().or_else(|| number.as_i32().map(i64::from)));
    Ok(number.unwrap_or(0).unsigned_abs())
}
