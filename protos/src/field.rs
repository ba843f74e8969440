//! A cursor over the fields of one encoded message.
//!
//! Everything that reads encoded bytes is built on it. It is for bodies that [`check`](crate::check)
//! has accepted: at a field that is broken it stops, because there is nothing to be read from there.

use std::str;

use crate::error::{Fault, Reason};
use crate::{WireError, varint};

/// One field as it is on the wire.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// Its number.
    pub number: u32,
    /// Its value.
    pub value: Value<'a>,
    /// All its bytes, key and length included: what is copied to move it to another message.
    pub raw: &'a [u8],
}

/// The value of a field, as far as the wire type tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A bool, an enum, or an integer.
    Varint(u64),
    /// A `fixed64`, `sfixed64` or `double`.
    Fixed64(u64),
    /// A `fixed32`, `sfixed32` or `float`.
    Fixed32(u32),
    /// A message, text, bytes, or a packed run of numbers.
    Bytes(&'a [u8]),
    /// A group, without its end. No message of OTLP has one.
    Group(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The bytes, if it is a value that has a length.
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Iterates over the fields of a message in the order of the wire.
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    /// The fields of `message`, which is the content of a message without key and length.
    pub fn new(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// The offset in the message of the field that comes next.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// What stopped the iteration: nothing but the end, or a broken field.
    ///
    /// # Errors
    ///
    /// When there are bytes left.
    pub fn finish(&self) -> Result<(), WireError> {
        if self.at == self.message.len() {
            Ok(())
        } else {
            Err(WireError::unnamed(Fault::new(self.at, Reason::Truncated)))
        }
    }

    /// The field at `start`, and where it ends.
    fn read(message: &'a [u8], start: usize) -> Option<(Field<'a>, usize)> {
        let (key, at) = varint::read(message, start)?;
        let number = u32::try_from(key >> 3).ok()?;
        let (value, end) = match key & 7 {
            0 => {
                let (value, end) = varint::read(message, at)?;
                (Value::Varint(value), end)
            }
            1 => {
                let bytes = message.get(at..)?.first_chunk()?;
                (Value::Fixed64(u64::from_le_bytes(*bytes)), at + 8)
            }
            2 => {
                let (len, at) = varint::read(message, at)?;
                let bytes = message.get(at..)?.get(..usize::try_from(len).ok()?)?;
                (Value::Bytes(bytes), at + bytes.len())
            }
            3 => {
                let (content, end) = group(message, at)?;
                (Value::Group(&message[at..content]), end)
            }
            5 => {
                let bytes = message.get(at..)?.first_chunk()?;
                (Value::Fixed32(u32::from_le_bytes(*bytes)), at + 4)
            }
            _ => return None,
        };
        let raw = &message[start..end];
        Some((Field { number, value, raw }, end))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    #[inline]
    fn next(&mut self) -> Option<Field<'a>> {
        let (field, end) = Self::read(self.message, self.at)?;
        self.at = end;
        Some(field)
    }
}

/// Where the content of the group that begins at `at` ends, and where its end key ends. Counts levels
/// instead of calling itself, so that it needs no limit of its own.
fn group(message: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut open = 1usize;
    loop {
        let (key, value) = varint::read(message, at)?;
        let end = match key & 7 {
            0 => varint::read(message, value)?.1,
            1 => value.checked_add(8)?,
            2 => {
                let (len, start) = varint::read(message, value)?;
                start.checked_add(usize::try_from(len).ok()?)?
            }
            3 => {
                open += 1;
                value
            }
            4 => {
                open -= 1;
                if open == 0 {
                    return Some((at, value));
                }
                value
            }
            5 => value.checked_add(4)?,
            _ => return None,
        };
        if end > message.len() {
            return None;
        }
        at = end;
    }
}

/// The contents of the messages, texts or byte strings of field `number`.
pub(crate) fn all(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> + Clone {
    Fields::new(message)
        .filter(move |field| field.number == number)
        .filter_map(|field| field.value.bytes())
}

/// The bytes of field `number`. Of several the last one counts, as for a decoder.
pub(crate) fn bytes(message: &[u8], number: u32) -> Option<&[u8]> {
    all(message, number).last()
}

/// The text of field `number`, empty when absent.
pub(crate) fn text(message: &[u8], number: u32) -> &str {
    bytes(message, number).map_or("", utf8)
}

/// The varint of field `number`, 0 when absent.
pub(crate) fn varint(message: &[u8], number: u32) -> u64 {
    Fields::new(message)
        .filter(|field| field.number == number)
        .fold(0, |last, field| match field.value {
            Value::Varint(value) => value,
            _ => last,
        })
}

/// The `fixed64` of field `number`, 0 when absent.
pub(crate) fn fixed64(message: &[u8], number: u32) -> u64 {
    Fields::new(message)
        .filter(|field| field.number == number)
        .fold(0, |last, field| match field.value {
            Value::Fixed64(value) => value,
            _ => last,
        })
}

/// The `fixed32` of field `number`, 0 when absent.
pub(crate) fn fixed32(message: &[u8], number: u32) -> u32 {
    Fields::new(message)
        .filter(|field| field.number == number)
        .fold(0, |last, field| match field.value {
            Value::Fixed32(value) => value,
            _ => last,
        })
}

/// Text of a checked body, which is UTF-8; empty if it is not.
pub(crate) fn utf8(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wire_type_is_read() {
        let message = [
            0x08, 0x96, 0x01, // 1: 150
            0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: 1
            0x1a, 2, b'h', b'i', // 3: "hi"
            0x25, 2, 0, 0, 0, // 4: 2
            0x2b, 0x08, 0x01, 0x33, 0x34, 0x2c, // 5: a group with a group in it
        ];
        let values: Vec<_> = Fields::new(&message)
            .map(|field| (field.number, field.value))
            .collect();
        assert_eq!(
            values,
            [
                (1, Value::Varint(150)),
                (2, Value::Fixed64(1)),
                (3, Value::Bytes(b"hi")),
                (4, Value::Fixed32(2)),
                (5, Value::Group(&[0x08, 0x01, 0x33, 0x34])),
            ]
        );
        let raw: Vec<u8> = Fields::new(&message)
            .flat_map(|field| field.raw.to_vec())
            .collect();
        assert_eq!(raw, message);
    }

    #[test]
    fn a_broken_field_ends_the_iteration() {
        let whole = [0x0a, 1, b'a', 0x12, 3, b'b', b'c', b'd'];
        for end in 3..whole.len() {
            let fields = Fields::new(&whole[..end]);
            assert_eq!(fields.count(), 1, "cut at {end}");
        }
        assert_eq!(
            Fields::new(&[0x0b, 0x12, 0xff, 0x01]).count(),
            0,
            "length beyond the group"
        );
    }

    #[test]
    fn the_last_of_several_counts() {
        let message = [0x0a, 1, b'a', 0x0a, 1, b'b', 0x10, 1, 0x10, 2];
        assert_eq!(text(&message, 1), "b");
        assert_eq!(varint(&message, 2), 2);
        assert_eq!(all(&message, 1).count(), 2);
    }
}
