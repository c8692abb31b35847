//! A record as a stage behind the engine takes it: what it is, and where it was read. The two differ for a dead letter that was
//! sent again, which is what it was when it was refused, wherever it is read now.

use rdkafka::message::{Message, OwnedMessage, Timestamp};

use super::header::{self, Origin};

/// A record that was read.
#[derive(Debug)]
pub(crate) struct Taken {
    /// With the topic, partition and offset that it came from first.
    pub(crate) record: OwnedMessage,
    /// The place of the dead letter that it was, if it was sent again.
    pub(crate) resent: Option<String>,
    read: Read,
}

/// Where a record was read.
#[derive(Debug)]
enum Read {
    /// Where it came from.
    There,
    /// On the topic of what was sent again.
    Resent { topic: &'static str, partition: i32, offset: i64 },
}

impl Taken {
    /// A record of the topic of what was sent again says in its headers what it was; one that does not stays what it is.
    pub(crate) fn new(record: OwnedMessage, resent_on: &'static str) -> Self {
        if record.topic() != resent_on {
            return Self { record, resent: None, read: Read::There };
        }
        let headers = record.headers();
        let resent = headers.and_then(|headers| header::text(headers, header::RESENT)).map(str::to_owned);
        let Some(origin) = headers.and_then(Origin::read) else {
            return Self { record, resent, read: Read::There };
        };
        let read = Read::Resent { topic: resent_on, partition: record.partition(), offset: record.offset() };
        let time = origin.timestamp.map_or(Timestamp::NotAvailable, Timestamp::CreateTime);
        let (key, value) = (record.key().map(<[u8]>::to_vec), record.payload().map(<[u8]>::to_vec));
        let Origin { topic, partition, offset, .. } = origin;
        let record = OwnedMessage::new(value, key, topic.to_owned(), time, partition, offset, None);
        Self { record, resent, read }
    }

    /// Topic, partition and offset at which it was read.
    pub(crate) fn place(&self) -> (&str, i32, i64) {
        match self.read {
            Read::There => (self.record.topic(), self.record.partition(), self.record.offset()),
            Read::Resent { topic, partition, offset } => (topic, partition, offset),
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedHeaders;

    use super::*;
    use crate::kafka::topics::RESENT_DOCUMENTS;

    fn on_resent(headers: Option<OwnedHeaders>) -> Taken {
        let (value, key) = (Some(b"v".to_vec()), Some(b"k".to_vec()));
        let time = Timestamp::CreateTime(5);
        Taken::new(OwnedMessage::new(value, key, RESENT_DOCUMENTS.to_owned(), time, 1, 9, headers), RESENT_DOCUMENTS)
    }

    #[test]
    fn a_resent_record_is_what_it_was_and_is_committed_where_it_is_read() {
        let origin = Origin { topic: "vitals", partition: 3, offset: 42, timestamp: Some(17) };
        let headers = header::with(origin.write(OwnedHeaders::new()), header::RESENT, "dead-letters/0/1@17");
        let taken = on_resent(Some(headers));
        assert_eq!(taken.place(), (RESENT_DOCUMENTS, 1, 9));
        assert_eq!((taken.record.topic(), taken.record.partition(), taken.record.offset()), ("vitals", 3, 42));
        assert_eq!((taken.record.payload(), taken.record.key()), (Some(&b"v"[..]), Some(&b"k"[..])));
        assert_eq!(taken.record.timestamp(), Timestamp::CreateTime(17));
        assert_eq!(taken.resent.as_deref(), Some("dead-letters/0/1@17"));
    }

    #[test]
    fn one_that_does_not_say_what_it_was_stays_what_it_is() {
        for headers in [None, Some(OwnedHeaders::new())] {
            let taken = on_resent(headers);
            assert_eq!((taken.record.topic(), taken.place()), (RESENT_DOCUMENTS, (RESENT_DOCUMENTS, 1, 9)));
        }
    }
}
