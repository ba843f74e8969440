//! What an operator can set about the log, with the reason for each default.

use std::path::PathBuf;
use std::time::Duration;

/// The largest single commit. RocksDB takes values of up to 4 GiB; a commit is held in memory about
/// four times on its way (caller, group, memtable, log buffer), so the limit is far below that.
pub const COMMIT_BYTES_MAX: usize = 256 << 20;

/// How much a reader that is behind takes from the disk at once; two such chunks may be in memory
/// for each queue that is behind. At 600 MB/s a chunk is 3 ms of reading, against which the cost of
/// a new seek is nothing.
pub const READ_CHUNK_BYTES: usize = 2 << 20;

/// How long a queue's progress may wait for a group to ride with before it is written by itself.
pub const PROGRESS_DELAY: Duration = Duration::from_millis(10);

/// What happens to new data when a budget is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The commit is refused as a whole, and the client is told to come back.
    #[default]
    Refuse,
    /// The oldest records nobody has been handed yet are dropped and counted.
    DropOldest,
}

/// The budget of one queue. `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// Bytes as stored.
    pub bytes: Option<u64>,
    /// Records.
    pub records: Option<u64>,
    /// Items.
    pub items: Option<u64>,
    /// Age of the oldest record, by the time it was accepted.
    pub age: Option<Duration>,
    /// What to do at the limit.
    pub policy: Policy,
}

/// The settings of a [`crate::Log`].
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of the log; created when missing, used by one process at a time.
    pub path: PathBuf,
    /// Bytes that may be owed in the whole log before new data is refused or the oldest dropped.
    /// `None` leaves only `disk_reserve_bytes`.
    pub budget_bytes: Option<u64>,
    /// What to do at `budget_bytes`.
    pub policy: Policy,
    /// Free space to leave on the file system. Below it commits are refused, so that there is room
    /// to record progress and to give space back. 256 MiB holds RocksDB's log files, one flush and
    /// one compaction of the default memtables.
    pub disk_reserve_bytes: u64,
    /// Memory for RocksDB's memtables. They are allocated as they fill. Data that is settled before
    /// its memtable is flushed never reaches a data file, so a larger one saves disk writes.
    pub memtable_bytes: usize,
    /// Memory for one queue's records on their way to a reader that keeps up.
    pub tail_bytes: usize,
    /// Memory for all such records of all queues together.
    pub tails_bytes: usize,
    /// How long a group may wait for the callers of the previous group to come back, when there
    /// were several. An idle log never waits. 200 µs is a fraction of one sync.
    pub linger: Duration,
    /// A group is closed at this size. At 8 MiB the syncs cost less than writing the group.
    pub group_bytes_max: usize,
    /// A stream's part of a group of this size or more is written as a file of its own. That takes
    /// four syncs instead of one; below 4 MiB and on a slow disk they cost more than is saved by
    /// writing the data once.
    pub bulk_bytes_min: u64,
}

impl Options {
    /// The defaults, for a log in `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            budget_bytes: None,
            policy: Policy::Refuse,
            disk_reserve_bytes: 256 << 20,
            memtable_bytes: 64 << 20,
            tail_bytes: 16 << 20,
            tails_bytes: 64 << 20,
            linger: Duration::from_micros(200),
            group_bytes_max: 8 << 20,
            bulk_bytes_min: 4 << 20,
        }
    }
}
