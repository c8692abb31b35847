//! The two programs that are compared: how each is started, and what its process has used.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::arguments::Arguments;
use crate::services::Process;

/// Which of the two; also its place in [`Contender::both`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Engine = 0,
    ByHand = 1,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Engine => "triage run",
            Self::ByHand => "by hand",
        }
    }
}

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
    program: PathBuf,
    rules: PathBuf,
    workers: u32,
}

impl Contender {
    /// The engine and the hand-written program, from the folder in which this program was built.
    pub(crate) fn both(arguments: &Arguments) -> Result<[Self; 2], ContenderError> {
        let here = std::env::current_exe()?;
        let folder = here.parent().unwrap_or(Path::new(""));
        let rules = arguments.rules.canonicalize()?;
        let contender = |kind, name: &str| {
            let program = folder.join(name);
            if !program.exists() {
                return Err(ContenderError::Missing(program));
            }
            Ok(Self { kind, program, rules: rules.clone(), workers: arguments.workers })
        };
        Ok([contender(Kind::Engine, "triage")?, contender(Kind::ByHand, "by-hand")?])
    }

    /// Starts it with a working folder of its own, in which its log is.
    pub(crate) fn start(&self, bootstrap: &str, group: &str) -> Result<Running, ContenderError> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let mut command = Command::new(&self.program);
        match self.kind {
            Kind::Engine => self.engine(&mut command, bootstrap, group),
            Kind::ByHand => {
                command.args(["--bootstrap-servers", bootstrap, "--group", group]);
            }
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn()?;
        Ok(Running { name: self.kind.name(), id: child.id(), process: child.into(), log, _folder: folder })
    }

    fn engine(&self, command: &mut Command, bootstrap: &str, group: &str) {
        command.args(["run", "--listen", "127.0.0.1:0", "--bootstrap-servers", bootstrap, "--rules"]).arg(&self.rules);
        for setting in [
            format!("kafka.group={group}"),
            "kafka.transactional_id_prefix=bench".to_owned(),
            "kafka.partitions=4".to_owned(),
            format!("engine.workers={}", self.workers),
            "engine.batch_size=10000".to_owned(),
            "engine.batch_age=50ms".to_owned(),
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

/// What a process has used so far.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Used {
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_mib: f64,
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
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.id));
        let cpu_seconds = cpu_seconds(&read("stat")?);
        let peak_mib = peak_mib(&read("status")?);
        cpu_seconds
            .zip(peak_mib)
            .map(|(cpu_seconds, peak_mib)| Used { cpu_seconds, peak_mib })
            .ok_or(ContenderError::Unknown(self.id))
    }

    fn words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

/// `utime` and `stime`, fields 14 and 15 of `/proc/PID/stat`; the second may hold spaces and ends with the last `)`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    /// The unit of `/proc` on all of Linux's platforms.
    const TICKS_PER_SECOND: f64 = 100.0;
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = after_name.next()?.parse().ok()?;
    let system: u64 = after_name.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

fn peak_mib(status: &str) -> Option<f64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = kib.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_behind_a_name_with_spaces() {
        let stat = "7 (a ) name) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 4 0 100 0 0";
        assert_eq!(cpu_seconds(stat), Some(3.0));
    }

    #[test]
    fn peak_memory_is_the_high_water_mark() {
        assert_eq!(peak_mib("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\n"), Some(2.0));
    }
}
