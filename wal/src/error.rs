//! What can go wrong, in three places: opening the log, committing to it, and using a queue.

use std::fmt;
use std::path::PathBuf;

/// Why a log could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Another process has it open.
    Locked {
        /// The directory of the log.
        path: PathBuf,
    },
    /// A newer version of this program has written it.
    NewerFormat {
        /// The format version on disk.
        found: u32,
        /// The newest version this program reads.
        supported: u32,
    },
    /// The file system or RocksDB refused, in its own words.
    Failed {
        /// The directory of the log.
        path: PathBuf,
        /// What was being done, and what was said.
        reason: String,
    },
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { path } => write!(
                f,
                "the log in {} is in use by another process; stop it, or give this one a storage \
                 path of its own",
                path.display()
            ),
            Self::NewerFormat { found, supported } => write!(
                f,
                "the log was written in format {found} by a newer version; this one reads formats \
                 up to {supported}: run the newer version, or start with an empty storage path"
            ),
            Self::Failed { path, reason } => {
                write!(f, "cannot open the log in {}: {reason}", path.display())
            }
        }
    }
}

impl std::error::Error for OpenError {}

/// Why a commit was refused. Nothing of it will be delivered, except after `Unavailable`, when it is
/// not known whether the disk has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// A queue's budget is used up; there is room again when its destination has taken something.
    QueueFull {
        /// The queue's name.
        queue: String,
    },
    /// The budget of the whole log is used up.
    LogFull,
    /// The file system has less free space than the reserve, or none.
    DiskFull,
    /// The log cannot write at the moment, and why; it recovers by itself.
    Unavailable(String),
    /// The queue was removed; a newer configuration has other queues.
    QueueRemoved {
        /// The queue's name.
        queue: String,
    },
    /// The commit is larger than a limit that waiting does not change.
    TooLarge {
        /// The limit, in bytes, records or items.
        limit: u64,
    },
}

impl CommitError {
    /// Whether the same commit may succeed later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. })
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { queue } => write!(
                f,
                "the queue {queue:?} is full; it has room again when its destination takes data"
            ),
            Self::LogFull => f.write_str(
                "the log is full; it has room again when the slowest destination takes data",
            ),
            Self::DiskFull => f.write_str(
                "the disk of the log is full; free some space, writing resumes by itself",
            ),
            Self::Unavailable(reason) => write!(f, "the log cannot write at the moment: {reason}"),
            Self::QueueRemoved { queue } => write!(f, "the queue {queue:?} was removed"),
            Self::TooLarge { limit } => {
                write!(
                    f,
                    "the data is larger than the limit of {limit} allows; send it in parts"
                )
            }
        }
    }
}

impl std::error::Error for CommitError {}

/// Why a queue could not be opened, read or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The log was closed.
    Closed,
    /// The queue was removed, or never existed.
    NoQueue {
        /// The queue's name.
        queue: String,
    },
    /// Somebody else holds the queue's only reader.
    ReaderTaken {
        /// The queue's name.
        queue: String,
    },
    /// The name is empty or too long.
    BadName {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The store refused, in its own words; try again.
    Store(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the log is closed"),
            Self::NoQueue { queue } => write!(f, "there is no queue {queue:?}"),
            Self::ReaderTaken { queue } => write!(f, "the queue {queue:?} has a reader already"),
            Self::BadName { limit } => {
                write!(f, "a queue's name must have between 1 and {limit} bytes")
            }
            Self::Store(reason) => write!(f, "the log cannot be read at the moment: {reason}"),
        }
    }
}

impl std::error::Error for Error {}
