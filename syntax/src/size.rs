//! Sizes in bytes as people write them: `5MiB`, `512KB`, `1024`.

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

    /// Reads a number and a unit. `KB`, `MB` and so on are powers of 1000; `KiB`, `MiB` and so on
    /// are powers of 1024; upper and lower case are the same, the final `B` may be left out.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("is no size in bytes: {text:?}; write for example \"5MiB\"");
        let trimmed = text.trim();
        let number_end = trimmed.find(|ch: char| !ch.is_ascii_digit() && ch != '.' && ch != ',');
        let (number, unit) = trimmed.split_at(number_end.unwrap_or(trimmed.len()));
        let number = number.replace(',', "");
        let unit = unit.trim().to_ascii_lowercase();
        let unit = unit.strip_suffix('b').unwrap_or(&unit);
        let (prefix, base) = match unit.strip_suffix('i') {
            Some(prefix) if !prefix.is_empty() => (prefix, 1024u64),
            _ => (unit, 1000),
        };
        let prefixes = ["", "k", "m", "g", "t", "p", "e"];
        let power = prefixes
            .iter()
            .position(|known| *known == prefix)
            .ok_or_else(wrong)?;
        let scale = base.pow(power as u32);
        if let Ok(whole) = number.parse::<u64>() {
            let bytes = whole.checked_mul(scale);
            return bytes
                .map(Self)
                .ok_or_else(|| format!("is too large a size: {text:?}"));
        }
        let bytes = number.parse::<f64>().map_err(|_| wrong())? * scale as f64;
        match bytes < u64::MAX as f64 {
            true => Ok(Self(bytes as u64)),
            false => Err(format!("is too large a size: {text:?}")),
        }
    }
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
            ("5MB", 5_000_000),
            ("1.5KiB", 1536),
            ("10B", 10),
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
