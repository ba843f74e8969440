//! Making room: what the writer drops, where the operator says so, to admit a commit or because it
//! has grown too old.
//!
//! Only records that nobody was handed are dropped. One that a sender holds may be delivered this
//! very moment, and would be counted twice.

use crate::counts::Counts;
use crate::error::CommitError;
use crate::fetch;
use crate::group::{Group, Refusal, Submission};
use crate::ledger::Outcome;
use crate::options::Policy;
use crate::record::{Stored, to_millis};
use crate::state::QueueState;
use crate::writer::Writer;

/// The least that is dropped at once, so that an overfull queue is not read back for every commit.
const DROP_BYTES: u64 = 1 << 20;

/// The reason under which the oldest records are dropped to make room.
const BUDGET: &str = "budget";

/// The reason under which records are dropped that are older than their queue allows.
const AGE: &str = "age";

impl Writer {
    /// Admits a commit, after dropping what has to go to make room for it.
    pub(crate) fn admit(
        &mut self,
        group: &mut Group,
        submission: &Submission,
    ) -> Result<(), CommitError> {
        let now_ms = to_millis(std::time::SystemTime::now());
        loop {
            let book = self.shared.book();
            let refusal = match book.admit(group, submission, &self.shared.options, now_ms) {
                Ok(()) => return Ok(()),
                Err(refusal) => refusal,
            };
            let (id, over, policy, error) = match refusal {
                Refusal::Final(error) => return Err(error),
                Refusal::Removed { id } => return Err(submission.removed(id)),
                Refusal::Queue { id, over } => {
                    let Some(queue) = book.queues.get(&id) else {
                        continue;
                    };
                    let error = CommitError::QueueFull {
                        queue: queue.name.to_string(),
                    };
                    (id, over, queue.limits.policy, error)
                }
                Refusal::Log { over } => {
                    let over = Counts {
                        bytes: over,
                        ..Counts::default()
                    };
                    let Some(id) = book.slowest_queue() else {
                        return Err(CommitError::LogFull);
                    };
                    (id, over, self.shared.options.policy, CommitError::LogFull)
                }
            };
            drop(book);
            if policy == Policy::Refuse || !self.drop_oldest(id, over) {
                return Err(error);
            }
            group.measure(&self.shared.book(), &self.shared.options);
        }
    }

    /// Drops what a queue has that is older than that and was not handed out.
    pub(crate) fn expire(&self, id: u32, before_ms: u64) {
        self.drop_while(id, AGE, |stored| stored.accepted_ms < before_ms);
        self.shared.nudge();
    }

    /// Drops the oldest records of a queue that were not handed out, at least `over` of them; false
    /// when there was none.
    fn drop_oldest(&self, id: u32, over: Counts) -> bool {
        let over = Counts {
            bytes: over.bytes.max(DROP_BYTES),
            ..over
        };
        let mut dropped = Counts::default();
        self.drop_while(id, BUDGET, |stored| {
            let more = dropped.bytes < over.bytes
                || dropped.records < over.records
                || dropped.items < over.items;
            if more {
                dropped += stored.counts;
            }
            more
        });
        dropped.records > 0
    }

    /// Drops the records of a queue that were not handed out, oldest first, as long as `more` says.
    fn drop_while(&self, id: u32, reason: &str, mut more: impl FnMut(&Stored) -> bool) {
        let outcome = Outcome::Dropped { reason };
        loop {
            let mut book = self.shared.book();
            if book.queues.get(&id).is_none_or(QueueState::is_caught_up) {
                while let Some(front) = book.tail_front(id) {
                    if !more(front) {
                        break;
                    }
                    if let Some(out) = book.pop_tail(id) {
                        book.settle(id, out.sequence, outcome);
                    }
                }
                return;
            }
            let Some(reading) = book.reading(id, 0, 0) else {
                return;
            };
            drop(book);
            let Ok(chunk) = fetch::read(&self.shared, &reading) else {
                return;
            };
            let mut book = self.shared.book();
            for stored in &chunk.records {
                let wanted = book
                    .queues
                    .get(&id)
                    .is_some_and(|queue| queue.is_wanted(stored.place.sequence));
                if !wanted {
                    continue;
                }
                if !more(stored) {
                    return;
                }
                if let Some(out) = book.hand_out(id, stored) {
                    book.settle(id, out.sequence, outcome);
                }
            }
            book.scanned(id, chunk.end);
        }
    }
}
