//! Durations as Go writes them: `1h30m`, `1.5s`, `250ms`.

use std::fmt::Write;
use std::time::Duration;

/// The longest duration, in nanoseconds: what fits a signed 64-bit number, about 292 years.
const NANOS_MAX: u128 = i64::MAX as u128;

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Reads a duration: one or more numbers, each with its unit; `0` needs none.
///
/// # Errors
/// Says what is wrong, as a clause that follows the value: "is not a duration ...".
pub fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("is no duration: {text:?}; write for example \"30s\" or \"1h15m\"");
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let (negative, unsigned) = match unsigned.strip_prefix('-') {
        Some(rest) if unsigned.len() == text.len() => (true, rest),
        Some(_) => return Err(wrong()),
        None => (false, unsigned),
    };
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut nanos = 0u128;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number_end = rest.find(|ch: char| !ch.is_ascii_digit() && ch != '.');
        let (number, tail) = rest.split_at(number_end.unwrap_or(rest.len()));
        let unit_end = tail.find(|ch: char| ch.is_ascii_digit() || ch == '.');
        let (unit, tail) = tail.split_at(unit_end.unwrap_or(tail.len()));
        if unit.is_empty() && !number.is_empty() {
            return Err(format!(
                "is a duration without a unit: {text:?}; write \"{text}s\"?"
            ));
        }
        let scale = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| {
                format!(
                    "is a duration with the unknown unit {unit:?}; there are ns, us, ms, s, m, h"
                )
            })?;
        nanos += part(number, scale.1).ok_or_else(wrong)?;
        if nanos > NANOS_MAX {
            return Err(format!("is too long a duration: {text:?}"));
        }
        rest = tail;
    }
    if negative && nanos > 0 {
        return Err(format!("is a negative duration: {text:?}"));
    }
    Ok(Duration::from_nanos(nanos as u64))
}

/// A number with an optional fraction, times its unit.
fn part(number: &str, scale: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !digits(whole) || !digits(fraction) {
        return None;
    }
    let whole: u128 = match whole {
        "" => 0,
        // More digits than a signed 64-bit number can have are too long in any unit.
        text => text
            .trim_start_matches('0')
            .get(..20)
            .map_or_else(|| text.parse().ok(), |_| Some(NANOS_MAX + 1))?,
    };
    let (mut value, mut place) = (0u128, u128::from(scale));
    // Beyond the nanosecond nothing counts.
    for digit in fraction.bytes().take(18) {
        value = value * 10 + u128::from(digit - b'0');
        place *= 10;
    }
    let fraction = value * u128::from(scale) * u128::from(scale) / place;
    Some(
        whole
            .saturating_mul(u128::from(scale))
            .saturating_add(fraction),
    )
}

/// Writes a duration as Go does: `1h0m0s`, `1.5s`, `250ms`, `0s`.
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < 1_000_000_000 {
        let (unit, scale) = match nanos {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{}{unit}", decimal(nanos, scale));
    }
    let minutes = nanos / 60_000_000_000;
    let mut text = String::new();
    // Writing to a string cannot fail.
    if minutes >= 60 {
        let _ = write!(text, "{}h", minutes / 60);
    }
    if minutes > 0 {
        let _ = write!(text, "{}m", minutes % 60);
    }
    let _ = write!(text, "{}s", decimal(nanos % 60_000_000_000, 1_000_000_000));
    text
}

/// A number of units with as many decimals as it needs.
fn decimal(nanos: u128, scale: u128) -> String {
    let (whole, fraction) = (nanos / scale, nanos % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = (scale.ilog10()) as usize;
    let fraction = format!("{fraction:0digits$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_as_go_does() {
        let table: &[(&str, u64, &str)] = &[
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("-0s", 0, "0s"),
            ("5s", 5_000_000_000, "5s"),
            ("1h30m", 5_400_000_000_000, "1h30m0s"),
            ("1.5h", 5_400_000_000_000, "1h30m0s"),
            (".5s", 500_000_000, "500ms"),
            ("1.s", 1_000_000_000, "1s"),
            ("1.234567891s", 1_234_567_891, "1.234567891s"),
            ("1500us", 1_500_000, "1.5ms"),
            ("3µs", 3_000, "3µs"),
            ("3μs7ns", 3_007, "3.007µs"),
            ("+90s", 90_000_000_000, "1m30s"),
            ("0.0000000000000001h", 0, "0s"),
            (
                "2562047h47m16.854775807s",
                i64::MAX as u64,
                "2562047h47m16.854775807s",
            ),
        ];
        for (text, nanos, written) in table {
            assert_eq!(parse(text), Ok(Duration::from_nanos(*nanos)), "{text}");
            assert_eq!(format(Duration::from_nanos(*nanos)), *written, "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        let table = [
            ("", "no duration"),
            ("5", "without a unit"),
            ("5d", "unknown unit"),
            ("-5s", "negative"),
            (".s", "no duration"),
            ("1.2.3s", "no duration"),
            ("s", "no duration"),
            ("5 s", "unknown unit"),
            ("+-5s", "no duration"),
            ("999999999999h", "too long"),
            ("99999999999999999999999999999999999999999999s", "too long"),
        ];
        for (text, why) in table {
            let error = parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
