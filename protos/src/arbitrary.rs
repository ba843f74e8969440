//! Requests of every shape that the messages allow, for property tests.

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use crate::otlp::common::v1::any_value::Value;
use crate::otlp::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use crate::otlp::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use crate::otlp::metrics::v1::exponential_histogram_data_point::Buckets;
use crate::otlp::metrics::v1::metric::Data;
use crate::otlp::metrics::v1::summary_data_point::ValueAtQuantile;
use crate::otlp::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, number_data_point,
};
use crate::otlp::resource::v1::Resource;
use crate::otlp::trace::v1::span::{Event, Link};
use crate::otlp::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use crate::otlp::{
    ExportLogsServiceRequest, ExportMetricsServiceRequest, ExportTraceServiceRequest,
};

/// Short and long, ASCII and not, with what JSON must escape.
fn text() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-z.]{0,12}",
        1 => "\\PC{0,8}",
        1 => "[ -~\\n\\t\"\\\\\u{0}\u{1f}\u{2028}é🦀]{0,150}",
    ]
    .boxed()
}

fn id() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        vec(any::<u8>(), 8),
        vec(0u8..3, 16),
        vec(any::<u8>(), 0..20),
    ]
    .boxed()
}

/// Numbers at their edges, and others. No NaN, which is not equal to itself.
fn double() -> BoxedStrategy<f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MIN_POSITIVE),
        Just(1e300),
        -1000.0..1000.0,
        prop::num::f64::NORMAL,
    ]
    .boxed()
}

fn time() -> BoxedStrategy<u64> {
    prop_oneof![Just(0), Just(1_700_000_000_000_000_000), any::<u64>()].boxed()
}

fn value() -> BoxedStrategy<AnyValue> {
    let scalar = of(prop_oneof![
        4 => text().prop_map(Value::StringValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        1 => (0i64..3).prop_map(Value::IntValue),
        1 => double().prop_map(Value::DoubleValue),
        1 => vec(any::<u8>(), 0..10).prop_map(Value::BytesValue),
        1 => any::<i32>().prop_map(Value::StringValueStrindex),
    ])
    .prop_map(|value| AnyValue { value });
    scalar
        .prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                vec(inner.clone(), 0..4)
                    .prop_map(|values| Value::ArrayValue(ArrayValue { values })),
                vec(key_value(inner), 0..4)
                    .prop_map(|values| Value::KvlistValue(KeyValueList { values })),
            ]
            .prop_map(|value| AnyValue { value: Some(value) })
        })
        .boxed()
}

fn key_value(value: impl Strategy<Value = AnyValue>) -> impl Strategy<Value = KeyValue> {
    (
        text(),
        of(value),
        prop_oneof![9 => Just(0), 1 => any::<i32>()],
    )
        .prop_map(|(key, value, key_strindex)| KeyValue {
            key,
            value,
            key_strindex,
        })
}

fn attributes() -> BoxedStrategy<Vec<KeyValue>> {
    vec(key_value(value()), 0..4).boxed()
}

fn resource() -> BoxedStrategy<Option<Resource>> {
    let entity = (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    of((attributes(), any::<u32>(), vec(entity, 0..2)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    ))
    .boxed()
}

fn scope() -> BoxedStrategy<Option<InstrumentationScope>> {
    of((text(), text(), attributes(), any::<u32>()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    ))
    .boxed()
}

/// A request of log records.
pub(crate) fn logs() -> BoxedStrategy<ExportLogsServiceRequest> {
    let record = (
        (time(), time(), 0..25i32, text(), of(value()), attributes()),
        (any::<u32>(), any::<u32>(), id(), id(), text()),
    )
        .prop_map(|(front, back)| LogRecord {
            time_unix_nano: front.0,
            observed_time_unix_nano: front.1,
            severity_number: front.2,
            severity_text: front.3,
            body: front.4,
            attributes: front.5,
            dropped_attributes_count: back.0,
            flags: back.1,
            trace_id: back.2,
            span_id: back.3,
            event_name: back.4,
        });
    let scope =
        (scope(), vec(record, 0..5), text()).prop_map(|(scope, log_records, schema_url)| {
            ScopeLogs {
                scope,
                log_records,
                schema_url,
            }
        });
    let resource =
        (resource(), vec(scope, 0..3), text()).prop_map(|(resource, scope_logs, schema_url)| {
            ResourceLogs {
                resource,
                scope_logs,
                schema_url,
            }
        });
    vec(resource, 0..4)
        .prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
        .boxed()
}

/// A request of spans.
pub(crate) fn traces() -> BoxedStrategy<ExportTraceServiceRequest> {
    let event = (time(), text(), attributes(), any::<u32>()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (id(), id(), text(), attributes(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count: flags / 2,
            flags,
        },
    );
    let status = of((text(), 0..3i32).prop_map(|(message, code)| Status { message, code }));
    let span = (
        (id(), id(), text(), id(), text(), -1..6i32),
        (time(), time(), attributes(), any::<u32>()),
        (
            vec(event, 0..3),
            any::<u32>(),
            vec(link, 0..3),
            any::<u32>(),
            status,
            any::<u32>(),
        ),
    )
        .prop_map(|(head, middle, tail)| Span {
            trace_id: head.0,
            span_id: head.1,
            trace_state: head.2,
            parent_span_id: head.3,
            name: head.4,
            kind: head.5,
            start_time_unix_nano: middle.0,
            end_time_unix_nano: middle.1,
            attributes: middle.2,
            dropped_attributes_count: middle.3,
            events: tail.0,
            dropped_events_count: tail.1,
            links: tail.2,
            dropped_links_count: tail.3,
            status: tail.4,
            flags: tail.5,
        });
    let scope =
        (scope(), vec(span, 0..5), text()).prop_map(|(scope, spans, schema_url)| ScopeSpans {
            scope,
            spans,
            schema_url,
        });
    let resource =
        (resource(), vec(scope, 0..3), text()).prop_map(|(resource, scope_spans, schema_url)| {
            ResourceSpans {
                resource,
                scope_spans,
                schema_url,
            }
        });
    vec(resource, 0..4)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
        .boxed()
}

/// A request of data points of all kinds.
pub(crate) fn metrics() -> BoxedStrategy<ExportMetricsServiceRequest> {
    let metric = (text(), text(), text(), attributes(), of(data())).prop_map(
        |(name, description, unit, metadata, data)| Metric {
            name,
            description,
            unit,
            metadata,
            data,
        },
    );
    let scope = (scope(), vec(metric, 0..4), text()).prop_map(|(scope, metrics, schema_url)| {
        ScopeMetrics {
            scope,
            metrics,
            schema_url,
        }
    });
    let resource =
        (resource(), vec(scope, 0..3), text()).prop_map(|(resource, scope_metrics, schema_url)| {
            ResourceMetrics {
                resource,
                scope_metrics,
                schema_url,
            }
        });
    vec(resource, 0..4)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
        .boxed()
}

fn data() -> BoxedStrategy<Data> {
    let numbers = vec(number_point(), 0..4).boxed();
    prop_oneof![
        numbers
            .clone()
            .prop_map(|data_points| Data::Gauge(Gauge { data_points })),
        (numbers, 0..3i32, any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| Data::Sum(Sum {
                data_points,
                aggregation_temporality,
                is_monotonic,
            })
        ),
        (vec(histogram_point(), 0..4), 0..3i32).prop_map(
            |(data_points, aggregation_temporality)| Data::Histogram(Histogram {
                data_points,
                aggregation_temporality,
            })
        ),
        (vec(exponential_point(), 0..4), 0..3i32).prop_map(
            |(data_points, aggregation_temporality)| Data::ExponentialHistogram(
                ExponentialHistogram {
                    data_points,
                    aggregation_temporality
                }
            )
        ),
        vec(summary_point(), 0..4).prop_map(|data_points| Data::Summary(Summary { data_points })),
    ]
    .boxed()
}

fn exemplars() -> BoxedStrategy<Vec<Exemplar>> {
    let value = of(prop_oneof![
        double().prop_map(exemplar::Value::AsDouble),
        any::<i64>().prop_map(exemplar::Value::AsInt),
    ]);
    let exemplar = (attributes(), time(), id(), id(), value).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    );
    vec(exemplar, 0..2).boxed()
}

fn number_point() -> BoxedStrategy<NumberDataPoint> {
    let value = of(prop_oneof![
        double().prop_map(number_data_point::Value::AsDouble),
        any::<i64>().prop_map(number_data_point::Value::AsInt),
        Just(number_data_point::Value::AsInt(0)),
    ]);
    (
        attributes(),
        time(),
        time(),
        exemplars(),
        any::<u32>(),
        value,
    )
        .prop_map(
            |(attributes, start, time, exemplars, flags, value)| NumberDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: time,
                exemplars,
                flags,
                value,
            },
        )
        .boxed()
}

fn histogram_point() -> BoxedStrategy<HistogramDataPoint> {
    (
        (attributes(), time(), time(), any::<u64>(), of(double())),
        (vec(any::<u64>(), 0..4), vec(double(), 0..4), exemplars()),
        (any::<u32>(), of(double()), of(double())),
    )
        .prop_map(|(head, middle, tail)| HistogramDataPoint {
            attributes: head.0,
            start_time_unix_nano: head.1,
            time_unix_nano: head.2,
            count: head.3,
            sum: head.4,
            bucket_counts: middle.0,
            explicit_bounds: middle.1,
            exemplars: middle.2,
            flags: tail.0,
            min: tail.1,
            max: tail.2,
        })
        .boxed()
}

fn exponential_point() -> BoxedStrategy<ExponentialHistogramDataPoint> {
    let buckets = of((any::<i32>(), vec(any::<u64>(), 0..5)).prop_map(
        |(offset, bucket_counts)| Buckets {
            offset,
            bucket_counts,
        },
    ))
    .boxed();
    (
        (attributes(), time(), time(), any::<u64>(), of(double())),
        (any::<i32>(), any::<u64>(), buckets.clone(), buckets),
        (
            any::<u32>(),
            exemplars(),
            of(double()),
            of(double()),
            double(),
        ),
    )
        .prop_map(|(head, middle, tail)| ExponentialHistogramDataPoint {
            attributes: head.0,
            start_time_unix_nano: head.1,
            time_unix_nano: head.2,
            count: head.3,
            sum: head.4,
            scale: middle.0,
            zero_count: middle.1,
            positive: middle.2,
            negative: middle.3,
            flags: tail.0,
            exemplars: tail.1,
            min: tail.2,
            max: tail.3,
            zero_threshold: tail.4,
        })
        .boxed()
}

fn summary_point() -> BoxedStrategy<SummaryDataPoint> {
    let quantile =
        (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (
        attributes(),
        time(),
        time(),
        any::<u64>(),
        double(),
        vec(quantile, 0..3),
        any::<u32>(),
    )
        .prop_map(
            |(attributes, start, time, count, sum, quantile_values, flags)| SummaryDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: time,
                count,
                sum,
                quantile_values,
                flags,
            },
        )
        .boxed()
}

/// The data points of a request, counted in the structs.
pub(crate) fn count_points(request: &ExportMetricsServiceRequest) -> u64 {
    request
        .resource_metrics
        .iter()
        .flat_map(|resource| &resource.scope_metrics)
        .flat_map(|scope| &scope.metrics)
        .map(|metric| match &metric.data {
            Some(Data::Gauge(data)) => data.data_points.len() as u64,
            Some(Data::Sum(data)) => data.data_points.len() as u64,
            Some(Data::Histogram(data)) => data.data_points.len() as u64,
            Some(Data::ExponentialHistogram(data)) => data.data_points.len() as u64,
            Some(Data::Summary(data)) => data.data_points.len() as u64,
            None => 0,
        })
        .sum()
}
