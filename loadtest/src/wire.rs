//! A cursor over the fields of an encoded protobuf message.
//!
//! It is our own and not the gateway's: an oracle that shared a reader with what it judges would
//! share its mistakes.

use std::ops::Range;

/// The bytes are not a protobuf message of the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What a field holds besides its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A varint and its value.
    Varint(u64),
    /// Eight bytes.
    Fixed64,
    /// A length and that many bytes.
    Bytes,
    /// Four bytes.
    Fixed32,
}

/// One field; the positions count from the start of the whole body.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    /// The value, without the tag and the length.
    pub(crate) payload: Range<usize>,
}

impl Field {
    /// The payload, if the field is length-delimited as the schema wants it.
    pub(crate) fn bytes(&self) -> Result<Range<usize>, Malformed> {
        if self.kind == Kind::Bytes {
            Ok(self.payload.clone())
        } else {
            Err(Malformed)
        }
    }
}

/// Walks the fields of the message at a range of a body.
pub(crate) struct Cursor<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor over `range`, which must lie within `body`.
    pub(crate) fn new(body: &'a [u8], range: Range<usize>) -> Self {
        Self {
            body: &body[..range.end],
            at: range.start,
        }
    }

    /// The next field, or none at the end of the message.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<Field>, Malformed> {
        if self.at == self.body.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| Malformed)?;
        if number == 0 {
            return Err(Malformed);
        }
        let start = self.at;
        let (kind, payload) = match tag & 7 {
            0 => {
                let value = self.varint()?;
                (Kind::Varint(value), start..self.at)
            }
            1 => (Kind::Fixed64, self.take(8)?),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                (Kind::Bytes, self.take(length)?)
            }
            5 => (Kind::Fixed32, self.take(4)?),
            _ => return Err(Malformed),
        };
        Ok(Some(Field {
            number,
            kind,
            payload,
        }))
    }

    fn take(&mut self, length: usize) -> Result<Range<usize>, Malformed> {
        let start = self.at;
        if length > self.body.len() - start {
            return Err(Malformed);
        }
        self.at = start + length;
        Ok(start..self.at)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (index, byte) in self.body[self.at..].iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if *byte < 0x80 {
                self.at += index + 1;
                return if index == 9 && *byte > 1 {
                    Err(Malformed)
                } else {
                    Ok(value)
                };
            }
        }
        Err(Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &[u8]) -> Result<Vec<(u32, Kind, Range<usize>)>, Malformed> {
        let mut cursor = Cursor::new(body, 0..body.len());
        let mut fields = Vec::new();
        while let Some(field) = cursor.next()? {
            fields.push((field.number, field.kind, field.payload));
        }
        Ok(fields)
    }

    #[test]
    fn each_wire_type_is_read() {
        let body = [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1d, 1, 2, 3, 4];
        assert_eq!(
            fields(&body).unwrap(),
            [
                (1, Kind::Varint(150), 1..3),
                (2, Kind::Bytes, 5..7),
                (3, Kind::Fixed32, 8..12)
            ]
        );
    }

    #[test]
    fn what_is_cut_or_unknown_is_malformed() {
        let cases: [&[u8]; 6] = [
            &[0x12, 3, b'h'],
            &[0x09, 1, 2],
            &[0x08],
            &[0x0b],
            &[0x00, 0x00],
            &[
                0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02,
            ],
        ];
        for body in cases {
            assert_eq!(fields(body), Err(Malformed), "{body:?}");
        }
    }
}
