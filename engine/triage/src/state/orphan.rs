//! Alerts that are open by what their topics say, and of whose episodes nothing is kept: the state was lost. Nobody else would
//! ever tell their end, and an alert that looks open is one that somebody seems to look after.

use crate::alerts::OpenAlerts;
use crate::alerts::alert::{Foreign, Told};
use crate::kafka::topics::alerts_of;

/// Why such an alert is over.
const REASON: &str = "state lost";

/// The end of an alert, to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Orphan {
    /// The Kafka topic.
    pub(crate) topic: String,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
}

/// What is open in the topics of a partition.
#[derive(Default)]
pub(super) struct Orphans(OpenAlerts);

impl Orphans {
    /// Takes a record of the alerts of a topic in.
    pub(super) fn take(&mut self, place: (&str, i32), key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), Foreign> {
        self.0.take(place, key, value)
    }

    /// Their ends, as of `now` in epoch milliseconds: the stream's time is lost too.
    pub(super) fn ends(self, now: i64) -> Vec<Orphan> {
        let open = self.0.in_order();
        let ends = open.into_iter().filter_map(|alert| match Told::read(&alert.json) {
            Ok(told) => {
                let value = told.resolved(now, REASON).json();
                Some(Orphan { topic: alerts_of(&alert.topic), key: alert.id.clone().into_bytes(), value })
            }
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                tracing::warn!(
                    id = alert.id,
                    line,
                    column,
                    "an alert that is not as the engine writes them stays open"
                );
                None
            }
        });
        ends.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_end_of_an_open_alert_has_its_bytes_but_state_time_and_reason() {
        let raised = r#"{"id":"r/0/4@5/t.a","rule":"t.a","state":"raised","priority":"high","patient":"p","ts":5,"since":5,"message":"v \u00e4 7","values":{"v":7.50},"origin":{"topic":"r","partition":0,"offset":4,"ruleset":"9f"}}"#;
        let seen = raised.replace("raised", "acknowledged").replace("\"values\"", "\"by\":\"eve\",\"values\"");
        let mut open = Orphans::default();
        for (id, value) in [("r/0/4@5/t.a", raised), ("r/0/4@5/t.a", &seen)] {
            open.take(("t", 0), Some(id.as_bytes()), Some(value.as_bytes())).unwrap();
        }
        let (other, ended) =
            (raised.replace("/4@5/", "/5@6/"), raised.replace("/4@5/", "/5@6/").replace("raised", "resolved"));
        for value in [other, ended] {
            open.take(("t", 0), Some(b"r/0/5@6/t.a"), Some(value.as_bytes())).unwrap();
        }
        let single = raised.replace("/4@5/", "/6@7/").replace("\"values\"", "\"single\":true,\"values\"");
        open.take(("t", 0), Some(b"r/0/6@7/t.a"), Some(single.as_bytes())).unwrap();
        let expected = raised
            .replace("\"raised\"", "\"resolved\"")
            .replace("\"ts\":5", "\"ts\":90")
            .replace("\\u00e4", "ä")
            .replace("\"values\"", "\"reason\":\"state lost\",\"values\"");
        let ends = open.ends(90);
        assert_eq!((ends.len(), ends[0].topic.as_str(), ends[0].key.as_slice()), (1, "alerts.t", &b"r/0/4@5/t.a"[..]));
        assert_eq!(String::from_utf8(ends[0].value.clone()).unwrap(), expected);
    }
}
