//! `triage run`, with a store or without.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::topic_partition_list::TopicPartitionList;
use triage_bench::used::Used;

use crate::services::Process;
use crate::topics::{PARTITIONS, PATIENCE, STREAM, client};
use crate::{Failure, LOOK};

/// Where engines run.
pub(crate) struct Place {
    pub(crate) bootstrap: String,
    /// The server's, with user and password.
    pub(crate) uri: String,
}

impl Place {
    /// Lets the engine judge the whole stream, without a store.
    pub(crate) fn judge_all(&self, readings: u64) -> Result<(), Failure> {
        let mut engine = self.start(None)?;
        let consumer: BaseConsumer = client(&self.bootstrap).set("group.id", "bench").create()?;
        let until = Instant::now() + crate::PATIENCE;
        loop {
            engine.assert_runs()?;
            // The group's coordinator is found in the course of the first seconds.
            let judged = judged(&consumer).unwrap_or(0);
            if judged >= readings {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(Failure::Stuck(judged));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// With `store`, into the database of that name, by a group of that name.
    pub(crate) fn start(&self, store: Option<&str>) -> Result<Engine, Failure> {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("log");
        let here = std::env::current_exe()?;
        let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("store");
        let mut command = Command::new(here.with_file_name("triage"));
        command.args(["run", "--listen", "127.0.0.1:0", "--bootstrap-servers", &self.bootstrap, "--rules"]).arg(rules);
        command.args(["--set", "kafka.group=bench", "--set", "kafka.transactional_id_prefix=bench"]);
        command.args(["--set", "kafka.partitions=4", "--set", "engine.workers=1"]);
        if let Some(name) = store {
            command.env("TRIAGE_STORE_MONGODB_URI", &self.uri);
            command.args(["--set", &format!("store.mongodb.database={name}"), "--set", &format!("store.group={name}")]);
        }
        command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let child = command.spawn()?;
        Ok(Engine { id: child.id(), process: child.into(), log, _folder: folder })
    }
}

fn judged(consumer: &BaseConsumer) -> KafkaResult<u64> {
    let mut places = TopicPartitionList::new();
    places.add_partition_range(STREAM, 0, PARTITIONS - 1);
    let committed = consumer.committed_offsets(places, PATIENCE)?;
    let offsets = committed.elements().into_iter().map(|place| place.offset().to_raw().unwrap_or(0).max(0));
    Ok(offsets.sum::<i64>().unsigned_abs())
}

/// Ends with SIGKILL when dropped.
pub(crate) struct Engine {
    id: u32,
    process: Process,
    log: PathBuf,
    _folder: tempfile::TempDir,
}

impl Engine {
    pub(crate) fn assert_runs(&mut self) -> Result<(), Failure> {
        if !self.process.has_ended() {
            return Ok(());
        }
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        Err(Failure::Ended(lines[lines.len().saturating_sub(15)..].join("\n")))
    }

    pub(crate) fn used(&self) -> Result<Used, Failure> {
        Used::of(self.id)?.ok_or(Failure::Unknown)
    }
}
