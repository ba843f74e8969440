//! What Corten says of itself: metrics and logs.

mod live;
mod logs;
mod metrics;

pub use live::LiveDebugging;
pub use logs::{Format, Level, LogSettings, Logs};
pub use metrics::Metrics;
