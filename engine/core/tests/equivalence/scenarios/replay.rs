//! Lines as `triage replay` reads them.

use triage_core::reading::Record;

use super::LIMITS;
use crate::generate::Arrived;
use crate::happening::Happening;
use crate::oracle::{Event, Oracle, only_member};

/// What lines make happen, one each, and time that goes on until `until`: every line counts for the offset, and a line
/// without a time has that of the last that was a reading.
pub(super) fn happenings(oracle: &Oracle, lines: &[&str], until: Option<i64>) -> Vec<Happening> {
    let mut now = 0;
    let mut happenings = Vec::new();
    for (line, offset) in lines.iter().zip(0..) {
        let arrived =
            |value: &str| Arrived { key: None, value: Some(value.into()), timestamp: Some(now), partition: 0, offset };
        if let Some(said) = said(oracle, line) {
            happenings.push(Happening::Acknowledgement(arrived(&said)));
            continue;
        }
        let reading = arrived(line);
        now = oracle.time(&reading.record(), &LIMITS).unwrap_or(now);
        happenings.push(Happening::Record(reading));
    }
    happenings.extend(until.map(|to| Happening::Advance { partition: 0, to }));
    happenings
}

/// The record of `acknowledgements` that a line stands for: what is in `acknowledge`, or a pause as it is.
fn said(oracle: &Oracle, line: &str) -> Option<String> {
    let (name, value) = only_member(line.as_bytes()).filter(|(name, _)| !oracle.declares(name))?;
    match name.as_str() {
        "acknowledge" => Some(value),
        "pause" => Some(line.into()),
        _ => None,
    }
}

/// The record that a happening is.
pub(super) fn record(happening: &Happening) -> Record<'_> {
    match happening.event() {
        Event::Record(record) => record,
        other => panic!("not a record: {other:?}"),
    }
}
