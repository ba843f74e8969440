//! Components that take telemetry from clients.

pub mod otlp;
