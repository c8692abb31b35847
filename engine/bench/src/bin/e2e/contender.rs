//! The two programs that are compared: how each is started, and what its process has used.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use triage_bench::used::Used;

use crate::arguments::Arguments;
use crate::services::Process;

/// Which of the two; also its place in [`Contender::both`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Engine = 0,
    Other = 1,
}

/// What is usual between two sweeps of snapshots.
const USUAL: &str = "30s";

/// Longer than any round: after the first there is no other sweep of snapshots.
const NEVER: &str = "24h";

#[derive(Debug, thiserror::Error)]
pub(crate) enum ContenderError {
    #[error("`{0}` is not there: build it with `cargo build --release --package triage --package triage-bench --bins`")]
    Missing(PathBuf),
    #[error("{name} ended by itself; its last words:\n{words}")]
    Ended { name: &'static str, words: String },
    #[error("{name} judged nothing more for a minute; its last words:\n{words}")]
    Stuck { name: &'static str, words: String },
    #[error("/proc does not tell what process {0} has used: this needs Linux")]
    Unknown(u32),
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// A program and what it is started with.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    program: PathBuf,
    rules: PathBuf,
    workers: u32,
    /// None: it is not the engine.
    snapshot_age: Option<String>,
}

impl Contender {
    /// The engine, and the hand-written program or an engine that does less, from the folder in which this program was built.
    pub(crate) fn both(arguments: &Arguments) -> Result<[Self; 2], ContenderError> {
        let here = std::env::current_exe()?;
        let folder = here.parent().unwrap_or(Path::new(""));
        let rules = arguments.rules();
        let contender = |kind: Kind, name, program: &str, snapshot_age: Option<&str>| {
            let program = folder.join(program);
            if !program.exists() {
                return Err(ContenderError::Missing(program));
            }
            let rules = rules[kind as usize].canonicalize()?;
            let snapshot_age = snapshot_age.map(str::to_owned);
            Ok(Self { kind, name, program, rules, workers: arguments.workers, snapshot_age })
        };
        if arguments.state {
            let kept = contender(Kind::Engine, "state kept", "triage", Some(&arguments.snapshot_age))?;
            return Ok([kept, contender(Kind::Other, "state not kept", "triage", Some(NEVER))?]);
        }
        if arguments.score {
            let scored = contender(Kind::Engine, "with a score", "triage", Some(USUAL))?;
            return Ok([scored, contender(Kind::Other, "without", "triage", Some(USUAL))?]);
        }
        let engine = contender(Kind::Engine, "triage run", "triage", Some(USUAL))?;
        Ok([engine, contender(Kind::Other, "by hand", "by-hand", None)?])
    }

    /// Starts it with a working folder of its own, in which its log is.
    pub(crate) fn start(&self, bootstrap: &str, group: &str) -> Result<Running, ContenderError> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let mut command = Command::new(&self.program);
        match &self.snapshot_age {
            Some(age) => self.engine(&mut command, bootstrap, group, age),
            None => {
                command.args(["--bootstrap-servers", bootstrap, "--group", group]);
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn()?;
        Ok(Running { name: self.name, id: child.id(), process: child.into(), log, _folder: folder })
    }

    fn engine(&self, command: &mut Command, bootstrap: &str, group: &str, snapshot_age: &str) {
        command.args(["run", "--listen", "127.0.0.1:0", "--bootstrap-servers", bootstrap, "--rules"]).arg(&self.rules);
        for setting in [
            format!("kafka.group={group}"),
            "kafka.transactional_id_prefix=bench".to_owned(),
            "kafka.partitions=4".to_owned(),
            format!("engine.workers={}", self.workers),
            format!("engine.snapshot_age={snapshot_age}"),
            "engine.batch_size=10000".to_owned(),
            "engine.batch_age=50ms".to_owned(),
            // The hand-written program shows nobody what is open.
            "alerts.follow=false".to_owned(),
        ] {
            command.args(["--set", &setting]);
        }
    }
}

/// A contender's process; ends when dropped.
pub(crate) struct Running {
    name: &'static str,
    id: u32,
    process: Process,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Running {
    pub(crate) fn assert_runs(&mut self) -> Result<(), ContenderError> {
        if !self.process.has_ended() {
            return Ok(());
        }
        Err(ContenderError::Ended { name: self.name, words: self.words() })
    }

    pub(crate) fn stuck(&self) -> ContenderError {
        ContenderError::Stuck { name: self.name, words: self.words() }
    }

    pub(crate) fn used(&self) -> Result<Used, ContenderError> {
        Used::of(self.id)?.ok_or(ContenderError::Unknown(self.id))
    }

    fn words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}
