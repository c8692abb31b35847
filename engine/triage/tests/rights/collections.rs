//! Everybody on every collection.

use mongodb::bson::{Document, doc};
use mongodb::options::{ClientOptions, Credential};
use mongodb::{Client, Database};
use tokio::runtime::{Builder, Runtime};

use super::mongo_server::MongoServer;
use super::script::{Script, password};
use super::services::required;

const DATABASE: &str = "Ehealth";

const COLLECTIONS: [&str; 12] = [
    "patients_record",
    "stroke",
    "stroke_alerts",
    "abnormal_vitals",
    "abnormal_vitals_alerts",
    "cardio_patients",
    "cardio_patients_alerts",
    "diabete_patients",
    "diabete_patients_alerts",
    "dyslipidemia_patients",
    "dyslipidemia_patients_alerts",
    "another",
];

/// Who may find in which collections, and who may insert and update as well.
const PEOPLE: [(&str, &[&str], &[&str]); 6] = [
    ("researcher", &["patients_record"], &[]),
    ("cardiologist", &["cardio_patients_alerts", "stroke", "stroke_alerts"], &["cardio_patients"]),
    ("emergency_doctor", &["stroke_alerts", "abnormal_vitals_alerts"], &["stroke"]),
    ("endocrinologist", &["diabete_patients_alerts"], &["diabete_patients"]),
    ("lipidologist", &["dyslipidemia_patients_alerts"], &["dyslipidemia_patients"]),
    ("nurse", &["patients_record", "abnormal_vitals_alerts"], &["abnormal_vitals"]),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Find,
    Insert,
    Update,
    Index,
    Delete,
    Drop,
}

const OPERATIONS: [Operation; 6] =
    [Operation::Find, Operation::Insert, Operation::Update, Operation::Index, Operation::Delete, Operation::Drop];

impl Operation {
    fn command(self, collection: &str) -> Document {
        match self {
            Self::Find => doc! { "find": collection, "limit": 1 },
            Self::Insert => doc! { "insert": collection, "documents": [{}] },
            Self::Update => {
                doc! { "update": collection, "updates": [{ "q": { "x": 1 }, "u": { "x": 1 }, "upsert": true }] }
            }
            Self::Index => doc! { "createIndexes": collection, "indexes": [{ "key": { "x": 1 }, "name": "x_1" }] },
            Self::Delete => doc! { "delete": collection, "deletes": [{ "q": {}, "limit": 0 }] },
            Self::Drop => doc! { "drop": collection },
        }
    }
}

/// What the table says.
fn is_allowed(user: &str, collection: &str, operation: Operation) -> bool {
    match user {
        "administrator" => true,
        "engine" => collection != "another" && !matches!(operation, Operation::Delete | Operation::Drop),
        person => {
            let (_, reads, writes) = PEOPLE.iter().find(|(name, ..)| *name == person).unwrap();
            match operation {
                Operation::Find => reads.contains(&collection) || writes.contains(&collection),
                Operation::Insert | Operation::Update => writes.contains(&collection),
                Operation::Index | Operation::Delete | Operation::Drop => false,
            }
        }
    }
}

/// A user's connection.
struct Login {
    runtime: Runtime,
    database: Database,
}

impl Login {
    fn new(server: &MongoServer, user: &str, password: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let database = runtime.block_on(async {
            let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", server.port);
            let mut options = ClientOptions::parse(uri).await.unwrap();
            let credential = Credential::builder().username(user.to_owned()).password(password.to_owned());
            options.credential = Some(credential.source(DATABASE.to_owned()).build());
            Client::with_options(options).unwrap().database(DATABASE)
        });
        Self { runtime, database }
    }

    /// The name of the error, if there is one.
    fn run(&self, command: Document) -> Result<(), String> {
        let answer = self.runtime.block_on(async { self.database.run_command(command).await });
        let answer = answer.map_err(|error| match &*error.kind {
            mongodb::error::ErrorKind::Command(error) => error.code_name.clone(),
            mongodb::error::ErrorKind::Authentication { .. } => "Authentication".to_owned(),
            other => panic!("{other:?}"),
        })?;
        match answer.get_array("writeErrors").unwrap_or(&Vec::new()).first() {
            Some(error) => Err(error.to_string()),
            None => Ok(()),
        }
    }

    fn finds(&self, collection: &str) -> Result<(), String> {
        self.run(Operation::Find.command(collection))
    }
}

fn script(server: &MongoServer) -> Script {
    Script::new("mongo/users.sh").with("MONGOSH", required("SERVICES_MONGOSH")).with("MONGODB_URI", server.root())
}

/// As the administrator of the database, who has no right on the server.
fn administrators_script(server: &MongoServer) -> Script {
    let uri = server.uri("administrator", "administrator%27s%3Dpass%2Cword").replace("/?", "/Ehealth?");
    Script::new("mongo/users.sh").with("MONGOSH", required("SERVICES_MONGOSH")).with("MONGODB_URI", uri)
}

#[test]
fn everybody_may_do_in_each_collection_what_the_table_says_and_nothing_else() {
    let server = MongoServer::start();
    let made = script(&server).with_passwords().run(&["setup"]);
    assert_eq!(made.lines().filter(|line| line.starts_with("user ")).count(), 8, "{made}");
    assert_eq!(script(&server).run(&["setup"]), "");
    assert_eq!(deviations(&server), Vec::<String>::new());
}

/// Everything that somebody may, or may not, other than the table says.
fn deviations(server: &MongoServer) -> Vec<String> {
    let users = PEOPLE.iter().map(|(user, ..)| *user).chain(["engine", "administrator"]);
    let (mut found, mut tried) = (Vec::new(), 0);
    for user in users {
        let login = Login::new(server, user, &password(user));
        for collection in COLLECTIONS {
            for operation in OPERATIONS {
                let outcome = login.run(operation.command(collection));
                let expected =
                    if is_allowed(user, collection, operation) { Ok(()) } else { Err("Unauthorized".to_owned()) };
                if outcome != expected {
                    found.push(format!("{user} {operation:?} {collection}: {outcome:?}"));
                }
                tried += 1;
            }
        }
        let rights = [doc! { "usersInfo": 1 }, doc! { "createUser": "x", "pwd": "x", "roles": [] }];
        for command in rights {
            let name = command.keys().next().cloned().unwrap_or_default();
            let outcome = login.run(command);
            if outcome.is_ok() != (user == "administrator") {
                found.push(format!("{user} {name}: {outcome:?}"));
            }
        }
    }
    assert_eq!(tried, 8 * 12 * 6);
    found
}

/// The script and its table with one fault each: what is tried of everybody names it.
#[test]
fn faults_that_are_seeded_in_the_script_and_the_table_are_noticed() {
    for (file, text, fault, expected) in [
        ("mongo/roles.js", r#"read: ["find"]"#, r#"read: ["find", "remove"]"#, "nurse Delete patients_record: Ok(())"),
        (
            "mongo/roles.js",
            r#"write: ["insert", "update"]"#,
            r#"write: ["insert"]"#,
            "engine Update stroke: Err(\"Unauthorized\")",
        ),
        (
            "mongo/roles.js",
            "roles: [role], customData",
            "roles: [], customData",
            "nurse Find abnormal_vitals: Err(\"Unauthorized\")",
        ),
        (
            "mongo/roles.js",
            "{ role: \"userAdmin\"",
            "{ role: \"read\"",
            "administrator createUser: Err(\"Unauthorized\")",
        ),
        (
            "rights.txt",
            "researcher        collection   patients_record              read",
            "researcher        collection   stroke                       read",
            "researcher Find stroke: Ok(())",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy(folder.path(), &["mongo/users.sh", "mongo/roles.js", "rights.txt"]);
        let broken = folder.path().join(file);
        let whole = std::fs::read_to_string(&broken).unwrap();
        assert_eq!(whole.matches(text).count(), 1, "`{text}` is not in {file} any more: correct the seeded fault");
        std::fs::write(&broken, whole.replace(text, fault)).unwrap();
        let server = MongoServer::start();
        let script = Script::at(folder.path().join("mongo/users.sh")).with("MONGOSH", required("SERVICES_MONGOSH"));
        script.with("MONGODB_URI", server.root()).with_passwords().run(&["setup"]);
        let found = deviations(&server);
        assert!(found.iter().any(|found| found == expected), "{file}: {fault}: {found:?}");
    }
}

/// Files of `deploy`, which keep their rights.
fn copy(to: &std::path::Path, files: &[&str]) {
    for file in files {
        let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(file);
        std::fs::create_dir_all(to.join(file).parent().unwrap()).unwrap();
        std::fs::copy(from, to.join(file)).unwrap();
    }
}

#[test]
fn a_user_is_added_blocked_given_another_password_listed_and_removed() {
    let server = MongoServer::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "first one\n").unwrap();
    script(&server).with_passwords().run(&["setup"]);
    let users = || administrators_script(&server).with("PASSWORD_ANNA_MARIA_FILE", file.display().to_string());
    users().run(&["add", "anna.maria", "nurse"]);
    let anna = Login::new(&server, "anna.maria", "first one");
    assert_eq!(anna.finds("abnormal_vitals"), Ok(()));

    users().run(&["block", "anna.maria"]);
    assert_eq!(anna.finds("abnormal_vitals"), Err("Unauthorized".to_owned()), "a connection that is open");
    assert_eq!(users().run(&["setup"]), "", "who is blocked stays so");
    let list = users().run(&["list"]);
    assert!(list.lines().any(|line| line == "anna.maria nurse blocked"), "{list}");
    assert!(list.lines().any(|line| line == "nurse nurse"), "{list}");
    users().run(&["unblock", "anna.maria"]);
    assert_eq!(anna.finds("abnormal_vitals"), Ok(()));

    users().with("PASSWORD_ANNA_MARIA", "second").with("PASSWORD_ANNA_MARIA_FILE", "").run(&["password", "anna.maria"]);
    let old = Login::new(&server, "anna.maria", "first one").finds("abnormal_vitals");
    assert!(old.is_err_and(|error| error.starts_with("Authentication")));
    assert_eq!(Login::new(&server, "anna.maria", "second").finds("abnormal_vitals"), Ok(()));
    users().run(&["remove", "anna.maria"]);
    assert!(!users().run(&["list"]).contains("anna"));
}

#[test]
fn what_is_wrong_is_said_and_nothing_is_made() {
    let server = MongoServer::start();
    let told = script(&server).with("PASSWORD_ADMINISTRATOR", "x").refusal(&["setup"]);
    assert!(told.contains("set PASSWORD_NURSE or PASSWORD_NURSE_FILE"), "{told}");
    assert_eq!(script(&server).run(&["list"]), "");
    script(&server).with_passwords().run(&["setup"]);
    let told = script(&server).refusal(&["add", "anna", "pope"]);
    assert!(told.contains("there is no role `pope`, only: administrator cardiologist"), "{told}");
    let told = script(&server).refusal(&["block", "nobody"]);
    assert!(told.contains("there is no user `nobody`"), "{told}");
    let wrong = Script::new("mongo/users.sh").with("MONGOSH", required("SERVICES_MONGOSH"));
    let told = wrong.with("MONGODB_URI", server.uri("root", "no")).refusal(&["list"]);
    assert_eq!(told, "users: AuthenticationFailed\n");
}

/// A role follows the table: a right that goes is taken, one that comes is given.
#[test]
fn a_changed_table_changes_rights() {
    let server = MongoServer::start();
    script(&server).with_passwords().run(&["setup"]);
    let folder = tempfile::tempdir().unwrap();
    let (table, changed) =
        (concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/rights.txt"), folder.path().join("rights"));
    let text = std::fs::read_to_string(table).unwrap();
    let kept = text.lines().filter(|line| !(line.starts_with("nurse") && line.contains("patients_record")));
    let text = kept.chain(["nurse collection stroke read"]).collect::<Vec<_>>().join("\n");
    std::fs::write(&changed, text).unwrap();
    let told = administrators_script(&server).with("RIGHTS", changed.display().to_string()).run(&["setup"]);
    assert_eq!(told, "role nurse: 1 rights given, 1 taken\n");
    let nurse = Login::new(&server, "nurse", &password("nurse"));
    assert_eq!(nurse.finds("stroke"), Ok(()));
    assert_eq!(nurse.finds("patients_record"), Err("Unauthorized".to_owned()));
}
