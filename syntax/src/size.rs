//! Sizes in bytes as people write them: `5MiB`, `512KB`, `1GiB512MiB`.

use std::fmt;
use std::str::FromStr;

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(pub u64);

const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

// === impl ByteSize ===

impl ByteSize {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = String;

    /// Reads numbers, each with its unit: `5MiB`, `1GiB512MiB`. All units are powers of 1024, as
    /// in Alloy: `MB` is `MiB`. A number alone is bytes, the final `B` may be left out, and upper
    /// and lower case are the same, which Alloy does not allow.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("is no size in bytes: {text:?}; write for example \"5MiB\"");
        let too_large = || format!("is too large a size: {text:?}");
        let trimmed = text.trim();
        let mut rest = trimmed.strip_prefix('+').unwrap_or(trimmed);
        let mut bytes = 0u64;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let digit = |ch: char| ch.is_ascii_digit() || ch == '.';
            let number_end = rest.find(|ch| !digit(ch)).unwrap_or(rest.len());
            let (number, tail) = rest.split_at(number_end);
            let (unit, tail) = tail.split_at(tail.find(digit).unwrap_or(tail.len()));
            let scale = scale(unit.trim()).ok_or_else(wrong)?;
            let part = match number.parse::<u64>() {
                Ok(whole) => whole.checked_mul(scale).ok_or_else(too_large)?,
                Err(_) => {
                    let part = number.parse::<f64>().map_err(|_| wrong())? * scale as f64;
                    // Beyond this a float is not exact, and no size is this large.
                    let fits = part < (1u64 << 63) as f64;
                    fits.then_some(part as u64).ok_or_else(too_large)?
                }
            };
            bytes = bytes.checked_add(part).ok_or_else(too_large)?;
            rest = tail;
        }
        Ok(Self(bytes))
    }
}

/// How many bytes a unit is.
fn scale(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let prefix = match unit.strip_suffix('i') {
        Some("") => return None,
        Some(prefix) => prefix,
        None => unit,
    };
    let prefixes = ["", "k", "m", "g", "t", "p", "e"];
    let power = prefixes.iter().position(|known| *known == prefix)?;
    Some(1 << (10 * power))
}

impl fmt::Display for ByteSize {
    /// In the largest binary unit that leaves no remainder.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let power = match self.0 {
            0 => 0,
            bytes => (bytes.trailing_zeros() / 10).min(6),
        };
        write!(f, "{}{}", self.0 >> (10 * power), BINARY[power as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let table = [
            ("0", 0),
            ("1024", 1024),
            ("5MiB", 5 << 20),
            ("5mib", 5 << 20),
            ("5 MiB", 5 << 20),
            ("5Mi", 5 << 20),
            ("5MB", 5 << 20),
            ("1.5KiB", 1536),
            (".5KB", 512),
            ("10B", 10),
            ("+1KiB", 1024),
            ("1GiB512MiB", 1536 << 20),
            ("1KiB 1B", 1025),
        ];
        for (text, bytes) in &table {
            assert_eq!(text.parse(), Ok(ByteSize(*bytes)), "{text}");
        }
        for text in [
            "",
            "B",
            "5XB",
            "-5MB",
            "16EiB",
            "1.2.3KB",
            "1,000B",
            ".",
            "5iB",
            "é",
            "99999999999999999999",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_written_size_reads_back() {
        for bytes in [0, 1, 1000, 1024, 5 << 20, (5 << 20) + 1, u64::MAX, 1 << 63] {
            let text = ByteSize(bytes).to_string();
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        assert_eq!(ByteSize(5 << 20).to_string(), "5MiB");
    }
}
