//! Is it UTF-8? Most texts are short and ASCII, for which a call of the library costs more than the
//! answer.

use std::str;

/// Bytes looked at in one step of a long text.
const STEP: usize = 32;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

#[inline(always)]
pub(super) fn is_valid(text: &[u8]) -> bool {
    is_ascii(text) || str::from_utf8(text).is_ok()
}

/// How many bytes of a text that is not UTF-8 are valid.
#[cold]
pub(super) fn valid_len(text: &[u8]) -> usize {
    str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len)
}

/// Whole words are read, and the last one overlaps the one before, so that there is no loop for what
/// is left over.
#[inline(always)]
fn is_ascii(text: &[u8]) -> bool {
    if text.len() > STEP {
        return is_ascii_long(text);
    }
    let bits = match (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        (Some(first), Some(last)) if text.len() <= 16 => word(first) | word(last),
        (Some(_), Some(last)) => text
            .chunks_exact(8)
            .filter_map(|chunk| chunk.first_chunk())
            .fold(word(last), |bits, chunk| bits | word(chunk)),
        _ => match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                u64::from(u32::from_le_bytes(*first) | u32::from_le_bytes(*last))
            }
            _ => text.iter().fold(0, |bits, &byte| bits | u64::from(byte)),
        },
    };
    bits & HIGH_BITS == 0
}

#[inline(never)]
fn is_ascii_long(text: &[u8]) -> bool {
    let steps = text
        .chunks_exact(STEP)
        .filter_map(|chunk| chunk.first_chunk::<STEP>());
    let last = text.last_chunk::<STEP>().into_iter();
    for step in steps.chain(last) {
        if step.iter().fold(0, |bits, &byte| bits | byte) >= 0x80 {
            return false;
        }
    }
    true
}

#[inline(always)]
fn word(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_byte_anywhere_is_found() {
        for len in 0..100 {
            let mut text = vec![b'a'; len];
            assert!(is_valid(&text), "{len}");
            for at in 0..len {
                text[at] = 0xff;
                assert!(!is_valid(&text), "{at} of {len}");
                assert_eq!(valid_len(&text), at);
                text[at] = b'a';
            }
        }
    }

    #[test]
    fn other_scripts_are_text() {
        for text in [
            "é",
            "naïve café",
            "日本語のとても長いログメッセージです。",
            "🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀",
        ] {
            assert!(is_valid(text.as_bytes()));
            assert!(!is_valid(&text.as_bytes()[..text.len() - 1]));
        }
    }
}
