//! The number of an item: what the oracle counts by.
//!
//! Sixteen bytes, so that it fits a trace id: logs and spans carry it there at no cost in size, and
//! data points as an attribute. Beside it stands a checksum over everything else the item says, so
//! that the number alone tells whether the contents are what was sent.

/// The key of the attribute in which a data point carries its number and checksum, in hex.
pub(crate) const ATTRIBUTE: &str = "item";

/// The length of that attribute's value: 16 bytes of number and 8 of checksum, two digits each.
pub(crate) const ATTRIBUTE_LENGTH: usize = 48;

/// Which item of which stream of which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number {
    /// The run, never 0: a trace id of zeros is invalid.
    pub run: u32,
    /// The stream within the run: one lane of one connection.
    pub stream: u32,
    /// The position within the stream, from 0 without gaps.
    pub sequence: u64,
}

impl Number {
    /// The bytes in the item, big-endian so that a trace id sorts by sequence.
    pub fn to_bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.run.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.stream.to_be_bytes());
        bytes[8..].copy_from_slice(&self.sequence.to_be_bytes());
        bytes
    }

    /// The number that `bytes` hold.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_be_bytes(bytes);
        Self {
            run: (whole >> 96) as u32,
            stream: (whole >> 64) as u32,
            sequence: whole as u64,
        }
    }
}

/// Writes `bytes` as lower-case hex into `out`, which is twice as long.
pub(crate) fn write_hex(bytes: &[u8], out: &mut [u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// Reads lower-case hex into `out`; false for anything else, upper case too, since it was not sent.
pub(crate) fn read_hex(digits: &[u8], out: &mut [u8]) -> bool {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (pair, byte) in digits.chunks_exact(2).zip(out.iter_mut()) {
        let (Some(high), Some(low)) = (value(pair[0]), value(pair[1])) else {
            return false;
        };
        *byte = high << 4 | low;
    }
    digits.len() == out.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_hex_give_the_number_back() {
        let number = Number {
            run: 7,
            stream: 0xfedc_ba98,
            sequence: 0x0123_4567_89ab_cdef,
        };
        assert_eq!(Number::from_bytes(number.to_bytes()), number);

        let mut hex = [0; 32];
        write_hex(&number.to_bytes(), &mut hex);
        assert_eq!(&hex, b"00000007fedcba980123456789abcdef");
        let mut bytes = [0; 16];
        assert!(read_hex(&hex, &mut bytes));
        assert_eq!(bytes, number.to_bytes());
    }

    #[test]
    fn what_was_not_written_is_not_read() {
        let mut bytes = [0; 2];
        for digits in [&b"00FF"[..], b"00fg", b"00f", b"00ff00"] {
            assert!(!read_hex(digits, &mut bytes), "{digits:?}");
        }
    }
}
