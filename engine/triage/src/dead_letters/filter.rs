//! Which dead letters are meant.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Stage;
use super::header;
use super::letter::{Letter, Place};

/// All that is said must hold; of several places any.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct Filter {
    /// Only those that this stage refused
    #[arg(long, value_name = "STAGE")]
    stage: Option<Stage>,
    /// Only those with this reason, such as `not-json`
    #[arg(long, value_name = "CODE")]
    reason: Option<String>,
    /// Only records that came from this topic
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Only records whose Kafka time is this or later: RFC 3339, epoch milliseconds, or how long ago (`2h`)
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<i64>,
    /// Only records whose Kafka time is before this
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<i64>,
    /// Only this one, such as `dead-letters/0/17`; as often as needed
    #[arg(long = "at", value_name = "PLACE")]
    places: Vec<Place>,
}

impl Filter {
    /// Whether every dead letter is meant.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { stage, reason, topic, since, until, places } = self;
        let none_said = stage.is_none() && reason.is_none() && topic.is_none();
        none_said && since.is_none() && until.is_none() && places.is_empty()
    }

    pub(crate) fn takes(&self, letter: &Letter) -> bool {
        let time = letter.timestamp.unwrap_or(0);
        self.stage.is_none_or(|stage| letter.stage() == Some(stage))
            && self.reason.as_deref().is_none_or(|reason| letter.header(header::REASON) == Some(reason))
            && self.topic.as_deref().is_none_or(|topic| letter.header(header::TOPIC) == Some(topic))
            && self.since.is_none_or(|since| time >= since)
            && self.until.is_none_or(|until| time < until)
            && (self.places.is_empty() || self.places.contains(&letter.place))
    }
}

/// Milliseconds since 1970.
fn time(text: &str) -> Result<i64, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(milliseconds);
    }
    if let Ok(time) = humantime::parse_rfc3339_weak(text) {
        return Ok(milliseconds(time));
    }
    let ago = humantime::parse_duration(text)
        .map_err(|_| "expected `2026-11-24T08:00:00Z`, milliseconds since 1970, or how long ago, such as `2h`")?;
    Ok(milliseconds(SystemTime::now().checked_sub(ago).unwrap_or(UNIX_EPOCH)))
}

fn milliseconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn times_are_told_in_three_ways() {
        assert_eq!(time("1700000000123"), Ok(1_700_000_000_123));
        assert_eq!(time("2023-11-14T22:13:20Z"), Ok(1_700_000_000_000));
        assert_eq!(time("2023-11-14 22:13:20"), Ok(1_700_000_000_000));
        let two_hours_ago = || milliseconds(SystemTime::now()) - 7_200_000;
        let (before, ago, after) = (two_hours_ago(), time("2h").unwrap(), two_hours_ago());
        assert!((before..=after).contains(&ago), "{ago}");
        assert!(time("yesterday").is_err());
    }
}
