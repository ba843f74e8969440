//! The records of one queue that were handed out and are not yet below its cursor, in order.
//!
//! A destination may settle them in any order; the cursor can only stand before the first that is
//! not settled. What is settled above it is known in memory only, and is delivered once more after
//! a crash. The window is as long as what a sender keeps in flight.

use std::collections::VecDeque;

use crate::counts::Counts;
use crate::ledger::{Dropped, Outcome};
use crate::record::Stored;

/// The reason under which items are dropped that were written and cannot be read.
pub(crate) const DAMAGED: &str = "damaged";

/// One handed-out record, or a stretch of records that could not be read.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) sequence: u64,
    pub(crate) stream: u32,
    pub(crate) accepted_ms: u64,
    /// This record; nothing for a stretch that could not be read.
    pub(crate) counts: Counts,
    /// Records of the stream missing before this one.
    pub(crate) lost: Counts,
    /// The stream up to and including this record.
    pub(crate) total: Counts,
    settled: Option<Settled>,
}

/// What became of a slot, in items.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) delivered: u64,
    pub(crate) dropped: Dropped,
    /// Items that could not be read, which no outcome speaks of.
    pub(crate) lost: u64,
}

/// What is known about a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Never handed out.
    New,
    /// Handed out and not settled.
    Open,
    /// Settled, or passed by the cursor.
    Done,
}

#[derive(Debug, Default)]
pub(crate) struct Window {
    slots: VecDeque<Slot>,
    /// Settled above the cursor.
    above: Counts,
}

impl Slot {
    /// A record of a stream of which `read` was seen before it.
    pub(crate) fn new(stored: &Stored, read: Counts) -> Self {
        Self {
            sequence: stored.place.sequence,
            stream: stored.place.stream,
            accepted_ms: stored.accepted_ms,
            counts: stored.counts,
            lost: stored.before() - read,
            total: stored.total,
            settled: None,
        }
    }

    /// The end of a stream, of which nothing after `read` could be read.
    pub(crate) fn missing(stream: u32, sequence: u64, read: Counts, total: Counts) -> Self {
        Self {
            sequence,
            stream,
            accepted_ms: 0,
            counts: Counts::default(),
            lost: total - read,
            total,
            settled: None,
        }
    }
}

impl Window {
    /// The first sequence that is not settled, if anything is handed out.
    pub(crate) fn first(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.sequence)
    }

    /// The last sequence that was handed out and is not below the cursor.
    pub(crate) fn last(&self) -> Option<u64> {
        self.slots.back().map(|slot| slot.sequence)
    }

    /// When the first one that is not settled was accepted.
    pub(crate) fn oldest_ms(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.accepted_ms)
    }

    pub(crate) fn above(&self) -> Counts {
        self.above
    }

    /// Slots go in in the order of their sequences.
    pub(crate) fn push(&mut self, slot: Slot) {
        self.slots.push_back(slot);
    }

    pub(crate) fn known(&self, sequence: u64) -> Known {
        match self.find(sequence) {
            Ok(index) if self.slots[index].settled.is_none() => Known::Open,
            Ok(_) => Known::Done,
            Err(index) if index == self.slots.len() => Known::New,
            Err(_) => Known::Done,
        }
    }

    /// Settles a slot; `None` when it is not there or was settled before.
    pub(crate) fn settle(&mut self, sequence: u64, outcome: Outcome<'_>) -> Option<Settled> {
        let index = self.find(sequence).ok()?;
        let slot = &mut self.slots[index];
        if slot.settled.is_some() {
            return None;
        }
        let (delivered, dropped) = outcome.split(slot.counts.items);
        let lost = slot.lost.items;
        let settled = Settled {
            delivered,
            dropped,
            lost,
        };
        slot.settled = Some(settled.clone());
        self.above += slot.counts + slot.lost;
        Some(settled)
    }

    /// Takes out the next slot which the cursor may pass.
    pub(crate) fn pass(&mut self) -> Option<(Slot, Settled)> {
        let settled = self.slots.front_mut()?.settled.take()?;
        let slot = self.slots.pop_front()?;
        self.above -= slot.counts + slot.lost;
        Some((slot, settled))
    }

    fn find(&self, sequence: u64) -> Result<usize, usize> {
        self.slots
            .binary_search_by_key(&sequence, |slot| slot.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(sequence: u64) -> Slot {
        let counts = Counts {
            records: 1,
            items: 10,
            bytes: 100,
        };
        let mut slot = Slot::missing(1, sequence, Counts::default(), Counts::default());
        slot.counts = counts;
        slot
    }

    #[test]
    fn the_cursor_waits_for_the_first_open_slot() {
        let mut window = Window::default();
        for sequence in [3, 5, 9] {
            window.push(slot(sequence));
        }
        assert_eq!(window.settle(5, Outcome::Delivered).unwrap().delivered, 10);
        assert!(window.settle(5, Outcome::Delivered).is_none(), "only once");
        assert!(
            window.settle(4, Outcome::Delivered).is_none(),
            "not in this queue"
        );
        assert!(window.pass().is_none());
        assert_eq!((window.first(), window.above().items), (Some(3), 10));

        assert_eq!(
            window
                .settle(3, Outcome::Dropped { reason: "r" })
                .unwrap()
                .dropped,
            [("r".into(), 10)]
        );
        assert_eq!(window.pass().map(|(slot, _)| slot.sequence), Some(3));
        assert_eq!(window.pass().map(|(slot, _)| slot.sequence), Some(5));
        assert!(window.pass().is_none());
        assert_eq!(
            (window.first(), window.above()),
            (Some(9), Counts::default())
        );
    }

    #[test]
    fn what_was_handed_out_is_known() {
        let mut window = Window::default();
        window.push(slot(3));
        window.push(slot(7));
        window.settle(7, Outcome::Delivered);
        for (sequence, expected) in [
            (2, Known::Done),
            (3, Known::Open),
            (5, Known::Done),
            (7, Known::Done),
            (8, Known::New),
        ] {
            assert_eq!(window.known(sequence), expected, "{sequence}");
        }
    }
}
