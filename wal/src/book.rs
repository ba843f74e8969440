//! What the log knows in memory: every queue, every stream, and how far each has come.
//!
//! ```text
//!   stream 1 {a}     #1 ------ #4 -- #5 ---------- #9 --> head
//!   stream 2 {a, b}     #2 #3 ---------- #6 #7 #8 ------> head
//!   queue a reads 1 2 3 4 5 6 7 8 9; queue b reads 2 3 6 7 8
//! ```
//!
//! A stream is a set of queues that some record was appended to. A record is stored once, in the
//! stream of its set, and a queue reads its streams merged by sequence. So there are no references
//! to write for each destination, and a dead destination holds only data that is really its own.
//!
//! Nothing in here touches the disk or waits: the writer thread, the readers and the settling
//! callers share it behind one lock, for microseconds each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::counts::Counts;
use crate::ledger::Outcome;
use crate::notes::{Clock, Head, Key, encode_members};
use crate::options::QueueLimits;
use crate::record::{Record, Stored};
use crate::recovery::Loaded;
use crate::state::QueueState;
use crate::window::Known;

/// A stream: its queues, its end, and how much of its beginning is deleted.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    pub(crate) members: Vec<u32>,
    pub(crate) head: Head,
    /// Sequences below are deleted.
    pub(crate) trimmed: u64,
    /// What was trimmed when its files were last given back.
    pub(crate) given_back: u64,
    /// Whether its definition is on disk.
    pub(crate) defined: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) clock: Clock,
    pub(crate) queues: BTreeMap<u32, QueueState>,
    pub(crate) streams: BTreeMap<u32, Stream>,
    names: HashMap<Arc<str>, u32>,
    sets: HashMap<Vec<u32>, u32>,
    /// The first sequence that no reader may see yet; below, everything is durable.
    pub(crate) visible: u64,
    /// Queues whose progress is newer than what is on disk.
    pub(crate) dirty: BTreeSet<u32>,
    /// Memory in all tails.
    pub(crate) tails_bytes: usize,
    /// Bytes that cursors have passed since the log was opened; tells when a trim is worth it.
    pub(crate) passed_bytes: u64,
    /// Trims written since the log was opened; tells when there may be files to give back.
    pub(crate) trims_done: u64,
    /// Streams without queues, whose files are to be given back.
    pub(crate) discarded: Vec<u32>,
}

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
    /// Adds a queue that was read from disk or is new.
    pub(crate) fn add_queue(&mut self, id: u32, state: QueueState) {
        self.names.insert(state.name.clone(), id);
        self.queues.insert(id, state);
    }

    pub(crate) fn queue_id(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// A new queue, which starts at the present end of the log.
    pub(crate) fn create_queue(&mut self, name: &str, limits: QueueLimits) -> u32 {
        let id = self.clock.queue;
        self.clock.queue += 1;
        let mut state = QueueState::new(name, self.visible);
        state.limits = limits;
        self.add_queue(id, state);
        id
    }

    /// Adds a stream that was read from disk or is new.
    pub(crate) fn add_stream(&mut self, id: u32, stream: Stream) {
        for member in &stream.members {
            if let Some(queue) = self.queues.get_mut(member) {
                queue.join(id);
            }
        }
        self.sets.entry(stream.members.clone()).or_insert(id);
        self.streams.insert(id, stream);
    }

    /// The stream of a set of queues, made when it is not there.
    pub(crate) fn stream_of(&mut self, members: &[u32]) -> u32 {
        if let Some(id) = self.sets.get(members) {
            return *id;
        }
        let id = self.clock.stream;
        self.clock.stream += 1;
        self.add_stream(
            id,
            Stream {
                members: members.to_vec(),
                ..Stream::default()
            },
        );
        id
    }

    /// Takes a queue out. Streams that were only its own go with it; their ids are returned.
    pub(crate) fn remove_queue(&mut self, id: u32) -> Option<(QueueState, Vec<u32>)> {
        let mut state = self.queues.remove(&id)?;
        self.names.remove(&state.name);
        self.dirty.remove(&id);
        self.tails_bytes -= state.tail.turn_off();
        let mut orphans = Vec::new();
        for stream in state.below.keys() {
            let Some(entry) = self.streams.get_mut(stream) else {
                continue;
            };
            let old = entry.members.clone();
            entry.members.retain(|member| *member != id);
            let members = entry.members.clone();
            if self.sets.get(&old) == Some(stream) {
                self.sets.remove(&old);
            }
            if members.is_empty() {
                self.streams.remove(stream);
                self.discarded.push(*stream);
                orphans.push(*stream);
            } else {
                self.sets.entry(members).or_insert(*stream);
            }
        }
        Some((state, orphans))
    }

    /// What a queue still owes.
    pub(crate) fn owed(&self, queue: &QueueState) -> Counts {
        let mut owed = Counts::default();
        for (id, place) in &queue.below {
            if let Some(stream) = self.streams.get(id) {
                owed += stream.head.total - place.below;
            }
        }
        owed - queue.window.above()
    }

    /// When the oldest record a queue owes was accepted, or a little earlier.
    pub(crate) fn oldest_ms(&self, queue: &QueueState) -> Option<u64> {
        if self.owed(queue).records == 0 {
            return None;
        }
        queue.window.oldest_ms().or(queue.unread_ms)
    }

    /// Bytes that some queue still owes, each counted once.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.streams
            .iter()
            .fold(0, |sum, (id, stream)| sum + self.stream_bytes(*id, stream))
    }

    fn stream_bytes(&self, id: u32, stream: &Stream) -> u64 {
        let members = stream
            .members
            .iter()
            .filter_map(|member| self.queues.get(member));
        let slowest = members
            .filter_map(|queue| queue.below.get(&id))
            .map(|place| place.below.bytes);
        stream
            .head
            .total
            .bytes
            .saturating_sub(slowest.min().unwrap_or(0))
    }

    /// The queue that holds the most space back: the slowest one of the largest stream.
    pub(crate) fn slowest_queue(&self) -> Option<u32> {
        let largest = self
            .streams
            .iter()
            .max_by_key(|(id, stream)| self.stream_bytes(**id, stream))?;
        let members = largest
            .1
            .members
            .iter()
            .filter_map(|id| Some((*id, self.queues.get(id)?)));
        members
            .min_by_key(|(_, queue)| queue.next)
            .map(|(id, _)| id)
    }

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

    /// The notes that make the present state of these queues durable, with what a group adds.
    pub(crate) fn progress_notes(
        &self,
        ids: &BTreeSet<u32>,
        added: &BTreeMap<u32, Counts>,
        notes: &mut Vec<(Key, Vec<u8>)>,
    ) {
        for id in ids {
            let Some(queue) = self.queues.get(id) else {
                continue;
            };
            let mut progress = queue.progress();
            progress.ledger.accepted += added.get(id).map_or(0, |counts| counts.items);
            notes.push((Key::Progress(*id), progress.encode()));
        }
    }

    /// The notes that define a stream and tell its end.
    pub(crate) fn stream_notes(&self, id: u32, head: Head, notes: &mut Vec<(Key, Vec<u8>)>) {
        if let Some(stream) = self.streams.get(&id).filter(|stream| !stream.defined) {
            notes.push((Key::Stream(id), encode_members(&stream.members)));
        }
        notes.push((Key::Head(id), head.encode()));
    }

    /// What every queue of a stream is done with: the stream, and the sequences `from..to`.
    pub(crate) fn trims(&self) -> Vec<(u32, u64, u64)> {
        let mut trims = Vec::new();
        for (id, stream) in &self.streams {
            let members = stream
                .members
                .iter()
                .filter_map(|member| self.queues.get(member));
            let slowest = members.map(QueueState::cursor).min().unwrap_or(0);
            let to = slowest.min(stream.head.sequence + 1);
            if to > stream.trimmed && stream.head.sequence >= stream.trimmed {
                trims.push((*id, stream.trimmed, to));
            }
        }
        trims
    }

    /// The book of a log that was read from the disk.
    pub(crate) fn load(loaded: Loaded) -> Self {
        let mut book = Self {
            clock: loaded.clock,
            visible: loaded.clock.sequence,
            discarded: loaded.discarded,
            ..Self::default()
        };
        for (id, (name, _)) in &loaded.queues {
            book.add_queue(*id, QueueState::new(name, book.visible));
        }
        for (id, stream) in loaded.streams {
            book.add_stream(id, stream);
        }
        for (id, (_, progress)) in loaded.queues {
            if let Some(queue) = book.queues.get_mut(&id) {
                queue.restore(progress);
            }
        }
        book
    }

    /// Takes over what the disk has after a failed write. What was settled since is known better
    /// here; what was committed, and which queues and streams there are, is known better there.
    pub(crate) fn reconcile(&mut self, loaded: Loaded) {
        let mut returned = Vec::new();
        for (id, (name, progress)) in loaded.queues {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.kept.accepted = progress.ledger.accepted;
                self.tails_bytes -= queue.tail.turn_off();
            } else {
                self.add_queue(id, QueueState::new(&name, self.visible));
                returned.push((id, progress));
            }
        }
        let old = std::mem::take(&mut self.streams);
        self.sets.clear();
        for (id, mut stream) in loaded.streams {
            if let Some(known) = old.get(&id) {
                (stream.trimmed, stream.given_back) = (known.trimmed, known.given_back);
            }
            self.add_stream(id, stream);
        }
        for (id, progress) in returned {
            if let Some(queue) = self.queues.get_mut(&id) {
                queue.restore(progress);
            }
        }
        for queue in self.queues.values_mut() {
            queue
                .below
                .retain(|stream, _| self.streams.contains_key(stream));
        }
        self.discarded.extend(loaded.discarded);
        self.clock = self.clock.max(loaded.clock);
        self.visible = self.clock.sequence;
        self.dirty = self.queues.keys().copied().collect();
    }
}
