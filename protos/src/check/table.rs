//! What to do about each key of each message type, computed from the schema at compile time.
//!
//! The table is indexed by the whole key (number and wire type), so that one load tells the type of
//! the value, whether the field is known, and whether its wire type is right.

use std::mem::size_of;

use super::tally::GROWTH;
use crate::error::{Fault, Reason};
use crate::otlp::{common, logs, metrics, resource, trace};
use crate::prometheus::messages::{self as prometheus, v1, v2};
use crate::schema::{Field, Kind, Label, Name};
use crate::varint;

/// Keys that have a row: up to field 17, the highest in the schema, in every wire type.
const KEYS: usize = 18 << 3;

/// What the walk does at a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Varint,
    Fixed32,
    Fixed64,
    Bytes,
    Text,
    Message(Name),
    Repeated(Scalar),
    /// No such field: skip it as its wire type says.
    Unknown,
    /// A known field in a wrong wire type, or a key that cannot be.
    Mismatch,
}

/// A value of a repeated field which is no message.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    Text,
    Varint,
    Fixed64,
    PackedVarints,
    PackedFixed64s,
}

/// All that the walk needs of a message type.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) actions: [Action; KEYS],
    /// Bytes of memory for one of them.
    pub(super) heap: u32,
    pub(super) is_item: bool,
    pub(super) is_resource: bool,
    pub(super) is_attribute: bool,
}

static SHAPES: [Shape; Name::ALL.len()] = {
    let mut shapes = [Shape::new(Name::ALL[0]); Name::ALL.len()];
    let mut index = 1;
    while index < shapes.len() {
        shapes[index] = Shape::new(Name::ALL[index]);
        index += 1;
    }
    shapes
};

impl Shape {
    #[inline(always)]
    pub(super) fn of(name: Name) -> &'static Self {
        &SHAPES[name as usize]
    }

    const fn new(name: Name) -> Self {
        let mut actions = [Action::Unknown; KEYS];
        let mut key = 0;
        while key < KEYS {
            // Wire types 6 and 7 do not exist, 4 ends a group, and there is no field 0.
            if matches!(key & 7, 4 | 6 | 7) || key >> 3 == 0 {
                actions[key] = Action::Mismatch;
            }
            key += 1;
        }
        let fields = name.fields();
        let mut index = 0;
        while index < fields.len() {
            fill(&mut actions, &fields[index]);
            index += 1;
        }
        Self {
            actions,
            heap: GROWTH as u32 * size(name) as u32,
            is_item: name.is_item(),
            is_resource: name.is_resource(),
            is_attribute: matches!(name, Name::KeyValue),
        }
    }

    /// The action for the key at `at`, which takes more than a byte, and where its value begins.
    #[inline(never)]
    pub(super) fn long_key(&self, window: &[u8], at: usize) -> Result<(Action, usize), Fault> {
        let Some((key, value)) = varint::read(window, at) else {
            return Err(Fault::new(at, Reason::Number));
        };
        let action = usize::try_from(key)
            .ok()
            .and_then(|key| self.actions.get(key));
        Ok((action.copied().unwrap_or(Action::Unknown), value))
    }
}

/// Sets the rows of one field.
const fn fill(actions: &mut [Action; KEYS], field: &Field) {
    let base = (field.number as usize) << 3;
    let wire_type = field.kind.wire_type() as usize;
    let mut row = base;
    while row < base + 8 {
        actions[row] = Action::Mismatch;
        row += 1;
    }
    let repeated = matches!(field.label, Label::Repeated);
    actions[base + wire_type] = match (field.kind, wire_type) {
        (Kind::Message(name), _) => Action::Message(name),
        (Kind::Text, _) if repeated => Action::Repeated(Scalar::Text),
        (Kind::Text, _) => Action::Text,
        (_, 0) if repeated => Action::Repeated(Scalar::Varint),
        (_, 1) if repeated => Action::Repeated(Scalar::Fixed64),
        (_, 0) => Action::Varint,
        (_, 1) => Action::Fixed64,
        (_, 5) => Action::Fixed32,
        _ => Action::Bytes,
    };
    if repeated && wire_type == 0 {
        actions[base + 2] = Action::Repeated(Scalar::PackedVarints);
    }
    if repeated && wire_type == 1 {
        actions[base + 2] = Action::Repeated(Scalar::PackedFixed64s);
    }
}

/// The size of the decoded struct.
const fn size(name: Name) -> usize {
    match name {
        // Requests are on the stack, and responses are never walked.
        Name::LogsRequest
        | Name::MetricsRequest
        | Name::TracesRequest
        | Name::LogsResponse
        | Name::LogsPartialSuccess
        | Name::MetricsResponse
        | Name::MetricsPartialSuccess
        | Name::TracesResponse
        | Name::TracesPartialSuccess
        | Name::WriteRequest
        | Name::WriteRequestV2 => 0,
        Name::ResourceLogs => size_of::<logs::v1::ResourceLogs>(),
        Name::ScopeLogs => size_of::<logs::v1::ScopeLogs>(),
        Name::LogRecord => size_of::<logs::v1::LogRecord>(),
        Name::ResourceMetrics => size_of::<metrics::v1::ResourceMetrics>(),
        Name::ScopeMetrics => size_of::<metrics::v1::ScopeMetrics>(),
        Name::Metric => size_of::<metrics::v1::Metric>(),
        Name::Gauge => size_of::<metrics::v1::Gauge>(),
        Name::Sum => size_of::<metrics::v1::Sum>(),
        Name::Histogram => size_of::<metrics::v1::Histogram>(),
        Name::ExponentialHistogram => size_of::<metrics::v1::ExponentialHistogram>(),
        Name::Summary => size_of::<metrics::v1::Summary>(),
        Name::NumberDataPoint => size_of::<metrics::v1::NumberDataPoint>(),
        Name::HistogramDataPoint => size_of::<metrics::v1::HistogramDataPoint>(),
        Name::ExponentialHistogramDataPoint => {
            size_of::<metrics::v1::ExponentialHistogramDataPoint>()
        }
        Name::Buckets => size_of::<metrics::v1::exponential_histogram_data_point::Buckets>(),
        Name::SummaryDataPoint => size_of::<metrics::v1::SummaryDataPoint>(),
        Name::ValueAtQuantile => size_of::<metrics::v1::summary_data_point::ValueAtQuantile>(),
        Name::Exemplar => size_of::<metrics::v1::Exemplar>(),
        Name::ResourceSpans => size_of::<trace::v1::ResourceSpans>(),
        Name::ScopeSpans => size_of::<trace::v1::ScopeSpans>(),
        Name::Span => size_of::<trace::v1::Span>(),
        Name::Event => size_of::<trace::v1::span::Event>(),
        Name::Link => size_of::<trace::v1::span::Link>(),
        Name::SpanStatus => size_of::<trace::v1::Status>(),
        Name::Resource => size_of::<resource::v1::Resource>(),
        Name::EntityRef => size_of::<common::v1::EntityRef>(),
        Name::Scope => size_of::<common::v1::InstrumentationScope>(),
        Name::KeyValue => size_of::<common::v1::KeyValue>(),
        Name::AnyValue => size_of::<common::v1::AnyValue>(),
        Name::ArrayValue => size_of::<common::v1::ArrayValue>(),
        Name::KeyValueList => size_of::<common::v1::KeyValueList>(),
        Name::WriteSeries => size_of::<v1::TimeSeries>(),
        Name::WriteLabel => size_of::<v1::Label>(),
        Name::WriteSample => size_of::<v1::Sample>(),
        Name::WriteExemplar => size_of::<v1::Exemplar>(),
        Name::WriteMetadata => size_of::<v1::MetricMetadata>(),
        Name::NativeHistogram => size_of::<prometheus::Histogram>(),
        Name::BucketSpan => size_of::<prometheus::BucketSpan>(),
        Name::WriteSeriesV2 => size_of::<v2::TimeSeries>(),
        Name::WriteExemplarV2 => size_of::<v2::Exemplar>(),
        Name::WriteMetadataV2 => size_of::<v2::Metadata>(),
    }
}
