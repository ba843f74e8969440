//! Blocks that components of several families take.

pub mod http_client;
pub mod rule;
