//! Handles to queues. They are cheap to clone and do not keep the log open.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::error::Error;
use crate::ledger::Outcome;
use crate::options::QueueLimits;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::stats::{self, QueueStats};

/// Where a record is in its queue; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub(crate) u64);

impl Position {
    /// The record's number, unique in the log and never used again: what a destination that
    /// recognises repeated requests can be told.
    pub fn sequence(self) -> u64 {
        self.0
    }
}

/// A named, ordered consumer of the log with a cursor of its own.
#[derive(Clone)]
pub struct Queue {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u32,
    pub(crate) name: Arc<str>,
    pub(crate) wake: Arc<Notify>,
}

impl Queue {
    /// The name it was opened under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the queue's only reader, which begins with the oldest record that is not settled.
    /// Records that an earlier reader handed out and nobody settled are handed out again.
    pub fn reader(&self) -> Result<Reader, Error> {
        let mut book = self.shared.book();
        let queue = book.queues.get_mut(&self.id).ok_or_else(|| self.gone())?;
        if std::mem::replace(&mut queue.reader, true) {
            return Err(Error::ReaderTaken {
                queue: self.name.to_string(),
            });
        }
        Ok(Reader::new(self.clone()))
    }

    /// Says what became of a record; in any order. False when that was said before, or the record
    /// was dropped to make room meanwhile: the first word counts.
    pub fn settle(&self, position: Position, outcome: Outcome<'_>) -> bool {
        let settled = self.shared.book().settle(self.id, position.0, outcome);
        if settled {
            self.shared.nudge();
        }
        settled
    }

    /// Changes the queue's budget. What it already holds is not touched by that.
    pub fn set_limits(&self, limits: QueueLimits) -> Result<(), Error> {
        let mut book = self.shared.book();
        book.queues
            .get_mut(&self.id)
            .ok_or_else(|| self.gone())?
            .limits = limits;
        Ok(())
    }

    /// The queue's account at this moment.
    pub fn stats(&self) -> Result<QueueStats, Error> {
        let book = self.shared.book();
        let queue = book.queues.get(&self.id).ok_or_else(|| self.gone())?;
        Ok(stats::of_queue(&book, queue))
    }

    fn gone(&self) -> Error {
        Error::NoQueue {
            queue: self.name.to_string(),
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.name).finish()
    }
}

/// The queues of an append, put in order once for any number of appends.
#[derive(Clone, Debug)]
pub struct QueueSet {
    pub(crate) queues: Arc<[Queue]>,
    pub(crate) ids: Arc<[u32]>,
}

impl From<Vec<Queue>> for QueueSet {
    fn from(mut queues: Vec<Queue>) -> Self {
        queues.sort_unstable_by_key(|queue| queue.id);
        queues.dedup_by_key(|queue| queue.id);
        Self {
            ids: queues.iter().map(|queue| queue.id).collect(),
            queues: queues.into(),
        }
    }
}

impl From<&Queue> for QueueSet {
    fn from(queue: &Queue) -> Self {
        vec![queue.clone()].into()
    }
}

impl FromIterator<Queue> for QueueSet {
    fn from_iter<I: IntoIterator<Item = Queue>>(queues: I) -> Self {
        queues.into_iter().collect::<Vec<_>>().into()
    }
}
