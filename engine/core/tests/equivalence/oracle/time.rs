//! RFC 3339 times, epoch milliseconds, durations.

use triage_core::syntax::ast::{Duration, DurationUnit};

const DAY: i64 = 86_400_000;

/// The first millisecond of the year 0 and of the year 10000.
const PRINTABLE: (i64, i64) = (-62_167_219_200_000, 253_402_300_800_000);

/// Whether RFC 3339 has a form for the time.
pub(crate) fn is_printable(ms: i64) -> bool {
    (PRINTABLE.0..PRINTABLE.1).contains(&ms)
}

/// A duration in milliseconds.
pub(crate) fn duration(written: &Duration) -> i64 {
    let unit = match written.unit {
        DurationUnit::Milliseconds => 1.0,
        DurationUnit::Seconds => 1000.0,
        DurationUnit::Minutes => 60_000.0,
        DurationUnit::Hours => 3_600_000.0,
        DurationUnit::Days => 86_400_000.0,
    };
    (written.number.0.parse::<f64>().expect("a number of the rule set") * unit).round() as i64
}

/// Epoch milliseconds of an RFC 3339 time; digits past the millisecond are cut off.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, '-', &[4, 2, 2])?[..] else { return None };
    let rest = rest.strip_prefix(['T', 't'])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, ':', &[2, 2, 2])?[..] else { return None };
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, offset) = split_fraction(rest)?;
    let clock = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    Some(days_from_civil(year, month, day) * DAY + clock - offset_minutes(offset)? * 60_000)
}

/// RFC 3339 in UTC, with milliseconds only if there are some.
pub(crate) fn print(ms: i64) -> String {
    let (day, clock) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let mut year = 1970 + day.div_euclid(if day < 0 { 365 } else { 366 });
    while days_from_civil(year + 1, 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_from_civil(year, month + 1, 1) <= day {
        month += 1;
    }
    let of_month = day - days_from_civil(year, month, 1) + 1;
    let (hour, minute, second) = (clock / 3_600_000, clock / 60_000 % 60, clock / 1000 % 60);
    let fraction = if clock % 1000 == 0 { String::new() } else { format!(".{:03}", clock % 1000) };
    format!("{year:04}-{month:02}-{of_month:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
}

/// Numbers of exactly so many digits with `separator` between them.
fn numbers(text: &str, separator: char, widths: &[usize]) -> Option<Vec<i64>> {
    let parts: Vec<&str> = text.split(separator).collect();
    let widths_fit = parts.iter().map(|part| part.len()).eq(widths.iter().copied());
    let digits = parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    (widths_fit && digits).then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
}

/// Milliseconds of `.123456`, if it is there, and what stands behind it.
fn split_fraction(rest: &str) -> Option<(i64, &str)> {
    let Some(behind) = rest.strip_prefix('.') else { return Some((0, rest)) };
    let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let ms = format!("{:0<3}", &behind[..digits])[..3].parse().ok()?;
    Some((ms, &behind[digits..]))
}

fn offset_minutes(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(&text[1..], ':', &[2, 2])?[..] else { return None };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01, counted year by year in blocks of the calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leap_days(before) - leap_days(1969);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

#[test]
fn times_are_read_and_printed() {
    for (text, ms) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
        ("2000-02-29T12:00:00.500Z", 951_825_600_500),
        ("1969-12-31T23:59:59.999Z", -1),
        ("0000-01-01T00:00:00Z", PRINTABLE.0),
        ("9999-12-31T23:59:59.999Z", PRINTABLE.1 - 1),
    ] {
        assert_eq!(parse(text), Some(ms), "{text}");
        assert_eq!(print(ms), text);
    }
    assert_eq!(parse("2023-11-14t23:13:20.1239+01:00"), Some(1_700_000_000_123));
    for wrong in ["2023-02-29T00:00:00Z", "2023-01-01 00:00:00Z", "2023-01-01T00:00:60Z", "2023-01-01T00:00:00", "x"] {
        assert_eq!(parse(wrong), None, "{wrong}");
    }
}
