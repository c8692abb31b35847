//! A dead letter as it is read from its topic.

use std::fmt;
use std::str::FromStr;

use rdkafka::message::{BorrowedMessage, Message, OwnedHeaders};

use super::Stage;
use super::header::{self, Origin};
use crate::kafka::topics::DEAD_LETTERS;

/// Where a dead letter is: `dead-letters/0/17`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{DEAD_LETTERS}/{}/{}", self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("expected a place such as `{DEAD_LETTERS}/0/17`");
        let numbers = text.strip_prefix(DEAD_LETTERS).and_then(|rest| rest.strip_prefix('/')).ok_or_else(expected)?;
        let (partition, offset) = numbers.split_once('/').ok_or_else(expected)?;
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else { return Err(expected()) };
        Ok(Self { partition, offset })
    }
}

/// A dead letter. Somebody else may write to the topic too: then a header may be missing.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) place: Place,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    /// The Kafka time, which is that of the refused record, in milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
    headers: OwnedHeaders,
}

impl Letter {
    pub(crate) fn new(message: &BorrowedMessage<'_>) -> Self {
        Self {
            place: Place { partition: message.partition(), offset: message.offset() },
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            timestamp: message.timestamp().to_millis(),
            headers: message.headers().map_or_else(OwnedHeaders::new, rdkafka::message::BorrowedHeaders::detach),
        }
    }

    /// None if nothing is said, or a stage that this version does not know.
    pub(crate) fn stage(&self) -> Option<Stage> {
        self.header(header::STAGE).and_then(Stage::of)
    }

    pub(crate) fn origin(&self) -> Option<Origin<'_>> {
        Origin::read(&self.headers)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header::text(&self.headers, name)
    }

    /// How large it is, key included.
    pub(crate) fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Vec::len) + self.value.as_ref().map_or(0, Vec::len)
    }

    /// The place with the time: a topic that was made anew begins again at 0, and its letters are others.
    pub(crate) fn mark(&self) -> String {
        format!("{}@{}", self.place, self.timestamp.unwrap_or(-1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_it_is_written() {
        let place = Place { partition: 3, offset: 42 };
        assert_eq!(place.to_string().parse(), Ok(place));
        for wrong in ["", "dead-letters", "dead-letters/0", "dead-letters/0/x", "vitals/0/1", "dead-letters0/1"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
