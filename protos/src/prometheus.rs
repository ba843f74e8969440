//! Prometheus on the wire: expositions of targets, and remote write.
//!
//! A series is kept as its encoded labels: the `labels` fields of remote write 1.0's `TimeSeries`,
//! sorted, as they will be sent. So a sample of a known series costs a copy of those bytes and a few
//! more:
//!
//! ```text
//!   scraped bytes ── Parser ──▶ Entry: raw series bytes, value, timestamp, exemplar
//!                                 │ looked up by the raw bytes; only if new: LabelSet ─▶ encoded
//!                                 ▼
//!   SeriesWriter ◀── encoded labels + sample         a write request as Corten keeps it
//!        │
//!        ├─ as it is ─▶ remote write 1.0
//!        └─ v2::Translator ─▶ remote write 2.0
//!
//!   received request ── accept ──▶ the same form, without the series that break the rules
//! ```
//!
//! The form in which Corten keeps series is `WriteRequest` of 1.0 with the fields that 2.0 added where
//! 1.0 has none (`start_timestamp`). Receivers of 1.0 skip those, requests merge by being put behind
//! each other ([`merge`](crate::merge)), and nothing that came in is lost.

mod accept;
pub mod exposition;
mod float;
mod histogram;
mod kind;
mod labels;
pub mod messages;
mod symbols;
#[cfg(test)]
mod tests;
mod translate;
mod view;
mod write;

pub use accept::{Accepted, Version, Written, accept, check_write};
pub use float::{format_float, parse_float};
pub use histogram::{HistogramFault, check_histogram};
pub use kind::MetricKind;
pub use labels::{Duplicate, LabelSet, Labels};
pub use translate::Translator;
pub use view::{ExemplarView, HistogramView, SampleView, SeriesView, series};
pub use write::{Metadata, SeriesWriter};

/// The value that says that a series has ended. It is one of many bit patterns that are not a number,
/// so it must be copied and compared as bits.
pub const STALE_NAN: u64 = 0x7ff0_0000_0000_0002;

/// The one bit pattern for values that are not a number and mean nothing more.
pub const NORMAL_NAN: u64 = 0x7ff8_0000_0000_0001;

/// The label that holds a series' name.
pub const NAME: &str = "__name__";

/// Whether a value is the marker for the end of a series.
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN
}
