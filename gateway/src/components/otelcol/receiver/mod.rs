//! Components that take telemetry from clients.

pub mod loki;
pub mod otlp;
