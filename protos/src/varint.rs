//! Protobuf's variable-length integers.
//!
//! Accepted is what the decoders accept: at most ten bytes, of which the tenth holds one bit, and
//! encodings longer than necessary.

/// The most bytes that a varint takes.
const LEN_MAX: usize = 10;

/// Reads the varint at `at`. `None` when it does not end within `window` or does not fit 64 bits.
#[inline(always)]
pub(crate) fn read(window: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *window.get(at)?;
    if first < 0x80 {
        return Some((u64::from(first), at + 1));
    }
    let second = *window.get(at + 1)?;
    if second < 0x80 {
        return Some((u64::from(first & 0x7f) | u64::from(second) << 7, at + 2));
    }
    read_long(window, at)
}

#[inline(never)]
fn read_long(window: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (index, &byte) in window.get(at..)?.iter().take(LEN_MAX).enumerate() {
        if index == LEN_MAX - 1 && byte > 1 {
            return None;
        }
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((value, at + index + 1));
        }
    }
    None
}

/// Bytes that `value` takes.
pub(crate) const fn len(value: u64) -> usize {
    // Each byte carries seven of the significant bits; zero has one.
    ((value | 1).ilog2() as usize) / 7 + 1
}

/// Appends `value`.
pub(crate) fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_are_read_back() {
        let edges = (0..64).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, u64::MAX >> bit]);
        for value in edges {
            let mut bytes = Vec::new();
            write(&mut bytes, value);
            assert_eq!(bytes.len(), len(value), "{value}");
            assert_eq!(read(&bytes, 0), Some((value, bytes.len())));
            assert_eq!(
                read(&bytes[..bytes.len() - 1], 0),
                None,
                "cut short: {value}"
            );
        }
    }

    #[test]
    fn the_tenth_byte_holds_one_bit() {
        let mut bytes = [0xff; 10];
        bytes[9] = 1;
        assert_eq!(read(&bytes, 0), Some((u64::MAX, 10)));
        bytes[9] = 2;
        assert_eq!(read(&bytes, 0), None);
        assert_eq!(
            read(&[0x80, 0x80, 0], 0),
            Some((0, 3)),
            "longer than necessary"
        );
    }
}
