//! A log record, read in place.

use crate::attribute::{AttributeValue, Attributes};
use crate::field::{self, Fields};

/// A view of an encoded `LogRecord`. Each accessor is one pass over its fields.
#[derive(Clone, Copy, Debug)]
pub struct LogRecord<'a>(&'a [u8]);

impl<'a> LogRecord<'a> {
    /// Reads an encoded log record.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The encoded log record.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// When it happened, in nanoseconds since 1970; 0 when unknown.
    pub fn time_unix_nano(self) -> u64 {
        field::fixed64(self.0, 1)
    }

    /// When it was seen, in nanoseconds since 1970; 0 when unknown.
    pub fn observed_time_unix_nano(self) -> u64 {
        field::fixed64(self.0, 11)
    }

    /// `SeverityNumber`: 1 to 24, 0 when unspecified.
    pub fn severity_number(self) -> i32 {
        field::varint(self.0, 2) as i32
    }

    /// The level in the words of its source.
    pub fn severity_text(self) -> &'a str {
        field::text(self.0, 3)
    }

    /// What it says.
    pub fn body(self) -> AttributeValue<'a> {
        field::bytes(self.0, 5).map_or(AttributeValue::Empty, AttributeValue::new)
    }

    /// Its attributes.
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 6)
    }

    /// The trace flags.
    pub fn flags(self) -> u32 {
        field::fixed32(self.0, 8)
    }

    /// The trace it belongs to, empty when to none.
    pub fn trace_id(self) -> &'a [u8] {
        field::bytes(self.0, 9).unwrap_or_default()
    }

    /// The span it belongs to, empty when to none.
    pub fn span_id(self) -> &'a [u8] {
        field::bytes(self.0, 10).unwrap_or_default()
    }

    /// The name of the event, if it is one.
    pub fn event_name(self) -> &'a str {
        field::text(self.0, 12)
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.0)
    }
}
