//! `triage demo`: broker, gateway, engine, store and web side in one process, with ten patients.

mod ends;
mod looker;
mod paint;
mod place;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::Failure;
use crate::config::{Config, ConfigError, KafkaConfig, Layers};
use crate::engine::Engine;
use crate::gateway::rows::Rows;
use crate::gateway::table::Table;
use crate::gateway::ward::{Extent, Ward};
use crate::gateway::{self, GatewayError, Options, Status};
use crate::logging;
use crate::shutdown::Shutdown;
use crate::sink::Sink;
use crate::sink::sqlite::SqliteSink;
use ends::Ends;
use looker::Looker;
use paint::Paint;
use place::Place;

/// `datasets/patients.csv`, in the binary, so that the demonstration runs from anywhere.
const PATIENTS: &[u8] = include_bytes!("../../../../datasets/patients.csv");

/// How long the start may take.
const STARTING: Duration = Duration::from_secs(30);

/// How long the end waits until everything sent has been judged and stored.
const SETTLING: Duration = Duration::from_secs(30);

/// The same after Ctrl-C.
const SETTLING_INTERRUPTED: Duration = Duration::from_secs(5);

/// What `triage demo` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder of rules; a changed file is taken up at once
    #[arg(long, value_name = "FOLDER", default_value = "rules/hospital")]
    rules: PathBuf,
    /// The time between two readings
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// End when every patient has had one reading, and print a summary
    #[arg(long)]
    once: bool,
    /// Address and port of the web side
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9180")]
    listen: SocketAddr,
    /// Keep what is stored, in `FOLDER/ehealth.sqlite` [default: a temporary folder]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The level of the log on standard error
    #[arg(long, value_name = "LEVEL", default_value = "error")]
    log_level: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    if !args.rules.is_dir() {
        let rules = args.rules.display();
        return Err(Failure::World(format!("there is no rules folder `{rules}`; name one with `--rules FOLDER`")));
    }
    let place = Place::new(args.data.as_deref()).map_err(world)?;
    let broker = crate::embedded::spawn("127.0.0.1:0").map_err(world)?;
    let config = configuration(args, broker, &place.sqlite()).map_err(|error| Failure::Usage(error.to_string()))?;
    logging::start(&config.log).map_err(|error| Failure::Usage(error.to_string()))?;
    let stop = stop_on_signal()?;
    let demo = Demo::start(config, args, &stop)?;
    demo.run(args, &stop, &place.sqlite())
}

fn configuration(args: &Args, broker: SocketAddr, sqlite: &Path) -> Result<Config, ConfigError> {
    let flags = [
        ("kafka.bootstrap_servers", broker.to_string()),
        ("rules.path", args.rules.display().to_string()),
        ("rules.watch", "true".to_owned()),
        ("engine.workers", "1".to_owned()),
        ("http.listen", args.listen.to_string()),
        ("store.sqlite", sqlite.display().to_string()),
        ("store.batch_age", "50ms".to_owned()),
        ("log.level", args.log_level.clone()),
    ];
    flags.into_iter().fold(Layers::new(), |layers, (key, text)| layers.flag(key, text)).build()
}

fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop)).map_err(world)?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(world)?;
    }
    Ok(stop)
}

fn world(error: impl std::fmt::Display) -> Failure {
    Failure::World(error.to_string())
}

/// Everything that runs.
struct Demo {
    engine: Engine,
    shutdown: Shutdown,
    looker: Looker,
    ends: Ends,
    stream: Stream,
    paint: Paint,
    reloads: u64,
}

/// The gateway's thread.
type Stream = JoinHandle<Result<Status, GatewayError>>;

impl Demo {
    fn start(config: Config, args: &Args, stop: &Arc<AtomicBool>) -> Result<Self, Failure> {
        let shutdown = Shutdown::new();
        let kafka = config.kafka.clone();
        let (engine_group, store_group) = (config.kafka.group.clone(), config.store.group.clone());
        let engine = Engine::start(config, shutdown.clone())?;
        wait_until_ready(&engine, &shutdown, stop);
        if shutdown.is_asked() {
            engine.join().map_err(world)?;
            return Err(Failure::World("the engine ended at once".to_owned()));
        }
        let paint = Paint::for_stdout();
        let table = Table::parse(Path::new("patients.csv"), PATIENTS).map_err(world)?;
        let ward = Ward::Rows(Rows::new(table, None, args.every));
        introduce(&engine, args, ward.patients());
        let looker = Looker::start(&kafka, paint).map_err(world)?;
        let ends = Ends::new(&kafka, &engine_group, &store_group).map_err(world)?;
        let stream = send(ward, args, kafka, Arc::clone(stop)).map_err(world)?;
        Ok(Self { engine, shutdown, looker, ends, stream, paint, reloads: 0 })
    }

    fn run(mut self, args: &Args, stop: &AtomicBool, sqlite: &Path) -> Result<(), Failure> {
        while !self.stream.is_finished() && !self.shutdown.is_asked() {
            self.tell_reloads();
            std::thread::sleep(Duration::from_millis(50));
        }
        let patience = if stop.load(Ordering::Relaxed) { SETTLING_INTERRUPTED } else { SETTLING };
        let settled = self.settle(patience);
        let Self { engine, looker, stream, .. } = self;
        stop.store(true, Ordering::Relaxed);
        let sent = stream.join().map_err(|_| Failure::World("the gateway broke off; this is a bug".to_owned()))??;
        let topics = looker.finish();
        engine.shutdown();
        engine.join().map_err(world)?;
        let collections = SqliteSink::open(sqlite).and_then(|mut sink| sink.counts()).map_err(world)?;
        summarise(&sent, &topics, &collections, args.data.is_some().then_some(sqlite));
        if args.once && !settled {
            return Err(Failure::World("not everything was judged and stored in time".to_owned()));
        }
        Ok(())
    }

    /// Waits until every reading is judged, and everything that came out of it stored and shown.
    fn settle(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline && !self.shutdown.is_asked() {
            self.tell_reloads();
            if self.ends.are_reached(&self.engine.stored_topics(), &self.looker) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn tell_reloads(&mut self) {
        let (count, outcome) = self.engine.last_reload();
        if count != self.reloads {
            self.reloads = count;
            if let Some(outcome) = outcome {
                println!("{}", self.paint.reload(&outcome));
            }
        }
    }
}

fn wait_until_ready(engine: &Engine, shutdown: &Shutdown, stop: &AtomicBool) {
    let deadline = Instant::now() + STARTING;
    while !engine.is_ready() && !shutdown.is_asked() && !stop.load(Ordering::Relaxed) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(mut ward: Ward, args: &Args, kafka: KafkaConfig, stop: Arc<AtomicBool>) -> std::io::Result<Stream> {
    let count = args.once.then(|| ward.patients() as u64);
    let extent = Extent { count, duration: None };
    let options = Options { kafka, topic: "research".to_owned(), extent };
    let body = move || gateway::send(&mut ward, &options, &stop, &mut |_| {});
    std::thread::Builder::new().name("gateway".to_owned()).spawn(body)
}

fn introduce(engine: &Engine, args: &Args, patients: usize) {
    let every = humantime::format_duration(args.every);
    let rules = args.rules.display();
    println!("triage demo: {patients} patients, a reading every {every}, rules {rules} ({})", engine.version());
    println!("  web side   http://{}/alerts, /rules, /metrics", engine.address());
    println!("  try next   edit a rule under {rules} and save: it is taken up at once;");
    println!("             a broken edit is refused, with the reason, and the old rules stay");
    println!("  stop       Ctrl-C\n");
}

fn summarise(sent: &Status, topics: &[(String, u64)], collections: &[(String, u64)], kept: Option<&Path>) {
    println!("\nreadings sent: {}", sent.delivered);
    print_counts("records by topic", topics);
    print_counts("documents by collection", collections);
    if let Some(path) = kept {
        println!("kept in {}", path.display());
    }
}

fn print_counts(title: &str, counts: &[(String, u64)]) {
    println!("{title}:");
    let width = counts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, count) in counts {
        println!("  {name:width$}  {count}");
    }
}
