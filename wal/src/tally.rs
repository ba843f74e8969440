//! Counters that outlive the process: what a caller wants to know of itself beside the accounts of
//! the queues, written in the same batches as these.
//!
//! A count that speaks of a commit goes with that commit, and is on the disk exactly when its
//! records are. Any other is on the disk with the next group, or a few milliseconds later.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::shared::Shared;

/// A named counter of a log. Cheap to clone; all handles of a name are one counter.
#[derive(Clone)]
pub struct Tally {
    pub(crate) cell: Arc<Cell>,
    pub(crate) shared: Arc<Shared>,
}

/// The counter itself.
#[derive(Debug)]
pub(crate) struct Cell {
    name: Box<str>,
    count: AtomicU64,
}

/// All counters, by number; a number is the key of a note.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    cells: Vec<(u32, Arc<Cell>, u64)>,
    by_name: BTreeMap<Box<str>, usize>,
}

// === impl Tally ===

impl Tally {
    /// The name it was opened under.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// What was counted, over all lives of the log.
    pub fn get(&self) -> u64 {
        self.cell.get()
    }

    /// Counts on.
    pub fn add(&self, count: u64) {
        self.cell.add(count);
        self.shared.nudge();
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tally({:?}, {})", self.name(), self.get())
    }
}

// === impl Cell ===

impl Cell {
    pub(crate) fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes back what was counted with a group that was not written.
    pub(crate) fn take_back(&self, count: u64) {
        self.count.fetch_sub(count, Ordering::Relaxed);
    }
}

// === impl Tallies ===

impl Tallies {
    /// The counter of a name, which begins at 0 when it is new.
    pub(crate) fn open(&mut self, name: &str) -> Arc<Cell> {
        let number = self.cells.last().map_or(0, |(number, ..)| number + 1);
        self.insert(number, name, 0)
    }

    /// Puts a counter back that was read from the disk.
    pub(crate) fn restore(&mut self, number: u32, name: &str, count: u64) {
        self.insert(number, name, count);
    }

    /// All counters.
    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.cells.iter().map(|(_, cell, _)| cell)
    }

    /// What has changed since it was last asked for: number, name and count.
    pub(crate) fn changed(&mut self) -> Vec<(u32, &str, u64)> {
        let mut changed = Vec::new();
        for (number, cell, written) in &mut self.cells {
            let count = cell.get();
            if count != *written {
                *written = count;
                changed.push((*number, &*cell.name, count));
            }
        }
        changed
    }

    /// Nothing is known to be on the disk any more.
    pub(crate) fn forget_written(&mut self) {
        for (_, _, written) in &mut self.cells {
            *written = 0;
        }
    }

    fn insert(&mut self, number: u32, name: &str, count: u64) -> Arc<Cell> {
        if let Some(at) = self.by_name.get(name) {
            return self.cells[*at].1.clone();
        }
        let cell = Arc::new(Cell {
            name: name.into(),
            count: AtomicU64::new(count),
        });
        self.by_name.insert(name.into(), self.cells.len());
        self.cells.push((number, cell.clone(), count));
        cell
    }
}
