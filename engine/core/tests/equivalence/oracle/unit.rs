//! A literal in one unit as a number in another: exact fractions, rounded once.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Zero;
use triage_core::syntax::ast::Number;

use super::exact::{exact, nearest};
use super::field::parse;

/// `number`, meant in unit `from`, as the nearest f64 in unit `to`; none if the units do not convert.
pub(crate) fn convert(number: &Number, negative: bool, from: &str, to: &str) -> Option<f64> {
    if from == to {
        let value = parse(number);
        return Some(if negative { 0.0 - value } else { value });
    }
    let value = if negative { -exact(&number.0) } else { exact(&number.0) };
    let (kind, scale, shift) = base(from)?;
    let (to_kind, to_scale, to_shift) = base(to)?;
    (kind == to_kind).then(|| nearest(&((value * scale + shift - to_shift) / to_scale)))
}

/// The kind of quantity, and `scale` and `shift` with which `value * scale + shift` is in the kind's base unit.
fn base(unit: &str) -> Option<(char, BigRational, BigRational)> {
    let plain = |kind, numerator, denominator| Some((kind, fraction(numerator, denominator), BigRational::zero()));
    match unit {
        "kPa" => plain('p', 1, 1),
        "mm[Hg]" => plain('p', 133_322, 1_000_000),
        "Cel" => plain('t', 1, 1),
        "[degF]" => Some(('t', fraction(5, 9), fraction(-160, 9))),
        "g" => plain('m', 1000, 1),
        "mg" => plain('m', 1, 1),
        "s" => plain('d', 1, 1),
        "min" => plain('d', 60, 1),
        "h" => plain('d', 3600, 1),
        _ => None,
    }
}

fn fraction(numerator: i64, denominator: i64) -> BigRational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

#[test]
fn factors_are_those_of_ucum() {
    let number = |text: &str| Number(text.into());
    assert_eq!(convert(&number("1000"), false, "mm[Hg]", "kPa"), Some(133.322));
    assert_eq!(convert(&number("133.322"), false, "kPa", "mm[Hg]"), Some(1000.0));
    assert_eq!(convert(&number("40"), true, "[degF]", "Cel"), Some(-40.0));
    assert_eq!(convert(&number("37"), false, "Cel", "[degF]"), Some(98.6));
    assert_eq!(convert(&number("1.5"), false, "h", "min"), Some(90.0));
    assert_eq!(convert(&number("0.5"), false, "g", "mg"), Some(500.0));
    assert_eq!(convert(&number("1"), false, "g", "s"), None);
    assert_eq!(convert(&number("0"), true, "g", "g").map(f64::to_bits), Some(0));
}
