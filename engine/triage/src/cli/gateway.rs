//! `triage gateway`.

use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::Failure;
use crate::config::{Config, Layers};
use crate::gateway::rows::Rows;
use crate::gateway::simulation::{FaultKind, Simulation};
use crate::gateway::table::Table;
use crate::gateway::ward::{Extent, Ward};
use crate::gateway::{self, GatewayError, Options, Status, file};
use crate::shutdown::Shutdown;
use crate::tls;

/// How often progress is told where it cannot rewrite its line.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// What `triage gateway` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The table: a header, then one row a patient
    #[arg(value_name = "FILE.csv")]
    file: PathBuf,
    /// The time between two readings
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
    every: Duration,
    /// Readings a second, in place of `--every`
    #[arg(long, value_name = "N", conflicts_with = "every", value_parser = positive_rate)]
    rate: Option<f64>,
    /// The time between two readings of one patient, in place of `--every`
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["every", "rate"], value_parser = humantime::parse_duration)]
    each: Option<Duration>,
    /// How many patients, the rows taken in turn [default: one a row]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    patients: Option<u32>,
    /// Simulate the patients: vital signs that walk, sensors that err, episodes; the same ones for the same seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Stop after so many readings [default: go on until it is stopped]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop when every patient has had one reading
    #[arg(long, conflicts_with = "count")]
    once: bool,
    /// Stop after so much time
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Write the readings to a file with the times they would have, and send nothing; `-` is standard output
    #[arg(long, value_name = "FILE.jsonl")]
    output: Option<PathBuf>,
    /// Write what really happened to the simulated patients, when it ends
    #[arg(long, value_name = "FILE.jsonl", requires = "seed")]
    truth: Option<PathBuf>,
    /// Let something go wrong on the way from the simulated ward
    #[arg(long, value_name = "FAULT", requires = "seed")]
    fault: Option<Fault>,
    /// The reading from which on it goes wrong, counted from 0
    #[arg(long, value_name = "N", default_value_t = 0, requires = "fault")]
    fault_from: u64,
    /// The topic that readings go to
    #[arg(long, value_name = "TOPIC", default_value = "research")]
    topic: String,
    /// The brokers to begin with: `kafka.bootstrap_servers`
    #[arg(long, value_name = "HOST:PORT,…")]
    bootstrap_servers: Option<String>,
    /// The configuration file, for its `[kafka]` [default: triage.toml, if there is one]
    #[arg(long, env = "TRIAGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

fn positive_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("expected a number above 0".to_owned()),
    }
}

/// A fault by the name of its flag.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Fault {
    /// `trestbps` comes as `sysBP`
    Renamed,
    /// `chol` comes in mmol/L in place of mg/dL
    Millimoles,
    /// One reading in a hundred is lost
    Lost,
    /// The first patient's device repeats what it showed last
    Stuck,
}

impl From<Fault> for FaultKind {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Renamed => FaultKind::Renamed,
            Fault::Millimoles => FaultKind::Millimoles,
            Fault::Lost => FaultKind::Lost,
            Fault::Stuck => FaultKind::Stuck,
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let table = Table::open(&args.file).map_err(|error| Failure::World(error.to_string()))?;
    let mut ward = ward(args, table)?;
    let count = if args.once { Some(ward.patients() as u64) } else { args.count };
    let extent = Extent { count, duration: args.duration };
    let outcome = match &args.output {
        Some(path) => write(&mut ward, extent, path),
        None => send(&mut ward, extent, args),
    };
    if let Some(path) = &args.truth {
        create(path)
            .and_then(|mut out| file::write_truth(&ward, &mut out))
            .map_err(|error| unwritable(path, &error))?;
    }
    outcome
}

/// The ward that the flags ask for.
fn ward(args: &Args, table: Table) -> Result<Ward, Failure> {
    let patients = args.patients.map(|patients| patients as usize);
    let number = patients.unwrap_or(table.patients()) as u32;
    let every = match (args.each, args.rate) {
        (Some(each), _) => each / number,
        (None, Some(rate)) => Duration::from_secs_f64(1.0 / rate),
        (None, None) => args.every,
    };
    let Some(seed) = args.seed else {
        return Ok(Ward::Rows(Rows::new(table, patients, every)));
    };
    if every.is_zero() {
        return Err(Failure::Usage("`--seed` needs time between readings, in which vital signs can walk".to_owned()));
    }
    let simulation = Simulation::new(&table, number as usize, seed, args.each.unwrap_or(every.saturating_mul(number)));
    Ok(Ward::simulated(match args.fault {
        Some(fault) => simulation.with_fault(fault.into(), args.fault_from),
        None => simulation,
    }))
}

fn write(ward: &mut Ward, extent: Extent, path: &Path) -> Result<(), Failure> {
    if extent.count.is_none() && extent.duration.is_none() {
        return Err(Failure::Usage("`--output` needs an end: `--duration`, `--count` or `--once`".to_owned()));
    }
    let written = create(path).and_then(|mut out| file::write_readings(ward, &extent, &mut out));
    match written {
        Ok(count) => eprintln!("gateway: {count} readings written to {}", path.display()),
        // The reader of our output has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(unwritable(path, &error)),
    }
    Ok(())
}

fn create(path: &Path) -> std::io::Result<Box<dyn Write>> {
    Ok(if path == Path::new("-") {
        Box::new(BufWriter::new(std::io::stdout().lock()))
    } else {
        Box::new(BufWriter::new(File::create(path)?))
    })
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::World(format!("`{}` cannot be written: {error}", path.display()))
}

fn send(ward: &mut Ward, extent: Extent, args: &Args) -> Result<(), Failure> {
    let stop = stop_on_signal()?;
    let kafka = configuration(args).map_err(|error| Failure::Usage(error.to_string()))?.kafka;
    kafka.tls.load().map_err(|error| Failure::World(error.to_string()))?;
    tls::watch(vec![kafka.tls.clone()], Shutdown::new(), |_| {}).map_err(|error| Failure::World(error.to_string()))?;
    let options = Options { kafka, topic: args.topic.clone(), extent };
    let mut progress = Progress::new(ward.patients(), &args.topic);
    let status = gateway::send(ward, &options, &stop, &mut |status| progress.tell(status))?;
    progress.end();
    conclude(&status, &args.topic)
}

impl From<GatewayError> for Failure {
    fn from(error: GatewayError) -> Self {
        Failure::World(error.to_string())
    }
}

/// Set by the first SIGINT or SIGTERM; the second ends the process.
fn stop_on_signal() -> Result<Arc<AtomicBool>, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
        registered.map_err(|error| Failure::World(error.to_string()))?;
    }
    Ok(stop)
}

fn configuration(args: &Args) -> Result<Config, crate::config::ConfigError> {
    let default = PathBuf::from("triage.toml");
    let mut layers = Layers::new();
    match &args.config {
        Some(path) => layers = layers.file(path)?,
        None if default.exists() => layers = layers.file(&default)?,
        None => {}
    }
    // A variable that is not UTF-8 is not ours.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    layers = layers.environment(variables)?;
    if let Some(servers) = &args.bootstrap_servers {
        layers = layers.flag("kafka.bootstrap_servers", servers.as_str());
    }
    layers.build()
}

fn conclude(status: &Status, topic: &str) -> Result<(), Failure> {
    eprintln!("gateway: {} readings delivered to {topic}", status.delivered);
    let mut lost: Vec<String> =
        status.failed.iter().map(|(reason, count)| format!("{count} readings were refused: {reason}")).collect();
    if status.on_the_way() > 0 {
        let why = status.waiting.as_deref().unwrap_or("the broker has not confirmed them");
        lost.push(format!("{} readings were not delivered: {why}", status.on_the_way()));
    }
    if lost.is_empty() && status.sent == 0 && status.waiting.is_some() {
        lost.extend(status.waiting.clone());
    }
    if lost.is_empty() { Ok(()) } else { Err(Failure::World(lost.join("; "))) }
}

/// Progress on standard error: one line that is rewritten on a terminal, a line now and then elsewhere.
struct Progress {
    patients: usize,
    topic: String,
    terminal: bool,
    begun: Instant,
    told: Option<Instant>,
    waiting: Option<String>,
}

impl Progress {
    fn new(patients: usize, topic: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { patients, topic: topic.to_owned(), terminal, begun: Instant::now(), told: None, waiting: None }
    }

    fn tell(&mut self, status: &Status) {
        if status.waiting != self.waiting {
            self.waiting.clone_from(&status.waiting);
            if let Some(waiting) = &status.waiting {
                self.end();
                eprintln!("gateway: {waiting}");
            }
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= TELL_EVERY);
        if status.sent == 0 || !(self.terminal || due) {
            return;
        }
        self.told = Some(Instant::now());
        let line = self.line(status);
        if self.terminal {
            eprint!("\r\x1b[K{line}");
            // A line that cannot be shown is no reason to stop sending.
            let _ = std::io::stderr().flush();
        } else {
            eprintln!("{line}");
        }
    }

    fn line(&self, status: &Status) -> String {
        let rate = status.delivered as f64 / self.begun.elapsed().as_secs_f64().max(0.001);
        format!(
            "gateway: {} readings of {} patients delivered to {}, {rate:.1}/s, {} on the way",
            status.delivered,
            self.patients,
            self.topic,
            status.on_the_way()
        )
    }

    fn end(&self) {
        if self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
