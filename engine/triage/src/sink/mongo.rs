//! A `MongoDB` server: unordered upserts by the `update` command, which servers of every age take. A reply is sorted into
//! documents that are refused, collections that have to wait, and a store that is away.

mod command;
mod document;
mod fault;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mongodb::bson::{Document as Bson, RawDocumentBuf};
use mongodb::options::{Acknowledgment, ClientOptions, ServerMonitoringMode, WriteConcern};
use mongodb::{Client, Database};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use self::command::Upsert;
use self::fault::Fault;
use super::{Document, Refusal, Sink, Unavailable, Waiting, Written};
use crate::config::Secret;

/// How long the server is looked for, unless the connection string says otherwise.
const SELECTION: Duration = Duration::from_secs(5);

/// How long a command may take; the driver itself waits without end for a server that hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A database of a `MongoDB` server.
pub struct MongoSink {
    options: ClientOptions,
    database: String,
    concern: RawDocumentBuf,
    runtime: Runtime,
    client: Option<Client>,
    /// Collections whose index has been asked for.
    indexed: BTreeSet<Arc<str>>,
}

impl MongoSink {
    /// The `database` of the server at `uri`, which has answered.
    ///
    /// # Errors
    /// The server does not answer, or refuses user or password. No password is told.
    pub fn open(uri: &Secret, database: &str) -> Result<Self, Unavailable> {
        // A thread of its own keeps the driver's connections alive between two batches.
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("mongodb").enable_all().build();
        let runtime = runtime.map_err(|error| Unavailable(format!("the MongoDB client cannot start: {error}")))?;
        let options = runtime.block_on(options(uri))?;
        let concern = concern(&options)?;
        let (client, indexed) = (None, BTreeSet::new());
        let mut sink = Self { options, database: database.to_owned(), concern, runtime, client, indexed };
        sink.run(command::ping()).map_err(|fault| sink.unavailable(&fault))?;
        Ok(sink)
    }

    fn database(&mut self) -> Result<Database, Fault> {
        if self.client.is_none() {
            let _entered = self.runtime.enter();
            let client = Client::with_options(self.options.clone()).map_err(|error| Fault::of_command(&error))?;
            self.client = Some(client);
        }
        let client = self.client.as_ref().ok_or_else(|| Fault::Store("no client".to_owned()))?;
        Ok(client.database(&self.database))
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
        Unavailable(format!("MongoDB at {}: {fault}", hosts.join(",")))
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

async fn count_all(database: &Database) -> mongodb::error::Result<Vec<(String, u64)>> {
    let mut names = database.list_collection_names().await?;
    names.retain(|name| !name.starts_with("system."));
    names.sort_unstable();
    let mut counts = Vec::with_capacity(names.len());
    for name in names {
        let count = database.collection::<Bson>(&name).count_documents(Bson::new()).await?;
        counts.push((name, count));
    }
    Ok(counts)
}
