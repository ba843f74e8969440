//! The configuration blocks, as the admin server and the pipelines show them.

#![expect(clippy::unwrap_used, reason = "what helps a test is a test, too")]

mod endpoint;
mod gateway;
mod http;
mod live;
mod metrics;
mod own;
