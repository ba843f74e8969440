//! What the writer does when it cannot write: on a full disk it refuses until there is room, and a
//! store that failed it opens again.
//!
//! A failed write or sync is not tried again, since the kernel may have thrown the pages away and
//! will report success the second time. What the disk really has is read back from it.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::CommitError;
use crate::load;
use crate::recovery;
use crate::store::{Care, Store, StoreError};
use crate::writer::Writer;

/// How long a failed store rests before it is opened again.
const REST: Duration = Duration::from_millis(250);

/// Free space without which opening the store again is not tried.
const REOPEN_BYTES: u64 = 4 << 20;

/// A store that failed and is to be opened again.
pub(crate) struct Revival {
    reason: String,
    /// How to open the store: what failed because of damage would fail again.
    care: Care,
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
            // Whatever can be given back is wanted now.
            self.trimmer.hurry();
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
        book.tallies.forget_written();
        drop(book);
        self.revival = Some(Revival {
            care: if error.damage {
                Care::Tolerant
            } else {
                Care::Strict
            },
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
        match self.reopen(revival.care) {
            Ok(()) => {
                self.shared.meters.set_health(None);
                crate::meters::Meters::add(&self.shared.meters.reopened, 1);
            }
            Err(error) => {
                tracing::warn!(reason = error.message, "cannot open the log again yet");
                if error.damage {
                    revival.care = Care::Tolerant;
                }
                revival.reason = error.message;
                self.revival = Some(revival);
            }
        }
    }

    fn reopen(&mut self, care: Care) -> Result<(), StoreError> {
        let path = recovery::store_path(&self.shared.options.path);
        let store = Store::open(&path, &self.shared.options, care)?;
        let loaded = load::load(&store, self.mark.marked().sequence)?;
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
}
