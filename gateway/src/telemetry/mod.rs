//! What Corten says of itself: metrics and logs.

mod logs;
mod metrics;

pub use logs::{Format, Level, LogSettings, Logs};
pub use metrics::Metrics;
