//! When to delete what every queue of a stream is done with.
//!
//! A deletion is a range tombstone in the memtable. When it arrives before the memtable is flushed,
//! the flush drops the data and it never reaches a file; so trims must come soon. But every reader
//! that is behind has to look at all tombstones; so they must be few. A trim for each 32nd part of
//! the memtables is both.

use std::time::Duration;

use tokio::time::Instant;

use crate::book::Book;

/// Part of the memtables that may be settled and not trimmed.
const TRIM_PART: usize = 32;

/// How long an amount smaller than that may wait.
const TRIM_DELAY: Duration = Duration::from_secs(10);

pub(crate) struct Trimmer {
    bytes: u64,
    /// The book's passed bytes at the last trim.
    passed: u64,
    last: Instant,
    hurry: bool,
}

impl Trimmer {
    pub(crate) fn new(memtable_bytes: usize) -> Self {
        let bytes = (memtable_bytes / TRIM_PART).max(1) as u64;
        Self {
            bytes,
            passed: 0,
            last: Instant::now(),
            hurry: false,
        }
    }

    /// Trims at the next opportunity, however little there is.
    pub(crate) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// The trims to write now.
    pub(crate) fn due(&mut self, book: &Book) -> Vec<(u32, u64, u64)> {
        let passed = book.passed_bytes.saturating_sub(self.passed);
        let late = passed > 0 && self.last.elapsed() >= TRIM_DELAY;
        if passed < self.bytes && !late && !self.hurry {
            return Vec::new();
        }
        self.passed = book.passed_bytes;
        self.last = Instant::now();
        self.hurry = false;
        book.trims()
    }

    /// When to trim if no group comes before.
    pub(crate) fn due_at(&self, book: &Book) -> Option<Instant> {
        (book.passed_bytes > self.passed).then(|| self.last + TRIM_DELAY)
    }

    /// The trims are written.
    pub(crate) fn done(&self, book: &mut Book, trims: &[(u32, u64, u64)]) {
        book.trims_done += trims.len() as u64;
        for (stream, _, to) in trims {
            if let Some(stream) = book.streams.get_mut(stream) {
                stream.trimmed = *to;
            }
        }
    }
}
