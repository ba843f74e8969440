//! The `otelcol` components, and what several of them share.

pub mod auth;
pub mod debug_metrics;
pub mod exporter;
pub mod handler;
pub mod output;
pub mod processor;
pub mod receiver;
pub mod storage;
pub mod tls;

pub use crate::graph::ConsumerHandle;
pub use debug_metrics::DebugMetrics;
pub use handler::{ClientAuth, Handler, ServerAuth};
pub use output::Output;
pub use tls::ServerTlsBlock;
