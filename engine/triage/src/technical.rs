//! What the engine says of itself: technical alerts on `alerts.technical`, and a heartbeat. One thread of each process asks
//! what is wrong (the monitor of the readings, and the engine's own parts), tells of what is new and what is over, and
//! sends a heartbeat as long as every worker goes on judging. It stands beside the transactions: what it sends may come
//! twice, and changes nothing of what readings bring about.

mod alert;
mod board;
mod conditions;
mod episode;
mod failures;
mod heartbeat;
mod supervisor;
mod topic;
mod words;

use std::sync::Arc;
use std::thread::JoinHandle;

use crate::kafka::topics::Layout;
use crate::shared::Shared;
pub(crate) use board::Board;

/// Starts the thread.
pub(crate) fn start(shared: &Arc<Shared>, layout: Layout) -> Result<JoinHandle<()>, std::io::Error> {
    let shared = Arc::clone(shared);
    let body = move || supervisor::run(&shared, layout.partitions);
    std::thread::Builder::new().name("technical".to_owned()).spawn(body)
}
