//! Discovery in a graph: what sources say becomes targets of other components, and stays while the
//! sources fail.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod client;
mod graph;
mod stories;
