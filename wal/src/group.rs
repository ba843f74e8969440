//! A group: the commits that are written and synced together.
//!
//! A commit is admitted or refused as a whole, against what the queues owe and what the group has
//! taken in so far. The book changes only when the disk has the group; until then everything is
//! kept in here, so that a failed write leaves nothing to undo.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, oneshot};

use crate::book::Book;
use crate::counts::Counts;
use crate::error::CommitError;
use crate::notes::Head;
use crate::options::{Options, Policy, QueueLimits};
use crate::queue::QueueSet;
use crate::record::{Draft, Place, Stored};
use crate::tally::Tally;

/// What one caller wants to have committed.
pub(crate) struct Submission {
    /// Queues, and what they get.
    pub(crate) appends: Vec<(QueueSet, Draft)>,
    /// What is counted with it.
    pub(crate) tallies: Vec<(Tally, u64)>,
    pub(crate) waiting: Waiting,
    pub(crate) reply: oneshot::Sender<Result<(), CommitError>>,
}

/// A share of the memory that commits may take up while they wait; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    all: Arc<AtomicUsize>,
    bytes: usize,
}

impl Waiting {
    /// Takes a share, unless more than `limit` would be taken in all. A commit alone always fits.
    pub(crate) fn take(all: &Arc<AtomicUsize>, bytes: usize, limit: usize) -> Option<Self> {
        let before = all.fetch_add(bytes, Ordering::AcqRel);
        let share = Self {
            all: all.clone(),
            bytes,
        };
        (before == 0 || before.saturating_add(bytes) <= limit).then_some(share)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.all.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

impl Submission {
    /// The refusal of a commit to a queue that was removed.
    pub(crate) fn removed(&self, id: u32) -> CommitError {
        let mut queues = self
            .appends
            .iter()
            .flat_map(|(queues, _)| queues.queues.iter());
        let queue = queues.find(|queue| queue.id == id);
        let queue = queue.map_or_else(String::new, |queue| queue.name.to_string());
        CommitError::QueueRemoved { queue }
    }
}

#[derive(Default)]
pub(crate) struct Group {
    pub(crate) records: Vec<Stored>,
    pub(crate) heads: BTreeMap<u32, Head>,
    pub(crate) added: BTreeMap<u32, Counts>,
    /// What was counted with it, to be taken back if it is not written.
    pub(crate) tallies: Vec<(Tally, u64)>,
    pub(crate) commits: u64,
    /// Shares of the memory for waiting commits, kept until the group is written.
    waiting: Vec<Waiting>,
    pub(crate) replies: Vec<oneshot::Sender<Result<(), CommitError>>>,
    pub(crate) bytes: u64,
    /// Bytes owed in the whole log, this group included.
    live_bytes: u64,
}

/// Why a commit does not fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing can be done about it here.
    Final(CommitError),
    /// There is no such queue any more.
    Removed { id: u32 },
    /// A queue is over its budget by so much.
    Queue { id: u32, over: Counts },
    /// The log is over its budget by so many bytes.
    Log { over: u64 },
}

impl Group {
    pub(crate) fn new(book: &Book, options: &Options) -> Self {
        let mut group = Self::default();
        group.measure(book, options);
        group
    }

    /// Looks at what the log owes, if it has a budget for that.
    pub(crate) fn measure(&mut self, book: &Book, options: &Options) {
        if options.budget_bytes.is_some() {
            self.live_bytes = book.live_bytes() + self.bytes;
        }
    }

    /// The records to write in a batch, and by stream those that are so many that they are written
    /// as a file.
    pub(crate) fn split(&self, bulk_bytes: u64) -> (Vec<Stored>, BTreeMap<u32, Vec<Stored>>) {
        let mut bytes: BTreeMap<u32, u64> = BTreeMap::new();
        for stored in &self.records {
            *bytes.entry(stored.place.stream).or_default() += stored.counts.bytes;
        }
        let (mut small, mut large) = (Vec::new(), BTreeMap::<u32, Vec<Stored>>::new());
        for stored in &self.records {
            let stream = stored.place.stream;
            if bytes.get(&stream).is_some_and(|bytes| *bytes >= bulk_bytes) {
                large.entry(stream).or_default().push(stored.clone());
            } else {
                small.push(stored.clone());
            }
        }
        (small, large)
    }
}

impl Book {
    /// Whether a commit fits beside what is in the group.
    pub(crate) fn admit(
        &self,
        group: &Group,
        submission: &Submission,
        options: &Options,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let mut wanted: BTreeMap<u32, Counts> = BTreeMap::new();
        let mut bytes = 0;
        for (queues, draft) in &submission.appends {
            bytes += draft.counts().bytes;
            for id in queues.ids.iter() {
                *wanted.entry(*id).or_default() += draft.counts();
            }
        }
        for (id, wanted) in wanted {
            self.admit_queue(id, wanted, group, now_ms)?;
        }
        let Some(budget) = options.budget_bytes else {
            return Ok(());
        };
        if bytes > budget {
            return Err(Refusal::Final(CommitError::TooLarge { limit: budget }));
        }
        match (group.live_bytes + bytes).saturating_sub(budget) {
            0 => Ok(()),
            over => Err(Refusal::Log { over }),
        }
    }

    fn admit_queue(
        &self,
        id: u32,
        wanted: Counts,
        group: &Group,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let Some(queue) = self.queues.get(&id) else {
            return Err(Refusal::Removed { id });
        };
        let limits = &queue.limits;
        if *limits == QueueLimits::default() {
            return Ok(());
        }
        let added = group.added.get(&id).copied().unwrap_or_default();
        let sum = self.owed(queue) + added + wanted;
        let mut over = Counts::default();
        for (limit, wanted, sum, over) in [
            (limits.bytes, wanted.bytes, sum.bytes, &mut over.bytes),
            (
                limits.records,
                wanted.records,
                sum.records,
                &mut over.records,
            ),
            (limits.items, wanted.items, sum.items, &mut over.items),
        ] {
            let Some(limit) = limit else { continue };
            if wanted > limit {
                return Err(Refusal::Final(CommitError::TooLarge { limit }));
            }
            *over = sum.saturating_sub(limit);
        }
        if over != Counts::default() {
            return Err(Refusal::Queue { id, over });
        }
        let too_old = limits.age.is_some_and(|age| {
            let oldest = self.oldest_ms(queue).unwrap_or(now_ms);
            limits.policy == Policy::Refuse
                && now_ms.saturating_sub(oldest) > age.as_millis() as u64
        });
        if too_old {
            let queue = queue.name.to_string();
            return Err(Refusal::Final(CommitError::QueueFull { queue }));
        }
        Ok(())
    }

    /// Gives every record of an admitted commit its place.
    pub(crate) fn enter(&mut self, group: &mut Group, submission: Submission) {
        for (queues, draft) in submission.appends {
            if queues.ids.is_empty() {
                continue;
            }
            let counts = draft.counts();
            let stream = self.stream_of(&queues.ids);
            let sequence = self.clock.sequence;
            self.clock.sequence += 1;
            let head = group.heads.entry(stream).or_insert_with(|| {
                self.streams
                    .get(&stream)
                    .map_or_else(Head::default, |s| s.head)
            });
            let stored = draft.seal(Place::new(stream, sequence), head.sequence, head.total);
            *head = Head {
                sequence,
                total: stored.total,
            };
            group.records.push(stored);
            for id in queues.ids.iter() {
                *group.added.entry(*id).or_default() += counts;
            }
            group.bytes += counts.bytes;
            group.live_bytes += counts.bytes;
        }
        for (tally, count) in &submission.tallies {
            tally.cell.add(*count);
        }
        group.tallies.extend(submission.tallies);
        group.commits += 1;
        group.waiting.push(submission.waiting);
        group.replies.push(submission.reply);
    }

    /// Shows a group that is on disk to its readers; returns whom to wake.
    pub(crate) fn publish(&mut self, group: &Group, options: &Options) -> Vec<Arc<Notify>> {
        for (id, added) in &group.added {
            let Some(queue) = self.queues.get(id) else {
                continue;
            };
            let idle = self.owed(queue).records == 0;
            let Some(queue) = self.queues.get_mut(id) else {
                continue;
            };
            queue.kept.accepted += added.items;
            if idle {
                queue.unread_ms = group.records.first().map(|stored| stored.accepted_ms);
            }
        }
        for (id, head) in &group.heads {
            if let Some(stream) = self.streams.get_mut(id) {
                stream.head = *head;
                stream.defined = true;
            }
        }
        for stored in &group.records {
            self.hand_over(stored, options);
        }
        self.visible = self.clock.sequence;
        let queues = group.added.keys().filter_map(|id| self.queues.get(id));
        queues.map(|queue| queue.wake.clone()).collect()
    }

    /// Puts a record into the tails of its queues; a tail that grows too large is turned off.
    fn hand_over(&mut self, stored: &Stored, options: &Options) {
        let Some(stream) = self.streams.get(&stored.place.stream) else {
            return;
        };
        for id in &stream.members {
            let Some(queue) = self.queues.get_mut(id) else {
                continue;
            };
            if queue
                .tail
                .from()
                .is_none_or(|from| stored.place.sequence < from)
            {
                continue;
            }
            self.tails_bytes += queue.tail.push(stored.clone());
            if queue.tail.bytes() > options.tail_bytes || self.tails_bytes > options.tails_bytes {
                self.tails_bytes -= queue.tail.turn_off();
            }
        }
    }
}
