//! A table's cell as JSON.

/// A name as JSON text.
pub(super) fn text(cell: &str) -> String {
    serde_json::Value::from(cell).to_string()
}

/// A cell as JSON: a number with its digits untouched, anything else a string.
pub(super) fn value(cell: &str) -> String {
    if is_number(cell) { cell.to_owned() } else { text(cell) }
}

/// RFC 8259's `number`, letter by letter: `007`, `+1`, `.5` and `NaN` are text.
fn is_number(cell: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = cell.strip_prefix('-').unwrap_or(cell);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_numbers_are_numbers() {
        for number in ["0", "-1", "63", "36.50", "1e5", "1E-5", "-0.0", "12345678901234567890"] {
            assert!(is_number(number), "{number}");
        }
        for text in ["", "-", "007", "+1", ".5", "1.", "1e", "NaN", "Infinity", "0x1", "1 2", "true"] {
            assert!(!is_number(text), "{text}");
        }
    }
}
