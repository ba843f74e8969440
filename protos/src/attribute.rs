//! Attributes and their values, read in place.

use crate::field::{self, Field, Fields, Value};

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Attribute<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: AttributeValue<'a>,
}

impl<'a> Attribute<'a> {
    /// Reads an encoded `KeyValue`.
    pub fn new(message: &'a [u8]) -> Self {
        Self {
            key: field::text(message, 1),
            value: field::bytes(message, 2).map_or(AttributeValue::Empty, AttributeValue::new),
        }
    }
}

/// What an attribute, or the body of a log record, holds.
#[derive(Clone, Debug)]
pub enum AttributeValue<'a> {
    /// Nothing, or something newer than this reader.
    Empty,
    /// A text.
    Text(&'a str),
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Double(f64),
    /// A list of values.
    Array(Values<'a>),
    /// Attributes within the attribute.
    Map(Attributes<'a>),
    /// Bytes without a meaning that is known here.
    Bytes(&'a [u8]),
}

impl<'a> AttributeValue<'a> {
    /// Reads an encoded `AnyValue`. Of several values the last one counts.
    pub fn new(message: &'a [u8]) -> Self {
        Fields::new(message).fold(Self::Empty, |last, field| {
            match (field.number, field.value) {
                (1, Value::Bytes(bytes)) => Self::Text(field::utf8(bytes)),
                (2, Value::Varint(value)) => Self::Bool(value != 0),
                (3, Value::Varint(value)) => Self::Int(value as i64),
                (4, Value::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Value::Bytes(list)) => Self::Array(Values(Fields::new(list))),
                (6, Value::Bytes(list)) => Self::Map(Attributes::new(list, 1)),
                (7, Value::Bytes(bytes)) => Self::Bytes(bytes),
                _ => last,
            }
        })
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Iterates over the values of a list.
#[derive(Clone, Debug)]
pub struct Values<'a>(Fields<'a>);

impl<'a> Iterator for Values<'a> {
    type Item = AttributeValue<'a>;

    fn next(&mut self) -> Option<AttributeValue<'a>> {
        next_message(&mut self.0, 1).map(AttributeValue::new)
    }
}

/// Iterates over attributes in the order of the wire.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    fields: Fields<'a>,
    number: u32,
}

impl<'a> Attributes<'a> {
    /// The attributes in field `number` of `message`.
    pub(crate) fn new(message: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(message),
            number,
        }
    }

    /// The value of `key`. Keys are unique by OTLP's rules; where a sender broke them, the first one
    /// is meant.
    pub fn get(mut self, key: &str) -> Option<AttributeValue<'a>> {
        self.find(|attribute| attribute.key == key)
            .map(|attribute| attribute.value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        next_message(&mut self.fields, self.number).map(Attribute::new)
    }
}

/// The next content of field `number`.
fn next_message<'a>(fields: &mut Fields<'a>, number: u32) -> Option<&'a [u8]> {
    fields.find_map(|field| match field {
        Field {
            number: found,
            value: Value::Bytes(bytes),
            ..
        } if found == number => Some(bytes),
        _ => None,
    })
}
