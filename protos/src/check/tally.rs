//! What the walk has counted so far, and when that is too much.

use std::mem::size_of;

use super::table::Shape;
use crate::error::{Fault, Reason};
use crate::{Budget, Counts};

/// Vectors grow by doubling, so a struct in one may have paid for two.
pub(super) const GROWTH: u64 = 2;

pub(super) struct Tally {
    counts: Counts,
    elements: u64,
    heap: u64,
}

impl Tally {
    pub(super) fn new(budget: &Budget) -> Self {
        Self {
            counts: Counts::default(),
            elements: budget.elements,
            heap: budget.heap,
        }
    }

    /// Counts a message whose key is at `at`.
    #[inline(always)]
    pub(super) fn add(&mut self, shape: &Shape, at: usize) -> Result<(), Fault> {
        // Wrapping cannot happen: each message took a byte of the body, and none weighs a megabyte.
        self.counts.items = self.counts.items.wrapping_add(u64::from(shape.is_item));
        self.counts.resources = self
            .counts
            .resources
            .wrapping_add(u32::from(shape.is_resource));
        self.counts.heap_estimate = self
            .counts
            .heap_estimate
            .wrapping_add(u64::from(shape.heap));
        self.element(at)
    }

    /// Counts one text of a repeated field.
    pub(super) fn add_string(&mut self, at: usize) -> Result<(), Fault> {
        self.counts.heap_estimate += GROWTH * size_of::<String>() as u64;
        self.element(at)
    }

    /// Counts numbers of a repeated field. They are no elements, but one byte may become eight.
    pub(super) fn add_numbers(&mut self, values: u64) {
        self.counts.heap_estimate += GROWTH * size_of::<u64>() as u64 * values;
    }

    #[inline(always)]
    fn element(&mut self, at: usize) -> Result<(), Fault> {
        self.counts.elements = self.counts.elements.wrapping_add(1);
        if self.counts.elements > self.elements {
            return Err(Fault::new(at, Reason::Elements(self.elements)));
        }
        Ok(())
    }

    /// The counts of a body of `len` bytes, all of which may be text that is copied.
    pub(super) fn finish(mut self, len: usize) -> Result<Counts, Fault> {
        self.counts.heap_estimate += len as u64;
        if self.counts.heap_estimate > self.heap {
            return Err(Fault::new(len, Reason::Heap(self.heap)));
        }
        Ok(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use proptest::prelude::*;

    use crate::otlp::common::v1::any_value::Value;
    use crate::otlp::common::v1::{AnyValue, KeyValue};
    use crate::otlp::logs::v1::ResourceLogs;
    use crate::otlp::resource::v1::Resource;
    use crate::otlp::{ExportLogsServiceRequest, Message};
    use crate::{Budget, Signal, arbitrary, check};

    /// The bytes that a vector holds of the heap, and its elements by `inner`.
    fn list<T>(list: &Vec<T>, inner: impl Fn(&T) -> usize) -> usize {
        list.capacity() * size_of::<T>() + list.iter().map(inner).sum::<usize>()
    }

    fn value(value: &AnyValue) -> usize {
        match &value.value {
            Some(Value::StringValue(text)) => text.capacity(),
            Some(Value::BytesValue(bytes)) => bytes.capacity(),
            Some(Value::ArrayValue(values)) => list(&values.values, self::value),
            Some(Value::KvlistValue(values)) => list(&values.values, attribute),
            _ => 0,
        }
    }

    fn attribute(attribute: &KeyValue) -> usize {
        attribute.key.capacity() + attribute.value.as_ref().map_or(0, value)
    }

    /// The bytes that a decoded request holds of the heap.
    fn held(request: &ExportLogsServiceRequest) -> usize {
        list(&request.resource_logs, |logs| {
            let resource = logs.resource.as_ref().map_or(0, |resource| {
                list(&resource.attributes, attribute)
                    + list(&resource.entity_refs, |entity| {
                        list(&entity.id_keys, String::capacity)
                            + list(&entity.description_keys, String::capacity)
                    })
            });
            let scopes = list(&logs.scope_logs, |logs| {
                let scope = logs.scope.as_ref();
                scope.map_or(0, |scope| list(&scope.attributes, attribute))
                    + list(&logs.log_records, |record| {
                        record.body.as_ref().map_or(0, value) + list(&record.attributes, attribute)
                    })
            });
            resource + scopes
        })
    }

    /// How much more than a decoder takes the estimate may be, beside the body itself. A list that has
    /// just been filled holds half of what its growth is allowed for, and what stands inside of its
    /// parent is counted as if it did not: an attribute of 56 bytes has a value of 32 in it, and that a
    /// list of 24, so twice their sum is four times what is there.
    const ABOVE_MAX: u64 = 4;

    fn assert_near(request: &ExportLogsServiceRequest) {
        let body = request.encode_to_vec();
        let counts = check(Signal::Logs, &body, &Budget::UNLIMITED).unwrap();
        let held = held(&ExportLogsServiceRequest::decode(&body[..]).unwrap()) as u64;
        let estimate = counts.heap_estimate;
        assert!(held <= 2 * estimate, "holds {held}, estimated {estimate}");
        let most = ABOVE_MAX * held + body.len() as u64;
        assert!(estimate <= most, "holds {held}, estimated {estimate}");
    }

    #[test]
    fn the_estimate_allows_for_what_stands_inside_of_its_parent() {
        let resource = |resource| ResourceLogs {
            resource,
            ..ResourceLogs::default()
        };
        let empty = Some(Resource::default());
        let resource_logs = vec![resource(empty.clone()), resource(empty), resource(None)];
        assert_near(&ExportLogsServiceRequest { resource_logs });
    }

    proptest! {
        #[test]
        fn the_estimate_is_near_what_a_decoder_takes(request in arbitrary::logs()) {
            assert_near(&request);
        }
    }
}
