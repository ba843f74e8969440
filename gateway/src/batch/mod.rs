//! What flows between components: one signal of one tenant, in the form in which it came in.
//!
//! Cloning a batch is cheap, so that fanning out costs no copy: the bytes are shared, and a
//! component that edits its clone copies only then.

mod budget;
mod codec;
mod consumer;
mod loki;
mod otlp;
mod prometheus;
mod queue_key;
mod tenant;

pub use budget::{Exhausted, MemoryBudget, Reservation};
pub use codec::{Codec, CodecError};
pub use consumer::{ConsumeFuture, Consumer, Refusal, RefusalKind, Staged};
pub use loki::{Entry, Labels, Loki, Stream};
pub use otlp::{Frame, Otlp};
pub use prometheus::Prometheus;
pub use queue_key::{QueueKey, dead_letters_name, dead_letters_of};
pub use tenant::{InvalidTenant, Metadata, Tenant};

pub use protos::Signal;

use std::sync::Arc;

/// One accepted piece of telemetry on its way from a source to its destinations.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Who sent it, and what the pipeline has been told about its handling.
    pub context: Context,
    /// The telemetry itself.
    pub payload: Payload,
}

impl Batch {
    /// Log records, data points or spans in the payload.
    pub fn items(&self) -> u64 {
        match &self.payload {
            Payload::Otlp(otlp) => otlp.items(),
            Payload::Prometheus(series) => series.items(),
            Payload::Loki(loki) => loki.entries(),
        }
    }

    /// The signal of the payload.
    pub fn signal(&self) -> Signal {
        match &self.payload {
            Payload::Otlp(otlp) => otlp.signal(),
            Payload::Prometheus(_) => Signal::Metrics,
            Payload::Loki(_) => Signal::Logs,
        }
    }
}

/// What travels beside the payload.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Whose data it is; batches of two tenants are never merged.
    pub tenant: Tenant,
    /// Request headers or gRPC metadata that the receiver was told to keep.
    pub metadata: Metadata,
    /// How the senders downstream should merge this batch with its neighbours.
    pub merging: Option<Merging>,
    /// The share of the process's memory budget that the batch holds while it is in flight.
    pub reservation: Option<Arc<Reservation>>,
    /// Whether it is Corten's own telemetry. Handling it makes no spans, for they would be telemetry
    /// that is handled again, and so on for ever.
    pub own: bool,
}

/// The merge size and wait that `otelcol.processor.batch` asks of the senders it feeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Merging {
    /// Items at which a request is sent without waiting longer.
    pub items: u64,
    /// Items that a request must not exceed; 0 is no bound.
    pub items_max: u64,
    /// How long the first batch of a request may wait for others, in milliseconds.
    pub wait_milliseconds: u64,
}

/// Telemetry in its own family's form; only components whose name says so convert one to another.
#[derive(Clone, Debug)]
pub enum Payload {
    /// OpenTelemetry logs, metrics or traces.
    Otlp(Otlp),
    /// Prometheus series.
    Prometheus(Prometheus),
    /// Loki's streams of lines.
    Loki(Loki),
}

impl Payload {
    /// The payload of a component that takes OpenTelemetry alone.
    ///
    /// # Errors
    /// If it is of another family. A configuration cannot bring that about, for what components
    /// export says which family they take.
    pub fn otlp(&self) -> Result<&Otlp, Refusal> {
        match self {
            Self::Otlp(otlp) => Ok(otlp),
            other => Err(other.wrong_family("OTLP")),
        }
    }

    /// The payload of a component that takes Prometheus series alone.
    ///
    /// # Errors
    /// As [`Payload::otlp`].
    pub fn prometheus(&self) -> Result<&Prometheus, Refusal> {
        match self {
            Self::Prometheus(series) => Ok(series),
            other => Err(other.wrong_family("Prometheus series")),
        }
    }

    /// The payload of a component that takes Loki's streams alone.
    ///
    /// # Errors
    /// As [`Payload::otlp`].
    pub fn loki(&self) -> Result<&Loki, Refusal> {
        match self {
            Self::Loki(loki) => Ok(loki),
            other => Err(other.wrong_family("Loki streams")),
        }
    }

    fn wrong_family(&self, expected: &str) -> Refusal {
        let got = match self {
            Self::Otlp(_) => "OTLP",
            Self::Prometheus(_) => "Prometheus series",
            Self::Loki(_) => "Loki streams",
        };
        Refusal::invalid("wrong_family", format!("expected {expected}, got {got}"))
    }
}
