//! A span, read in place.

use crate::attribute::Attributes;
use crate::field::{self, Fields};

/// A view of an encoded `Span`. Each accessor is one pass over its fields.
#[derive(Clone, Copy, Debug)]
pub struct Span<'a>(&'a [u8]);

impl<'a> Span<'a> {
    /// Reads an encoded span.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The encoded span.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The trace it belongs to: 16 bytes if the sender keeps the rules, empty when absent.
    pub fn trace_id(self) -> &'a [u8] {
        field::bytes(self.0, 1).unwrap_or_default()
    }

    /// Its own id: 8 bytes if the sender keeps the rules.
    pub fn span_id(self) -> &'a [u8] {
        field::bytes(self.0, 2).unwrap_or_default()
    }

    /// The id of its parent, empty for a root.
    pub fn parent_span_id(self) -> &'a [u8] {
        field::bytes(self.0, 4).unwrap_or_default()
    }

    /// The W3C trace state.
    pub fn trace_state(self) -> &'a str {
        field::text(self.0, 3)
    }

    /// The name of the operation.
    pub fn name(self) -> &'a str {
        field::text(self.0, 5)
    }

    /// `SpanKind` as its number.
    pub fn kind(self) -> i32 {
        field::varint(self.0, 6) as i32
    }

    /// When it began, in nanoseconds since 1970.
    pub fn start_time_unix_nano(self) -> u64 {
        field::fixed64(self.0, 7)
    }

    /// When it ended, in nanoseconds since 1970.
    pub fn end_time_unix_nano(self) -> u64 {
        field::fixed64(self.0, 8)
    }

    /// Its attributes.
    pub fn attributes(self) -> Attributes<'a> {
        Attributes::new(self.0, 9)
    }

    /// Its encoded events.
    pub fn events(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        field::all(self.0, 11)
    }

    /// Its encoded links.
    pub fn links(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        field::all(self.0, 13)
    }

    /// `StatusCode` as its number: 0 unset, 1 ok, 2 error.
    pub fn status_code(self) -> i32 {
        field::bytes(self.0, 15).map_or(0, |status| field::varint(status, 3) as i32)
    }

    /// What the status says in words.
    pub fn status_message(self) -> &'a str {
        field::bytes(self.0, 15).map_or("", |status| field::text(status, 2))
    }

    /// The trace flags, and whether the parent is remote.
    pub fn flags(self) -> u32 {
        field::fixed32(self.0, 16)
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.0)
    }
}
