//! Engine processes, each with its log.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::services::Process;

pub(crate) struct Engines {
    proxy: u16,
    rules: PathBuf,
    folder: PathBuf,
    processes: Vec<Process>,
}

impl Engines {
    pub(crate) fn start(count: usize, proxy: u16, rules: &Path, folder: &Path) -> Self {
        let mut engines = Self { proxy, rules: rules.to_owned(), folder: folder.to_owned(), processes: Vec::new() };
        for index in 0..count {
            let process = engines.spawn(index);
            engines.processes.push(process);
        }
        engines
    }

    pub(crate) fn len(&self) -> usize {
        self.processes.len()
    }

    /// SIGKILL, and a new process at once.
    pub(crate) fn kill(&mut self, index: usize) {
        self.processes[index].kill();
        self.processes[index] = self.spawn(index);
    }

    /// An engine that ended by itself is a fault that nobody asked for.
    pub(crate) fn assert_all_run(&mut self) {
        for (index, process) in self.processes.iter_mut().enumerate() {
            assert!(!process.has_ended(), "engine {index} ended by itself, see {}", self.folder.display());
        }
    }

    pub(crate) fn stop(self) {
        drop(self.processes);
    }

    fn spawn(&self, index: usize) -> Process {
        let log = self.folder.join(format!("engine-{index}.log"));
        let log = std::fs::File::options().create(true).append(true).open(log).unwrap();
        let settings = [
            format!("kafka.transactional_id_prefix=engine-{index}"),
            "kafka.partitions=4".to_owned(),
            "kafka.properties.session.timeout.ms=6000".to_owned(),
            "kafka.properties.transaction.timeout.ms=10000".to_owned(),
            "kafka.properties.message.timeout.ms=8000".to_owned(),
            "engine.workers=1".to_owned(),
            // Often, so that engines die with snapshots half written, and seldom enough that they judge readings again.
            "engine.snapshot_age=3s".to_owned(),
        ];
        let mut command = Command::new(env!("CARGO_BIN_EXE_triage"));
        command
            .arg("run")
            .args(["--listen", "127.0.0.1:0"])
            .args(["--bootstrap-servers", &format!("127.0.0.1:{}", self.proxy)]);
        command.arg("--rules").arg(&self.rules).current_dir(&self.folder);
        for setting in &settings {
            command.args(["--set", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap().into()
    }
}
