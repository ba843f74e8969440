//! The fields of every message, as `opentelemetry/proto` 1.10 and remote write 1.0 and 2.0-rc.4 have
//! them.

use super::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Id, Int32, Int64, Message, Sfixed64, Sint32,
    Sint64, Text, Uint32, Uint64,
};
use super::{Field, Kind, Label, Name};

pub(super) const fn fields(name: Name) -> &'static [Field] {
    match name {
        Name::LogsRequest => LOGS_REQUEST,
        Name::ResourceLogs => RESOURCE_LOGS,
        Name::ScopeLogs => SCOPE_LOGS,
        Name::LogRecord => LOG_RECORD,
        Name::MetricsRequest => METRICS_REQUEST,
        Name::ResourceMetrics => RESOURCE_METRICS,
        Name::ScopeMetrics => SCOPE_METRICS,
        Name::Metric => METRIC,
        Name::Gauge => GAUGE,
        Name::Sum => SUM,
        Name::Histogram => HISTOGRAM,
        Name::ExponentialHistogram => EXPONENTIAL_HISTOGRAM,
        Name::Summary => SUMMARY,
        Name::NumberDataPoint => NUMBER_DATA_POINT,
        Name::HistogramDataPoint => HISTOGRAM_DATA_POINT,
        Name::ExponentialHistogramDataPoint => EXPONENTIAL_HISTOGRAM_DATA_POINT,
        Name::Buckets => BUCKETS,
        Name::SummaryDataPoint => SUMMARY_DATA_POINT,
        Name::ValueAtQuantile => VALUE_AT_QUANTILE,
        Name::Exemplar => EXEMPLAR,
        Name::TracesRequest => TRACES_REQUEST,
        Name::ResourceSpans => RESOURCE_SPANS,
        Name::ScopeSpans => SCOPE_SPANS,
        Name::Span => SPAN,
        Name::Event => EVENT,
        Name::Link => LINK,
        Name::SpanStatus => SPAN_STATUS,
        Name::Resource => RESOURCE,
        Name::EntityRef => ENTITY_REF,
        Name::Scope => SCOPE,
        Name::KeyValue => KEY_VALUE,
        Name::AnyValue => ANY_VALUE,
        Name::ArrayValue => ARRAY_VALUE,
        Name::KeyValueList => KEY_VALUE_LIST,
        Name::LogsResponse => LOGS_RESPONSE,
        Name::LogsPartialSuccess => LOGS_PARTIAL_SUCCESS,
        Name::MetricsResponse => METRICS_RESPONSE,
        Name::MetricsPartialSuccess => METRICS_PARTIAL_SUCCESS,
        Name::TracesResponse => TRACES_RESPONSE,
        Name::TracesPartialSuccess => TRACES_PARTIAL_SUCCESS,
        Name::WriteRequest => WRITE_REQUEST,
        Name::WriteSeries => WRITE_SERIES,
        Name::WriteLabel => WRITE_LABEL,
        Name::WriteSample => WRITE_SAMPLE,
        Name::WriteExemplar => WRITE_EXEMPLAR,
        Name::WriteMetadata => WRITE_METADATA,
        Name::NativeHistogram => NATIVE_HISTOGRAM,
        Name::BucketSpan => BUCKET_SPAN,
        Name::WriteRequestV2 => WRITE_REQUEST_V2,
        Name::WriteSeriesV2 => WRITE_SERIES_V2,
        Name::WriteExemplarV2 => WRITE_EXEMPLAR_V2,
        Name::WriteMetadataV2 => WRITE_METADATA_V2,
    }
}

const fn one(number: u32, name: &'static str, kind: Kind) -> Field {
    labelled(number, name, kind, Label::Single)
}

const fn many(number: u32, name: &'static str, kind: Kind) -> Field {
    labelled(number, name, kind, Label::Repeated)
}

const fn maybe(number: u32, name: &'static str, kind: Kind) -> Field {
    labelled(number, name, kind, Label::Optional)
}

const fn either(number: u32, name: &'static str, kind: Kind) -> Field {
    labelled(number, name, kind, Label::Oneof)
}

const fn labelled(number: u32, name: &'static str, kind: Kind, label: Label) -> Field {
    Field {
        number,
        name,
        kind,
        label,
    }
}

const LOGS_REQUEST: &[Field] = &[many(1, "resource_logs", Message(Name::ResourceLogs))];

const RESOURCE_LOGS: &[Field] = &[
    one(1, "resource", Message(Name::Resource)),
    many(2, "scope_logs", Message(Name::ScopeLogs)),
    one(3, "schema_url", Text),
];

const SCOPE_LOGS: &[Field] = &[
    one(1, "scope", Message(Name::Scope)),
    many(2, "log_records", Message(Name::LogRecord)),
    one(3, "schema_url", Text),
];

const LOG_RECORD: &[Field] = &[
    one(1, "time_unix_nano", Fixed64),
    one(2, "severity_number", Enum),
    one(3, "severity_text", Text),
    one(5, "body", Message(Name::AnyValue)),
    many(6, "attributes", Message(Name::KeyValue)),
    one(7, "dropped_attributes_count", Uint32),
    one(8, "flags", Fixed32),
    one(9, "trace_id", Id),
    one(10, "span_id", Id),
    one(11, "observed_time_unix_nano", Fixed64),
    one(12, "event_name", Text),
];

const METRICS_REQUEST: &[Field] = &[many(1, "resource_metrics", Message(Name::ResourceMetrics))];

const RESOURCE_METRICS: &[Field] = &[
    one(1, "resource", Message(Name::Resource)),
    many(2, "scope_metrics", Message(Name::ScopeMetrics)),
    one(3, "schema_url", Text),
];

const SCOPE_METRICS: &[Field] = &[
    one(1, "scope", Message(Name::Scope)),
    many(2, "metrics", Message(Name::Metric)),
    one(3, "schema_url", Text),
];

const METRIC: &[Field] = &[
    one(1, "name", Text),
    one(2, "description", Text),
    one(3, "unit", Text),
    either(5, "gauge", Message(Name::Gauge)),
    either(7, "sum", Message(Name::Sum)),
    either(9, "histogram", Message(Name::Histogram)),
    either(
        10,
        "exponential_histogram",
        Message(Name::ExponentialHistogram),
    ),
    either(11, "summary", Message(Name::Summary)),
    many(12, "metadata", Message(Name::KeyValue)),
];

const GAUGE: &[Field] = &[many(1, "data_points", Message(Name::NumberDataPoint))];

const SUM: &[Field] = &[
    many(1, "data_points", Message(Name::NumberDataPoint)),
    one(2, "aggregation_temporality", Enum),
    one(3, "is_monotonic", Bool),
];

const HISTOGRAM: &[Field] = &[
    many(1, "data_points", Message(Name::HistogramDataPoint)),
    one(2, "aggregation_temporality", Enum),
];

const EXPONENTIAL_HISTOGRAM: &[Field] = &[
    many(
        1,
        "data_points",
        Message(Name::ExponentialHistogramDataPoint),
    ),
    one(2, "aggregation_temporality", Enum),
];

const SUMMARY: &[Field] = &[many(1, "data_points", Message(Name::SummaryDataPoint))];

const NUMBER_DATA_POINT: &[Field] = &[
    one(2, "start_time_unix_nano", Fixed64),
    one(3, "time_unix_nano", Fixed64),
    either(4, "as_double", Double),
    many(5, "exemplars", Message(Name::Exemplar)),
    either(6, "as_int", Sfixed64),
    many(7, "attributes", Message(Name::KeyValue)),
    one(8, "flags", Uint32),
];

const HISTOGRAM_DATA_POINT: &[Field] = &[
    one(2, "start_time_unix_nano", Fixed64),
    one(3, "time_unix_nano", Fixed64),
    one(4, "count", Fixed64),
    maybe(5, "sum", Double),
    many(6, "bucket_counts", Fixed64),
    many(7, "explicit_bounds", Double),
    many(8, "exemplars", Message(Name::Exemplar)),
    many(9, "attributes", Message(Name::KeyValue)),
    one(10, "flags", Uint32),
    maybe(11, "min", Double),
    maybe(12, "max", Double),
];

const EXPONENTIAL_HISTOGRAM_DATA_POINT: &[Field] = &[
    many(1, "attributes", Message(Name::KeyValue)),
    one(2, "start_time_unix_nano", Fixed64),
    one(3, "time_unix_nano", Fixed64),
    one(4, "count", Fixed64),
    maybe(5, "sum", Double),
    one(6, "scale", Sint32),
    one(7, "zero_count", Fixed64),
    one(8, "positive", Message(Name::Buckets)),
    one(9, "negative", Message(Name::Buckets)),
    one(10, "flags", Uint32),
    many(11, "exemplars", Message(Name::Exemplar)),
    maybe(12, "min", Double),
    maybe(13, "max", Double),
    one(14, "zero_threshold", Double),
];

const BUCKETS: &[Field] = &[one(1, "offset", Sint32), many(2, "bucket_counts", Uint64)];

const SUMMARY_DATA_POINT: &[Field] = &[
    one(2, "start_time_unix_nano", Fixed64),
    one(3, "time_unix_nano", Fixed64),
    one(4, "count", Fixed64),
    one(5, "sum", Double),
    many(6, "quantile_values", Message(Name::ValueAtQuantile)),
    many(7, "attributes", Message(Name::KeyValue)),
    one(8, "flags", Uint32),
];

const VALUE_AT_QUANTILE: &[Field] = &[one(1, "quantile", Double), one(2, "value", Double)];

const EXEMPLAR: &[Field] = &[
    one(2, "time_unix_nano", Fixed64),
    either(3, "as_double", Double),
    one(4, "span_id", Id),
    one(5, "trace_id", Id),
    either(6, "as_int", Sfixed64),
    many(7, "filtered_attributes", Message(Name::KeyValue)),
];

const TRACES_REQUEST: &[Field] = &[many(1, "resource_spans", Message(Name::ResourceSpans))];

const RESOURCE_SPANS: &[Field] = &[
    one(1, "resource", Message(Name::Resource)),
    many(2, "scope_spans", Message(Name::ScopeSpans)),
    one(3, "schema_url", Text),
];

const SCOPE_SPANS: &[Field] = &[
    one(1, "scope", Message(Name::Scope)),
    many(2, "spans", Message(Name::Span)),
    one(3, "schema_url", Text),
];

const SPAN: &[Field] = &[
    one(1, "trace_id", Id),
    one(2, "span_id", Id),
    one(3, "trace_state", Text),
    one(4, "parent_span_id", Id),
    one(5, "name", Text),
    one(6, "kind", Enum),
    one(7, "start_time_unix_nano", Fixed64),
    one(8, "end_time_unix_nano", Fixed64),
    many(9, "attributes", Message(Name::KeyValue)),
    one(10, "dropped_attributes_count", Uint32),
    many(11, "events", Message(Name::Event)),
    one(12, "dropped_events_count", Uint32),
    many(13, "links", Message(Name::Link)),
    one(14, "dropped_links_count", Uint32),
    one(15, "status", Message(Name::SpanStatus)),
    one(16, "flags", Fixed32),
];

const EVENT: &[Field] = &[
    one(1, "time_unix_nano", Fixed64),
    one(2, "name", Text),
    many(3, "attributes", Message(Name::KeyValue)),
    one(4, "dropped_attributes_count", Uint32),
];

const LINK: &[Field] = &[
    one(1, "trace_id", Id),
    one(2, "span_id", Id),
    one(3, "trace_state", Text),
    many(4, "attributes", Message(Name::KeyValue)),
    one(5, "dropped_attributes_count", Uint32),
    one(6, "flags", Fixed32),
];

const SPAN_STATUS: &[Field] = &[one(2, "message", Text), one(3, "code", Enum)];

const RESOURCE: &[Field] = &[
    many(1, "attributes", Message(Name::KeyValue)),
    one(2, "dropped_attributes_count", Uint32),
    many(3, "entity_refs", Message(Name::EntityRef)),
];

const ENTITY_REF: &[Field] = &[
    one(1, "schema_url", Text),
    one(2, "type", Text),
    many(3, "id_keys", Text),
    many(4, "description_keys", Text),
];

const SCOPE: &[Field] = &[
    one(1, "name", Text),
    one(2, "version", Text),
    many(3, "attributes", Message(Name::KeyValue)),
    one(4, "dropped_attributes_count", Uint32),
];

const KEY_VALUE: &[Field] = &[
    one(1, "key", Text),
    one(2, "value", Message(Name::AnyValue)),
    one(3, "key_strindex", Int32),
];

const ANY_VALUE: &[Field] = &[
    either(1, "string_value", Text),
    either(2, "bool_value", Bool),
    either(3, "int_value", Int64),
    either(4, "double_value", Double),
    either(5, "array_value", Message(Name::ArrayValue)),
    either(6, "kvlist_value", Message(Name::KeyValueList)),
    either(7, "bytes_value", Bytes),
    either(8, "string_value_strindex", Int32),
];

const ARRAY_VALUE: &[Field] = &[many(1, "values", Message(Name::AnyValue))];

const KEY_VALUE_LIST: &[Field] = &[many(1, "values", Message(Name::KeyValue))];

const LOGS_RESPONSE: &[Field] = &[one(1, "partial_success", Message(Name::LogsPartialSuccess))];

const LOGS_PARTIAL_SUCCESS: &[Field] = &[
    one(1, "rejected_log_records", Int64),
    one(2, "error_message", Text),
];

const METRICS_RESPONSE: &[Field] = &[one(
    1,
    "partial_success",
    Message(Name::MetricsPartialSuccess),
)];

const METRICS_PARTIAL_SUCCESS: &[Field] = &[
    one(1, "rejected_data_points", Int64),
    one(2, "error_message", Text),
];

const TRACES_RESPONSE: &[Field] = &[one(
    1,
    "partial_success",
    Message(Name::TracesPartialSuccess),
)];

const TRACES_PARTIAL_SUCCESS: &[Field] = &[
    one(1, "rejected_spans", Int64),
    one(2, "error_message", Text),
];

const WRITE_REQUEST: &[Field] = &[
    many(1, "timeseries", Message(Name::WriteSeries)),
    many(3, "metadata", Message(Name::WriteMetadata)),
];

const WRITE_SERIES: &[Field] = &[
    many(1, "labels", Message(Name::WriteLabel)),
    many(2, "samples", Message(Name::WriteSample)),
    many(3, "exemplars", Message(Name::WriteExemplar)),
    many(4, "histograms", Message(Name::NativeHistogram)),
];

const WRITE_LABEL: &[Field] = &[one(1, "name", Text), one(2, "value", Text)];

/// Both versions' sample; 1.0 has no start timestamp.
const WRITE_SAMPLE: &[Field] = &[
    one(1, "value", Double),
    one(2, "timestamp", Int64),
    one(3, "start_timestamp", Int64),
];

const WRITE_EXEMPLAR: &[Field] = &[
    many(1, "labels", Message(Name::WriteLabel)),
    one(2, "value", Double),
    one(3, "timestamp", Int64),
];

const WRITE_METADATA: &[Field] = &[
    one(1, "type", Enum),
    one(2, "metric_family_name", Text),
    one(4, "help", Text),
    one(5, "unit", Text),
];

/// Two oneofs, of which the walk only counts fields.
const NATIVE_HISTOGRAM: &[Field] = &[
    either(1, "count_int", Uint64),
    either(2, "count_float", Double),
    one(3, "sum", Double),
    one(4, "schema", Sint32),
    one(5, "zero_threshold", Double),
    maybe(6, "zero_count_int", Uint64),
    maybe(7, "zero_count_float", Double),
    many(8, "negative_spans", Message(Name::BucketSpan)),
    many(9, "negative_deltas", Sint64),
    many(10, "negative_counts", Double),
    many(11, "positive_spans", Message(Name::BucketSpan)),
    many(12, "positive_deltas", Sint64),
    many(13, "positive_counts", Double),
    one(14, "reset_hint", Enum),
    one(15, "timestamp", Int64),
    many(16, "custom_values", Double),
    one(17, "start_timestamp", Int64),
];

const BUCKET_SPAN: &[Field] = &[one(1, "offset", Sint32), one(2, "length", Uint32)];

const WRITE_REQUEST_V2: &[Field] = &[
    many(4, "symbols", Text),
    many(5, "timeseries", Message(Name::WriteSeriesV2)),
];

const WRITE_SERIES_V2: &[Field] = &[
    many(1, "labels_refs", Uint32),
    many(2, "samples", Message(Name::WriteSample)),
    many(3, "histograms", Message(Name::NativeHistogram)),
    many(4, "exemplars", Message(Name::WriteExemplarV2)),
    one(5, "metadata", Message(Name::WriteMetadataV2)),
];

const WRITE_EXEMPLAR_V2: &[Field] = &[
    many(1, "labels_refs", Uint32),
    one(2, "value", Double),
    one(3, "timestamp", Int64),
];

const WRITE_METADATA_V2: &[Field] = &[
    one(1, "type", Enum),
    one(3, "help_ref", Uint32),
    one(4, "unit_ref", Uint32),
];
