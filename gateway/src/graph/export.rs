//! How a running component tells the engine that its exports have changed.

use std::sync::Arc;

use syntax::Value;
use tokio::sync::mpsc;

/// A component's new exports.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) id: Arc<str>,
    pub(super) exports: Value,
}

/// The sending half; the engine holds the other.
#[derive(Clone, Debug)]
pub(super) struct Publisher(mpsc::UnboundedSender<Published>);

impl Publisher {
    pub(super) fn new() -> (Self, mpsc::UnboundedReceiver<Published>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    pub(super) fn publish(&self, id: &Arc<str>, exports: Value) {
        // Without an engine nobody depends on the exports any more.
        let _ = self.0.send(Published {
            id: id.clone(),
            exports,
        });
    }
}
