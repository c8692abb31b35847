//! Which dead letters have been sent again: a record each on the compacted topic `dead-letters-resent`, written in the
//! transaction that sends. Its key is the letter's place and time.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use rdkafka::message::Message;

use super::letter::Letter;
use super::{DeadLetterError, read_all};
use crate::access::operator;
use crate::kafka::records::Records;
use crate::kafka::topics::DEAD_LETTERS_RESENT;

/// The marks of all letters that have been sent again.
#[derive(Debug, Default)]
pub(super) struct Marks(HashSet<Vec<u8>>);

impl Marks {
    pub(super) fn read(records: &Records) -> Result<Self, DeadLetterError> {
        let mut marks = HashSet::new();
        read_all(records, DEAD_LETTERS_RESENT, |message| {
            marks.extend(message.key().map(<[u8]>::to_vec));
            Ok(())
        })?;
        Ok(Self(marks))
    }

    pub(super) fn has(&self, letter: &Letter) -> bool {
        self.0.contains(letter.mark().as_bytes())
    }
}

/// Who sends a letter again, when (milliseconds since 1970), and where to, as JSON.
pub(super) fn mark(to: &str) -> String {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    serde_json::json!({ "by": operator(), "at": at, "to": to }).to_string()
}
