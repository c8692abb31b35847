//! A `MongoDB` server: unordered upserts by the `update` command, which servers of every age take. A reply is sorted into
//! documents that are refused, collections that have to wait, and a store that is away.

mod certificates;
mod command;
mod document;
mod fault;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document as Bson, RawDocumentBuf, rawdoc};
use mongodb::options::{Acknowledgment, ClientOptions, ServerAddress, ServerMonitoringMode, WriteConcern};
use mongodb::{Client, Database};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use self::certificates::Files;
use self::command::Upsert;
use self::fault::Fault;
use super::{Document, Refusal, Removed, Sink, Unavailable, Waiting, Which, Written};
use crate::config::Secret;
use crate::tls::{self, Credentials, InUse, Part, Trust, probe};

/// How long the server is looked for, unless the connection string says otherwise.
const SELECTION: Duration = Duration::from_secs(5);

/// How long a command may take; the driver itself waits without end for a server that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a server listens of which the connection string names no port.
const DEFAULT_PORT: u16 = 27017;

/// A database of a `MongoDB` server.
pub struct MongoSink {
    options: ClientOptions,
    database: String,
    credentials: Credentials,
    concern: RawDocumentBuf,
    runtime: Runtime,
    client: Option<Connected>,
    /// Collections whose index has been asked for.
    indexed: BTreeSet<Arc<str>>,
}

/// A client, and what it was made with.
struct Connected {
    client: Client,
    in_use: InUse,
    _files: Files,
}

impl MongoSink {
    /// The `database` of the server at `uri`, which has answered. The connection is encrypted if `credentials` has a file, or
    /// the connection string asks for it.
    ///
    /// # Errors
    /// The server does not answer, or refuses user or password; certificates cannot be used, here or there. No password is told.
    pub fn open(uri: &Secret, database: &str, credentials: &Credentials) -> Result<Self, Unavailable> {
        credentials.load().map_err(|error| Unavailable(error.to_string()))?;
        // A thread of its own keeps the driver's connections alive between two batches.
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("mongodb").enable_all().build();
        let runtime = runtime.map_err(|error| Unavailable(format!("the MongoDB client cannot start: {error}")))?;
        let options = runtime.block_on(options(uri))?;
        let concern = concern(&options)?;
        let (database, credentials) = (database.to_owned(), credentials.clone());
        let mut sink =
            Self { options, database, credentials, concern, runtime, client: None, indexed: BTreeSet::new() };
        sink.run(command::ping()).map_err(|fault| sink.unavailable(&fault))?;
        Ok(sink)
    }

    fn database(&mut self) -> Result<Database, Fault> {
        let connected = match self.client.take().filter(|connected| !connected.in_use.is_outdated()) {
            Some(connected) => connected,
            None => self.connect()?,
        };
        Ok(self.client.insert(connected).client.database(&self.database))
    }

    fn connect(&self) -> Result<Connected, Fault> {
        let (in_use, mut options) = (self.credentials.in_use(), self.options.clone());
        let mut files = Files::default();
        if !self.credentials.is_empty() {
            let named = Files::name_in(&self.credentials.material(), &mut options);
            files =
                named.map_err(|error| Fault::Store(format!("certificates cannot be given to the driver: {error}")))?;
        }
        let _entered = self.runtime.enter();
        let client = Client::with_options(options).map_err(|error| Fault::of_command(&error))?;
        Ok(Connected { client, in_use, _files: files })
    }

    /// Runs a command. After one that was not answered in time, the next has a new client.
    fn run(&mut self, command: RawDocumentBuf) -> Result<Bson, Fault> {
        let database = self.database()?;
        let answer =
            self.runtime.block_on(async { timeout(PATIENCE, database.run_raw_command(command).into_future()).await });
        let Ok(answer) = answer else {
            self.client = None;
            return Err(Fault::Store(format!("no answer within {} s", PATIENCE.as_secs())));
        };
        answer.map_err(|error| Fault::of_command(&error))
    }

    fn unavailable(&mut self, fault: &Fault) -> Unavailable {
        // What was asked for may not have been done.
        self.indexed.clear();
        let hosts: Vec<String> = self.options.hosts.iter().map(ToString::to_string).collect();
        let refused =
            self.refused().map_or_else(String::new, |refused| format!("; no encrypted connection: {refused}"));
        Unavailable(format!("MongoDB at {}: {fault}{refused}", hosts.join(",")))
    }

    /// Why there is no encrypted connection, which the driver does not tell; none if that is not what is wrong.
    fn refused(&self) -> Option<tls::Refusal> {
        if !self.credentials.has(Part::Authorities) {
            return None;
        }
        self.options.hosts.iter().find_map(|host| match host {
            ServerAddress::Tcp { host, port } => {
                probe(&self.credentials, Trust::Own, host, port.unwrap_or(DEFAULT_PORT))
            }
            _ => None,
        })
    }

    /// Writes the documents at `positions`, which are of one collection.
    fn write_collection(&mut self, batch: &[Document], positions: &[usize]) -> Result<Vec<Refusal>, Fault> {
        let mut refusals = Vec::new();
        let mut upserts = Vec::with_capacity(positions.len());
        for &position in positions {
            match Upsert::new(position, &batch[position]) {
                Ok(upsert) => upserts.push(upsert),
                Err(unfit) => refusals.push(Refusal { position, reason: unfit.to_string() }),
            }
        }
        let Some(collection) = positions.first().map(|first| Arc::clone(&batch[*first].collection)) else {
            return Ok(refusals);
        };
        for upserts in command::portions(&upserts) {
            self.send(&collection, upserts, &mut refusals)?;
        }
        if refusals.len() < positions.len() {
            self.index(&collection)?;
        }
        Ok(refusals)
    }

    /// Sends one command. If it fails as a whole though the collection takes updates, some document breaks it: it is found
    /// by halves, so that the others are written.
    fn send(&mut self, collection: &str, upserts: &[Upsert], refusals: &mut Vec<Refusal>) -> Result<(), Fault> {
        let fault = match self.run(command::update(collection, &self.concern, upserts)) {
            Ok(reply) => return fault::sort(&reply, upserts, refusals),
            Err(Fault::Command(fault)) => fault,
            Err(fault) => return Err(fault),
        };
        if let [upsert] = upserts {
            self.probe(collection)?;
            refusals
                .push(Refusal { position: upsert.position, reason: format!("MongoDB refused the document: {fault}") });
            return Ok(());
        }
        self.probe(collection)?;
        let (first, second) = upserts.split_at(upserts.len() / 2);
        self.send(collection, first, refusals)?;
        self.send(collection, second, refusals)
    }

    /// Whether the collection takes an update that changes nothing.
    fn probe(&mut self, collection: &str) -> Result<(), Fault> {
        match self.run(command::probe(collection, &self.concern)) {
            Ok(reply) => fault::sort(&reply, &[], &mut Vec::new()),
            Err(Fault::Command(fault)) => Err(Fault::Collection(fault)),
            Err(fault) => Err(fault),
        }
    }

    fn collections(&mut self) -> Result<Vec<String>, Unavailable> {
        let database = self.database().map_err(|fault| self.unavailable(&fault))?;
        let listed = self.runtime.block_on(async { timeout(PATIENCE, collections(&database)).await });
        match listed {
            Ok(listed) => listed.map_err(|error| self.unavailable(&Fault::of_command(&error))),
            Err(_) => Err(self.unavailable(&Fault::Store("the collections were not listed in time".to_owned()))),
        }
    }

    /// What is old is found by it; without it by looking at every document.
    fn index_times(&mut self, collection: &str) {
        if let Err(error) = self.run(command::index_of_times(collection)) {
            tracing::warn!(collection, %error, "no index on `ts`: old documents are found slowly without");
        }
    }

    /// Asks for the index of queries by patient and time, once per collection; no write waits for it.
    fn index(&mut self, collection: &Arc<str>) -> Result<(), Fault> {
        if !self.indexed.insert(Arc::clone(collection)) {
            return Ok(());
        }
        let database = self.database()?;
        let collection = Arc::clone(collection);
        self.runtime.spawn(async move {
            if let Err(error) = database.run_raw_command(command::index(&collection)).await {
                let error = Fault::of_command(&error);
                tracing::warn!(%collection, %error, "no index on `patient` and `ts`: queries by patient are slow without");
            }
        });
        Ok(())
    }
}

impl Sink for MongoSink {
    fn write(&mut self, batch: &[Document]) -> Result<Written, Unavailable> {
        let mut written = Written::default();
        for (collection, positions) in by_collection(batch) {
            if !command::is_collection(collection) {
                let reason = "MongoDB has no collection of that name";
                written
                    .refusals
                    .extend(positions.iter().map(|&position| Refusal { position, reason: reason.to_owned() }));
                continue;
            }
            match self.write_collection(batch, &positions) {
                Ok(refusals) => written.refusals.extend(refusals),
                Err(fault @ Fault::Store(_)) => return Err(self.unavailable(&fault)),
                Err(fault) => {
                    written.waiting.push(Waiting { collection: Arc::clone(collection), reason: fault.to_string() });
                }
            }
        }
        written.refusals.sort_unstable_by_key(|refusal| refusal.position);
        Ok(written)
    }

    fn counts(&mut self) -> Result<Vec<(String, u64)>, Unavailable> {
        let database = self.database().map_err(|fault| self.unavailable(&fault))?;
        let counted = self.runtime.block_on(async { timeout(PATIENCE, count_all(&database)).await });
        match counted {
            Ok(Ok(counts)) => Ok(counts),
            Ok(Err(error)) => Err(self.unavailable(&Fault::of_command(&error))),
            Err(_) => Err(self.unavailable(&Fault::Store("the documents were not counted in time".to_owned()))),
        }
    }

    fn of_patient(&mut self, patient: &str) -> Result<BTreeMap<String, u64>, Unavailable> {
        let mut counts = BTreeMap::new();
        for collection in self.collections()? {
            let counted = self.run(command::count(&collection, &rawdoc! { "patient": patient }));
            let counted = counted.and_then(|reply| fault::number(&reply));
            let counted = counted.map_err(|fault| self.unavailable(&fault.within(&collection)))?;
            if counted > 0 {
                counts.insert(collection, counted);
            }
        }
        Ok(counts)
    }

    fn remove(&mut self, which: Which<'_>) -> Result<Removed, Unavailable> {
        let (collections, of): (Vec<String>, _) = match which {
            Which::Patient(patient) => (self.collections()?, rawdoc! { "patient": patient }),
            Which::Before(time, collections) => {
                (collections.iter().map(ToString::to_string).collect(), rawdoc! { "ts": { "$lt": time } })
            }
        };
        let mut removed = Removed::default();
        for collection in collections.iter().filter(|collection| command::is_collection(collection)) {
            if matches!(which, Which::Before(..)) {
                self.index_times(collection);
            }
            let reply = self.run(command::remove(collection, &self.concern, &of));
            match reply.and_then(|reply| fault::removed(&reply)) {
                Ok(documents) => removed.add(collection, documents),
                Err(fault @ Fault::Store(_)) => return Err(self.unavailable(&fault)),
                Err(fault) => {
                    removed.waiting.push(Waiting { collection: Arc::from(&**collection), reason: fault.to_string() });
                }
            }
        }
        Ok(removed)
    }
}

async fn options(uri: &Secret) -> Result<ClientOptions, Unavailable> {
    // Checked with the configuration; the driver's words may quote the password.
    let options = ClientOptions::parse(uri.expose()).await;
    let mut options = options.map_err(|_| Unavailable("the connection string is not one of MongoDB".to_owned()))?;
    options.app_name.get_or_insert_with(|| "triage".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.connect_timeout.get_or_insert(SELECTION);
    // After a step-down the next look at the server is ours to ask for; a streaming monitor would wait for it for 10 s.
    options.server_monitoring_mode.get_or_insert(ServerMonitoringMode::Poll);
    Ok(options)
}

/// Acknowledged by a majority and on disk, unless the connection string asks for something else: Kafka's offsets are
/// committed after the write.
fn concern(options: &ClientOptions) -> Result<RawDocumentBuf, Unavailable> {
    let safest = || WriteConcern::builder().w(Acknowledgment::Majority).journal(true).build();
    let concern = options.write_concern.clone().unwrap_or_else(safest);
    if concern.w == Some(Acknowledgment::Nodes(0)) {
        let why =
            "the connection string has `w=0`, with which documents are lost unseen: leave it out, or say `w=majority`";
        return Err(Unavailable(why.to_owned()));
    }
    mongodb::bson::serialize_to_raw_document_buf(&concern)
        .map_err(|_| Unavailable("the connection string has a write concern that cannot be sent".to_owned()))
}

/// The positions of each collection's documents; of equal `_id`s only the last, because the server writes in any order.
fn by_collection(batch: &[Document]) -> BTreeMap<&Arc<str>, Vec<usize>> {
    let mut last: HashMap<(&str, &str), usize> = HashMap::with_capacity(batch.len());
    for (position, document) in batch.iter().enumerate() {
        last.insert((&document.collection, &document.id), position);
    }
    let mut positions: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
    for (position, document) in batch.iter().enumerate() {
        if last.get(&(&*document.collection, document.id.as_str())) == Some(&position) {
            positions.entry(&document.collection).or_default().push(position);
        }
    }
    positions
}

async fn collections(database: &Database) -> mongodb::error::Result<Vec<String>> {
    let mut names = database.list_collection_names().await?;
    names.retain(|name| !name.starts_with("system."));
    names.sort_unstable();
    Ok(names)
}

async fn count_all(database: &Database) -> mongodb::error::Result<Vec<(String, u64)>> {
    let names = collections(database).await?;
    let mut counts = Vec::with_capacity(names.len());
    for name in names {
        let count = database.collection::<Bson>(&name).count_documents(Bson::new()).await?;
        counts.push((name, count));
    }
    Ok(counts)
}
