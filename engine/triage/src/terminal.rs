//! What others have written, as a terminal can show it.

use std::time::{Duration, UNIX_EPOCH};

/// RFC 3339 in UTC of a time in epoch milliseconds, or `?`: beyond the year 9999 there is no such form.
pub(crate) fn time(milliseconds: Option<i64>) -> String {
    let time = milliseconds
        .and_then(|time| u64::try_from(time).ok())
        .and_then(|time| UNIX_EPOCH.checked_add(Duration::from_millis(time)));
    let most = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    match time {
        Some(time) if time <= most => humantime::format_rfc3339_millis(time).to_string(),
        _ => "?".to_owned(),
    }
}

/// Without what would move a terminal's cursor, or worse.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_texts_of_any_kind_can_be_printed() {
        assert_eq!(time(Some(1_700_000_000_123)), "2023-11-14T22:13:20.123Z");
        for odd in [None, Some(-1), Some(i64::MAX), Some(i64::MIN)] {
            assert_eq!(time(odd), "?");
        }
        assert_eq!(printable("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
