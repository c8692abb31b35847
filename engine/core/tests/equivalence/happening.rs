//! What happens to a rule set, owned: records of the stream, acknowledgements, and time that passes.

use crate::generate::Arrived;
use crate::oracle::Event;

/// Something that happens, in the order of its partition.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    /// A record of the stream.
    Record(Arrived),
    /// A record of `acknowledgements`.
    Acknowledgement(Arrived),
    /// The stream's time moves.
    Advance {
        /// Whose time.
        partition: i32,
        /// To which moment, in epoch milliseconds.
        to: i64,
    },
}

impl Happening {
    /// As a step takes it.
    pub(crate) fn event(&self) -> Event<'_> {
        match self {
            Happening::Record(arrived) => Event::Record(arrived.record()),
            Happening::Acknowledgement(arrived) => Event::Acknowledgement(arrived.record()),
            Happening::Advance { partition, to } => Event::Advance { partition: *partition, to: *to },
        }
    }

    /// For the person who reads a failed test.
    pub(crate) fn show(&self) -> String {
        match self {
            Happening::Record(arrived) => format!("record {}", arrived.show()),
            Happening::Acknowledgement(arrived) => format!("acknowledgement {}", arrived.show()),
            Happening::Advance { partition, to } => format!("time of {partition} goes to {to}"),
        }
    }
}
