//! Hands a batch to every consumer at once; all take it, or none.

use std::sync::Arc;

use futures::future::join_all;

use super::{Port, Site};
use crate::batch::{Batch, ConsumeFuture, Consumer, Refusal, Staged};

/// The consumers to which an output leads.
#[derive(Clone, Debug, Default)]
pub struct Fanout {
    ports: Arc<[Arc<Port>]>,
    /// Where onlookers see what is handed on.
    origin: Option<Arc<Port>>,
}

impl Fanout {
    /// An output that leads to these ports.
    pub fn new(ports: impl IntoIterator<Item = Arc<Port>>) -> Self {
        Self {
            ports: ports.into_iter().collect(),
            origin: None,
        }
    }

    /// The same as an output of the component that stands here.
    pub fn of(mut self, site: &Site) -> Self {
        if !self.is_empty() {
            site.port.hands_on();
            self.origin = Some(site.port.clone());
        }
        self
    }

    /// Whether it leads nowhere.
    pub fn is_empty(&self) -> bool {
        self.ports.is_empty()
    }
}

impl Consumer for Fanout {
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_> {
        if let Some(origin) = &self.origin {
            origin.show_handed_on(&batch);
        }
        match &*self.ports {
            [] => Box::pin(async { Ok(Staged::nothing()) }),
            [only] => only.consume(batch),
            several => Box::pin(async move {
                let branches = several.iter().map(|port| port.consume(batch.clone()));
                join_all(branches)
                    .await
                    .into_iter()
                    .fold(Ok(Staged::nothing()), combine)
            }),
        }
    }
}

/// One branch's result with the next one's: a refusal beats what is staged, and a refusal that
/// passes by itself beats one that does not, so that nothing is given up too early.
fn combine(
    one: Result<Staged, Refusal>,
    other: Result<Staged, Refusal>,
) -> Result<Staged, Refusal> {
    match (one, other) {
        (Ok(mut staged), Ok(more)) => {
            staged.merge(more);
            Ok(staged)
        }
        (Err(refusal), Err(other)) => Err(if other.is_retryable() && !refusal.is_retryable() {
            other
        } else {
            refusal
        }),
        (Err(refusal), Ok(_)) | (Ok(_), Err(refusal)) => Err(refusal),
    }
}
