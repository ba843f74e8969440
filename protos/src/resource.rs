//! The skeleton that all signals share: a request holds resources, a resource holds scopes, a scope
//! holds entries (log records, metrics, spans).
//!
//! `ResourceLogs`, `ResourceMetrics` and `ResourceSpans` have the same field numbers, and so have
//! their scopes, so one view serves all three.

use crate::attribute::{AttributeValue, Attributes};
use crate::field::{self, Fields};
use crate::metric::Metric;
use crate::{Attribute, Signal};

/// The field of a request that holds resources.
pub(crate) const RESOURCES: u32 = 1;
/// The field of a resource that holds scopes.
pub(crate) const SCOPES: u32 = 2;
/// The field of a scope that holds entries.
pub(crate) const ENTRIES: u32 = 2;

/// The resources of a request of any signal.
pub fn resources(body: &[u8]) -> impl Iterator<Item = Resource<'_>> + Clone {
    field::all(body, RESOURCES).map(Resource::new)
}

/// Log records, data points or spans of a request: what [`Counts::items`](crate::Counts::items) says,
/// without the rest of the walk.
pub fn count_items(signal: Signal, body: &[u8]) -> u64 {
    resources(body)
        .flat_map(|resource| resource.scopes())
        .flat_map(|scope| scope.entries())
        .map(|entry| match signal {
            Signal::Logs | Signal::Traces => 1,
            Signal::Metrics => Metric::new(entry).count_points(),
        })
        .sum()
}

/// The value of attribute `key` in `resource`, an encoded `ResourceLogs`, `ResourceMetrics` or
/// `ResourceSpans`.
pub fn resource_attribute<'a>(resource: &'a [u8], key: &str) -> Option<AttributeValue<'a>> {
    Resource::new(resource).attribute(key)
}

/// A view of a `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a>(&'a [u8]);

impl<'a> Resource<'a> {
    /// Reads an encoded message.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The encoded message.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The encoded `Resource` within: what identifies the sender. Empty when absent.
    pub fn identity(self) -> &'a [u8] {
        field::bytes(self.0, 1).unwrap_or_default()
    }

    /// The attributes of the resource.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        field::all(self.0, 1).flat_map(|resource| Attributes::new(resource, 1))
    }

    /// The value of one attribute.
    pub fn attribute(self, key: &str) -> Option<AttributeValue<'a>> {
        self.attributes()
            .find(|attribute| attribute.key == key)
            .map(|attribute| attribute.value)
    }

    /// The scopes.
    pub fn scopes(self) -> impl Iterator<Item = Scope<'a>> + Clone {
        field::all(self.0, SCOPES).map(Scope::new)
    }

    /// The schema that the resource follows.
    pub fn schema_url(self) -> &'a str {
        field::text(self.0, 3)
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.0)
    }
}

/// A view of a `ScopeLogs`, `ScopeMetrics` or `ScopeSpans`.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a>(&'a [u8]);

impl<'a> Scope<'a> {
    /// Reads an encoded message.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The encoded message.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name of the instrumentation scope.
    pub fn name(self) -> &'a str {
        field::text(self.identity(), 1)
    }

    /// Its version.
    pub fn version(self) -> &'a str {
        field::text(self.identity(), 2)
    }

    /// The encoded `InstrumentationScope` within. Empty when absent.
    pub fn identity(self) -> &'a [u8] {
        field::bytes(self.0, 1).unwrap_or_default()
    }

    /// The attributes of the scope.
    pub fn attributes(self) -> impl Iterator<Item = Attribute<'a>> + Clone {
        field::all(self.0, 1).flat_map(|scope| Attributes::new(scope, 3))
    }

    /// The encoded log records, metrics or spans.
    pub fn entries(self) -> impl Iterator<Item = &'a [u8]> + Clone {
        field::all(self.0, ENTRIES)
    }

    /// The schema that the entries follow.
    pub fn schema_url(self) -> &'a str {
        field::text(self.0, 3)
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.0)
    }
}

#[cfg(test)]
mod tests;
