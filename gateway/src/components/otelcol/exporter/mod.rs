//! `otelcol.exporter.*`: where telemetry leaves.

pub mod blocks;
pub mod debug;
pub mod otlp;
pub mod otlphttp;
