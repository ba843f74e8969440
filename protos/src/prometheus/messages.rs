//! Prometheus's messages as structs, for those who must look at everything: tests and oracles.
//!
//! Field numbers are those of `prometheus.WriteRequest` (remote write 1.0),
//! `io.prometheus.write.v2.Request` (2.0-rc.4) and `io.prometheus.client.MetricFamily`. The bool
//! fields, names and comments of the originals are left out; the wire is the same.

/// Remote write 1.0, with the fields that 2.0 added where 1.0 has none: the form in which Corten
/// keeps series, and which a receiver of 1.0 reads without noticing.
pub mod v1 {
    /// `prometheus.WriteRequest`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct WriteRequest {
        /// Series with their samples.
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<TimeSeries>,
        /// What families of series are.
        #[prost(message, repeated, tag = "3")]
        pub metadata: Vec<MetricMetadata>,
    }

    /// A series and some of its samples.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        /// In the order of their names.
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        /// Samples that are numbers.
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        /// Examples of what was measured.
        #[prost(message, repeated, tag = "3")]
        pub exemplars: Vec<Exemplar>,
        /// Samples that are native histograms.
        #[prost(message, repeated, tag = "4")]
        pub histograms: Vec<super::Histogram>,
    }

    /// A name and its value.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct Label {
        /// The name.
        #[prost(string, tag = "1")]
        pub name: String,
        /// The value.
        #[prost(string, tag = "2")]
        pub value: String,
    }

    /// A number at a time.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Sample {
        /// The number.
        #[prost(double, tag = "1")]
        pub value: f64,
        /// Milliseconds since 1970.
        #[prost(int64, tag = "2")]
        pub timestamp: i64,
        /// When counting began, in milliseconds since 1970; 0 when unknown. Not in 1.0.
        #[prost(int64, tag = "3")]
        pub start_timestamp: i64,
    }

    /// One of the events that were counted.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Exemplar {
        /// Where to find more about it.
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        /// What was measured.
        #[prost(double, tag = "2")]
        pub value: f64,
        /// Milliseconds since 1970.
        #[prost(int64, tag = "3")]
        pub timestamp: i64,
    }

    /// What a family of series is.
    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub struct MetricMetadata {
        /// A [`MetricKind`](crate::prometheus::MetricKind) by its number.
        #[prost(int32, tag = "1")]
        pub kind: i32,
        /// The family's name.
        #[prost(string, tag = "2")]
        pub metric_family_name: String,
        /// A sentence about it.
        #[prost(string, tag = "4")]
        pub help: String,
        /// Its unit.
        #[prost(string, tag = "5")]
        pub unit: String,
    }
}

/// Remote write 2.0.
pub mod v2 {
    /// `io.prometheus.write.v2.Request`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Request {
        /// The texts that everything else refers to by their place; the first is empty.
        #[prost(string, repeated, tag = "4")]
        pub symbols: Vec<String>,
        /// Series with their samples.
        #[prost(message, repeated, tag = "5")]
        pub timeseries: Vec<TimeSeries>,
    }

    /// A series and some of its samples.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct TimeSeries {
        /// Names and values in turn.
        #[prost(uint32, repeated, tag = "1")]
        pub labels_refs: Vec<u32>,
        /// Samples that are numbers.
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<super::v1::Sample>,
        /// Samples that are native histograms.
        #[prost(message, repeated, tag = "3")]
        pub histograms: Vec<super::Histogram>,
        /// Examples of what was measured.
        #[prost(message, repeated, tag = "4")]
        pub exemplars: Vec<Exemplar>,
        /// What the series is.
        #[prost(message, optional, tag = "5")]
        pub metadata: Option<Metadata>,
    }

    /// One of the events that were counted.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Exemplar {
        /// Names and values in turn.
        #[prost(uint32, repeated, tag = "1")]
        pub labels_refs: Vec<u32>,
        /// What was measured.
        #[prost(double, tag = "2")]
        pub value: f64,
        /// Milliseconds since 1970.
        #[prost(int64, tag = "3")]
        pub timestamp: i64,
    }

    /// What a series is.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub struct Metadata {
        /// A [`MetricKind`](crate::prometheus::MetricKind) by its number.
        #[prost(int32, tag = "1")]
        pub kind: i32,
        /// The place of a sentence about it.
        #[prost(uint32, tag = "3")]
        pub help_ref: u32,
        /// The place of its unit.
        #[prost(uint32, tag = "4")]
        pub unit_ref: u32,
    }
}

/// A native histogram, the same in both versions of remote write.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Histogram {
    /// How many observations there are.
    #[prost(oneof = "Count", tags = "1, 2")]
    pub count: Option<Count>,
    /// The sum of all observations.
    #[prost(double, tag = "3")]
    pub sum: f64,
    /// -4 to 8 for exponential buckets, -53 for custom ones.
    #[prost(sint32, tag = "4")]
    pub schema: i32,
    /// Breadth of the zero bucket.
    #[prost(double, tag = "5")]
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    #[prost(oneof = "ZeroCount", tags = "6, 7")]
    pub zero_count: Option<ZeroCount>,
    /// Which negative buckets there are.
    #[prost(message, repeated, tag = "8")]
    pub negative_spans: Vec<BucketSpan>,
    /// Each integer count less the one before.
    #[prost(sint64, repeated, tag = "9")]
    pub negative_deltas: Vec<i64>,
    /// Counts that are no integers.
    #[prost(double, repeated, tag = "10")]
    pub negative_counts: Vec<f64>,
    /// Which positive buckets there are.
    #[prost(message, repeated, tag = "11")]
    pub positive_spans: Vec<BucketSpan>,
    /// Each integer count less the one before.
    #[prost(sint64, repeated, tag = "12")]
    pub positive_deltas: Vec<i64>,
    /// Counts that are no integers.
    #[prost(double, repeated, tag = "13")]
    pub positive_counts: Vec<f64>,
    /// Whether it may be a new start: 0 unknown, 1 yes, 2 no, 3 it is a gauge.
    #[prost(int32, tag = "14")]
    pub reset_hint: i32,
    /// Milliseconds since 1970.
    #[prost(int64, tag = "15")]
    pub timestamp: i64,
    /// Upper bounds of custom buckets.
    #[prost(double, repeated, tag = "16")]
    pub custom_values: Vec<f64>,
    /// When counting began, in milliseconds since 1970; 0 when unknown. Not in 1.0.
    #[prost(int64, tag = "17")]
    pub start_timestamp: i64,
}

/// How many observations.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum Count {
    /// An integer histogram's.
    #[prost(uint64, tag = "1")]
    Int(u64),
    /// A float histogram's.
    #[prost(double, tag = "2")]
    Float(f64),
}

/// How many observations in the zero bucket.
#[derive(Clone, Copy, PartialEq, prost::Oneof)]
pub enum ZeroCount {
    /// An integer histogram's.
    #[prost(uint64, tag = "6")]
    Int(u64),
    /// A float histogram's.
    #[prost(double, tag = "7")]
    Float(f64),
}

/// Buckets that follow each other.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct BucketSpan {
    /// Buckets left out before; for the first, where it begins.
    #[prost(sint32, tag = "1")]
    pub offset: i32,
    /// How many there are.
    #[prost(uint32, tag = "2")]
    pub length: u32,
}

/// What targets expose in protobuf.
pub mod client {
    pub use super::BucketSpan;
    pub use super::v1::Label as LabelPair;

    /// `io.prometheus.client.MetricFamily`.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct MetricFamily {
        /// The family's name.
        #[prost(string, tag = "1")]
        pub name: String,
        /// A sentence about it.
        #[prost(string, tag = "2")]
        pub help: String,
        /// 0 counter, 1 gauge, 2 summary, 3 untyped, 4 histogram, 5 gauge histogram.
        #[prost(int32, optional, tag = "3")]
        pub kind: Option<i32>,
        /// Its members.
        #[prost(message, repeated, tag = "4")]
        pub metric: Vec<Metric>,
        /// Its unit.
        #[prost(string, tag = "5")]
        pub unit: String,
    }

    /// A member of a family.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Metric {
        /// In any order.
        #[prost(message, repeated, tag = "1")]
        pub label: Vec<LabelPair>,
        /// If the family is of that kind.
        #[prost(message, optional, tag = "2")]
        pub gauge: Option<Number>,
        /// If the family is of that kind.
        #[prost(message, optional, tag = "3")]
        pub counter: Option<Counter>,
        /// If the family is of that kind.
        #[prost(message, optional, tag = "4")]
        pub summary: Option<Summary>,
        /// If the family is of that kind.
        #[prost(message, optional, tag = "5")]
        pub untyped: Option<Number>,
        /// If the family is of that kind.
        #[prost(message, optional, tag = "7")]
        pub histogram: Option<Histogram>,
        /// Milliseconds since 1970; 0 for the time of the scrape.
        #[prost(int64, tag = "6")]
        pub timestamp_ms: i64,
    }

    /// `Gauge` and `Untyped`.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Number {
        /// The number.
        #[prost(double, tag = "1")]
        pub value: f64,
    }

    /// A count.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Counter {
        /// The count.
        #[prost(double, tag = "1")]
        pub value: f64,
        /// One of the events.
        #[prost(message, optional, tag = "2")]
        pub exemplar: Option<Exemplar>,
        /// When counting began.
        #[prost(message, optional, tag = "3")]
        pub start_timestamp: Option<Timestamp>,
    }

    /// Quantiles.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Summary {
        /// Observations.
        #[prost(uint64, tag = "1")]
        pub sample_count: u64,
        /// Their sum.
        #[prost(double, tag = "2")]
        pub sample_sum: f64,
        /// The quantiles.
        #[prost(message, repeated, tag = "3")]
        pub quantile: Vec<Quantile>,
        /// When counting began.
        #[prost(message, optional, tag = "4")]
        pub start_timestamp: Option<Timestamp>,
    }

    /// A quantile.
    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub struct Quantile {
        /// Which one, 0 to 1.
        #[prost(double, tag = "1")]
        pub quantile: f64,
        /// What it is.
        #[prost(double, tag = "2")]
        pub value: f64,
    }

    /// A classic histogram, a native one, or both.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Histogram {
        /// Observations.
        #[prost(uint64, tag = "1")]
        pub sample_count: u64,
        /// Their sum.
        #[prost(double, tag = "2")]
        pub sample_sum: f64,
        /// Classic buckets in the order of their bounds.
        #[prost(message, repeated, tag = "3")]
        pub bucket: Vec<Bucket>,
        /// Observations that are no integer; counts if above 0.
        #[prost(double, tag = "4")]
        pub sample_count_float: f64,
        /// As in [`super::Histogram`].
        #[prost(sint32, tag = "5")]
        pub schema: i32,
        /// Breadth of the zero bucket.
        #[prost(double, tag = "6")]
        pub zero_threshold: f64,
        /// Observations in the zero bucket.
        #[prost(uint64, tag = "7")]
        pub zero_count: u64,
        /// The same as no integer; counts if above 0.
        #[prost(double, tag = "8")]
        pub zero_count_float: f64,
        /// As in [`super::Histogram`].
        #[prost(message, repeated, tag = "9")]
        pub negative_span: Vec<BucketSpan>,
        /// As in [`super::Histogram`].
        #[prost(sint64, repeated, tag = "10")]
        pub negative_delta: Vec<i64>,
        /// As in [`super::Histogram`].
        #[prost(double, repeated, tag = "11")]
        pub negative_count: Vec<f64>,
        /// As in [`super::Histogram`].
        #[prost(message, repeated, tag = "12")]
        pub positive_span: Vec<BucketSpan>,
        /// As in [`super::Histogram`].
        #[prost(sint64, repeated, tag = "13")]
        pub positive_delta: Vec<i64>,
        /// As in [`super::Histogram`].
        #[prost(double, repeated, tag = "14")]
        pub positive_count: Vec<f64>,
        /// When counting began.
        #[prost(message, optional, tag = "15")]
        pub start_timestamp: Option<Timestamp>,
        /// Examples, of the native histogram only.
        #[prost(message, repeated, tag = "16")]
        pub exemplars: Vec<Exemplar>,
    }

    /// A bucket of a classic histogram.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Bucket {
        /// Observations in this one and those below.
        #[prost(uint64, tag = "1")]
        pub cumulative_count: u64,
        /// The highest value in it.
        #[prost(double, tag = "2")]
        pub upper_bound: f64,
        /// One of the events.
        #[prost(message, optional, tag = "3")]
        pub exemplar: Option<Exemplar>,
        /// The count as no integer; counts if above 0.
        #[prost(double, tag = "4")]
        pub cumulative_count_float: f64,
    }

    /// One of the events that were counted.
    #[derive(Clone, PartialEq, prost::Message)]
    pub struct Exemplar {
        /// Where to find more about it.
        #[prost(message, repeated, tag = "1")]
        pub label: Vec<LabelPair>,
        /// What was measured.
        #[prost(double, tag = "2")]
        pub value: f64,
        /// When.
        #[prost(message, optional, tag = "3")]
        pub timestamp: Option<Timestamp>,
    }

    /// `google.protobuf.Timestamp`.
    #[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
    pub struct Timestamp {
        /// Since 1970.
        #[prost(int64, tag = "1")]
        pub seconds: i64,
        /// On top of the seconds.
        #[prost(int32, tag = "2")]
        pub nanos: i32,
    }
}
