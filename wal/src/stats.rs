//! The log's figures, for metrics and for those who ask.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::book::Book;
use crate::meters::Latency;
use crate::record::from_millis;
use crate::state::QueueState;

/// The account of one queue. `accepted = delivered + dropped + items` holds at every moment, also
/// across restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueStats {
    /// The queue's name.
    pub name: String,
    /// Whether it was opened since the log was; otherwise an earlier configuration left it.
    pub opened: bool,
    /// Records it owes.
    pub records: u64,
    /// Items it owes.
    pub items: u64,
    /// Bytes it owes, as stored.
    pub bytes: u64,
    /// When the oldest record it owes was accepted, or a little earlier.
    pub oldest: Option<SystemTime>,
    /// Items ever committed to it.
    pub accepted: u64,
    /// Items delivered.
    pub delivered: u64,
    /// Items dropped, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// Items handed out since the log was opened that had been handed out before.
    pub replayed: u64,
}

impl QueueStats {
    /// Whether the account adds up.
    pub fn balances(&self) -> bool {
        let dropped: u64 = self.dropped.values().sum();
        self.accepted == self.delivered + dropped + self.items
    }
}

/// The figures of the whole log. Counters begin at 0 when it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogStats {
    /// Bytes the log takes on the disk.
    pub disk_bytes: u64,
    /// Bytes that some queue owes, each counted once.
    pub owed_bytes: u64,
    /// Bytes in RocksDB's memtables.
    pub memtable_bytes: u64,
    /// Bytes on their way to readers that keep up.
    pub tail_bytes: u64,
    /// Groups written and synced.
    pub groups: u64,
    /// Commits in them.
    pub commits: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Of these, bytes that were written as files of their own.
    pub bulk_bytes: u64,
    /// How long writing and syncing a group took.
    pub sync: Latency,
    /// How often the store was opened again after a failure.
    pub reopened: u64,
    /// Records found damaged when they were read.
    pub damaged: u64,
    /// Chunks read back from the disk for readers that were behind.
    pub disk_reads: u64,
    /// Why the log does not take new data at the moment.
    pub health: Option<String>,
}

pub(crate) fn of_queue(book: &Book, queue: &QueueState) -> QueueStats {
    let owed = book.owed(queue);
    let dropped = queue.live.dropped.iter();
    QueueStats {
        name: queue.name.to_string(),
        opened: queue.opened,
        records: owed.records,
        items: owed.items,
        bytes: owed.bytes,
        oldest: book.oldest_ms(queue).map(from_millis),
        accepted: queue.kept.accepted,
        delivered: queue.live.delivered,
        dropped: dropped
            .map(|(reason, items)| (reason.to_string(), *items))
            .collect(),
        replayed: queue.replayed,
    }
}
