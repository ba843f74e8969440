//! The housekeeping thread: gives files back, and drops what has grown too old.
//!
//! A file is deleted at once and for good, a cursor may still be on its way to the disk; so the log
//! is synced before any file goes. Otherwise a power cut could leave a cursor that stands before
//! records that are no longer there.

use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::options::Policy;
use crate::record::to_millis;
use crate::recovery;
use crate::shared::Shared;
use crate::writer::Job;

/// How often the keeper looks.
const EVERY: Duration = Duration::from_millis(500);

/// Files worth looking through for something to give back.
const FILES_BYTES: u64 = 32 << 20;

/// Dead data in files that is left alone; rewriting files costs as much as it gives back.
const SLACK_BYTES: u64 = 64 << 20;

/// Ends the keeper when it is dropped.
pub(crate) struct Keeper {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::downgrade(shared);
        let thread = std::thread::Builder::new()
            .name("wal-keep".to_owned())
            .spawn(move || run(&shared, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // It has nothing to say that anybody waits for.
            let _ = thread.join();
        }
    }
}

fn run(shared: &Weak<Shared>, stopped: &mpsc::Receiver<()>) {
    let mut groups = 0;
    while stopped.recv_timeout(EVERY) == Err(mpsc::RecvTimeoutError::Timeout) {
        let Some(shared) = shared.upgrade() else {
            return;
        };
        let written = shared.meters.groups.load(Ordering::Relaxed);
        if std::mem::replace(&mut groups, written) != written {
            sync_mark(&shared);
        }
        expire(&shared);
        if let Err(error) = give_back(&shared) {
            tracing::debug!(%error, "cannot give files back at the moment");
        }
    }
}

/// The mark may be this much older than the log after a power cut, and not more.
fn sync_mark(shared: &Shared) {
    let file = File::open(recovery::mark_path(&shared.options.path));
    if let Err(error) = file.and_then(|file| file.sync_data()) {
        tracing::debug!(%error, "cannot sync the high-water mark of the log");
    }
}

/// Asks the writer to drop what is older than its queue allows.
fn expire(shared: &Shared) {
    let now_ms = to_millis(SystemTime::now());
    let book = shared.book();
    let mut old = Vec::new();
    for (id, queue) in &book.queues {
        let Some(age) = queue.limits.age else {
            continue;
        };
        let before_ms = now_ms.saturating_sub(age.as_millis() as u64);
        let unread =
            book.owed(queue).records > 0 && queue.unread_ms.is_some_and(|ms| ms < before_ms);
        if queue.limits.policy == Policy::DropOldest && unread {
            old.push(Job::Expire { id: *id, before_ms });
        }
    }
    drop(book);
    for job in old {
        // A closed inbox means a closed log.
        let _ = shared.inbox.send(job);
    }
}

/// Deletes files that hold nothing but settled records, and rewrites those that hold mostly such.
fn give_back(shared: &Shared) -> Result<(), Error> {
    let store = shared.store()?;
    let files = store.file_bytes();
    if files < FILES_BYTES {
        return Ok(());
    }
    let mut book = shared.book();
    let done = book.trims_done;
    let discarded = std::mem::take(&mut book.discarded);
    if discarded.is_empty() && shared.given_back.swap(done, Ordering::AcqRel) == done {
        return Ok(());
    }
    let mut dead: Vec<(u32, u64)> = discarded.into_iter().map(|id| (id, u64::MAX)).collect();
    for (id, stream) in &mut book.streams {
        if stream.trimmed > std::mem::replace(&mut stream.given_back, stream.trimmed) {
            dead.push((*id, stream.trimmed));
        }
    }
    let live = book.live_bytes();
    drop(book);
    let failed = |error: crate::store::StoreError| Error::Store(error.message);
    store.sync().map_err(failed)?;
    for (stream, to) in &dead {
        store.drop_files(*stream, *to).map_err(failed)?;
    }
    if store.batch_file_bytes() > live + live / 2 + SLACK_BYTES {
        for (stream, to) in dead {
            store.compact(stream, to);
        }
    }
    Ok(())
}
