//! The book's side of handing records out: from the tail, from what was read off the disk, and what
//! becomes of those that cannot be read.
//!
//! A queue's `next` is the only place that decides. Whatever hands out a record moves it, so a chunk
//! read from the disk, a tail and the dropping of old records can overlap without a repeat.

use crate::book::Book;
use crate::counts::Counts;
use crate::ledger::Outcome;
use crate::record::{Record, Stored};
use crate::window::Known;

/// A record on its way out of the log.
#[derive(Debug)]
pub(crate) struct HandedOut {
    pub(crate) sequence: u64,
    pub(crate) record: Record,
    pub(crate) replayed: bool,
}

/// A stretch of the log to be read from the disk: `from <= sequence < to`.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) streams: Vec<u32>,
    pub(crate) from: u64,
    pub(crate) to: u64,
}

impl Book {
    /// Hands a record out to a queue's reader; `None` when the reader is not to have it.
    pub(crate) fn hand_out(&mut self, id: u32, stored: &Stored) -> Option<HandedOut> {
        let queue = self.queues.get_mut(&id)?;
        let sequence = stored.place.sequence;
        if sequence < queue.next {
            return None;
        }
        let known = queue.window.known(sequence);
        let lost = queue.read(stored, known);
        let replayed = known == Known::New && sequence < queue.handed_before;
        if replayed {
            queue.replayed += stored.counts.items;
        }
        if lost.records > 0 {
            tracing::error!(
                queue = &*queue.name,
                after = stored.previous,
                before = sequence,
                records = lost.records,
                items = lost.items,
                "records were written and cannot be read; they are counted as dropped"
            );
        }
        (known != Known::Done).then(|| HandedOut {
            sequence,
            record: stored.record(),
            replayed,
        })
    }

    /// Hands out the first record of a queue's tail; what lies before the tail comes first.
    pub(crate) fn pop_tail(&mut self, id: u32) -> Option<HandedOut> {
        loop {
            let queue = self.queues.get_mut(&id)?;
            if !queue.is_caught_up() {
                return None;
            }
            let (stored, bytes) = queue.tail.pop()?;
            self.tails_bytes -= bytes;
            if let Some(out) = self.hand_out(id, &stored) {
                return Some(out);
            }
        }
    }

    /// The first record of a queue's tail, if that is the queue's next.
    pub(crate) fn tail_front(&self, id: u32) -> Option<&Stored> {
        let queue = self.queues.get(&id)?;
        queue.is_caught_up().then(|| queue.tail.front()).flatten()
    }

    /// What to read from the disk for a queue, going on after what is being read until `after`;
    /// `None` when its next record is, or will be, in its tail. Near the end the tail is turned on,
    /// so that what is committed from now on need not be read back.
    pub(crate) fn reading(&mut self, id: u32, after: u64, tail_bytes: usize) -> Option<Reading> {
        let visible = self.visible;
        let queue = self.queues.get_mut(&id)?;
        let from = after.max(queue.next);
        if queue.tail.from().is_none() {
            let streams = queue.below.iter();
            let unread = streams.fold(0, |sum: u64, (id, place)| {
                let total = self
                    .streams
                    .get(id)
                    .map_or(0, |stream| stream.head.total.bytes);
                sum + total.saturating_sub(place.read.bytes)
            });
            if unread <= tail_bytes as u64 / 2 {
                queue.tail.turn_on(visible);
            }
        }
        let to = queue.tail.from().unwrap_or(visible);
        let streams = queue.below.keys().copied().collect();
        (from < to).then_some(Reading { streams, from, to })
    }

    /// The disk was read up to `end`: a stream which should have had more until there has lost it.
    pub(crate) fn scanned(&mut self, id: u32, end: u64) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return;
        };
        if end <= queue.next {
            return;
        }
        let mut ends: Vec<(u64, u32, Counts)> = Vec::new();
        for stream in queue.below.keys() {
            let Some(head) = self.streams.get(stream).map(|stream| stream.head) else {
                continue;
            };
            if (queue.next..end).contains(&head.sequence) {
                ends.push((head.sequence, *stream, head.total));
            }
        }
        ends.sort_unstable_by_key(|(sequence, ..)| *sequence);
        for (sequence, stream, total) in ends {
            if queue.lose(stream, sequence, total) {
                self.dirty.insert(id);
            }
        }
        queue.next = end;
        self.passed_bytes += queue.pass();
    }

    /// Settles a record that was handed out; false when it was settled before.
    pub(crate) fn settle(&mut self, id: u32, sequence: u64, outcome: Outcome<'_>) -> bool {
        let Some(queue) = self.queues.get_mut(&id) else {
            return false;
        };
        let Some(passed) = queue.settle(sequence, outcome) else {
            return false;
        };
        self.passed_bytes += passed;
        self.dirty.insert(id);
        true
    }
}
