//! The suite on a server that speaks `MongoDB`'s protocol, and what only a server can do to us.

#[path = "../support/mongo_server.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod mongo_server;
#[path = "../chaos/proxy.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod proxy;
#[path = "../support/services.rs"]
#[allow(dead_code, reason = "each suite uses a part of it")]
mod services;

use std::cell::RefCell;
use std::time::Instant;

use mongo_server::MongoServer;
use mongodb::bson::{self, Bson, doc};
use proxy::Proxy;
use triage::config::Secret;
use triage::sink::Waiting;
use triage::sink::mongo::MongoSink;
use triage::tls::{Credentials, Use};

use super::*;

const DATABASE: &str = "Ehealth";

fn sink(uri: &str) -> Result<MongoSink, Unavailable> {
    MongoSink::open(&Secret::new(uri), DATABASE, &Credentials::new(Use::MongoDb))
}

impl Store for MongoServer {
    type Sink = MongoSink;
    fn open(&self) -> MongoSink {
        self.sink(DATABASE)
    }
    fn read(&self, collection: &str, id: &str) -> Option<String> {
        let found = self.command(DATABASE, doc! { "find": collection, "filter": { "_id": id } }).unwrap();
        let document = found.get_document("cursor").unwrap().get_array("firstBatch").unwrap().first()?.clone();
        Some(serde_json::to_string(&document).unwrap())
    }
}

#[test]
fn replays() {
    replays_change_nothing(&MongoServer::start());
}

#[test]
fn a_patient() {
    a_patient_is_found_and_removed_everywhere(&MongoServer::start());
}

#[test]
fn old_documents() {
    what_is_old_goes_and_what_is_younger_stays(&MongoServer::start());
}

#[test]
fn equal_ids() {
    of_equal_ids_the_later_stays(&MongoServer::start());
}

#[test]
fn ten_thousand() {
    ten_thousand_at_once(&MongoServer::start());
}

#[test]
fn empty() {
    an_empty_batch_is_nothing(&MongoServer::start());
}

#[test]
fn odd_names() {
    odd_names_are_names(&MongoServer::start());
}

#[test]
fn refused() {
    a_refused_document_does_not_hold_up_the_others(&MongoServer::start());
}

/// The writer is killed each time, the server every second time, with the writer still at it.
#[test]
fn killed() {
    let server = RefCell::new(MongoServer::start());
    let uri = server.borrow().root();
    let kill_server = |round: u64| {
        if round % 2 == 1 {
            let mut server = server.borrow_mut();
            server.kill();
            server.restart();
            std::thread::sleep(Duration::from_millis(100 * (round % 4)));
        }
    };
    killed_in_the_middle_of_a_batch(&Shared(&server), "mongo::writer_to_be_killed", &uri, kill_server);
}

/// The server between two of its deaths.
struct Shared<'s>(&'s RefCell<MongoServer>);

impl Store for Shared<'_> {
    type Sink = MongoSink;
    fn open(&self) -> MongoSink {
        self.0.borrow().open()
    }
    fn read(&self, collection: &str, id: &str) -> Option<String> {
        self.0.borrow().read(collection, id)
    }
}

/// Not a test: the process that `killed` starts and kills.
#[test]
fn writer_to_be_killed() {
    let Some(place) = place_to_write() else { return };
    write_without_end(|| sink(&place));
}

fn refused_of(written: &Written) -> Vec<usize> {
    written.refusals.iter().map(|refusal| refusal.position).collect()
}

#[test]
fn a_document_that_is_too_large_is_refused_before_it_is_sent() {
    let server = MongoServer::start();
    let large = document("stroke", "large", &"x".repeat(17 << 20));
    let batch = [document("stroke", "a", "x"), large, document("stroke", "b", "x")];
    let written = server.open().write(&batch).unwrap();
    assert_eq!(refused_of(&written), [1]);
    assert!(written.refusals[0].reason.contains("MongoDB takes 16777216"), "{}", written.refusals[0].reason);
    assert_eq!(counts(&mut server.open()), expected(&[("stroke", 2)]));
}

#[test]
fn a_document_that_the_server_refuses_does_not_hold_up_the_others_and_no_value_is_told() {
    let server = MongoServer::start();
    let unique =
        doc! { "createIndexes": "stroke", "indexes": [{ "key": { "body": 1 }, "name": "one", "unique": true }] };
    server.command(DATABASE, unique).unwrap();
    let batch = [document("stroke", "a", "secret"), document("stroke", "b", "secret"), document("stroke", "c", "x")];
    let mut sink = server.open();
    let written = sink.write(&batch).unwrap();
    assert_eq!(refused_of(&written), [1]);
    let reason = &written.refusals[0].reason;
    assert!(reason.contains("DuplicateKey") && !reason.contains("secret"), "{reason}");
    assert_eq!(sink.write(&batch).unwrap(), written);
    assert_eq!(counts(&mut sink), expected(&[("stroke", 2)]));
}

/// Nested so deep that the server cannot even read the command: the sink finds the document, and the others are written.
#[test]
fn a_document_that_breaks_the_whole_command_is_found() {
    let server = MongoServer::start();
    let mut batch = documents("stroke", 0..20);
    let depth = 126;
    batch[13].json = format!("{{\"_id\":\"{}\",\"deep\":{}1{}}}", batch[13].id, "[".repeat(depth), "]".repeat(depth));
    let mut sink = server.open();
    let written = sink.write(&batch).unwrap();
    assert_eq!(written.waiting, []);
    let there = 20 - refused_of(&written).len() as u64;
    assert!(written.refusals.iter().all(|refusal| refusal.position == 13), "{written:?}");
    assert_eq!(counts(&mut sink), expected(&[("stroke", there)]));
}

#[test]
fn every_collection_has_the_index_of_its_readers() {
    let server = MongoServer::start();
    let mut sink = server.open();
    sink.write(&documents("stroke", 0..10)).unwrap();
    let begun = Instant::now();
    loop {
        let indexes = server.command(DATABASE, doc! { "listIndexes": "stroke" }).unwrap();
        let indexes = indexes.get_document("cursor").unwrap().get_array("firstBatch").unwrap();
        let keys: Vec<_> =
            indexes.iter().map(|index| index.as_document().unwrap().get_document("key").unwrap()).collect();
        let names = keys.iter().map(|key| key.keys().map(String::as_str).collect::<Vec<_>>());
        if names.into_iter().any(|names| names == ["patient", "ts"]) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{keys:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_user_who_is_not_let_in_is_unavailable_until_he_is() {
    let server = MongoServer::start();
    let uri = server.uri("sink", "hush-hush");
    let Err(error) = sink(&uri) else { panic!("a user who does not exist was let in") };
    let told = error.to_string();
    assert!(told.starts_with(&format!("MongoDB at 127.0.0.1:{}: ", server.port)), "{told}");
    assert!(!told.contains("hush"), "{told}");
    let roles = vec![doc! { "role": "readWrite", "db": DATABASE }];
    server.command("admin", doc! { "createUser": "sink", "pwd": "hush-hush", "roles": roles }).unwrap();
    assert_eq!(sink(&uri).unwrap().write(&documents("stroke", 0..5)).unwrap(), Written::default());
}

fn privilege(collection: &str) -> Bson {
    Bson::from(doc! {
        "resource": { "db": DATABASE, "collection": collection },
        "actions": ["find", "insert", "update", "createIndex"],
    })
}

#[test]
fn a_collection_without_rights_waits_and_the_others_go_on() {
    let server = MongoServer::start();
    let role =
        doc! { "createRole": "sinkrole", "roles": [], "privileges": [privilege("stroke"), privilege("diabete")] };
    server.command(DATABASE, role).unwrap();
    let roles = vec![doc! { "role": "sinkrole", "db": DATABASE }];
    server.command(DATABASE, doc! { "createUser": "sink", "pwd": "sinkpw", "roles": roles }).unwrap();
    let uri = server.uri("sink", "sinkpw").replace("/?", &format!("/{DATABASE}?"));
    let mut sink = sink(&uri).unwrap();
    let batch: Vec<_> =
        ["stroke", "vitals", "diabete"].iter().flat_map(|collection| documents(collection, 0..10)).collect();
    for _ in 0..2 {
        let Written { refusals, waiting } = sink.write(&batch).unwrap();
        assert_eq!(refusals, []);
        let [Waiting { collection, reason }] = &waiting[..] else { panic!("{waiting:?}") };
        assert_eq!(&**collection, "vitals");
        assert!(reason.contains("`find`, `insert` and `update`"), "{reason}");
        assert_eq!(counts(&mut server.open()), expected(&[("diabete", 10), ("stroke", 10)]));
    }
    let grant = doc! { "grantPrivilegesToRole": "sinkrole", "privileges": [privilege("vitals")] };
    server.command(DATABASE, grant).unwrap();
    assert_eq!(sink.write(&batch).unwrap(), Written::default());
    assert_eq!(counts(&mut server.open()), expected(&[("diabete", 10), ("stroke", 10), ("vitals", 10)]));
}

/// Connections end in the middle of commands; what was not acknowledged is written again.
#[test]
fn connections_that_are_cut_cost_and_double_nothing() {
    let server = MongoServer::start();
    let proxy = Proxy::listen();
    proxy.forward_to(server.port);
    let through = server.root().replace(&server.port.to_string(), &proxy.port().to_string());
    let mut sink = sink(&through).unwrap();
    let writing = std::thread::spawn(move || {
        let mut failures = 0;
        for first in (0..40_000).step_by(1000) {
            while sink.write(&documents("stroke", first..first + 1000)).is_err() {
                failures += 1;
            }
        }
        failures
    });
    // Longer each time: sooner or later a batch fits between two cuts.
    let mut pause = Duration::from_millis(150);
    while !writing.is_finished() {
        std::thread::sleep(pause);
        proxy.cut();
        pause += pause / 4;
    }
    assert!(writing.join().unwrap() > 0, "no write was cut");
    assert_eq!(counts(&mut server.open()), expected(&[("stroke", 40_000)]));
}

#[test]
fn a_server_that_hangs_is_unavailable_and_written_to_again_when_it_goes_on() {
    let server = MongoServer::start();
    let mut sink = server.open();
    sink.write(&documents("stroke", 0..10)).unwrap();
    server.signal("-STOP");
    let begun = Instant::now();
    let error = sink.write(&documents("stroke", 0..20)).unwrap_err().to_string();
    assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", begun.elapsed());
    assert!(error.contains("no answer within 20 s") || error.contains("imeout"), "{error}");
    server.signal("-CONT");
    assert_eq!(sink.write(&documents("stroke", 0..20)).unwrap(), Written::default());
    assert_eq!(counts(&mut sink), expected(&[("stroke", 20)]));
}

#[test]
fn a_server_that_is_not_there_is_unavailable() {
    let uri = format!("mongodb://root:hush@127.0.0.1:{}/?directConnection=true", services::free_port());
    let told = sink(&uri).err().unwrap().to_string();
    assert!(told.starts_with("MongoDB at 127.0.0.1:") && !told.contains("hush"), "{told}");
}

#[test]
fn a_write_concern_that_loses_documents_is_refused() {
    let told = sink("mongodb://127.0.0.1:1/?w=0").err().unwrap().to_string();
    assert!(told.contains("`w=0`"), "{told}");
}

/// The next `times` commands `update` fail as `data` says.
fn fail_updates(server: &MongoServer, times: i32, mut data: bson::Document) {
    data.insert("failCommands", vec!["update"]);
    let point = doc! { "configureFailPoint": "failCommand", "mode": { "times": times }, "data": data };
    server.command("admin", point).unwrap();
}

/// A step-down, a shutdown, a lock, a time limit, a full disk, a write that no majority has: all pass. The driver leaves
/// them to us, because it does not retry a plain command.
#[test]
fn what_passes_is_tried_again_and_refuses_no_document() {
    let server = MongoServer::start();
    let mut sink = server.open();
    let mut stored = 0;
    let mut passes = |data: bson::Document| {
        let batch = documents("stroke", stored..stored + 10);
        fail_updates(&server, 1, data.clone());
        assert!(sink.write(&batch).is_err(), "{data}");
        assert_eq!(sink.write(&batch).unwrap(), Written::default(), "{data}");
        stored += 10;
        assert_eq!(counts(&mut server.open()), expected(&[("stroke", stored as u64)]), "{data}");
    };
    for code in [10107, 11602, 13435, 189, 91, 11600, 24, 50, 262, 14031] {
        passes(doc! { "errorCode": code });
    }
    passes(doc! { "closeConnection": true });
    passes(doc! { "writeConcernError": { "code": 64, "codeName": "WriteConcernFailed", "errmsg": "waiting" } });
}

/// An error that nobody has heard of: once, the documents are written one way or another; for good, the collection waits
/// and no document is called bad.
#[test]
fn an_unknown_error_refuses_no_document() {
    let server = MongoServer::start();
    let mut sink = server.open();
    fail_updates(&server, 1, doc! { "errorCode": 8_675_309 });
    assert_eq!(sink.write(&documents("stroke", 0..10)).unwrap(), Written::default());
    fail_updates(&server, 1_000, doc! { "errorCode": 8_675_309 });
    let written = sink.write(&documents("stroke", 0..20)).unwrap();
    assert_eq!((written.refusals.len(), written.waiting.len()), (0, 1), "{written:?}");
    server.command("admin", doc! { "configureFailPoint": "failCommand", "mode": "off" }).unwrap();
    assert_eq!(sink.write(&documents("stroke", 0..20)).unwrap(), Written::default());
    assert_eq!(counts(&mut server.open()), expected(&[("stroke", 20)]));
}
