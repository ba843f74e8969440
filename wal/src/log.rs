//! The log itself: opening it, committing to it, closing it.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::error::{CommitError, Error, OpenError};
use crate::group::{Submission, Waiting};
use crate::keeper::Keeper;
use crate::options::{COMMIT_BYTES_MAX, Options, QueueLimits};
use crate::queue::{Queue, QueueSet};
use crate::record::{Draft, HEADER, Record};
use crate::recovery::{self, Opened, Recovery};
use crate::shared::Shared;
use crate::stats::{self, LogStats, QueueStats};
use crate::tally::Tally;
use crate::writer::{Job, Writer};

/// The longest name of a queue, in bytes. It is a key of a metric as well.
pub const NAME_BYTES_MAX: usize = 512;

/// One record for a set of queues.
#[derive(Clone, Debug)]
pub struct Append {
    /// Who is to have it. With no queue at all there is nothing to write.
    pub queues: QueueSet,
    /// What they are to have.
    pub record: Record,
}

/// A durable log with a cursor for each of its queues. Cheap to clone; closed when the last clone
/// is dropped.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    recovery: Recovery,
    threads: Mutex<Option<(JoinHandle<()>, Keeper)>>,
}

impl Log {
    /// Opens the log, or makes a new one. Blocks; how long does not depend on what it holds.
    pub fn open(options: Options) -> Result<Self, OpenError> {
        let Opened {
            store,
            book,
            mark,
            recovery,
        } = recovery::open(&options)?;
        let path = options.path.clone();
        let (inbox, jobs) = mpsc::channel();
        let shared = Arc::new(Shared::new(options, book, store, inbox));
        let failed = |error: std::io::Error| OpenError::Failed {
            path: path.clone(),
            reason: format!("cannot start a thread: {error}"),
        };
        let writer = Writer::new(shared.clone(), jobs, mark);
        let thread = std::thread::Builder::new()
            .name("wal-write".to_owned())
            .spawn(move || writer.run())
            .map_err(failed)?;
        let keeper = Keeper::start(&shared).map_err(failed)?;
        let threads = Mutex::new(Some((thread, keeper)));
        Ok(Self {
            inner: Arc::new(Inner {
                shared,
                recovery,
                threads,
            }),
        })
    }

    /// What was found when the log was opened.
    pub fn recovery(&self) -> &Recovery {
        &self.inner.recovery
    }

    /// Opens a queue, or makes a new one that begins at the present end of the log; sets its budget
    /// in either case. A new queue is a synced write.
    pub fn queue(&self, name: &str, limits: QueueLimits) -> Result<Queue, Error> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Error::BadName {
                limit: NAME_BYTES_MAX,
            });
        }
        let shared = &self.inner.shared;
        let existing = shared.book().queue_id(name);
        let id = match existing {
            Some(id) => id,
            None => {
                let name = name.to_owned();
                self.ask(|reply| Job::Create {
                    name,
                    limits,
                    reply,
                })??
            }
        };
        let mut book = shared.book();
        let Some(queue) = book.queues.get_mut(&id) else {
            return Err(Error::NoQueue {
                queue: name.to_owned(),
            });
        };
        queue.limits = limits;
        queue.opened = true;
        let (name, wake) = (queue.name.clone(), queue.wake.clone());
        Ok(Queue {
            shared: shared.clone(),
            id,
            name,
            wake,
        })
    }

    /// The queue of this name, if there is one; its budget stays as it is.
    pub fn find_queue(&self, name: &str) -> Option<Queue> {
        let shared = &self.inner.shared;
        let book = shared.book();
        let id = book.queue_id(name)?;
        let queue = book.queues.get(&id)?;
        Some(Queue {
            shared: shared.clone(),
            id,
            name: queue.name.clone(),
            wake: queue.wake.clone(),
        })
    }

    /// The accounts of all queues, also of those nobody opened this time.
    pub fn queues(&self) -> Vec<QueueStats> {
        let book = self.inner.shared.book();
        book.queues
            .values()
            .map(|queue| stats::of_queue(&book, queue))
            .collect()
    }

    /// Removes a queue and gives its space back. What it still owed counts as dropped; the final
    /// account is returned, and is nowhere else.
    pub fn remove_queue(&self, name: &str) -> Result<QueueStats, Error> {
        let none = || Error::NoQueue {
            queue: name.to_owned(),
        };
        let book = self.inner.shared.book();
        let id = book.queue_id(name).ok_or_else(none)?;
        drop(book);
        self.ask(|reply| Job::Remove { id, reply })?
    }

    /// The counter of this name, which goes on where it ended when the log was closed.
    pub fn tally(&self, name: &str) -> Result<Tally, Error> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(Error::BadName {
                limit: NAME_BYTES_MAX,
            });
        }
        let shared = &self.inner.shared;
        let cell = shared.book().tallies.open(name);
        let shared = shared.clone();
        Ok(Tally { cell, shared })
    }

    /// All counters there are.
    pub fn tallies(&self) -> Vec<Tally> {
        let shared = &self.inner.shared;
        let cells: Vec<_> = shared.book().tallies.cells().cloned().collect();
        let tally = |cell| Tally {
            cell,
            shared: shared.clone(),
        };
        cells.into_iter().map(tally).collect()
    }

    /// Commits all appends or none. The future is ready when they are synced to disk, or refused. The
    /// commit goes on when the future is dropped.
    pub fn commit(
        &self,
        appends: Vec<Append>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        self.commit_counting(appends, Vec::new())
    }

    /// The same, and counts with it: the tallies are on the disk exactly when the records are.
    pub fn commit_counting(
        &self,
        appends: Vec<Append>,
        tallies: Vec<(Tally, u64)>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send + use<> {
        let submitted = self.submit(appends, tallies);
        async move {
            let stopped = || CommitError::Unavailable(Error::Closed.to_string());
            submitted?.await.unwrap_or_else(|_| Err(stopped()))
        }
    }

    fn submit(
        &self,
        appends: Vec<Append>,
        tallies: Vec<(Tally, u64)>,
    ) -> Result<oneshot::Receiver<Result<(), CommitError>>, CommitError> {
        let shared = &self.inner.shared;
        let mut bytes: usize = 0;
        for append in &appends {
            let record = &append.record;
            bytes = bytes
                .saturating_add(HEADER)
                .saturating_add(record.payload.len())
                .saturating_add(record.attributes.len());
            if let Some(queue) = append
                .queues
                .queues
                .iter()
                .find(|queue| !Arc::ptr_eq(&queue.shared, shared))
            {
                let reason = format!("the queue {:?} belongs to another log", queue.name);
                return Err(CommitError::Unavailable(reason));
            }
        }
        if bytes > COMMIT_BYTES_MAX {
            return Err(CommitError::TooLarge {
                limit: COMMIT_BYTES_MAX as u64,
            });
        }
        let limit = shared.options.waiting_bytes_max;
        let Some(waiting) = Waiting::take(&shared.waiting, bytes, limit) else {
            let reason = format!("{limit} bytes wait to be written already; the disk is too slow");
            return Err(CommitError::Unavailable(reason));
        };
        let appends = appends
            .into_iter()
            .map(|append| (append.queues, Draft::new(&append.record)))
            .collect();
        let (reply, receiver) = oneshot::channel();
        // When the writer is gone the reply is dropped with the job, and the caller sees that.
        let _ = shared.inbox.send(Job::Commit(Submission {
            appends,
            tallies,
            waiting,
            reply,
        }));
        Ok(receiver)
    }

    /// The figures of the whole log.
    pub fn stats(&self) -> LogStats {
        let shared = &self.inner.shared;
        let meters = &shared.meters;
        let book = shared.book();
        let (owed_bytes, tail_bytes) = (book.live_bytes(), book.tails_bytes as u64);
        drop(book);
        let memtable_bytes = shared.store().map_or(0, |store| store.memtable_bytes());
        LogStats {
            disk_bytes: directory_bytes(&recovery::store_path(&shared.options.path)),
            owed_bytes,
            memtable_bytes,
            tail_bytes,
            groups: meters.groups.load(Ordering::Relaxed),
            commits: meters.commits.load(Ordering::Relaxed),
            records: meters.records.load(Ordering::Relaxed),
            bytes: meters.bytes.load(Ordering::Relaxed),
            bulk_bytes: meters.bulk_bytes.load(Ordering::Relaxed),
            sync: meters.latency(),
            reopened: meters.reopened.load(Ordering::Relaxed),
            damaged: meters.damaged.load(Ordering::Relaxed),
            disk_reads: meters.disk_reads.load(Ordering::Relaxed),
            health: meters.health(),
        }
    }

    /// Moves everything from memtables to files.
    #[cfg(test)]
    pub(crate) fn flush(&self) {
        self.inner.shared.store().unwrap().flush().unwrap();
    }

    /// Writes all progress, syncs, and closes the log. Blocks; handles that are left are answered
    /// that it is closed.
    pub fn close(self) {
        self.inner.close();
    }

    fn ask<T>(&self, job: impl FnOnce(mpsc::SyncSender<T>) -> Job) -> Result<T, Error> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.inner
            .shared
            .inbox
            .send(job(reply))
            .map_err(|_| Error::Closed)?;
        answer.recv().map_err(|_| Error::Closed)
    }
}

impl Inner {
    fn close(&self) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((writer, keeper)) = threads else {
            return;
        };
        drop(keeper);
        let (reply, done) = mpsc::sync_channel(1);
        if self.shared.inbox.send(Job::Close { reply }).is_ok() {
            // Without an answer the writer is gone already.
            let _ = done.recv();
        }
        if writer.join().is_err() {
            tracing::error!("the writer of the log ended by a panic");
        }
        self.shared.let_go();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Log")
            .field(&self.inner.shared.options.path)
            .finish()
    }
}

/// The size of the files in a directory; files that vanish meanwhile count as nothing.
fn directory_bytes(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return 0;
    };
    let sizes = entries.flatten().filter_map(|entry| entry.metadata().ok());
    sizes.map(|metadata| metadata.len()).sum()
}
