//! OTLP/JSON to protobuf bytes and back, driven by the schema, without the structs in between.
//!
//! The rules are those of "JSON Protobuf Encoding" in the OTLP specification, which differs from
//! protobuf's own JSON in two ways: ids are hexadecimal, and enum values are numbers only. Names are
//! read in lower camel case and as the schema has them, and written in lower camel case; 64-bit
//! integers are read as numbers and as texts, and written as texts; unknown names are passed over;
//! `null` is absence.
//!
//! What could be read in two ways is refused: a name that is given twice, and two members of a group of
//! which only one can be.

mod answer;
mod error;
mod parser;
mod read;
mod scalar;
mod write;

pub use error::{JsonError, Problem};

use crate::schema::Name;
use crate::{Budget, Signal, WireError, check};

/// Translates a request in JSON. The bytes are canonical: fields in the order of their numbers, no
/// defaults, numbers as short as they can be. [`check`] accepts them under the same budget, but for
/// the memory of the decoded form, which is judged there.
///
/// # Errors
///
/// When the text is no JSON, or not a request of `signal`, or is over `budget`.
pub fn to_protobuf(signal: Signal, json: &[u8], budget: &Budget) -> Result<Vec<u8>, JsonError> {
    read::message(Name::request(signal), json, budget)
}

/// Translates an encoded request to JSON. Unknown fields are left out, because they have no names.
///
/// # Errors
///
/// When the body is malformed.
pub fn from_protobuf(signal: Signal, body: &[u8]) -> Result<String, WireError> {
    check(signal, body, &Budget::UNLIMITED)?;
    Ok(write::message(Name::request(signal), body))
}

#[cfg(test)]
mod tests;
