//! Log lines to standard error, for a person or as JSON, and the access log to a file of its own. Patients' values never appear
//! at `info` or above.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::access::TARGET;
use crate::config::{LogConfig, LogFormat};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoggingError {
    /// `log.level` is neither a level nor directives.
    #[error("`log.level`: {0}")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    /// The access log cannot be written.
    #[error("`log.access_file`: {path}: {error}", path = path.display())]
    AccessFile {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Somebody has started a log already.
    #[error("the log is started twice: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts the log of this process.
///
/// # Errors
/// The level cannot be read, the access log cannot be written, or there is a log already.
pub(crate) fn start(config: &LogConfig) -> Result<(), LoggingError> {
    let access = config.access_file.as_deref().map(access_log).transpose()?;
    // Who looks at patients is told whatever the level, in one of the two places.
    let here = if access.is_some() { "off" } else { "info" };
    let filter = EnvFilter::builder().parse(&config.level)?.add_directive(format!("{TARGET}={here}").parse()?);
    let lines: BoxedLayer = match config.format {
        LogFormat::Text => {
            let lines = layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
            lines.with_filter(filter).boxed()
        }
        LogFormat::Json => layer().with_writer(std::io::stderr).json().with_filter(filter).boxed(),
    };
    let layers: Vec<BoxedLayer> = access.into_iter().chain([lines]).collect();
    tracing_subscriber::registry().with(layers).try_init()?;
    Ok(())
}

type BoxedLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// A JSON object a line, behind those that are there. Only the owner may read it.
fn access_log(path: &Path) -> Result<BoxedLayer, LoggingError> {
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    let file = file.map_err(|error| LoggingError::AccessFile { path: path.to_owned(), error })?;
    let only = Targets::new().with_target(TARGET, LevelFilter::INFO);
    Ok(layer().json().flatten_event(true).with_writer(Mutex::new(file)).with_filter(only).boxed())
}
