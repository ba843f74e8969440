//! The newest records of one queue, kept in memory between the commit and a reader that keeps up.
//!
//! While a tail is on, it holds every record of its queue from `from` on; that is what lets a
//! reader change from the disk to the tail without gap or repeat. A tail that outgrows its limit is
//! turned off and emptied: the reader goes back to the disk, and memory stays flat in an outage.

use std::collections::VecDeque;

use crate::record::Stored;

/// Memory counted for a record beside its bytes.
const OVERHEAD: usize = 160;

#[derive(Debug, Default)]
pub(crate) struct Tail {
    records: VecDeque<Stored>,
    bytes: usize,
    from: Option<u64>,
}

impl Tail {
    /// The sequence from which on the tail is complete; `None` while it is off.
    pub(crate) fn from(&self) -> Option<u64> {
        self.from
    }

    /// Collects what is committed at `sequence` or later.
    pub(crate) fn turn_on(&mut self, sequence: u64) {
        self.from = Some(sequence);
    }

    /// Gives the memory back; returns how much that was.
    pub(crate) fn turn_off(&mut self) -> usize {
        self.from = None;
        self.records = VecDeque::new();
        std::mem::take(&mut self.bytes)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn front(&self) -> Option<&Stored> {
        self.records.front()
    }

    /// Adds a record; returns the memory it takes.
    pub(crate) fn push(&mut self, stored: Stored) -> usize {
        let bytes = stored.value.len() + OVERHEAD;
        self.bytes += bytes;
        self.records.push_back(stored);
        bytes
    }

    /// Takes the first record out; also returns the memory it took.
    pub(crate) fn pop(&mut self) -> Option<(Stored, usize)> {
        let stored = self.records.pop_front()?;
        let bytes = stored.value.len() + OVERHEAD;
        self.bytes -= bytes;
        if self.records.is_empty() && self.records.capacity() > 1024 {
            self.records = VecDeque::new();
        }
        Some((stored, bytes))
    }
}
