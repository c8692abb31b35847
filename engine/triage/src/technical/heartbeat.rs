//! The heartbeat: a record that says that readings are being judged, so that its absence says that they may not be.

use serde::{Deserialize, Serialize};

/// One beat, in the order in which its keys are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Heartbeat {
    /// The process: the first part of its transactional ids.
    pub(super) process: String,
    /// Epoch milliseconds.
    pub(super) ts: i64,
    /// The rule set by which readings are judged.
    pub(super) ruleset: String,
    /// The partitions of the stream that this process judges.
    pub(super) partitions: Vec<i32>,
    /// Readings judged since the process began.
    pub(super) readings: u64,
    /// Technical alerts of this process that are open.
    pub(super) technical_open: i64,
    /// Records that are not stored yet, if anything is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) store_lag: Option<i64>,
    /// When the next is to be expected, in milliseconds from this one.
    pub(super) every_ms: u64,
}
