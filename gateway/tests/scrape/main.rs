//! Targets on loopback that are scraped by a graph: what arrives behind it.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod graph;
mod stories;
