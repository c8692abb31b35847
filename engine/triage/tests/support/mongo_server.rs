//! A server that speaks `MongoDB`'s protocol, with users and roles, in a folder of its own. It is not `MongoDB`'s own server,
//! which cannot be had from a package registry; `docs/store.md` says so too.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::Error;
use mongodb::options::ClientOptions;
use tempfile::TempDir;
use triage::config::Secret;
use triage::sink::mongo::MongoSink;
use triage::tls::{Credentials, Use};

use super::services::{Process, free_port, required};

const PATIENCE: Duration = Duration::from_mins(2);

/// How long a server is looked for that has answered before.
const SELECTION: Duration = Duration::from_mins(1);

pub(crate) struct MongoServer {
    pub(crate) port: u16,
    folder: TempDir,
    process: Option<Process>,
    runtime: tokio::runtime::Runtime,
    options: &'static [&'static str],
}

impl MongoServer {
    /// On disk what it has acknowledged with `j: true`: without the option it loses some of that when it is killed. It can
    /// be made to fail, by the command `configureFailPoint`.
    pub(crate) fn start() -> Self {
        Self::start_with(&["--sync-on-commit", "--enable-test-commands"])
    }

    /// Starts, makes the user `root`, and starts again with authentication.
    pub(crate) fn start_with(options: &'static [&'static str]) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut server =
            Self { port: free_port(), folder: tempfile::tempdir().unwrap(), process: None, runtime, options };
        server.spawn(&[]);
        let root = doc! { "createUser": "root", "pwd": "rootpw", "roles": ["root"] };
        server.wait_until_it_answers("");
        server.ask("", "admin", root, SELECTION).unwrap();
        server.process.as_mut().unwrap().terminate();
        server.restart();
        server
    }

    /// The connection string of a user.
    pub(crate) fn uri(&self, user: &str, password: &str) -> String {
        format!("mongodb://{user}:{password}@127.0.0.1:{}/?directConnection=true", self.port)
    }

    pub(crate) fn root(&self) -> String {
        self.uri("root", "rootpw")
    }

    /// Runs a command as `root`.
    pub(crate) fn command(&self, database: &str, command: Document) -> Result<Document, Error> {
        self.ask("root:rootpw@", database, command, SELECTION)
    }

    /// A sink as `root`; tried again for as long as the server may take to answer.
    pub(crate) fn sink(&self, database: &str) -> MongoSink {
        let until = Instant::now() + PATIENCE;
        loop {
            match MongoSink::open(&Secret::new(self.root()), database, &Credentials::new(Use::MongoDb)) {
                Ok(sink) => return sink,
                Err(error) => assert!(Instant::now() < until, "{error}"),
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again after `kill`, on the same folder.
    pub(crate) fn restart(&mut self) {
        self.spawn(&["--auth"]);
        self.wait_until_it_answers("root:rootpw@");
    }

    pub(crate) fn signal(&self, signal: &str) {
        self.process.as_ref().unwrap().signal(signal);
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn spawn(&mut self, more: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let data = self.folder.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        let child = Command::new(required("SERVICES_MONGODB_SERVER"))
            .args(["--host", "127.0.0.1", "--port", &self.port.to_string(), "--storage-path"])
            .arg(data)
            .args(["--cache-size", "256M", "--log-level", "WARNING"])
            .args(self.options)
            .args(more)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.process = Some(child.unwrap().into());
    }

    fn wait_until_it_answers(&mut self, user: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ask(user, "admin", doc! { "ping": 1 }, Duration::from_secs(2)).is_err() {
            let ended = self.process.as_mut().unwrap().has_ended();
            let log = std::fs::read_to_string(self.log()).unwrap_or_default();
            assert!(!ended && Instant::now() < until, "the MongoDB server does not answer:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn ask(&self, user: &str, database: &str, command: Document, selection: Duration) -> Result<Document, Error> {
        let uri = format!("mongodb://{user}127.0.0.1:{}/?directConnection=true", self.port);
        self.runtime.block_on(async {
            let mut options = ClientOptions::parse(uri).await?;
            options.server_selection_timeout = Some(selection);
            let client = Client::with_options(options)?;
            let answer = client.database(database).run_command(command).await;
            client.shutdown().immediate(true).await;
            answer
        })
    }
}
