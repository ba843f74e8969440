//! What the writer does when it may not write: a full disk, a budget, a failed store.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::counts::Counts;
use crate::error::CommitError;
use crate::fetch;
use crate::group::{Group, Refusal, Submission};
use crate::ledger::Outcome;
use crate::options::Policy;
use crate::record::{Stored, to_millis};
use crate::recovery;
use crate::state::QueueState;
use crate::store::{Store, StoreError};
use crate::writer::Writer;

/// How long a failed store rests before it is opened again.
const REST: Duration = Duration::from_millis(250);

/// Free space without which opening the store again is not tried.
const REOPEN_BYTES: u64 = 4 << 20;

/// The least that is dropped at once, so that an overfull queue is not read back for every commit.
const DROP_BYTES: u64 = 1 << 20;

/// The reason under which the oldest records are dropped to make room.
const BUDGET: &str = "budget";

/// The reason under which records are dropped that are older than their queue allows.
const AGE: &str = "age";

/// A store that failed and is to be opened again.
pub(crate) struct Revival {
    reason: String,
    next: Instant,
    /// The failed store, until its last reader has let go of it.
    old: Option<Arc<Store>>,
}

impl Revival {
    /// When to try next.
    pub(crate) fn due(&self) -> Instant {
        self.next
    }
}

impl Writer {
    /// Whether the store can be written to.
    pub(crate) fn alive(&mut self) -> Result<(), CommitError> {
        if self
            .revival
            .as_ref()
            .is_some_and(|revival| revival.next <= Instant::now())
        {
            self.revive();
        }
        if let Some(revival) = &self.revival {
            return Err(CommitError::Unavailable(revival.reason.clone()));
        }
        Ok(())
    }

    /// Whether new data can be written.
    pub(crate) fn ready(&mut self) -> Result<(), CommitError> {
        self.alive()?;
        if self.space.is_full() {
            self.shared
                .meters
                .set_health(Some(CommitError::DiskFull.to_string()));
            return Err(CommitError::DiskFull);
        }
        self.shared.meters.set_health(None);
        Ok(())
    }

    /// Takes note of a failed write. The store stays open to readers until it is opened anew.
    pub(crate) fn broken(&mut self, error: &StoreError) -> CommitError {
        let reason = error.message.clone();
        self.shared.meters.set_health(Some(reason.clone()));
        // What the group took is not given out again: the disk may or may not have it.
        let mut book = self.shared.book();
        book.dirty = book.queues.keys().copied().collect();
        drop(book);
        self.revival = Some(Revival {
            reason: reason.clone(),
            next: Instant::now() + REST,
            old: None,
        });
        CommitError::Unavailable(reason)
    }

    /// Tries to open a failed store again.
    pub(crate) fn revive(&mut self) {
        let Some(mut revival) = self.revival.take() else {
            return;
        };
        revival.next = Instant::now() + REST;
        if self.space.is_full() || self.space.free() < REOPEN_BYTES {
            // Opening needs room too. Until there is some the old store can at least be read.
            revival.reason = CommitError::DiskFull.to_string();
            self.revival = Some(revival);
            return;
        }
        if let Some(old) = self.shared.swap_store(None) {
            revival.old = Some(old);
        }
        match revival.old.take().map(Arc::try_unwrap) {
            Some(Err(held)) => {
                // A reader is in the middle of a chunk.
                revival.old = Some(held);
                revival.next = Instant::now() + Duration::from_millis(10);
                self.revival = Some(revival);
                return;
            }
            Some(Ok(store)) => drop(store),
            None => {}
        }
        match self.reopen() {
            Ok(()) => {
                self.shared.meters.set_health(None);
                crate::meters::Meters::add(&self.shared.meters.reopened, 1);
            }
            Err(reason) => {
                tracing::warn!(%reason, "cannot open the log again yet");
                revival.reason = reason;
                self.revival = Some(revival);
            }
        }
    }

    fn reopen(&mut self) -> Result<(), String> {
        let path = recovery::store_path(&self.shared.options.path);
        let store = Store::open(&path, &self.shared.options).map_err(|error| error.message)?;
        let loaded =
            recovery::load(&store, self.mark.marked().sequence).map_err(|error| error.message)?;
        let mut book = self.shared.book();
        book.reconcile(loaded);
        let wake: Vec<_> = book
            .queues
            .values()
            .map(|queue| queue.wake.clone())
            .collect();
        drop(book);
        self.shared.swap_store(Some(store));
        for reader in wake {
            reader.notify_one();
        }
        Ok(())
    }

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
