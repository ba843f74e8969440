//! What a family of series is.

use std::fmt;

/// A metric type, by the numbers that both versions of remote write have for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MetricKind {
    /// Nobody said.
    #[default]
    Unknown = 0,
    /// Goes up only.
    Counter = 1,
    /// Goes up and down.
    Gauge = 2,
    /// Buckets of counters.
    Histogram = 3,
    /// Buckets of gauges.
    GaugeHistogram = 4,
    /// Quantiles.
    Summary = 5,
    /// Labels, with the value 1.
    Info = 6,
    /// One of several states.
    StateSet = 7,
}

impl MetricKind {
    /// Every kind at its number.
    pub const ALL: [Self; 8] = [
        Self::Unknown,
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
    ];

    /// The kind with that number; unknown if there is none.
    pub fn from_number(number: u64) -> Self {
        usize::try_from(number)
            .ok()
            .and_then(|number| Self::ALL.get(number))
            .copied()
            .unwrap_or_default()
    }

    /// The number on the wire.
    pub fn number(self) -> u64 {
        u64::from(self as u8)
    }

    /// The word of OpenMetrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
        }
    }

    /// The kind that OpenMetrics calls so.
    pub(super) fn from_open_metrics(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().as_bytes() == word)
    }

    /// The kind that the text format 0.0.4 calls so: it has five, and one of them by another name.
    pub(super) fn from_text(word: &[u8]) -> Option<Self> {
        match word {
            b"counter" => Some(Self::Counter),
            b"gauge" => Some(Self::Gauge),
            b"histogram" => Some(Self::Histogram),
            b"summary" => Some(Self::Summary),
            b"untyped" => Some(Self::Unknown),
            _ => None,
        }
    }

    /// Whether its members say when their counting began.
    pub fn has_start(self) -> bool {
        matches!(self, Self::Counter | Self::Histogram | Self::Summary)
    }

    /// The label whose value is a number, which is written in one way only.
    pub(super) fn number_label(self) -> Option<&'static str> {
        match self {
            Self::Histogram => Some("le"),
            Self::Summary => Some("quantile"),
            _ => None,
        }
    }
}

impl fmt::Display for MetricKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
