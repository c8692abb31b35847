//! UCUM units: which codes we know, and exact conversion between those that convert.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{One, ToPrimitive, Zero};

/// A UCUM code that is known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Unit(&'static Row);

/// A code, what it measures, and its exact place on that scale: `base = value * factor + offset`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Row {
    code: &'static str,
    scale: Scale,
    factor: (i64, i64),
    offset: (i64, i64),
}

/// Units of one scale convert into one another; those of [`Scale::Own`] only into themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scale {
    Pressure,
    Temperature,
    Mass,
    Time,
    Own,
}

const fn row(code: &'static str, scale: Scale, factor: (i64, i64), offset: (i64, i64)) -> Row {
    Row { code, scale, factor, offset }
}

const fn own(code: &'static str) -> Row {
    row(code, Scale::Own, (1, 1), (0, 1))
}

/// Source of the factors: The Unified Code for Units of Measure, version 2.2, tables 1 to 5 (`m[Hg]` = 133.3220 kPa;
/// `[degF]` = 5/9 K, its zero at 459.67 below; base units here: Pa, `Cel`, g, s).
static UNITS: &[Row] = &[
    row("mm[Hg]", Scale::Pressure, (133_322, 1000), (0, 1)),
    row("kPa", Scale::Pressure, (1000, 1), (0, 1)),
    row("Cel", Scale::Temperature, (1, 1), (0, 1)),
    row("[degF]", Scale::Temperature, (5, 9), (-160, 9)),
    row("g", Scale::Mass, (1, 1), (0, 1)),
    row("mg", Scale::Mass, (1, 1000), (0, 1)),
    row("s", Scale::Time, (1, 1), (0, 1)),
    row("min", Scale::Time, (60, 1), (0, 1)),
    row("h", Scale::Time, (3600, 1), (0, 1)),
    own("1"),
    own("%"),
    own("a"),
    own("mo"),
    own("wk"),
    own("d"),
    own("ms"),
    own("us"),
    own("/min"),
    own("{beats}/min"),
    own("{breaths}/min"),
    own("/h"),
    own("Hz"),
    own("K"),
    own("Pa"),
    own("hPa"),
    own("cm[H2O]"),
    own("bar"),
    own("mbar"),
    own("kg"),
    own("ug"),
    own("ng"),
    own("pg"),
    own("m"),
    own("cm"),
    own("mm"),
    own("um"),
    own("m2"),
    own("kg/m2"),
    own("L"),
    own("dL"),
    own("mL"),
    own("uL"),
    own("fL"),
    own("L/min"),
    own("mL/min"),
    own("mL/h"),
    own("mL/kg/h"),
    own("mL/min/{1.73_m2}"),
    own("g/dL"),
    own("g/L"),
    own("mg/dL"),
    own("mg/L"),
    own("ug/dL"),
    own("ug/L"),
    own("ug/mL"),
    own("ng/mL"),
    own("ng/L"),
    own("ng/dL"),
    own("pg/mL"),
    own("mol/L"),
    own("mmol/L"),
    own("umol/L"),
    own("nmol/L"),
    own("pmol/L"),
    own("mmol/mol"),
    own("meq/L"),
    own("mosm/kg"),
    own("U/L"),
    own("[IU]"),
    own("[iU]"),
    own("[IU]/L"),
    own("[iU]/L"),
    own("m[IU]/L"),
    own("m[iU]/L"),
    own("10*3/uL"),
    own("10*6/uL"),
    own("10*9/L"),
    own("10*12/L"),
    own("/uL"),
    own("mV"),
    own("uV"),
    own("V"),
    own("A"),
    own("mA"),
    own("Ohm"),
    own("W"),
    own("J"),
    own("kcal"),
    own("[lb_av]"),
    own("[oz_av]"),
    own("[in_i]"),
    own("[ft_i]"),
    own("ug/kg/min"),
    own("mg/kg"),
    own("mg/kg/h"),
    own("mg/h"),
    own("mm/h"),
    own("{score}"),
    own("{ratio}"),
];

impl Unit {
    /// The unit of that UCUM code (case-sensitive).
    pub(crate) fn find(code: &str) -> Option<Self> {
        UNITS.iter().find(|row| row.code == code).map(Self)
    }

    /// Every code that is known.
    pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
        UNITS.iter().map(|row| row.code)
    }

    /// The UCUM code.
    pub(crate) fn code(self) -> &'static str {
        self.0.code
    }

    /// Whether a quantity in this unit can be given in `other`.
    pub(crate) fn converts_to(self, other: Self) -> bool {
        self == other || (self.0.scale == other.0.scale && self.0.scale != Scale::Own)
    }

    /// The codes this unit converts to, itself first.
    pub(crate) fn relatives(self) -> Vec<&'static str> {
        let others = UNITS.iter().map(Self).filter(|other| *other != self && self.converts_to(*other));
        std::iter::once(self).chain(others).map(Self::code).collect()
    }

    /// The decimal number `text` of this unit in `other`, worked out exactly and rounded to f64 once; `None` if the
    /// units do not convert, or `text` is no decimal number that f64 can hold.
    pub(crate) fn convert(self, text: &str, other: Self) -> Option<f64> {
        if self == other {
            return text.parse().ok().filter(|value: &f64| value.is_finite());
        }
        if !self.converts_to(other) {
            return None;
        }
        let base = decimal(text)? * ratio(self.0.factor) + ratio(self.0.offset);
        nearest_f64(&((base - ratio(other.0.offset)) / ratio(other.0.factor)))
    }
}

fn ratio((numerator, denominator): (i64, i64)) -> BigRational {
    BigRational::new(BigInt::from(numerator), BigInt::from(denominator))
}

/// An exact decimal; digits, an optional sign and an optional fraction.
fn decimal(text: &str) -> Option<BigRational> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{whole}{fraction}").parse().ok()?;
    let scale = (0..fraction.len()).fold(BigInt::one(), |scale, _| scale * 10);
    Some(BigRational::new(digits, scale))
}

/// The f64 nearest to an exact fraction, ties to even.
fn nearest_f64(exact: &BigRational) -> Option<f64> {
    if exact.is_zero() {
        return Some(0.0);
    }
    exact.to_f64().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(text: &str, from: &str, to: &str) -> Option<f64> {
        Unit::find(from)?.convert(text, Unit::find(to)?)
    }

    #[test]
    fn converts_by_the_exact_factors() {
        assert_eq!(convert("133.322", "kPa", "mm[Hg]"), Some(1000.0));
        assert_eq!(convert("180", "mm[Hg]", "kPa"), Some(23.997_96));
        assert_eq!(convert("100.4", "[degF]", "Cel"), Some(38.0));
        assert_eq!(convert("38", "Cel", "[degF]"), Some(100.4));
        assert_eq!(convert("-40", "Cel", "[degF]"), Some(-40.0));
        assert_eq!(convert("32", "[degF]", "Cel"), Some(0.0));
        assert_eq!(convert("0.25", "g", "mg"), Some(250.0));
        assert_eq!(convert("1.5", "h", "min"), Some(90.0));
    }

    #[test]
    fn refuses_what_does_not_convert() {
        assert_eq!(convert("1", "mg/dL", "mmol/L"), None);
        assert_eq!(convert("1", "g", "s"), None);
        assert!(Unit::find("mmHg").is_none());
    }

    #[test]
    fn rounds_once_to_the_nearest() {
        // 0.1 of every second pair against a scaled integer computation that is exact by construction.
        for tenths in 1..2000_u32 {
            let text = format!("{}.{}", tenths / 10, tenths % 10);
            let expected = f64::from(tenths) * 6.0;
            assert_eq!(convert(&text, "min", "s"), Some(expected), "{text}");
        }
    }
}
