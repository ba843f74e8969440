//! What Corten says of itself: metrics, logs and spans.

mod lines;
mod live;
mod logs;
mod metrics;
mod spans;

pub use lines::{Lines, OwnLine, WantedLines, quietly};
pub use live::LiveDebugging;
pub use logs::{Format, Level, LogSettings, Logs, SHOWN};
pub use metrics::Metrics;
pub use spans::{SERVICE_NAME, Sampling, Spans, Wanted, is_sampled, resource};
