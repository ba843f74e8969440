//! How a running component tells the engine that its exports have changed.
//!
//! Each instance has a publisher of its own, with a number: what an instance says that has been
//! replaced meanwhile must not overwrite what its successor exports.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use syntax::Value;
use tokio::{sync::mpsc, time::Instant};

/// A component's new exports.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) id: Arc<str>,
    /// Which instance of the component says so.
    pub(super) instance: u64,
    pub(super) exports: Value,
    /// When it said so.
    pub(super) at: Instant,
}

/// The sending half; the engine holds the other.
#[derive(Clone, Debug)]
pub(super) struct Publisher {
    sender: mpsc::UnboundedSender<Published>,
    instance: u64,
    last: Arc<AtomicU64>,
    waiting: Arc<AtomicU64>,
}

impl Publisher {
    /// A publisher that counts what waits there.
    pub(super) fn new(waiting: Arc<AtomicU64>) -> (Self, mpsc::UnboundedReceiver<Published>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let (instance, last) = (0, Arc::default());
        let publisher = Self {
            sender,
            instance,
            last,
            waiting,
        };
        (publisher, receiver)
    }

    /// The publisher of an instance that is about to be built.
    pub(super) fn of_next_instance(&self) -> Self {
        let instance = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        Self {
            instance,
            ..self.clone()
        }
    }

    /// The number of the instance that it belongs to.
    pub(super) fn instance(&self) -> u64 {
        self.instance
    }

    pub(super) fn publish(&self, id: &Arc<str>, exports: Value) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        // Without an engine nobody depends on the exports any more.
        let _ = self.sender.send(Published {
            id: id.clone(),
            instance: self.instance,
            exports,
            at: Instant::now(),
        });
    }
}
