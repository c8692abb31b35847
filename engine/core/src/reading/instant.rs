//! Points in time: RFC 3339 text to epoch milliseconds and back.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The text's epoch milliseconds, digits past the millisecond cut off; `None` if it is not RFC 3339.
///
/// A leap second (`:60`) has no place in epoch milliseconds and is refused.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if !matches!(bytes.get(10), Some(b'T' | b't')) || bytes.get(17) == Some(&b'6') {
        return None;
    }
    let instant = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// Whether a time in epoch milliseconds lies in the years 0000 to 9999, which RFC 3339 can write.
pub(crate) fn has_rfc3339(epoch_ms: f64) -> bool {
    (-62_167_219_200_000.0..=253_402_300_799_999.0).contains(&epoch_ms)
}

/// Appends the time as RFC 3339 in UTC, with milliseconds only if there are any.
pub(crate) fn write_rfc3339(epoch_ms: i64, out: &mut String) {
    use std::fmt::Write as _;
    let Ok(instant) = OffsetDateTime::from_unix_timestamp_nanos(i128::from(epoch_ms) * 1_000_000) else {
        // Such a time is not known to any rule, see `has_rfc3339`.
        let _ = write!(out, "{epoch_ms}");
        return;
    };
    let (year, month, day) = instant.to_calendar_date();
    let (hour, minute, second, ms) = instant.to_hms_milli();
    let _ = write!(out, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}", u8::from(month));
    if ms != 0 {
        let _ = write!(out, ".{ms:03}");
    }
    out.push('Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_rfc_3339() {
        assert_eq!(parse_rfc3339("2023-11-14T22:13:20.123Z"), Some(1_700_000_000_123));
        assert_eq!(parse_rfc3339("2023-11-14t23:13:20.1239999999999+01:00"), Some(1_700_000_000_123));
        assert_eq!(parse_rfc3339("1969-12-31T23:59:59.9995Z"), Some(-1));
        for bad in [
            "2023-11-14",
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13:20",
            "2016-12-31T23:59:60Z",
            "2023-02-29T00:00:00Z",
            "",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }

    #[test]
    fn writes_rfc_3339() {
        let write = |ms| {
            let mut out = String::new();
            write_rfc3339(ms, &mut out);
            out
        };
        assert_eq!(write(1_700_000_000_120), "2023-11-14T22:13:20.120Z");
        assert_eq!(write(1_700_000_000_000), "2023-11-14T22:13:20Z");
    }
}
