//! Components that change batches, or decide about them, on their way.

pub mod batch;
pub mod memory_limiter;
