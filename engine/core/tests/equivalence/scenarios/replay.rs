//! Lines as `triage replay` reads them.

use triage_core::program::Limits;

use crate::generate::Arrived;
use crate::happening::Happening;
use crate::oracle::{Oracle, only_member};

/// What `triage replay` demands of records: nobody knows how far ahead of Kafka's time they are.
pub(super) const LIMITS: Limits = Limits { value_bytes: 1_000_000, skew_ms: None };

/// What lines make happen, one each: every line counts for the offset, and a line without a time has that of the last that
/// was a reading.
pub(super) fn happenings(oracle: &Oracle, lines: &str) -> Vec<Happening> {
    let mut now = 0;
    let mut happenings = Vec::new();
    for (line, offset) in lines.lines().zip(0..) {
        let arrived =
            |value: &str| Arrived { key: None, value: Some(value.into()), timestamp: Some(now), partition: 0, offset };
        happenings.push(match said(oracle, line) {
            Said::Something(said) => Happening::Acknowledgement(arrived(&said)),
            Said::Until(to) => Happening::Advance { partition: 0, to },
            Said::Nothing => {
                let reading = arrived(line);
                now = oracle.time(&reading.record(), &LIMITS).unwrap_or(now);
                Happening::Record(reading)
            }
        });
    }
    happenings
}

/// What a line is, if it is no reading.
enum Said {
    /// The record of `acknowledgements` that it stands for: what is in `acknowledge`, or a pause as it is.
    Something(String),
    /// Time passes to this moment.
    Until(i64),
    Nothing,
}

fn said(oracle: &Oracle, line: &str) -> Said {
    let only = only_member(line.as_bytes()).filter(|(name, _)| !oracle.declares(name));
    match only.as_ref().map(|(name, value)| (name.as_str(), value)) {
        Some(("acknowledge", value)) => Said::Something(value.clone()),
        Some(("pause", _)) => Said::Something(line.into()),
        Some(("until", moment)) => Said::Until(moment.parse().unwrap()),
        _ => Said::Nothing,
    }
}
