//! The wire: messages of OTLP and Prometheus, and readers that walk encoded bytes without decoding
//! them.
//!
//! A request that nobody edits stays the bytes it came in. What a gateway must know of it is read in
//! place:
//!
//! ```text
//!   body ── check ──▶ Counts            once, at the door: valid, counted, within a budget
//!        ├─ resources ▶ scopes ▶ items  views over byte ranges, nothing copied
//!        ├─ split / split_items / split_bytes ──▶ parts
//!        └─ merge ──▶ one request
//! ```
//!
//! Whoever wants structs decodes with the types in [`otlp`]; [`check`] has then already said that this
//! will succeed and about how much memory it takes. Prometheus's series and expositions are in
//! [`prometheus`]. Nothing here does I/O, and nothing knows of
//! tenants, queues or components.

#![warn(missing_docs)]

#[cfg(test)]
mod arbitrary;
mod attribute;
mod budget;
mod check;
mod error;
mod field;
pub mod json;
mod log;
mod merge;
mod metric;
mod outline;
pub mod prometheus;
mod resource;
pub mod response;
mod schema;
mod signal;
mod span;
mod split;
pub mod status;
mod varint;

pub use attribute::{Attribute, AttributeValue, Attributes, Values};
pub use budget::{Budget, Counts};
pub use check::check;
pub use error::{Reason, WireError};
pub use field::{Field, Fields, Value};
pub use log::LogRecord;
pub use merge::merge;
pub use metric::{DataPoint, Metric, MetricKind};
pub use outline::Grain;
pub use resource::{Resource, Scope, count_items, resource_attribute, resources};
pub use signal::{Signal, UnknownSignal};
pub use span::Span;
pub use split::{Part, split, split_bytes, split_items};

/// The decoded messages, for those who must look at everything.
pub mod otlp {
    pub use opentelemetry_proto::tonic::collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
    };
    pub use opentelemetry_proto::tonic::collector::metrics::v1::{
        ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
    };
    pub use opentelemetry_proto::tonic::collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    };
    pub use opentelemetry_proto::tonic::{common, logs, metrics, resource, trace};
    pub use prost::Message;
}
