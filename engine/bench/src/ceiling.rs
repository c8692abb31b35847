//! The ceiling: what one would write by hand for this stream and these ten rules, and nothing else.
//!
//! It takes a shape for granted that the engine must not: no ranges, no units, no escapes, no exponents, at most 15
//! digits, no UTF-8 check, names in the declared order or else looked up, and nothing is kept for outputs.

use crate::readings::MEASURES;

/// A reading as a struct; NaN is a field that is not there.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The patient.
    pub patient: &'a [u8],
    /// The time.
    pub ts: u64,
    /// The fields in declared order.
    pub fields: [f64; MEASURES.len()],
}

/// Reads a record; `None` if it is not as expected.
pub fn scan(bytes: &[u8]) -> Option<Reading<'_>> {
    let mut reading = Reading { patient: &[], ts: 0, fields: [f64::NAN; MEASURES.len()] };
    let mut rest = bytes.strip_prefix(b"{")?;
    let mut next = 0;
    loop {
        rest = rest.strip_prefix(b"\"")?;
        if let Some(field) = expected(rest, next).or_else(|| find(rest)) {
            let (value, after) = number(&rest[MEASURES[field].name.len() + 2..])?;
            reading.fields[field] = value;
            (rest, next) = (after, field + 1);
        } else if let Some(after) = rest.strip_prefix(b"patient\":\"") {
            let end = after.iter().position(|byte| *byte == b'"')?;
            (reading.patient, rest) = (&after[..end], &after[end + 1..]);
        } else {
            let (value, after) = number(rest.strip_prefix(b"ts\":")?)?;
            (reading.ts, rest) = (value as u64, after);
        }
        match rest {
            [b',', after @ ..] => rest = after,
            [b'}'] => return Some(reading),
            _ => return None,
        }
    }
}

/// The field that comes next in the declared order, if it does.
fn expected(rest: &[u8], next: usize) -> Option<usize> {
    let name = MEASURES.get(next)?.name.as_bytes();
    (rest.starts_with(name) && rest[name.len()..].starts_with(b"\":")).then_some(next)
}

fn find(rest: &[u8]) -> Option<usize> {
    (0..MEASURES.len()).find(|field| expected(rest, *field).is_some())
}

fn number(bytes: &[u8]) -> Option<(f64, &[u8])> {
    let (mut mantissa, mut at, mut point) = (0_u64, 0, None);
    loop {
        match bytes.get(at) {
            Some(digit @ b'0'..=b'9') => mantissa = mantissa * 10 + u64::from(digit - b'0'),
            Some(b'.') => point = Some(at + 1),
            _ => break,
        }
        at += 1;
    }
    let value = match point.map(|point| at - point) {
        None => mantissa as f64,
        Some(1) => mantissa as f64 / 10.0,
        Some(_) => return None,
    };
    (at > 0).then_some((value, &bytes[at..]))
}

/// The ten rules of [`crate::rules::WARD`] as plain `if`s: a bit for each that matches.
pub fn judge(reading: &Reading<'_>) -> u32 {
    let [age, sex, cp, trestbps, temp, chol, fbs, restecg, thalach, exang, oldpeak, slope, ca, thal, spo2] =
        reading.fields;
    let rules = [
        trestbps > 190.0 && cp == 3.0,
        temp > 39.2 && thalach > 150.0,
        spo2 < 87.0 && age > 60.0,
        chol > 540.0 && fbs == 1.0 && age > 50.0,
        thalach > 190.0 && oldpeak > 3.0,
        trestbps < 100.0 && thalach > 170.0 && sex == 1.0,
        oldpeak > 5.8 && slope == 2.0 || oldpeak > 6.0 && exang == 1.0,
        ca > 3.0 && thal == 2.0 && chol > 400.0 && age > 65.0,
        temp < 35.7 && trestbps < 110.0,
        restecg == 2.0 && thalach > 195.0,
    ];
    let mut matched = 0;
    for (rule, holds) in rules.into_iter().enumerate() {
        if holds {
            matched |= 1 << rule;
        }
    }
    matched
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use triage_core::program::{Limits, OutputKind, Outputs, States, Workspace};

    use super::*;
    use crate::readings::{Keys, readings, records};
    use crate::rules::ward;

    /// The matches of the engine, as bits: each rule of the ward has a topic of its own.
    fn engine(values: &[Vec<u8>]) -> Vec<u32> {
        let (program, mut workspace, mut outputs) = (ward(), Workspace::default(), Outputs::default());
        program.step(&records(values), &Limits::default(), &mut States::new(1), &mut workspace, &mut outputs);
        let mut matched = vec![0; values.len()];
        for output in outputs.iter() {
            let OutputKind::Derived(topic) = output.kind else { unreachable!("{output:?}") };
            matched[output.row] |= 1 << topic.0;
        }
        matched
    }

    #[test]
    fn ceiling_and_engine_match_alike() {
        for (keys, missing) in [(Keys::Ordered, 0), (Keys::Ordered, 10), (Keys::Shuffled, 0), (Keys::Shuffled, 10)] {
            let values = readings(5_000, keys, missing);
            let by_hand: Vec<u32> = values.iter().map(|value| judge(&scan(value).unwrap())).collect();
            assert_eq!(engine(&values), by_hand, "{keys:?} {missing}");
            let all = by_hand.iter().fold(0, |all, matched| all | matched);
            assert_eq!(all, (1 << 10) - 1, "some rule never matches: {all:b}");
        }
    }

    #[test]
    fn readings_are_of_the_size_that_the_figures_speak_of() {
        let values = readings(1_024, Keys::Ordered, 0);
        let bytes: usize = values.iter().map(Vec::len).sum();
        assert_eq!(bytes / values.len(), 193);
    }
}
