//! Components of Prometheus's family: series and their samples.

pub mod echo;
mod receiver;
pub mod scrape;

pub use receiver::{MetricsReceiver, ReceiverExports, fanout};

use crate::batch::Prometheus;

/// Series in words, for people who watch what flows.
pub(super) fn describe(series: &Prometheus) -> String {
    echo::describe(series.body())
}
