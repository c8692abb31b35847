//! `triage run`: the engine, until a signal ends it.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Failure;
use crate::config::{Config, ConfigError, Layers};
use crate::engine::{Engine, Reloader, StartError};
use crate::logging;
use crate::shutdown::Shutdown;

/// What `triage run` is told on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Read what is stored from the beginning of its topics again, into an empty store or the one that is there
    #[arg(long)]
    rebuild_store: bool,
}

/// Flags that any subcommand with a configuration takes.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Settings {
    /// The configuration file [default: triage.toml, if there is one]
    #[arg(long, env = "TRIAGE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder of rules: `rules.path`
    #[arg(long, value_name = "FOLDER")]
    rules: Option<String>,
    /// Take up changed rule files without being asked: `rules.watch`
    #[arg(long)]
    watch: bool,
    /// The brokers to begin with: `kafka.bootstrap_servers`
    #[arg(long, value_name = "HOST:PORT,…")]
    bootstrap_servers: Option<String>,
    /// Address and port of the web side: `http.listen`
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// The level of the log: `log.level`
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// Any key of the configuration, as often as needed
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
}

pub(super) fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a key, `=` and a value are needed")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl Settings {
    /// Those of a subcommand that only needs to know where the rules are.
    pub(crate) fn of_configuration(config: Option<PathBuf>) -> Self {
        Self { config, ..Self::default() }
    }

    /// Those of a subcommand that only needs the broker.
    pub(crate) fn of_broker(
        config: Option<PathBuf>,
        bootstrap_servers: Option<String>,
        set: Vec<(String, String)>,
    ) -> Self {
        Self { config, bootstrap_servers, set, ..Self::default() }
    }

    /// Those of a subcommand that only needs the web side of an engine.
    pub(crate) fn of_web(config: Option<PathBuf>, listen: Option<String>, set: Vec<(String, String)>) -> Self {
        Self { config, listen, set, ..Self::default() }
    }

    /// File, then environment, then flags.
    pub(crate) fn read(&self) -> Result<Config, ConfigError> {
        let mut layers = Layers::new();
        let default = PathBuf::from("triage.toml");
        match &self.config {
            Some(path) => layers = layers.file(path)?,
            None if default.exists() => layers = layers.file(&default)?,
            None => {}
        }
        layers = layers.environment(text_variables())?;
        let flags = [
            ("rules.path", &self.rules),
            ("kafka.bootstrap_servers", &self.bootstrap_servers),
            ("http.listen", &self.listen),
            ("log.level", &self.log_level),
        ];
        for (key, text) in flags.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?))) {
            layers = layers.flag(key, text);
        }
        if self.watch {
            layers = layers.flag("rules.watch", "true");
        }
        for (key, text) in &self.set {
            layers = layers.argument(key, text)?;
        }
        layers.build()
    }
}

/// A variable that is not UTF-8 is not ours: none of our names or values needs it.
fn text_variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut config = args.settings.read().map_err(|error| Failure::Usage(error.to_string()))?;
    if args.rebuild_store && !config.store.is_used() {
        return Err(Failure::Usage(
            "`--rebuild-store` needs a store: `store.sqlite` or `store.mongodb.uri_file`".to_owned(),
        ));
    }
    config.store.rebuild = args.rebuild_store;
    logging::start(&config.log).map_err(|error| Failure::Usage(error.to_string()))?;
    let shutdown = Shutdown::new();
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).map_err(|error| Failure::World(error.to_string()))?;
    let reloader = Arc::new(OnceLock::new());
    let (stop, started) = (shutdown.clone(), Arc::clone(&reloader));
    let thread = std::thread::Builder::new().name("signals".to_owned());
    // Before the engine starts: with a broken folder the start waits for the broker.
    thread.spawn(move || heed(signals, &stop, &started)).map_err(|error| Failure::World(error.to_string()))?;
    let (stop, grace) = (shutdown.clone(), config.engine.stop_grace);
    let thread = std::thread::Builder::new().name("stop-grace".to_owned());
    thread.spawn(move || end_after(&stop, grace)).map_err(|error| Failure::World(error.to_string()))?;
    let engine = Engine::start(config, shutdown).map_err(Failure::from)?;
    let _ = reloader.set(engine.reloader());
    engine.join().map_err(|error| Failure::World(error.to_string()))
}

/// The first request to stop drains; the second ends the process as the signal does by itself.
fn heed(mut signals: Signals, shutdown: &Shutdown, reloader: &OnceLock<Reloader>) {
    for signal in signals.forever() {
        if signal == SIGHUP {
            let Some(reloader) = reloader.get().cloned() else {
                tracing::warn!("a reload was asked for before the engine has started, and is not done");
                continue;
            };
            // A thread of its own: a request to stop must not wait for a reload.
            std::thread::spawn(move || reloader.reload("signal"));
            continue;
        }
        if shutdown.is_asked() {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
        tracing::info!(signal, "asked to stop; the batch at hand is finished first");
        shutdown.ask();
    }
}

/// Ends the process when a stop takes too long: some requests to a broker or a store that hangs cannot be taken back. Whoever
/// has the transactional ids next aborts what is open.
fn end_after(shutdown: &Shutdown, grace: Duration) {
    shutdown.wait();
    std::thread::sleep(grace);
    tracing::error!(
        ?grace,
        "the engine has not stopped: the broker or the store does not answer. The process ends now; what is not committed \
         is judged again by the next one, and nothing is lost or doubled"
    );
    std::process::exit(i32::from(Failure::World(String::new()).exit_code()));
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let text = error.to_string();
        match error {
            StartError::Rules(_) | StartError::Published(_) => Failure::Rules(text),
            StartError::Unguarded(_) | StartError::Property(_) => Failure::Usage(text),
            _ => Failure::World(text),
        }
    }
}
