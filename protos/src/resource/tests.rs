//! The views must read what the generated decoder reads.

use proptest::prelude::*;

use super::*;
use crate::otlp::Message;
use crate::otlp::common::v1::any_value::Value;
use crate::otlp::common::v1::{AnyValue, KeyValue};
use crate::otlp::metrics::v1::metric::Data;
use crate::{DataPoint, LogRecord, MetricKind, Span, arbitrary};

/// A value as the decoder would have it.
fn decoded(value: AttributeValue<'_>) -> AnyValue {
    let value = match value {
        AttributeValue::Empty => None,
        AttributeValue::Text(text) => Some(Value::StringValue(text.to_owned())),
        AttributeValue::Bool(value) => Some(Value::BoolValue(value)),
        AttributeValue::Int(value) => Some(Value::IntValue(value)),
        AttributeValue::Double(value) => Some(Value::DoubleValue(value)),
        AttributeValue::Bytes(bytes) => Some(Value::BytesValue(bytes.to_vec())),
        AttributeValue::Array(values) => {
            let values = values.map(decoded).collect();
            Some(Value::ArrayValue(crate::otlp::common::v1::ArrayValue {
                values,
            }))
        }
        AttributeValue::Map(attributes) => {
            let values = pairs(attributes);
            Some(Value::KvlistValue(crate::otlp::common::v1::KeyValueList {
                values,
            }))
        }
    };
    AnyValue { value }
}

fn pairs<'a>(attributes: impl Iterator<Item = Attribute<'a>>) -> Vec<KeyValue> {
    attributes
        .map(|attribute| KeyValue {
            key: attribute.key.to_owned(),
            value: Some(decoded(attribute.value)),
            key_strindex: 0,
        })
        .collect()
}

/// What the views make of a decoded list: without indexes into a dictionary, which only profiles have,
/// and with an empty value for none.
fn plain(attributes: &[KeyValue]) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|pair| KeyValue {
            key: pair.key.clone(),
            value: Some(plain_value(pair.value.as_ref())),
            key_strindex: 0,
        })
        .collect()
}

fn plain_value(value: Option<&AnyValue>) -> AnyValue {
    let value = match value.and_then(|value| value.value.clone()) {
        Some(Value::StringValueStrindex(_)) => None,
        Some(Value::ArrayValue(mut list)) => {
            list.values = list
                .values
                .iter()
                .map(|value| plain_value(Some(value)))
                .collect();
            Some(Value::ArrayValue(list))
        }
        Some(Value::KvlistValue(mut list)) => {
            list.values = plain(&list.values);
            Some(Value::KvlistValue(list))
        }
        other => other,
    };
    AnyValue { value }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn spans(request in arbitrary::traces()) {
        let body = request.encode_to_vec();
        prop_assert_eq!(resources(&body).count(), request.resource_spans.len());
        for (resource, expected) in resources(&body).zip(&request.resource_spans) {
            let identity = expected.resource.clone().unwrap_or_default();
            prop_assert_eq!(resource.schema_url(), &expected.schema_url);
            prop_assert_eq!(pairs(resource.attributes()), plain(&identity.attributes));
            prop_assert_eq!(resource.identity(), identity.encode_to_vec());
            prop_assert_eq!(resource.scopes().count(), expected.scope_spans.len());
            for (scope, expected) in resource.scopes().zip(&expected.scope_spans) {
                let identity = expected.scope.clone().unwrap_or_default();
                prop_assert_eq!(scope.name(), &identity.name);
                prop_assert_eq!(scope.version(), &identity.version);
                prop_assert_eq!(scope.schema_url(), &expected.schema_url);
                prop_assert_eq!(pairs(scope.attributes()), plain(&identity.attributes));
                prop_assert_eq!(scope.entries().count(), expected.spans.len());
                for (span, expected) in scope.entries().map(Span::new).zip(&expected.spans) {
                    prop_assert_eq!(span.trace_id(), &expected.trace_id);
                    prop_assert_eq!(span.span_id(), &expected.span_id);
                    prop_assert_eq!(span.parent_span_id(), &expected.parent_span_id);
                    prop_assert_eq!(span.trace_state(), &expected.trace_state);
                    prop_assert_eq!(span.name(), &expected.name);
                    prop_assert_eq!(span.kind(), expected.kind);
                    prop_assert_eq!(span.start_time_unix_nano(), expected.start_time_unix_nano);
                    prop_assert_eq!(span.end_time_unix_nano(), expected.end_time_unix_nano);
                    prop_assert_eq!(pairs(span.attributes()), plain(&expected.attributes));
                    prop_assert_eq!(span.events().count(), expected.events.len());
                    prop_assert_eq!(span.links().count(), expected.links.len());
                    let status = expected.status.clone().unwrap_or_default();
                    prop_assert_eq!(span.status_code(), status.code);
                    prop_assert_eq!(span.status_message(), &status.message);
                    prop_assert_eq!(span.flags(), expected.flags);
                    prop_assert_eq!(span.bytes(), expected.encode_to_vec());
                }
            }
        }
    }

    #[test]
    fn log_records(request in arbitrary::logs()) {
        let body = request.encode_to_vec();
        let views = resources(&body)
            .flat_map(|resource| resource.scopes())
            .flat_map(|scope| scope.entries())
            .map(LogRecord::new);
        let records = request.resource_logs.iter()
            .flat_map(|resource| &resource.scope_logs)
            .flat_map(|scope| &scope.log_records);
        prop_assert_eq!(views.clone().count(), records.clone().count());
        for (record, expected) in views.zip(records) {
            prop_assert_eq!(record.time_unix_nano(), expected.time_unix_nano);
            prop_assert_eq!(record.observed_time_unix_nano(), expected.observed_time_unix_nano);
            prop_assert_eq!(record.severity_number(), expected.severity_number);
            prop_assert_eq!(record.severity_text(), &expected.severity_text);
            prop_assert_eq!(decoded(record.body()), plain_value(expected.body.as_ref()));
            prop_assert_eq!(pairs(record.attributes()), plain(&expected.attributes));
            prop_assert_eq!(record.flags(), expected.flags);
            prop_assert_eq!(record.trace_id(), &expected.trace_id);
            prop_assert_eq!(record.span_id(), &expected.span_id);
            prop_assert_eq!(record.event_name(), &expected.event_name);
            prop_assert_eq!(record.bytes(), expected.encode_to_vec());
        }
    }

    #[test]
    fn metrics(request in arbitrary::metrics()) {
        let body = request.encode_to_vec();
        let views = resources(&body)
            .flat_map(|resource| resource.scopes())
            .flat_map(|scope| scope.entries())
            .map(Metric::new);
        let metrics = request.resource_metrics.iter()
            .flat_map(|resource| &resource.scope_metrics)
            .flat_map(|scope| &scope.metrics);
        prop_assert_eq!(views.clone().count(), metrics.clone().count());
        for (metric, expected) in views.zip(metrics) {
            prop_assert_eq!(metric.name(), &expected.name);
            prop_assert_eq!(metric.description(), &expected.description);
            prop_assert_eq!(metric.unit(), &expected.unit);
            prop_assert_eq!(pairs(metric.metadata()), plain(&expected.metadata));
            let (kind, temporality, monotonic, points) = points(expected.data.as_ref());
            prop_assert_eq!(metric.kind(), kind);
            prop_assert_eq!(metric.temporality(), temporality);
            prop_assert_eq!(metric.is_monotonic(), monotonic);
            prop_assert_eq!(metric.points().map(read).collect::<Vec<_>>(), points);
        }
    }
}

/// A data point: its bytes, attributes, start, time and flags.
type Point = (Vec<u8>, Vec<KeyValue>, u64, u64, u32);

fn read(point: DataPoint<'_>) -> Point {
    (
        point.bytes().to_vec(),
        pairs(point.attributes()),
        point.start_time_unix_nano(),
        point.time_unix_nano(),
        point.flags(),
    )
}

fn points(data: Option<&Data>) -> (Option<MetricKind>, i32, bool, Vec<Point>) {
    macro_rules! all {
        ($data:expr) => {
            $data
                .data_points
                .iter()
                .map(|point| {
                    let attributes = plain(&point.attributes);
                    let start = point.start_time_unix_nano;
                    (
                        point.encode_to_vec(),
                        attributes,
                        start,
                        point.time_unix_nano,
                        point.flags,
                    )
                })
                .collect()
        };
    }
    match data {
        None => (None, 0, false, Vec::new()),
        Some(Data::Gauge(data)) => (Some(MetricKind::Gauge), 0, false, all!(data)),
        Some(Data::Sum(data)) => (
            Some(MetricKind::Sum),
            data.aggregation_temporality,
            data.is_monotonic,
            all!(data),
        ),
        Some(Data::Histogram(data)) => (
            Some(MetricKind::Histogram),
            data.aggregation_temporality,
            false,
            all!(data),
        ),
        Some(Data::ExponentialHistogram(data)) => (
            Some(MetricKind::ExponentialHistogram),
            data.aggregation_temporality,
            false,
            all!(data),
        ),
        Some(Data::Summary(data)) => (Some(MetricKind::Summary), 0, false, all!(data)),
    }
}

#[test]
fn an_attribute_is_found_by_its_key() {
    // service.name is there twice, and the resource message as well, as a merge would leave it.
    let resource = b"\x0a\x06\x0a\x04\x0a\x02id\x0a\x0f\x0a\x0d\x0a\x04name\x12\x05\x0a\x03one\
                     \x0a\x0f\x0a\x0d\x0a\x04name\x12\x05\x0a\x03two";
    let name = resource_attribute(resource, "name").unwrap();
    assert_eq!(name.as_str(), Some("one"));
    let id = resource_attribute(resource, "id").unwrap();
    assert!(matches!(id, AttributeValue::Empty), "{id:?}");
    assert!(resource_attribute(resource, "nam").is_none());
    assert_eq!(Resource::new(resource).attributes().count(), 3);
}
