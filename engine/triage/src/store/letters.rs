//! What cannot be stored goes to the dead letters, with the stage `document`: it is in nobody's way there, and not lost.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaResult;
use rdkafka::message::{Header, Message, OwnedHeaders, OwnedMessage};
use rdkafka::topic_partition_list::TopicPartitionList;

use crate::kafka::topics::DEAD_LETTERS;
use crate::kafka::transaction::{Sent, TransactionError, Transactions};

/// How long taking over the transactional id may take before the store begins anew.
const OPENING: Duration = Duration::from_secs(5);

/// A record that is no document.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) record: Arc<OwnedMessage>,
    /// The short code.
    pub(crate) reason: &'static str,
    /// One sentence, without any value.
    pub(crate) sentence: String,
}

/// Sends letters and the offsets of their batch, in one transaction.
pub(crate) struct Letters {
    transactions: Transactions,
}

impl Letters {
    pub(crate) fn open(properties: &ClientConfig) -> KafkaResult<Self> {
        Ok(Self { transactions: Transactions::open(properties, OPENING)? })
    }

    /// Letters and offsets become visible together or not at all. After an error the clients begin anew at the committed
    /// offsets: the batch is read again, and what was sent is aborted here or by the next owner of the id.
    pub(crate) fn send(
        &self,
        letters: &[Letter],
        offsets: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<(), TransactionError> {
        self.transactions.begin()?;
        let result = letters.iter().try_for_each(|letter| self.transactions.send(sent(letter)));
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

fn sent(letter: &Letter) -> Sent<'_> {
    Sent {
        topic: DEAD_LETTERS,
        partition: letter.record.partition(),
        key: letter.record.key(),
        value: letter.record.payload(),
        timestamp: letter.record.timestamp().to_millis(),
        headers: Some(headers(letter)),
    }
}

/// The same headers as those of a reading's dead letter.
fn headers(letter: &Letter) -> OwnedHeaders {
    let record = &letter.record;
    let timestamp = record.timestamp().to_millis().map(|timestamp| timestamp.to_string());
    let (partition, offset) = (record.partition().to_string(), record.offset().to_string());
    let known = [
        ("stage", Some("document")),
        ("reason", Some(letter.reason)),
        ("sentence", Some(letter.sentence.as_str())),
        ("topic", Some(record.topic())),
        ("partition", Some(partition.as_str())),
        ("offset", Some(offset.as_str())),
        ("timestamp", timestamp.as_deref()),
    ];
    let mut headers = OwnedHeaders::new_with_capacity(known.len());
    for (key, value) in known.into_iter().filter(|(_, value)| value.is_some()) {
        headers = headers.insert(Header { key, value });
    }
    headers
}
