//! One queue as the log knows it in memory: its place, its account, its window and its tail.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::counts::Counts;
use crate::ledger::{Ledger, Outcome};
use crate::notes::Progress;
use crate::options::QueueLimits;
use crate::record::Stored;
use crate::tail::Tail;
use crate::window::{DAMAGED, Known, Slot, Window};

/// How much of a stream a queue has behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamPlace {
    /// Below the cursor.
    pub(crate) below: Counts,
    /// Handed out.
    pub(crate) read: Counts,
}

#[derive(Debug)]
pub(crate) struct QueueState {
    pub(crate) name: Arc<str>,
    pub(crate) limits: QueueLimits,
    /// Whether somebody asked for it since the log was opened.
    pub(crate) opened: bool,
    /// Whether its reader is out.
    pub(crate) reader: bool,
    /// Rung when there is something new to read.
    pub(crate) wake: Arc<Notify>,
    /// Its streams.
    pub(crate) below: BTreeMap<u32, StreamPlace>,
    /// Everything of its own below was handed out.
    pub(crate) next: u64,
    /// Everything below was handed out before the last restart.
    pub(crate) handed_before: u64,
    /// No record from `next` on was accepted before.
    pub(crate) unread_ms: Option<u64>,
    /// Items handed out again since the log was opened.
    pub(crate) replayed: u64,
    pub(crate) window: Window,
    pub(crate) tail: Tail,
    /// Below the cursor, as it is persisted.
    pub(crate) kept: Ledger,
    /// The same, and what is settled above the cursor.
    pub(crate) live: Ledger,
}

impl QueueState {
    /// A queue that begins at `sequence`, with its tail on.
    pub(crate) fn new(name: &str, sequence: u64) -> Self {
        let mut tail = Tail::default();
        tail.turn_on(sequence);
        Self {
            name: name.into(),
            limits: QueueLimits::default(),
            opened: false,
            reader: false,
            wake: Arc::default(),
            below: BTreeMap::new(),
            next: sequence,
            handed_before: 0,
            unread_ms: None,
            replayed: 0,
            window: Window::default(),
            tail,
            kept: Ledger::default(),
            live: Ledger::default(),
        }
    }

    /// Takes up where the queue was left; its tail is off until a reader has caught up.
    pub(crate) fn restore(&mut self, progress: Progress) {
        self.next = progress.cursor;
        self.handed_before = progress.handed;
        self.live = progress.ledger.clone();
        self.kept = progress.ledger;
        for (stream, below) in progress.below {
            if let Some(place) = self.below.get_mut(&stream) {
                *place = StreamPlace { below, read: below };
            }
        }
        self.tail.turn_off();
    }

    pub(crate) fn join(&mut self, stream: u32) {
        self.below.entry(stream).or_default();
    }

    /// Everything below is settled.
    pub(crate) fn cursor(&self) -> u64 {
        self.window.first().unwrap_or(self.next)
    }

    /// Whether a reader is still to have the record with this sequence.
    pub(crate) fn is_wanted(&self, sequence: u64) -> bool {
        sequence >= self.next && self.window.known(sequence) != Known::Done
    }

    /// Whether the next record is, or will be, in the tail.
    pub(crate) fn is_caught_up(&self) -> bool {
        self.tail.from().is_some_and(|from| self.next >= from)
    }

    /// Goes back to the cursor, for a new reader: what is open is handed out once more.
    pub(crate) fn rewind(&mut self) -> usize {
        self.unread_ms = self.window.oldest_ms().or(self.unread_ms);
        self.next = self.cursor();
        for place in self.below.values_mut() {
            place.read = place.below;
        }
        self.tail.turn_off()
    }

    /// Moves behind a record; returns what is missing of its stream before it.
    pub(crate) fn read(&mut self, stored: &Stored, known: Known) -> Counts {
        let place = self.below.entry(stored.place.stream).or_default();
        let slot = Slot::new(stored, place.read);
        place.read = stored.total;
        self.next = stored.place.sequence + 1;
        self.unread_ms = Some(stored.accepted_ms);
        if known != Known::New {
            return Counts::default();
        }
        let lost = slot.lost;
        self.window.push(slot);
        lost
    }

    /// Gives up the end of a stream that cannot be read; false when nothing is missing there.
    pub(crate) fn lose(&mut self, stream: u32, sequence: u64, total: Counts) -> bool {
        let place = self.below.entry(stream).or_default();
        if place.read == total {
            return false;
        }
        let slot = Slot::missing(stream, sequence, place.read, total);
        place.read = total;
        if self.window.known(sequence) != Known::New {
            return false;
        }
        tracing::error!(
            queue = &*self.name,
            records = slot.lost.records,
            items = slot.lost.items,
            "the last records of a stream were written and cannot be read; they are counted as \
             dropped"
        );
        self.live.drop_items(DAMAGED, slot.lost.items);
        self.window.push(slot);
        self.window.settle(sequence, Outcome::Delivered);
        true
    }

    /// Settles a record; gives the bytes the cursor passed, `None` when it was settled before.
    pub(crate) fn settle(&mut self, sequence: u64, outcome: Outcome<'_>) -> Option<u64> {
        let settled = self.window.settle(sequence, outcome)?;
        self.live.count(&settled);
        Some(self.pass())
    }

    /// Moves the cursor behind what is settled; gives the bytes it passed.
    pub(crate) fn pass(&mut self) -> u64 {
        let mut bytes = 0;
        while let Some((slot, settled)) = self.window.pass() {
            self.kept.count(&settled);
            self.below.entry(slot.stream).or_default().below = slot.total;
            bytes += slot.counts.bytes;
        }
        bytes
    }

    pub(crate) fn progress(&self) -> Progress {
        let handed = self.window.last().map_or(0, |last| last + 1).max(self.next);
        Progress {
            cursor: self.cursor(),
            handed: handed.max(self.handed_before),
            ledger: self.kept.clone(),
            below: self
                .below
                .iter()
                .map(|(id, place)| (*id, place.below))
                .collect(),
        }
    }
}
