//! Dead letters: records that nobody could use, kept unchanged on the topic `dead-letters`. The engine and the store send
//! them; a person looks at them and gives them back to the stage that refused them.

pub(crate) mod filter;
pub(crate) mod header;
pub(crate) mod letter;
mod marks;
pub(crate) mod post;
pub(crate) mod resend;
pub(crate) mod show;
pub(crate) mod taken;

use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::topic_partition_list::Offset;

use crate::erase::erased::ErasedError;
use crate::kafka::records::{ReadError, Records};
use crate::kafka::rights::explained;
use crate::kafka::topics::TopicError;
use crate::kafka::transaction::TransactionError;
use crate::published::PublishError;

/// A dead letter may be as large as the largest record that is read, and so may what is sent again.
pub(crate) const LARGEST: usize = 100_000_000;

/// Who refused a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Stage {
    /// The engine: it is no reading
    Reading,
    /// The store: it is no document, or was refused
    Document,
    /// The engine: it is no acknowledgement; never sent again
    Acknowledgement,
    /// A webhook: it did not take an alert, or the record is none
    Webhook,
}

impl Stage {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Stage::Reading => "reading",
            Stage::Document => "document",
            Stage::Acknowledgement => "acknowledgement",
            Stage::Webhook => "webhook",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        [Stage::Reading, Stage::Document, Stage::Acknowledgement, Stage::Webhook]
            .into_iter()
            .find(|stage| stage.as_str() == name)
    }
}

/// Why dead letters cannot be looked at or sent again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeadLetterError {
    /// Who has been erased cannot be told.
    #[error(transparent)]
    Erased(#[from] ErasedError),
    /// A Kafka client failed.
    #[error("the broker cannot be used: {}", explained(.0))]
    Kafka(#[from] KafkaError),
    /// A topic cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The topics that a resend needs are not as they must be.
    #[error(transparent)]
    Topics(#[from] TopicError),
    /// The published rules cannot be read.
    #[error("the published rules, which name the stream, cannot be read: {0}")]
    Published(#[from] PublishError),
    /// No rules are published.
    #[error(
        "no rules are published for the group `{0}`: which topic is the stream is not known; set `kafka.group` to the engine's"
    )]
    NoRules(String),
    /// The published rules are of a newer engine, say.
    #[error("the published rules, which name the stream, cannot be compiled here:\n{0}")]
    Rules(String),
    /// A batch was not committed; nothing of it is sent.
    #[error("{0}; what was not told of as resent is not resent")]
    Transaction(#[from] TransactionError),
    /// What is printed cannot be.
    #[error("standard output: {0}")]
    Output(#[from] std::io::Error),
}

/// Gives every record of a topic to `take`, partition by partition, each in order. What is written meanwhile is not read.
fn read_all(
    records: &Records,
    topic: &str,
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<(), DeadLetterError>,
) -> Result<(), DeadLetterError> {
    for partition in 0..records.partitions(topic)? {
        let end = records.bounds(topic, partition)?.1;
        records.read((topic, partition), Offset::Beginning, end, &mut take)?;
    }
    Ok(())
}
