//! OTLP's and remote write's messages as tables: what number, name and type each field has.
//!
//! The walk, the JSON forms and the paths in errors are all driven by these tables, so that a field is
//! stated once. They are checked against the generated types by the differential tests: a field that
//! is missing here is an unknown one to the walk, and its mistakes would pass.

mod tables;

use crate::Signal;

/// A message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Name {
    LogsRequest,
    ResourceLogs,
    ScopeLogs,
    LogRecord,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    Gauge,
    Sum,
    Histogram,
    ExponentialHistogram,
    Summary,
    NumberDataPoint,
    HistogramDataPoint,
    ExponentialHistogramDataPoint,
    Buckets,
    SummaryDataPoint,
    ValueAtQuantile,
    Exemplar,
    TracesRequest,
    ResourceSpans,
    ScopeSpans,
    Span,
    Event,
    Link,
    SpanStatus,
    Resource,
    EntityRef,
    Scope,
    KeyValue,
    AnyValue,
    ArrayValue,
    KeyValueList,
    LogsResponse,
    LogsPartialSuccess,
    MetricsResponse,
    MetricsPartialSuccess,
    TracesResponse,
    TracesPartialSuccess,
    WriteRequest,
    WriteSeries,
    WriteLabel,
    WriteSample,
    WriteExemplar,
    WriteMetadata,
    NativeHistogram,
    BucketSpan,
    WriteRequestV2,
    WriteSeriesV2,
    WriteExemplarV2,
    WriteMetadataV2,
}

impl Name {
    /// Every message type, each at its own number.
    pub(crate) const ALL: [Self; 52] = [
        Self::LogsRequest,
        Self::ResourceLogs,
        Self::ScopeLogs,
        Self::LogRecord,
        Self::MetricsRequest,
        Self::ResourceMetrics,
        Self::ScopeMetrics,
        Self::Metric,
        Self::Gauge,
        Self::Sum,
        Self::Histogram,
        Self::ExponentialHistogram,
        Self::Summary,
        Self::NumberDataPoint,
        Self::HistogramDataPoint,
        Self::ExponentialHistogramDataPoint,
        Self::Buckets,
        Self::SummaryDataPoint,
        Self::ValueAtQuantile,
        Self::Exemplar,
        Self::TracesRequest,
        Self::ResourceSpans,
        Self::ScopeSpans,
        Self::Span,
        Self::Event,
        Self::Link,
        Self::SpanStatus,
        Self::Resource,
        Self::EntityRef,
        Self::Scope,
        Self::KeyValue,
        Self::AnyValue,
        Self::ArrayValue,
        Self::KeyValueList,
        Self::LogsResponse,
        Self::LogsPartialSuccess,
        Self::MetricsResponse,
        Self::MetricsPartialSuccess,
        Self::TracesResponse,
        Self::TracesPartialSuccess,
        Self::WriteRequest,
        Self::WriteSeries,
        Self::WriteLabel,
        Self::WriteSample,
        Self::WriteExemplar,
        Self::WriteMetadata,
        Self::NativeHistogram,
        Self::BucketSpan,
        Self::WriteRequestV2,
        Self::WriteSeriesV2,
        Self::WriteExemplarV2,
        Self::WriteMetadataV2,
    ];

    /// The request message of `signal`.
    pub(crate) const fn request(signal: Signal) -> Self {
        match signal {
            Signal::Logs => Self::LogsRequest,
            Signal::Metrics => Self::MetricsRequest,
            Signal::Traces => Self::TracesRequest,
        }
    }

    /// What a server answers to a request of `signal`.
    pub(crate) const fn response(signal: Signal) -> Self {
        match signal {
            Signal::Logs => Self::LogsResponse,
            Signal::Metrics => Self::MetricsResponse,
            Signal::Traces => Self::TracesResponse,
        }
    }

    /// Its fields, in the order of their numbers.
    pub(crate) const fn fields(self) -> &'static [Field] {
        tables::fields(self)
    }

    /// The field with this number.
    pub(crate) fn field(self, number: u32) -> Option<&'static Field> {
        self.fields().iter().find(|field| field.number == number)
    }

    /// The field that JSON calls `key`: the name in lower camel case, or as it is in the schema.
    pub(crate) fn field_by_key(self, key: &str) -> Option<&'static Field> {
        self.fields()
            .iter()
            .find(|field| field.name == key || field.camel().eq(key.bytes()))
    }

    /// Whether one of these is one item of its signal.
    pub(crate) const fn is_item(self) -> bool {
        matches!(
            self,
            Self::LogRecord
                | Self::Span
                | Self::NumberDataPoint
                | Self::HistogramDataPoint
                | Self::ExponentialHistogramDataPoint
                | Self::SummaryDataPoint
                | Self::WriteSample
                | Self::NativeHistogram
        )
    }

    /// Whether it is what requests hold at the top.
    pub(crate) const fn is_resource(self) -> bool {
        matches!(
            self,
            Self::ResourceLogs
                | Self::ResourceMetrics
                | Self::ResourceSpans
                | Self::WriteSeries
                | Self::WriteSeriesV2
        )
    }
}

/// A field of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) number: u32,
    /// The name in the `.proto` file, in snake case. The JSON name is the same in lower camel case.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) label: Label,
}

impl Field {
    /// The bytes of its name in JSON.
    pub(crate) fn camel(&self) -> impl Iterator<Item = u8> + use<> {
        let mut upper = false;
        self.name.bytes().filter_map(move |byte| {
            let after = std::mem::replace(&mut upper, byte == b'_');
            match byte {
                b'_' => None,
                _ if after => Some(byte.to_ascii_uppercase()),
                _ => Some(byte),
            }
        })
    }
}

/// How often a field may be there, and whether its default value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Label {
    /// Once; a default value is the same as absence and is not written.
    Single,
    /// Once; a default value differs from absence.
    Optional,
    /// One of a group of which the last one counts. No message has two groups.
    Oneof,
    /// Any number of times.
    Repeated,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Enum,
    Fixed32,
    Fixed64,
    Sfixed64,
    Double,
    Text,
    Bytes,
    /// Bytes that JSON shows in hexadecimal: trace and span ids.
    Id,
    Message(Name),
}

impl Kind {
    /// The wire type of one value: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
    pub(crate) const fn wire_type(self) -> u8 {
        match self {
            Self::Bool
            | Self::Int32
            | Self::Int64
            | Self::Uint32
            | Self::Uint64
            | Self::Sint32
            | Self::Sint64
            | Self::Enum => 0,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => 1,
            Self::Text | Self::Bytes | Self::Id | Self::Message(_) => 2,
            Self::Fixed32 => 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_names_are_found() {
        for key in ["startTimeUnixNano", "start_time_unix_nano"] {
            let field = Name::Span.field_by_key(key).unwrap();
            assert_eq!(field.number, 7);
            assert!(field.camel().eq(*b"startTimeUnixNano"));
        }
        for key in [
            "StartTimeUnixNano",
            "startTimeUnixNan",
            "startTimeUnixNanos",
            "start_timeUnixNano",
        ] {
            assert!(Name::Span.field_by_key(key).is_none(), "{key}");
        }
    }

    #[test]
    fn the_tables_are_in_order() {
        for (index, name) in Name::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index);
            assert!(
                name.fields().is_sorted_by(|a, b| a.number < b.number),
                "{name:?}"
            );
        }
    }
}
