//! Records as they arrive.

/// A Kafka record as it arrived, borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The key, if any.
    pub key: Option<&'a [u8]>,
    /// The value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp in epoch milliseconds, if it has one.
    pub timestamp: Option<i64>,
    /// The partition it came from.
    pub partition: i32,
    /// Its offset there.
    pub offset: i64,
}
