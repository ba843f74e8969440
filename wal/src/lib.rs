//! A durable log with a cursor for each consumer.
//!
//! Records are opaque bytes with a number of items. A commit appends any number of records, each to
//! any set of queues; it is atomic, and answered when it is synced to disk. Commits of all callers
//! are gathered into groups that share one sync. A queue hands its records out in order through a
//! [`Reader`], each is settled in any order, and the queue's account of items balances at every
//! moment and across restarts.
//!
//! ```text
//!   commit ──┐                          ┌── tail ── reader ── settle
//!   commit ──┼── group ── write, sync ──┤
//!   commit ──┘             (RocksDB)    └── disk ── reader ── settle      (one that is behind)
//! ```
//!
//! The surprising decision: a record is stored once, in the *stream* of the set of queues it goes
//! to, and there are no references for each destination. See the `book` module.
//!
//! The crate knows nothing of telemetry, and needs no particular async runtime.

mod book;
mod counts;
mod disk;
mod error;
mod fetch;
mod group;
mod keeper;
mod ledger;
mod log;
mod mark;
mod meters;
mod notes;
mod options;
mod queue;
mod reader;
mod record;
mod recovery;
mod revive;
mod scan;
mod shared;
mod state;
mod stats;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod trim;
mod tuning;
mod window;
mod writer;

pub use counts::Counts;
pub use error::{CommitError, Error, OpenError};
pub use ledger::{Outcome, REASON_BYTES_MAX, REASONS_MAX};
pub use log::{Append, Log, NAME_BYTES_MAX};
pub use meters::Latency;
pub use options::{
    COMMIT_BYTES_MAX, Options, PROGRESS_DELAY, Policy, QueueLimits, READ_CHUNK_BYTES,
};
pub use queue::{Position, Queue, QueueSet};
pub use reader::{Entry, Reader};
pub use record::Record;
pub use recovery::Recovery;
pub use stats::{LogStats, QueueStats};
