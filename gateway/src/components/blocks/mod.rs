//! Blocks that components of several families take.

pub(crate) mod http_client;
pub(crate) mod rule;
