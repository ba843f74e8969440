//! `otelcol.exporter.*`: where telemetry leaves.

pub mod blocks;
pub mod otlp;
pub mod otlphttp;
