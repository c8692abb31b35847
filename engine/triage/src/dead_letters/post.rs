//! What a stage behind the engine refuses goes to the dead letters: it is in nobody's way there, and not lost.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::TopicPartitionList;

use super::Stage;
use super::header::{self, Origin};
use super::taken::Taken;
use crate::kafka::topics::DEAD_LETTERS;
use crate::kafka::transaction::{Sent, TransactionError, Transactions};

/// How long taking over the transactional id may take before its owner begins anew.
const OPENING: Duration = Duration::from_secs(5);

/// A record that is refused.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) taken: Arc<Taken>,
    /// The short code.
    pub(crate) reason: &'static str,
    /// One sentence, without any value.
    pub(crate) sentence: String,
}

/// Sends what a stage refuses, and the offsets of its batch, in one transaction.
pub(crate) struct Post {
    stage: Stage,
    transactions: Transactions,
}

impl Post {
    pub(crate) fn open(stage: Stage, properties: &ClientConfig) -> KafkaResult<Self> {
        Ok(Self { stage, transactions: Transactions::open(properties, OPENING)? })
    }

    /// Letters and offsets become visible together or not at all. After an error the clients begin anew at the committed
    /// offsets: the batch is read again, and what was sent is aborted here or by the next owner of the id.
    pub(crate) fn send(
        &self,
        letters: &[Refused],
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        self.transactions.begin()?;
        let result = letters.iter().try_for_each(|letter| self.transactions.send(sent(self.stage, letter)));
        let result = result.and_then(|()| self.transactions.commit(offsets, group));
        if result.is_err()
            && let Err(error) = self.transactions.abort()
        {
            // Whoever takes the id over next, which is us, aborts it.
            tracing::warn!(%error, "the dead letters of a batch are not taken back yet");
        }
        result
    }
}

fn sent(stage: Stage, letter: &Refused) -> Sent<'_> {
    let Taken { record, resent, .. } = &*letter.taken;
    let (partition, timestamp) = (record.partition(), record.timestamp().to_millis());
    let origin = Origin { topic: record.topic(), partition, offset: record.offset(), timestamp };
    let headers = header::of_letter(stage.as_str(), letter.reason, &letter.sentence, &origin);
    let headers = match resent {
        Some(earlier) => header::with(headers, header::RESENT, earlier),
        None => headers,
    };
    let headers = Some(headers);
    Sent { topic: DEAD_LETTERS, partition, key: record.key(), value: record.payload(), timestamp, headers }
}
