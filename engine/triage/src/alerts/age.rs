//! How old an alert is when it is handed on: after an outage it is told with its age, and not as a fresh page.

use std::time::Duration;

/// The mark of an alert that is older than `alerts.delayed_after`: a header of its record, and a member of a webhook's body.
pub(crate) const DELAYED: &str = "delayed";

/// Beside it how old the alert is, in whole seconds.
pub(crate) const AGE: &str = "age_seconds";

/// The age in whole seconds of what bears the time `ts`, if it is more than `after` at `now`; times in epoch milliseconds.
pub(crate) fn delayed(ts: i64, now: i64, after: Duration) -> Option<u64> {
    let age = Duration::from_millis(u64::try_from(now.saturating_sub(ts)).unwrap_or(0));
    (age > after).then_some(age.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_older_is_delayed() {
        let after = Duration::from_mins(1);
        assert_eq!(delayed(0, 60_000, after), None);
        assert_eq!(delayed(0, 61_999, after), Some(61));
        assert_eq!(delayed(90_000, 60_000, after), None);
        assert_eq!(delayed(i64::MIN, i64::MAX, after), Some(i64::MAX as u64 / 1_000));
    }
}
