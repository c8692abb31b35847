//! One worker: one thread, one consumer, one transactional producer. Readings are polled, judged, sent and committed on
//! one stack; nothing is handed to another thread on the way. New partitions are restored beside it.

mod batch;
mod deleted;
mod due;
mod idle;
mod judge;
mod keeping;
mod session;
mod taking;
mod words;

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::KafkaError;

use crate::kafka::rights::{explained, explained_on};
use crate::kafka::topics::Layout;
use crate::kafka::transaction::TransactionError;
use crate::shared::{Shared, WorkerState};
use crate::shutdown::Backoff;
use crate::state::BrokenOff;
pub(crate) use judge::SentCounts;
use session::Session;
pub(crate) use words::{LIMITS as LIMITS_OF_WORDS, MOST_BYTES as MOST_BYTES_OF_WORDS};

/// Why a worker has to make new clients.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkerError {
    /// A client cannot be made, or does not get through to the broker.
    #[error("the broker cannot be used: {}", explained(.0))]
    Open(KafkaError),
    /// The consumer is of no more use.
    #[error("the consumer failed: {}", explained(.0))]
    Consume(KafkaError),
    /// The stream may not be read.
    #[error("the stream cannot be read: {}", explained_on(.error, .stream))]
    Denied {
        /// The stream.
        stream: String,
        /// The broker's words.
        error: KafkaError,
    },
    /// The producer is of no more use.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// A transaction failed, and the broker does not take it back: whoever has the transactional id next, which is this
    /// worker, does.
    #[error("{cause}; and it cannot be aborted: {error}")]
    NotAborted {
        /// Why it failed.
        cause: Box<TransactionError>,
        /// Why it is not aborted.
        error: Box<TransactionError>,
    },
    /// A batch cannot be read again with this consumer.
    #[error("readings cannot be read again: {0}")]
    Rewind(KafkaError),
    /// The consumer is back at what it has given already: librdkafka begins anew where the broker does not know its place.
    #[error(
        "partition {partition} of the stream begins again at {offset}, and {due} is due: the broker did not know that place"
    )]
    WentBack {
        /// The partition.
        partition: i32,
        /// What came.
        offset: i64,
        /// What was to come, or something after it.
        due: i64,
    },
    /// No thread can be started.
    #[error("no thread can be started that restores partitions: {0}")]
    Thread(std::io::Error),
    /// State cannot be restored any more.
    #[error(transparent)]
    Restoring(#[from] BrokenOff),
}

/// Runs until the shutdown is asked for; makes new clients whenever the old ones are of no more use, or have old certificates.
pub(crate) fn run(index: usize, shared: &Arc<Shared>, layout: Layout) {
    let presence = Presence { index, shared };
    let mut backoff = fresh_backoff();
    while !shared.shutdown.is_asked() {
        shared.board.set(index, WorkerState::Starting);
        let mut progressed = false;
        let Err(error) = serve(index, shared, layout, &mut progressed) else { continue };
        if progressed {
            backoff = fresh_backoff();
        }
        tracing::error!(worker = index, %error, "a worker makes new clients");
        shared.metrics.restarted();
        shared.board.set(index, WorkerState::Failing { error: error.to_string() });
        shared.shutdown.sleep(backoff.take());
    }
    presence.leave();
}

fn serve(index: usize, shared: &Arc<Shared>, layout: Layout, progressed: &mut bool) -> Result<(), WorkerError> {
    let clients = session::Clients::open(index, shared, layout)?;
    let mut session = Session::new(index, shared, &clients)?;
    let result = session.serve();
    *progressed = session.has_committed();
    session.withdraw();
    result
}

fn fresh_backoff() -> Backoff {
    Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
}

/// Says on the board how the worker ended, also when it unwinds.
struct Presence<'a> {
    index: usize,
    shared: &'a Shared,
}

impl Presence<'_> {
    fn leave(self) {
        self.shared.board.set(self.index, WorkerState::Ended);
    }
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.board.set(self.index, WorkerState::Broken);
            self.shared.shutdown.ask();
        }
    }
}
