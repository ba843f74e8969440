//! JSON to protobuf: each object becomes the message that the schema says it is.
//!
//! Lengths come before contents and are known after them: one byte is left free for each, and longer
//! ones push the content aside. Fields that come in another order than their numbers are put in order
//! when their object ends, so the same request always becomes the same bytes.

use super::error::{JsonError, Problem};
use super::parser::Parser;
use super::scalar;
use crate::Budget;
use crate::schema::{Field, Kind, Label, Name};
use crate::varint;

/// Translates the JSON form of the message `root`.
pub(super) fn message(root: Name, json: &[u8], budget: &Budget) -> Result<Vec<u8>, JsonError> {
    let mut reader = Reader {
        parser: Parser::new(json)?,
        out: Vec::with_capacity(json.len() / 2),
        marks: Vec::new(),
        levels: budget.levels(),
        elements_left: budget.elements,
        elements: budget.elements,
    };
    reader.object(root, 0)?;
    reader.parser.end()?;
    Ok(reader.out)
}

struct Reader<'a> {
    parser: Parser<'a>,
    out: Vec<u8>,
    /// The number and the start of each field of the objects that are open.
    marks: Vec<(u32, usize)>,
    levels: usize,
    elements_left: u64,
    elements: u64,
}

impl Reader<'_> {
    /// Appends the content of a message, which is at `level` below the request.
    fn object(&mut self, name: Name, level: usize) -> Result<(), JsonError> {
        self.parser.open(b'{', "an object")?;
        let start = self.out.len();
        let first_mark = self.marks.len();
        let mut seen = 0u32;
        let mut first = true;
        while let Some(key) = self.parser.key(first)? {
            first = false;
            let Some(field) = name.field_by_key(&key) else {
                self.parser.skip()?;
                continue;
            };
            if self.parser.null()? {
                continue;
            }
            let mark = self.out.len();
            self.take(field, &mut seen)
                .and_then(|()| self.field(field, level))
                .map_err(|error| error.within(field.camel()))?;
            self.marks.push((field.number, mark));
        }
        self.put_in_order(start, first_mark);
        Ok(())
    }

    /// Notes that `field` is there. Bit 0 stands for the group of which one can be.
    fn take(&self, field: &Field, seen: &mut u32) -> Result<(), JsonError> {
        let bit = 1 << field.number;
        if *seen & bit != 0 {
            return Err(self.parser.error(Problem::Twice));
        }
        *seen |= bit;
        if field.label == Label::Oneof {
            if *seen & 1 != 0 {
                return Err(self.parser.error(Problem::Oneof));
            }
            *seen |= 1;
        }
        Ok(())
    }

    /// Sorts the fields of the object whose content begins at `start` by their numbers.
    fn put_in_order(&mut self, start: usize, first_mark: usize) {
        let marks = &mut self.marks[first_mark..];
        if !marks.is_sorted() {
            let content = self.out.split_off(start);
            let ends = marks[1..].iter().map(|mark| mark.1 - start);
            let ends: Vec<usize> = ends.chain([content.len()]).collect();
            let mut fields: Vec<_> = marks.iter().zip(ends).collect();
            fields.sort_by_key(|((number, _), _)| *number);
            for ((_, mark), end) in fields {
                self.out.extend_from_slice(&content[mark - start..end]);
            }
        }
        self.marks.truncate(first_mark);
    }

    /// Appends a field, from the value that comes next.
    fn field(&mut self, field: &Field, level: usize) -> Result<(), JsonError> {
        if field.label != Label::Repeated {
            return self.value(field, level);
        }
        self.parser.open(b'[', "a list")?;
        if matches!(field.kind.wire_type(), 0 | 1) {
            return self.packed(field);
        }
        let mut first = true;
        while self.parser.element(first)? {
            self.value(field, level)?;
            first = false;
        }
        Ok(())
    }

    /// Appends the numbers of a list, behind one key.
    fn packed(&mut self, field: &Field) -> Result<(), JsonError> {
        if !self.parser.element(true)? {
            return Ok(());
        }
        self.key(field.number, 2);
        let start = self.begin();
        loop {
            self.scalar(field.kind)?;
            if !self.parser.element(false)? {
                break;
            }
        }
        self.finish(start);
        Ok(())
    }

    /// Appends key and value, unless the value is a default that says nothing.
    fn value(&mut self, field: &Field, level: usize) -> Result<(), JsonError> {
        let before = self.out.len();
        self.key(field.number, field.kind.wire_type());
        let is_default = match field.kind {
            Kind::Message(name) => {
                self.enter(level)?;
                let start = self.begin();
                self.object(name, level + 1)?;
                self.finish(start);
                false
            }
            Kind::Text => {
                let text = scalar::text(&mut self.parser)?;
                self.bytes(text.as_bytes())
            }
            Kind::Bytes => {
                let bytes = scalar::bytes(&mut self.parser)?;
                self.bytes(&bytes)
            }
            Kind::Id => {
                let bytes = scalar::id(&mut self.parser)?;
                self.bytes(&bytes)
            }
            kind => self.scalar(kind)?,
        };
        if field.label == Label::Repeated && !matches!(field.kind, Kind::Message(_)) {
            self.element()?;
        }
        if is_default && field.label == Label::Single {
            self.out.truncate(before);
        }
        Ok(())
    }

    /// Counts an object that is about to begin in one at `level`.
    fn enter(&mut self, level: usize) -> Result<(), JsonError> {
        if level == self.levels {
            return Err(self.parser.error(Problem::Depth(self.levels as u32)));
        }
        self.element()
    }

    fn element(&mut self) -> Result<(), JsonError> {
        match self.elements_left.checked_sub(1) {
            Some(left) => self.elements_left = left,
            None => return Err(self.parser.error(Problem::Elements(self.elements))),
        }
        Ok(())
    }

    fn key(&mut self, number: u32, wire_type: u8) {
        varint::write(&mut self.out, u64::from(number) << 3 | u64::from(wire_type));
    }

    /// Leaves a byte for a length.
    fn begin(&mut self) -> usize {
        self.out.push(0);
        self.out.len()
    }

    /// Sets the length of the content that began at `start`.
    fn finish(&mut self, start: usize) {
        let len = self.out.len() - start;
        if let Ok(byte @ 0..0x80) = u8::try_from(len) {
            self.out[start - 1] = byte;
            return;
        }
        let mut prefix = Vec::with_capacity(varint::len(len as u64));
        varint::write(&mut prefix, len as u64);
        self.out.splice(start - 1..start, prefix);
    }

    /// Appends length and bytes. Whether there were none.
    fn bytes(&mut self, bytes: &[u8]) -> bool {
        varint::write(&mut self.out, bytes.len() as u64);
        self.out.extend_from_slice(bytes);
        bytes.is_empty()
    }

    /// Appends a number or a bool. Whether it is the default.
    fn scalar(&mut self, kind: Kind) -> Result<bool, JsonError> {
        let parser = &mut self.parser;
        let varint = match kind {
            Kind::Bool => {
                let value = parser.bool()?;
                u64::from(value.ok_or_else(|| parser.error(Problem::Type("true or false")))?)
            }
            Kind::Int32 => int32(parser)? as u64,
            Kind::Enum => i64::from(scalar::enumeration(parser)?) as u64,
            Kind::Sint32 | Kind::Sint64 => {
                let value = match kind {
                    Kind::Sint32 => int32(parser)?,
                    _ => int64(parser)?,
                };
                ((value << 1) ^ (value >> 63)) as u64
            }
            Kind::Int64 => int64(parser)? as u64,
            Kind::Uint32 => u64::from(uint32(parser)?),
            Kind::Uint64 => uint64(parser)?,
            Kind::Fixed32 => {
                let value = uint32(parser)?;
                self.out.extend_from_slice(&value.to_le_bytes());
                return Ok(value == 0);
            }
            Kind::Fixed64 | Kind::Sfixed64 | Kind::Double => {
                let bits = match kind {
                    Kind::Fixed64 => uint64(parser)?,
                    Kind::Sfixed64 => int64(parser)? as u64,
                    _ => scalar::double(parser)?.to_bits(),
                };
                self.out.extend_from_slice(&bits.to_le_bytes());
                return Ok(bits == 0);
            }
            Kind::Text | Kind::Bytes | Kind::Id | Kind::Message(_) => {
                return Err(parser.error(Problem::Type("a number")));
            }
        };
        varint::write(&mut self.out, varint);
        Ok(varint == 0)
    }
}

fn int32(parser: &mut Parser<'_>) -> Result<i64, JsonError> {
    let value = scalar::integer(parser, i32::MIN.into(), i32::MAX.into(), "a 32-bit integer")?;
    Ok(value as i64)
}

fn int64(parser: &mut Parser<'_>) -> Result<i64, JsonError> {
    let value = scalar::integer(parser, i64::MIN.into(), i64::MAX.into(), "a 64-bit integer")?;
    Ok(value as i64)
}

fn uint32(parser: &mut Parser<'_>) -> Result<u32, JsonError> {
    let value = scalar::integer(parser, 0, u32::MAX.into(), "an unsigned 32-bit integer")?;
    Ok(value as u32)
}

fn uint64(parser: &mut Parser<'_>) -> Result<u64, JsonError> {
    let value = scalar::integer(parser, 0, u64::MAX.into(), "an unsigned 64-bit integer")?;
    Ok(value as u64)
}
