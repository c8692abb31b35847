//! Sums of f64 without any rounding before the end: what a sum is depends on what is in it, and not on what has been, nor on
//! the order in which it came and went.
//!
//! A number is added to binary digits of 32 bits, each in a signed word of 64, so that nothing is carried until the sum is
//! asked for. The words are themselves a function of the content: at most 2^31 numbers can be in a sum at once. A value of
//! everyday size takes two or three words, and adding one as many additions; reading the sum costs one pass over the words.

use num_bigint::{BigInt, Sign};

/// The power of two that digit 0 of a sum of numbers begins at: the smallest f64.
const LOWEST: i32 = -1_074;

/// Bits of a digit.
const DIGIT: u32 = 32;

/// A sum of numbers or of their squares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExactSum {
    /// The place of the first word.
    base: u32,
    words: Vec<i64>,
}

impl ExactSum {
    /// Adds a finite number.
    pub(crate) fn add(&mut self, value: f64) {
        let (mantissa, place) = parts(value);
        self.put(u128::from(mantissa), place, value < 0.0);
    }

    /// Takes out a number that was added.
    pub(crate) fn take(&mut self, value: f64) {
        self.add(-value);
        self.trim();
    }

    /// Adds the square of a finite number. A sum of squares begins at twice the power of a sum of numbers.
    pub(crate) fn add_square(&mut self, value: f64) {
        let (mantissa, place) = parts(value);
        self.put(u128::from(mantissa) * u128::from(mantissa), 2 * place, false);
    }

    /// Takes out a square that was added.
    pub(crate) fn take_square(&mut self, value: f64) {
        let (mantissa, place) = parts(value);
        self.put(u128::from(mantissa) * u128::from(mantissa), 2 * place, true);
        self.trim();
    }

    /// Adds `mantissa` times two to the power of `place`, counted from the lowest power.
    fn put(&mut self, mut mantissa: u128, place: u32, negative: bool) {
        if mantissa == 0 {
            return;
        }
        let zeros = mantissa.trailing_zeros();
        mantissa >>= zeros;
        let place = place + zeros;
        let mut shift = place % DIGIT;
        let mut word = place / DIGIT;
        while mantissa != 0 {
            let taken = DIGIT - shift;
            let digit = ((mantissa & ((1 << taken) - 1)) as i64) << shift;
            *self.word(word) += if negative { -digit } else { digit };
            mantissa >>= taken;
            shift = 0;
            word += 1;
        }
    }

    fn word(&mut self, place: u32) -> &mut i64 {
        if self.words.is_empty() {
            self.base = place;
        }
        if place < self.base {
            let missing = (self.base - place) as usize;
            self.words.splice(..0, std::iter::repeat_n(0, missing));
            self.base = place;
        }
        let index = (place - self.base) as usize;
        if index >= self.words.len() {
            self.words.resize(index + 1, 0);
        }
        &mut self.words[index]
    }

    /// Words of zeros at either end say nothing.
    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
        let zeros = self.words.iter().take_while(|word| **word == 0).count();
        self.words.drain(..zeros);
        self.base += zeros as u32;
    }

    /// The sign, and the digits from the lowest, carried out.
    fn digits(&self) -> (bool, Vec<u32>) {
        let carried = |sign: i64| {
            let mut digits = Vec::with_capacity(self.words.len() + 2);
            let mut carry = 0_i64;
            for word in &self.words {
                let total = sign * word + carry;
                digits.push(total as u32);
                carry = total >> DIGIT;
            }
            (carry, digits)
        };
        let (mut carry, mut digits) = carried(1);
        let negative = carry < 0;
        if negative {
            (carry, digits) = carried(-1);
        }
        while carry > 0 {
            digits.push(carry as u32);
            carry >>= DIGIT;
        }
        (negative, digits)
    }

    /// The sum, rounded once to the nearest f64 (halves to even); infinite if f64 cannot hold it.
    pub(crate) fn value(&self) -> f64 {
        let (negative, digits) = self.digits();
        let Some(top) = digits.iter().rposition(|digit| *digit != 0) else { return 0.0 };
        let first = top.saturating_sub(2);
        let wide = digits[first..=top].iter().rev().fold(0_u128, |wide, digit| wide << DIGIT | u128::from(*digit));
        let spare = (128 - wide.leading_zeros()).saturating_sub(64);
        let lost = wide & ((1 << spare) - 1) != 0 || digits[..first].iter().any(|digit| *digit != 0);
        // The lowest of 64 bits stands for all that is lost: far below the 53 that are kept, it only breaks ties.
        let kept = (wide >> spare) as u64 | u64::from(lost);
        let power = (self.base as i32 + first as i32) * DIGIT as i32 + spare as i32 + LOWEST;
        let magnitude = scale(kept as f64, power);
        if negative { -magnitude } else { magnitude }
    }

    /// The sum as a whole number of the lowest powers.
    fn whole(&self) -> BigInt {
        let (negative, digits) = self.digits();
        BigInt::new(if negative { Sign::Minus } else { Sign::Plus }, digits) << (self.base * DIGIT)
    }
}

/// The standard deviation of a sample of `count` numbers, at least two, from their sum and the sum of their squares: the
/// variance is exact before its root is taken.
pub(crate) fn deviation(count: usize, sum: &ExactSum, squares: &ExactSum) -> f64 {
    let total = sum.whole();
    let spread = squares.whole() * count - &total * &total;
    let parts = BigInt::from(count) * (count - 1);
    // Scaled until the quotient has more bits than f64 keeps.
    let up = (66 + parts.bits()).saturating_sub(spread.bits());
    let quotient = (spread << up) / parts;
    let down = quotient.bits().saturating_sub(64);
    let kept = (&quotient >> down).to_u64_digits().1.first().copied().unwrap_or(0);
    let power = 2 * LOWEST + down as i32 - up as i32;
    // An even power comes out of the root.
    let odd = power.rem_euclid(2);
    scale((kept as f64 * f64::from(1 + odd)).sqrt(), (power - odd) / 2)
}

/// The mantissa of a finite number, and its power of two above the lowest.
fn parts(value: f64) -> (u64, u32) {
    let bits = value.to_bits();
    let (exponent, fraction) = ((bits >> 52 & 0x7ff) as u32, bits & ((1 << 52) - 1));
    match exponent {
        0 => (fraction, 0),
        _ => (fraction | 1 << 52, exponent - 1),
    }
}

/// `value` times two to the power of `power`. Exact for the values that come here, or infinite.
fn scale(mut value: f64, mut power: i32) -> f64 {
    while power > 1_000 {
        value *= power_of_two(1_000);
        power -= 1_000;
    }
    while power < LOWEST {
        value *= power_of_two(-1_000);
        power += 1_000;
    }
    value * power_of_two(power)
}

/// Two to a power from the lowest to 1,023.
fn power_of_two(power: i32) -> f64 {
    if power >= -1_022 { f64::from_bits(((power + 1_023) as u64) << 52) } else { f64::from_bits(1 << (power - LOWEST)) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(*value);
        }
        sum
    }

    fn squared(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add_square(*value);
        }
        sum
    }

    fn finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            (-1_000_000_i32..1_000_000).prop_map(|value| f64::from(value) / 100.0),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE / 3.0),
        ]
    }

    proptest! {
        #[test]
        fn one_number_is_its_own_sum(value in finite()) {
            prop_assert_eq!(sum(&[value]).value(), value);
        }

        #[test]
        fn two_numbers_are_rounded_once(first in finite(), second in finite()) {
            prop_assert_eq!(sum(&[first, second]).value(), first + second);
        }

        #[test]
        fn what_was_taken_out_leaves_no_trace(
            kept in prop::collection::vec(finite(), 0..8),
            gone in prop::collection::vec(finite(), 0..8),
        ) {
            let mut both = sum(&[gone.clone(), kept.clone()].concat());
            let mut squares = squared(&[gone.clone(), kept.clone()].concat());
            for value in &gone {
                both.take(*value);
                squares.take_square(*value);
            }
            let fresh = squared(&kept);
            prop_assert_eq!(both.value().to_bits(), sum(&kept).value().to_bits());
            prop_assert_eq!(squares.whole(), fresh.whole());
        }

        #[test]
        fn a_deviation_is_that_of_two_passes(values in prop::collection::vec(-1e6..1e6, 2..20)) {
            let squares = squared(&values);
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let spread: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            let expected = (spread / (values.len() - 1) as f64).sqrt();
            let got = deviation(values.len(), &sum(&values), &squares);
            prop_assert!((got - expected).abs() <= 1e-9 * expected.max(1.0), "{} {}", got, expected);
        }
    }

    #[test]
    fn large_numbers_do_not_hide_small_ones() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]).value(), 1.0);
        assert_eq!(sum(&[f64::MAX, f64::MAX]).value(), f64::INFINITY);
        let mut over = sum(&[f64::MAX, f64::MAX, 3.5]);
        over.take(f64::MAX);
        over.take(f64::MAX);
        assert_eq!(over.value(), 3.5);
        assert_eq!(sum(&[0.1, 0.2, 0.3, -0.6]).value(), 2.775_557_561_562_891_4e-17);
    }

    #[test]
    fn equal_values_do_not_deviate() {
        let values = [36.6; 5];
        let squares = squared(&values);
        assert_eq!(deviation(5, &sum(&values), &squares), 0.0);
    }
}
