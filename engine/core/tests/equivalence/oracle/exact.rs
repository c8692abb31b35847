//! Exact arithmetic, rounded once at its end.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, Pow, Signed, ToPrimitive, Zero};

/// An f64 is a whole number of 2^-1074.
const SMALLEST: u64 = 1074;

/// A decimal number as a fraction.
pub(crate) fn exact(text: &str) -> BigRational {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: BigInt = format!("{whole}{decimals}").parse().expect("digits");
    let exponent = exponent.parse::<i32>().expect("an exponent") - i32::try_from(decimals.len()).expect("short");
    let ten = BigRational::from(BigInt::from(10));
    BigRational::from(digits) * Pow::pow(ten, exponent)
}

/// The f64 nearest to a fraction, the even one of two; exact distances decide. Infinite if it is out of range.
pub(crate) fn nearest(value: &BigRational) -> f64 {
    let guess = value.to_f64().expect("a fraction is near some f64");
    if !guess.is_finite() {
        return guess;
    }
    let distance = |candidate: &f64| {
        let exact = BigRational::from_float(*candidate).expect("finite");
        let odd = if candidate.to_bits() & 1 == 0 { BigInt::zero() } else { BigInt::one() };
        ((exact - value).abs(), odd)
    };
    let candidates = [guess.next_down(), guess, guess.next_up()];
    candidates.into_iter().filter(|candidate| candidate.is_finite()).min_by_key(distance).expect("the guess at least")
}

/// The sum of some numbers, as a fraction.
pub(crate) fn sum(numbers: &[f64]) -> BigRational {
    let units: BigInt = numbers.iter().map(|number| units(*number)).sum();
    let twos = units.trailing_zeros().unwrap_or(SMALLEST).min(SMALLEST);
    BigRational::new_raw(units >> twos, BigInt::one() << (SMALLEST - twos))
}

/// How many 2^-1074 a number is.
fn units(number: f64) -> BigInt {
    let bits = number.to_bits();
    let (exponent, fraction) = ((bits >> 52) & 0x7ff, bits & ((1 << 52) - 1));
    let size =
        if exponent == 0 { BigInt::from(fraction) } else { BigInt::from(fraction | (1 << 52)) << (exponent - 1) };
    if number.is_sign_negative() { -size } else { size }
}

/// The sample standard deviation: the exact variance rounded to f64, then the root of that. At least two numbers.
pub(crate) fn deviation(numbers: &[f64]) -> f64 {
    let mean = sum(numbers) / count(numbers);
    let square = |number: &f64| {
        let apart = BigRational::from_float(*number).expect("finite") - &mean;
        &apart * &apart
    };
    let squares: BigRational = numbers.iter().map(square).sum();
    nearest(&(squares / BigInt::from(numbers.len() - 1))).sqrt()
}

fn count(numbers: &[f64]) -> BigInt {
    BigInt::from(numbers.len())
}

#[test]
fn sums_are_rounded_once() {
    assert_eq!(nearest(&sum(&[0.1, 0.2, 0.3])), 0.6);
    assert_eq!(nearest(&sum(&[1e300, 1.0, -1e300, 5e-324, -1.0])), 5e-324);
    assert_eq!(nearest(&sum(&[f64::MAX, f64::MAX])), f64::INFINITY);
    assert_eq!(nearest(&sum(&[])), 0.0);
    assert_eq!(deviation(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]), (32.0_f64 / 7.0).sqrt());
    assert_eq!(deviation(&[7.5, 7.5]), 0.0);
}
