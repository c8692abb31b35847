//! `make services-up`: Apache Kafka and a MongoDB-wire server with a user for the engine, as the tests start them, for as
//! long as this process runs. Writes where they are to the file that it is given, for a shell to read; ends them by their
//! process ids on SIGTERM or SIGINT.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    dead_code,
    reason = "shared with the tests, which use all of it; without servers there is nothing to do"
)]

#[path = "../tests/support/mongo_server.rs"]
mod mongo_server;
#[path = "../tests/support/services.rs"]
mod services;

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use mongodb::bson::{Document, doc};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use mongo_server::MongoServer;
use services::Kafka;

const DATABASE: &str = "Ehealth";

fn main() {
    let place = std::env::args_os().nth(1).expect("the file to write to");
    let mut signals = Signals::new([SIGTERM, SIGINT]).unwrap();
    let (kafka, server) = (Kafka::start(), MongoServer::start());
    let uri = engine_user(&server);
    write(Path::new(&place), &kafka, &server, &uri);
    println!("Apache Kafka at {}, a MongoDB-wire server at 127.0.0.1:{}", kafka.bootstrap(), server.port);
    signals.forever().next();
    let _ = std::fs::remove_file(place);
}

/// A user who may do what the store needs, and the connection string.
fn engine_user(server: &MongoServer) -> String {
    let actions = ["find", "insert", "update", "createIndex"].map(str::to_owned).to_vec();
    let everything: Document = doc! { "resource": { "db": DATABASE, "collection": "" }, "actions": actions };
    let role = doc! { "createRole": "engine", "roles": [], "privileges": [everything] };
    server.command(DATABASE, role).unwrap();
    let roles = vec![doc! { "role": "engine", "db": DATABASE }];
    server.command(DATABASE, doc! { "createUser": "engine", "pwd": "enginepw", "roles": roles }).unwrap();
    server.uri("engine", "enginepw").replace("/?", &format!("/{DATABASE}?"))
}

/// Passwords are in it: for this user's eyes only. Whole when it is there, so that others may wait for it.
fn write(place: &Path, kafka: &Kafka, server: &MongoServer, uri: &str) {
    let unfinished = place.with_extension("new");
    let mut file =
        std::fs::File::options().write(true).create(true).truncate(true).mode(0o600).open(&unfinished).unwrap();
    writeln!(file, "export TRIAGE_KAFKA_BOOTSTRAP_SERVERS='{}'", kafka.bootstrap()).unwrap();
    writeln!(file, "export TRIAGE_STORE_MONGODB_URI='{uri}'").unwrap();
    writeln!(file, "export MONGODB_URI='{}'", server.root()).unwrap();
    writeln!(file, "SERVICES_PID={}", std::process::id()).unwrap();
    drop(file);
    std::fs::rename(unfinished, place).unwrap();
}
