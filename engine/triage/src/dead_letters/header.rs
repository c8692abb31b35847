//! The headers of a dead letter: who refused the record, why, and where it came from.

use rdkafka::message::{Header, Headers, OwnedHeaders};

/// Who refused the record.
pub(crate) const STAGE: &str = "stage";
/// The short code of the reason.
pub(crate) const REASON: &str = "reason";
/// The reason in a sentence, without any value of a patient.
pub(crate) const SENTENCE: &str = "sentence";
/// The topic that the record came from.
pub(crate) const TOPIC: &str = "topic";
/// Its partition there.
pub(crate) const PARTITION: &str = "partition";
/// Its offset there.
pub(crate) const OFFSET: &str = "offset";
/// Its Kafka time, in milliseconds since 1970.
pub(crate) const TIMESTAMP: &str = "timestamp";
/// On what was sent again: the place of the dead letter.
pub(crate) const RESENT: &str = "resent";

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// The Kafka time, in milliseconds since 1970.
    pub(crate) timestamp: Option<i64>,
}

impl<'a> Origin<'a> {
    /// None if a header is missing or is no number.
    pub(crate) fn read(headers: &'a impl Headers) -> Option<Self> {
        Some(Self {
            topic: text(headers, TOPIC)?,
            partition: text(headers, PARTITION)?.parse().ok()?,
            offset: text(headers, OFFSET)?.parse().ok()?,
            timestamp: text(headers, TIMESTAMP).and_then(|text| text.parse().ok()),
        })
    }

    /// These, added to others.
    pub(crate) fn write(&self, headers: OwnedHeaders) -> OwnedHeaders {
        let headers = with(headers, TOPIC, self.topic);
        let headers = with(headers, PARTITION, &self.partition.to_string());
        let headers = with(headers, OFFSET, &self.offset.to_string());
        match self.timestamp {
            Some(timestamp) => with(headers, TIMESTAMP, &timestamp.to_string()),
            None => headers,
        }
    }
}

/// All headers of a dead letter.
pub(crate) fn of_letter(stage: &str, reason: &str, sentence: &str, origin: &Origin<'_>) -> OwnedHeaders {
    let headers = with(OwnedHeaders::new_with_capacity(8), STAGE, stage);
    let headers = with(headers, REASON, reason);
    origin.write(with(headers, SENTENCE, sentence))
}

pub(crate) fn with(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// A header's text; none if it is not there, or is no text.
pub(crate) fn text<'a>(headers: &'a impl Headers, key: &str) -> Option<&'a str> {
    let found = headers.iter().find(|header| header.key == key)?;
    std::str::from_utf8(found.value?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for timestamp in [Some(17), None] {
            let origin = Origin { topic: "research", partition: 3, offset: 42, timestamp };
            let headers = of_letter("document", "refused", "why", &origin);
            assert_eq!(Origin::read(&headers), Some(origin));
            assert_eq!((text(&headers, STAGE), text(&headers, REASON)), (Some("document"), Some("refused")));
        }
    }

    #[test]
    fn half_an_origin_is_none() {
        assert_eq!(Origin::read(&with(OwnedHeaders::new(), TOPIC, "research")), None);
        let odd = Origin { topic: "research", partition: 0, offset: 0, timestamp: None }.write(OwnedHeaders::new());
        assert!(Origin::read(&odd).is_some());
        let headers = [(TOPIC, "t"), (PARTITION, "x"), (OFFSET, "1")];
        let odd = headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| with(headers, key, value));
        assert_eq!(Origin::read(&odd), None);
    }
}
