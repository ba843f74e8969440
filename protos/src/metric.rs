//! A metric and its data points, read in place.

use crate::attribute::Attributes;
use crate::field::{self, Fields};

/// The kinds of metric. Each is a message of its own, in a field of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// The last value.
    Gauge,
    /// A sum, monotonic or not.
    Sum,
    /// Counts in buckets with stated bounds.
    Histogram,
    /// Counts in buckets that grow exponentially.
    ExponentialHistogram,
    /// Quantiles, computed by the sender.
    Summary,
}

impl MetricKind {
    /// The kind whose message is in field `number` of a metric.
    pub(crate) fn from_field(number: u32) -> Option<Self> {
        match number {
            5 => Some(Self::Gauge),
            7 => Some(Self::Sum),
            9 => Some(Self::Histogram),
            10 => Some(Self::ExponentialHistogram),
            11 => Some(Self::Summary),
            _ => None,
        }
    }
}

/// The field of each kind's message that holds data points.
pub(crate) const POINTS: u32 = 1;

/// A view of an encoded `Metric`.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a>(&'a [u8]);

impl<'a> Metric<'a> {
    /// Reads an encoded metric.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// The encoded metric.
    pub fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its name.
    pub fn name(self) -> &'a str {
        field::text(self.0, 1)
    }

    /// What it measures, in words.
    pub fn description(self) -> &'a str {
        field::text(self.0, 2)
    }

    /// In what, as UCUM writes it.
    pub fn unit(self) -> &'a str {
        field::text(self.0, 3)
    }

    /// Its metadata.
    pub fn metadata(self) -> Attributes<'a> {
        Attributes::new(self.0, 12)
    }

    /// Its kind, `None` when it has no data or a kind newer than this reader.
    pub fn kind(self) -> Option<MetricKind> {
        self.data().last().map(|(kind, _)| kind)
    }

    /// `AggregationTemporality` as its number: 0 unspecified, 1 delta, 2 cumulative.
    pub fn temporality(self) -> i32 {
        match self.data().last() {
            Some((MetricKind::Gauge | MetricKind::Summary, _)) | None => 0,
            Some((_, data)) => field::varint(data, 2) as i32,
        }
    }

    /// Whether it is a sum that never falls.
    pub fn is_monotonic(self) -> bool {
        match self.data().last() {
            Some((MetricKind::Sum, data)) => field::varint(data, 3) != 0,
            _ => false,
        }
    }

    /// Its data points.
    pub fn points(self) -> impl Iterator<Item = DataPoint<'a>> + Clone {
        self.data().flat_map(|(kind, data)| {
            field::all(data, POINTS).map(move |message| DataPoint { kind, message })
        })
    }

    /// How many data points it has.
    pub fn count_points(self) -> u64 {
        self.points().count() as u64
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.0)
    }

    /// The messages of the kinds: one, if the sender keeps the rules.
    fn data(self) -> impl Iterator<Item = (MetricKind, &'a [u8])> + Clone {
        Fields::new(self.0).filter_map(|field| {
            let kind = MetricKind::from_field(field.number)?;
            Some((kind, field.value.bytes()?))
        })
    }
}

/// A view of an encoded data point, of whatever kind its metric is.
#[derive(Clone, Copy, Debug)]
pub struct DataPoint<'a> {
    kind: MetricKind,
    message: &'a [u8],
}

impl<'a> DataPoint<'a> {
    /// The kind of its metric, which says how its bytes are to be read.
    pub fn kind(self) -> MetricKind {
        self.kind
    }

    /// The encoded data point.
    pub fn bytes(self) -> &'a [u8] {
        self.message
    }

    /// Its attributes.
    pub fn attributes(self) -> Attributes<'a> {
        let number = match self.kind {
            MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => 7,
            MetricKind::Histogram => 9,
            MetricKind::ExponentialHistogram => 1,
        };
        Attributes::new(self.message, number)
    }

    /// When the interval began, in nanoseconds since 1970; 0 when unknown.
    pub fn start_time_unix_nano(self) -> u64 {
        field::fixed64(self.message, 2)
    }

    /// When it was measured, in nanoseconds since 1970.
    pub fn time_unix_nano(self) -> u64 {
        field::fixed64(self.message, 3)
    }

    /// Its flags; bit 0 says that there was no value.
    pub fn flags(self) -> u32 {
        let number = match self.kind {
            MetricKind::Gauge | MetricKind::Sum | MetricKind::Summary => 8,
            MetricKind::Histogram | MetricKind::ExponentialHistogram => 10,
        };
        field::varint(self.message, number) as u32
    }

    /// The fields, for what has no accessor.
    pub fn fields(self) -> Fields<'a> {
        Fields::new(self.message)
    }
}
