//! Numbers as expositions write them.

use std::str;

/// Most digits that a double holds exactly as an integer.
const EXACT_DIGITS: usize = 15;

/// Exponents from which on Go's `strconv` writes a number with one.
const EXPONENT_MAX: i32 = 6;

/// Exponents below which Go's `strconv` writes a number with one.
const EXPONENT_MIN: i32 = -4;

/// The number that `text` says, as Prometheus's parsers read it: decimal, `NaN` without a sign, `Inf`
/// or `Infinity` in any case. A number that is too large for a double is none.
pub fn parse_float(text: &[u8]) -> Option<f64> {
    if text.len() <= EXACT_DIGITS
        && !text.is_empty()
        && let Some(value) = digits(text)
    {
        return Some(value as f64);
    }
    let text = str::from_utf8(text).ok()?;
    let value: f64 = text.parse().ok()?;
    if value.is_finite() {
        return Some(value);
    }
    let word = text.trim_start_matches(['+', '-']);
    let is_word = word.starts_with(|first: char| first.is_ascii_alphabetic());
    match is_word {
        true if value.is_nan() => {
            (word.len() == text.len()).then_some(f64::from_bits(super::NORMAL_NAN))
        }
        true => Some(value),
        false => None,
    }
}

/// The integer that only digits say.
#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |value, &byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })
}

/// Appends a number in the one form that the values of `le` and `quantile` have: the shortest that
/// reads back the same, and never without a point or an exponent.
pub fn format_float(out: &mut String, value: f64) {
    if value == 0.0 {
        return out.push_str("0.0");
    }
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (EXPONENT_MIN..EXPONENT_MAX).contains(&exponent) {
        let plain = value.to_string();
        out.push_str(&plain);
        if !plain.contains('.') {
            out.push_str(".0");
        }
        return;
    }
    out.push_str(mantissa);
    out.push('e');
    out.push(if exponent < 0 { '-' } else { '+' });
    if exponent.abs() < 10 {
        out.push('0');
    }
    out.push_str(&exponent.abs().to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        let good = [
            ("0", 0.0),
            ("-0", -0.0),
            ("+1", 1.0),
            ("1027", 1027.0),
            ("123456789012345", 123_456_789_012_345.0),
            ("1234567890123456789", 1_234_567_890_123_456_789.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("1e3", 1000.0),
            ("1.7560473e+07", 17_560_473.0),
            ("inf", f64::INFINITY),
            ("+Inf", f64::INFINITY),
            ("-INFINITY", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ];
        for (text, value) in good {
            let read = parse_float(text.as_bytes()).map(f64::to_bits);
            assert_eq!(read, Some(f64::to_bits(value)), "{text}");
        }
        for text in ["NaN", "nan"] {
            assert_eq!(
                parse_float(text.as_bytes()).map(f64::to_bits),
                Some(crate::prometheus::NORMAL_NAN)
            );
        }
        let bad = [
            "", " ", "+", ".", "e3", "1e", "1_000", "0x10", "0x1p4", "+NaN", "-nan", "1e400",
            "1,5", "nano", "infinit", "1\r", "½",
        ];
        for text in bad {
            assert_eq!(parse_float(text.as_bytes()), None, "{text}");
        }
    }

    /// Golden values from Prometheus's `labels.FormatOpenMetricsFloat`.
    #[test]
    fn numbers_in_labels_have_one_form() {
        let table = [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "0.0"),
            (-1.0, "-1.0"),
            (0.005, "0.005"),
            (2.5, "2.5"),
            (100_000.0, "100000.0"),
            (999_999.0, "999999.0"),
            (1e6, "1e+06"),
            (123_456_789.5, "1.234567895e+08"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1e100, "1e+100"),
            (1e-100, "1e-100"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ];
        for (value, expected) in table {
            let mut text = String::new();
            format_float(&mut text, value);
            assert_eq!(text, expected);
        }
    }
}
