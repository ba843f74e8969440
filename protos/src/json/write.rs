//! Protobuf to JSON: each message becomes an object, its fields in the order of their numbers.
//!
//! Encodings may repeat what can be there once, and mix the elements of lists. They mean what a decoder
//! makes of them: the last number or text counts, messages are merged, and of a group the member that
//! came last counts.

use std::fmt::Write;

use base64::Engine;

use super::scalar::BASE64;
use crate::field::{Fields, Value, utf8};
use crate::schema::{Field, Kind, Label, Name};
use crate::varint;

/// The JSON form of `content`, a checked message of type `name`.
pub(super) fn message(name: Name, content: &[u8]) -> String {
    let mut out = String::with_capacity(content.len() * 2);
    object(&mut out, name, content);
    out
}

/// Appends a message. The walk has limited how deep they go.
fn object(out: &mut String, name: Name, content: &[u8]) {
    let mut fields: Vec<(&'static Field, Value<'_>)> = known(name, content);
    fields.sort_by_key(|(field, _)| field.number);
    out.push('{');
    let empty = out.len();
    for run in fields.chunk_by(|(one, _), (next, _)| one.number == next.number) {
        let before = out.len();
        if before > empty {
            out.push(',');
        }
        out.push('"');
        out.extend(run[0].0.camel().map(char::from));
        out.push_str("\":");
        if !value(out, run) {
            out.truncate(before);
        }
    }
    out.push('}');
}

/// The fields of a message that have names, in the order of the wire, without the members of a group
/// that another one replaced.
fn known(name: Name, content: &[u8]) -> Vec<(&'static Field, Value<'_>)> {
    let mut fields: Vec<(&'static Field, Value<'_>)> = Vec::new();
    let mut member = 0;
    let mut replaced_until = 0;
    for found in Fields::new(content) {
        let Some(field) = name.field(found.number) else {
            continue;
        };
        if field.label == Label::Oneof && field.number != member {
            member = field.number;
            replaced_until = fields.len();
        }
        fields.push((field, found.value));
    }
    let mut index = 0;
    fields.retain(|(field, _)| {
        index += 1;
        field.label != Label::Oneof || index > replaced_until
    });
    fields
}

/// Appends the value of a field that is on the wire as `run`. Whether it says anything.
fn value(out: &mut String, run: &[(&Field, Value<'_>)]) -> bool {
    let [(field, _), ..] = run else { return false };
    if field.label == Label::Repeated {
        return list(out, field, run.iter().map(|(_, value)| *value));
    }
    if let Kind::Message(name) = field.kind {
        match run {
            [(_, Value::Bytes(content))] => object(out, name, content),
            // Encodings that follow each other are the merged message.
            _ => {
                let contents: Vec<&[u8]> = run.iter().map(|(_, value)| bytes(*value)).collect();
                object(out, name, &contents.concat());
            }
        }
        return true;
    }
    let last = run[run.len() - 1].1;
    scalar(out, field.kind, last);
    field.label != Label::Single || !is_default(field.kind, last)
}

/// Whether a value is the one that absence means.
fn is_default(kind: Kind, value: Value<'_>) -> bool {
    match value {
        Value::Bytes(bytes) | Value::Group(bytes) => bytes.is_empty(),
        _ => number(kind, value) == 0,
    }
}

/// The number on the wire, cut to the size of its kind as a decoder cuts it.
fn number(kind: Kind, value: Value<'_>) -> u64 {
    let number = match value {
        Value::Varint(number) | Value::Fixed64(number) => number,
        Value::Fixed32(number) => u64::from(number),
        Value::Bytes(_) | Value::Group(_) => 0,
    };
    match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Enum | Kind::Uint32 => u64::from(number as u32),
        _ => number,
    }
}

/// Appends a list. Whether it has elements: packed numbers may be none.
fn list<'a>(out: &mut String, field: &Field, values: impl Iterator<Item = Value<'a>>) -> bool {
    out.push('[');
    let empty = out.len();
    let mut element = |value: Value<'_>| {
        if out.len() > empty {
            out.push(',');
        }
        match (field.kind, value) {
            (Kind::Message(name), value) => object(out, name, bytes(value)),
            (kind, value) => scalar(out, kind, value),
        }
    };
    for value in values {
        match (field.kind.wire_type(), value) {
            (0, Value::Bytes(packed)) => {
                let mut at = 0;
                while let Some((number, end)) = varint::read(packed, at) {
                    element(Value::Varint(number));
                    at = end;
                }
            }
            (1, Value::Bytes(packed)) => {
                let numbers = packed
                    .chunks_exact(8)
                    .filter_map(|number| number.first_chunk());
                numbers.for_each(|number| element(Value::Fixed64(u64::from_le_bytes(*number))));
            }
            _ => element(value),
        }
    }
    let any = out.len() > empty;
    out.push(']');
    any
}

fn bytes(value: Value<'_>) -> &[u8] {
    value.bytes().unwrap_or_default()
}

/// Appends a value that is no message.
fn scalar(out: &mut String, kind: Kind, value: Value<'_>) {
    let number = number(kind, value);
    // Writing to a String cannot fail.
    let _ = match kind {
        Kind::Bool => write!(out, "{}", number != 0),
        Kind::Int32 | Kind::Enum => write!(out, "{}", number as i32),
        Kind::Sint32 => {
            let number = number as u32;
            write!(out, "{}", (number >> 1) as i32 ^ -((number & 1) as i32))
        }
        Kind::Sint64 => write!(out, "\"{}\"", (number >> 1) as i64 ^ -((number & 1) as i64)),
        Kind::Uint32 | Kind::Fixed32 => write!(out, "{}", number as u32),
        Kind::Int64 | Kind::Sfixed64 => write!(out, "\"{}\"", number as i64),
        Kind::Uint64 | Kind::Fixed64 => write!(out, "\"{number}\""),
        Kind::Double => double(out, f64::from_bits(number)),
        Kind::Text => {
            text(out, utf8(bytes(value)));
            Ok(())
        }
        Kind::Id => {
            out.push('"');
            bytes(value)
                .iter()
                .try_for_each(|byte| write!(out, "{byte:02x}"))
                .map(|()| out.push('"'))
        }
        Kind::Bytes | Kind::Message(_) => {
            out.push('"');
            BASE64.encode_string(bytes(value), out);
            out.push('"');
            Ok(())
        }
    };
}

fn double(out: &mut String, value: f64) -> std::fmt::Result {
    if value.is_finite() {
        return write!(out, "{value:?}");
    }
    out.push_str(match value {
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => "\"NaN\"",
    });
    Ok(())
}

/// Appends a text in quotes.
pub(super) fn text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|char| matches!(char, '"' | '\\' | '\0'..' ')) {
        out.push_str(&rest[..at]);
        // What is found is one byte long.
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            control => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.push_str("\\u00");
                out.push(char::from(DIGITS[usize::from(control >> 4)]));
                out.push(char::from(DIGITS[usize::from(control & 15)]));
            }
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}
