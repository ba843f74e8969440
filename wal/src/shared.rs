//! What the writer, the readers and every handle share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use crate::book::Book;
use crate::error::Error;
use crate::fetch::Fetcher;
use crate::meters::Meters;
use crate::options::Options;
use crate::store::Store;
use crate::writer::Job;

/// How long to wait for a reader to finish its chunk before looking again.
const LET_GO: Duration = Duration::from_millis(1);

pub(crate) struct Shared {
    pub(crate) options: Options,
    book: Mutex<Book>,
    /// `None` while the store is being opened again, and after the log was closed.
    store: Mutex<Option<Arc<Store>>>,
    pub(crate) inbox: mpsc::Sender<Job>,
    pub(crate) fetcher: Fetcher,
    pub(crate) meters: Meters,
    /// The trims that were done when files were last given back.
    pub(crate) given_back: AtomicU64,
    /// Whether the writer knows that there is progress to write.
    nudged: AtomicBool,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        options: Options,
        book: Book,
        store: Store,
        inbox: mpsc::Sender<Job>,
    ) -> Self {
        Self {
            options,
            book: Mutex::new(book),
            store: Mutex::new(Some(Arc::new(store))),
            inbox,
            fetcher: Fetcher::default(),
            meters: Meters::default(),
            given_back: AtomicU64::new(0),
            nudged: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    /// The book. Nothing in it waits or touches the disk, so the lock is held for microseconds.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book
            .lock()
            .expect("the book is only poisoned by a panic that has ended the log")
    }

    /// The store, unless it is being opened again.
    pub(crate) fn store(&self) -> Result<Arc<Store>, Error> {
        let slot = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.as_ref() {
            Some(store) => Ok(store.clone()),
            None if self.is_closed() => Err(Error::Closed),
            None => Err(Error::Store(
                "it is being opened again after a failed write".to_owned(),
            )),
        }
    }

    /// Takes the store away from everybody or gives them a new one; returns the old one.
    pub(crate) fn swap_store(&self, store: Option<Store>) -> Option<Arc<Store>> {
        let mut slot = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *slot, store.map(Arc::new))
    }

    /// Tells the writer, once, that there is progress to write.
    pub(crate) fn nudge(&self) {
        if !self.nudged.swap(true, Ordering::AcqRel) {
            // A closed inbox means a closed log, whose progress was written when it closed.
            let _ = self.inbox.send(Job::Progress);
        }
    }

    /// The writer is about to write all progress there is.
    pub(crate) fn take_nudge(&self) {
        self.nudged.store(false, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the store, once nobody reads from it any more, and wakes all who wait.
    pub(crate) fn let_go(&self) {
        self.closed.store(true, Ordering::Release);
        self.fetcher.close();
        let mut store = self.swap_store(None);
        while let Some(held) = store.take() {
            if let Err(held) = Arc::try_unwrap(held) {
                // A reader is in the middle of a chunk.
                std::thread::sleep(LET_GO);
                store = Some(held);
            }
        }
        for queue in self.book().queues.values() {
            queue.wake.notify_one();
        }
    }
}
