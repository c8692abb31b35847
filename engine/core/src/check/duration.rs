//! Durations and numbers of readings: whole milliseconds, more than nothing, and no longer than anybody waits.

use super::expr::Lowering;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Duration, DurationUnit, Number};

/// A hundred years: readings come from 1970 to 2100.
const LONGEST: i64 = 36_525 * 86_400_000;

/// Decimals beyond which no unit gives whole milliseconds.
const MOST_DECIMALS: usize = 8;

impl Lowering {
    /// A duration in milliseconds; `None` if it is none, which has been reported.
    pub(super) fn duration(&mut self, duration: &Spanned<Duration>) -> Option<i64> {
        let found = milliseconds(&duration.node);
        if let Err((message, label)) = found {
            self.report(Diagnostic::new(Code::Duration, duration.span, message, label));
        }
        found.ok()
    }

    /// How many readings a condition must hold for.
    pub(super) fn readings(&mut self, number: &Number, span: Span) -> Option<u64> {
        let found = number.0.parse::<u64>().ok().filter(|count| *count > 0);
        if found.is_none() {
            let message = format!("`{}` is no number of readings", number.0);
            self.report(Diagnostic::new(Code::Duration, span, message, "expected a whole number from 1 on"));
        }
        found
    }
}

/// The duration, or what is wrong with it and what was expected.
pub(super) fn milliseconds(duration: &Duration) -> Result<i64, (&'static str, &'static str)> {
    let (whole, decimals) = duration.number.0.split_once('.').unwrap_or((&duration.number.0, ""));
    let decimals = decimals.trim_end_matches('0');
    let too_long = ("this is too long", "expected at most 36525d, which is a hundred years");
    let too_fine = ("this is no whole number of milliseconds", "expected a whole number of milliseconds");
    if decimals.len() > MOST_DECIMALS {
        return Err(too_fine);
    }
    let digits: i128 = format!("{whole}{decimals}").parse().map_err(|_| too_long)?;
    let scaled = digits.checked_mul(i128::from(length(duration.unit))).ok_or(too_long)?;
    let parts = 10_i128.pow(decimals.len() as u32);
    if scaled % parts != 0 {
        return Err(too_fine);
    }
    match i64::try_from(scaled / parts) {
        Ok(0) => Err(("this is no time at all", "expected more than nothing")),
        Ok(ms) if ms <= LONGEST => Ok(ms),
        _ => Err(too_long),
    }
}

/// Milliseconds in a unit.
fn length(unit: DurationUnit) -> i64 {
    match unit {
        DurationUnit::Milliseconds => 1,
        DurationUnit::Seconds => 1_000,
        DurationUnit::Minutes => 60_000,
        DurationUnit::Hours => 3_600_000,
        DurationUnit::Days => 86_400_000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(number: &str, unit: DurationUnit) -> Option<i64> {
        milliseconds(&Duration { number: Number(number.to_owned()), unit }).ok()
    }

    #[test]
    fn durations_are_whole_milliseconds() {
        assert_eq!(read("1.5", DurationUnit::Hours), Some(5_400_000));
        assert_eq!(read("4.350", DurationUnit::Seconds), Some(4_350));
        assert_eq!(read("36525", DurationUnit::Days), Some(LONGEST));
        for (number, unit) in [
            ("0", DurationUnit::Days),
            ("0.0", DurationUnit::Days),
            ("0.5", DurationUnit::Milliseconds),
            ("0.000000000001", DurationUnit::Days),
            ("36525.001", DurationUnit::Days),
            ("99999999999999999999999999999999999999999", DurationUnit::Days),
        ] {
            assert_eq!(read(number, unit), None, "{number}");
        }
    }
}
