//! Durations and counts as command lines write them.

use std::time::Duration;

use crate::Error;

/// Reads a number with the unit `ms`, `s` or `m`, as in `250ms` or `1.5m`.
pub fn duration(text: &str) -> Result<Duration, Error> {
    let wrong = || {
        Error::new(format!(
            "{text:?} is not a duration, expected one like 250ms or 10s"
        ))
    };
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).ok_or_else(wrong)?);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        _ => return Err(wrong()),
    };
    let seconds = number.parse::<f64>().map_err(|_| wrong())? * scale;
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Reads a number that is at least 1.
pub fn count(text: &str) -> Result<usize, Error> {
    match text.parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(Error::new(format!("{text:?} is not a number from 1 on"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_number_and_a_unit() {
        let cases = [
            ("250ms", Some(250)),
            ("10s", Some(10_000)),
            ("1.5m", Some(90_000)),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("3h", None),
            ("infs", None),
        ];
        for (text, millis) in cases {
            assert_eq!(
                duration(text).ok(),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn counts_start_at_one() {
        assert_eq!(count("1").ok(), Some(1));
        for text in ["0", "-1", "many", ""] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
