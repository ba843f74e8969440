//! One request on its way: sent whole, or in pieces when the backend finds it too large.

use std::sync::Arc;

use tokio::{sync::Semaphore, time::Instant};

use super::{
    Destination, Request, Verdict,
    request::{self, Gathered},
};
use crate::batch::{Codec, CodecError, QueueKey};

/// How far a request has come; what a later attempt needs to go on and not start over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The last record in it.
    pub(super) last: Option<wal::Position>,
    /// Items that are settled, from the front.
    pub(super) done: u64,
    /// Of these, the items that were dropped.
    pub(super) dropped: u64,
    /// Why; of several reasons the last.
    pub(super) reason: &'static str,
    /// Items a piece may have, once the backend said that it is too large; 0 is no bound.
    pub(super) piece: u64,
    /// Whether each record goes by itself, because something in the whole cannot be taken: one
    /// client's bad data must not cost another's.
    pub(super) singly: bool,
    /// When the first attempt was made.
    pub(super) since: Option<Instant>,
}

/// Why a request has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setback {
    /// When the backend wants to hear of us again, if it said so.
    pub(super) after: Option<std::time::Duration>,
    /// Whether only an operator can help.
    pub(super) paused: bool,
    /// The backend's words.
    pub(super) message: String,
}

/// What a request needs to be sent.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) component: Arc<str>,
    pub(super) key: QueueKey,
    pub(super) destination: Arc<dyn Destination>,
    pub(super) codec: Codec,
    /// How many requests the destination may have at once, over all its lanes.
    pub(super) permits: Arc<Semaphore>,
}

impl Context {
    /// Sends the request, or what is left of it. Ends with a setback where it must wait.
    pub(super) async fn send(
        &self,
        gathered: &Gathered,
        progress: &mut Progress,
    ) -> Result<(), Setback> {
        let several = gathered.entries.len() > 1;
        loop {
            let (request, items) = match self.request(gathered, progress).await {
                Ok(request) => request,
                Err(_) if several && !progress.singly => {
                    progress.singly = true;
                    continue;
                }
                Err(error) => {
                    tracing::error!(component = %self.component, "dropping a record: {error}");
                    settle(
                        progress,
                        gathered.rest_of_record(progress.done),
                        "unreadable",
                    );
                    if progress.done >= gathered.items() {
                        return Ok(());
                    }
                    continue;
                }
            };
            match self.destination.send(request).await {
                Verdict::Refused { message, .. } if several && !progress.singly => {
                    tracing::warn!(
                        component = %self.component,
                        "backend refused merged requests, sending each by itself: {message}"
                    );
                    progress.singly = true;
                }
                verdict => self.apply(verdict, items, progress)?,
            }
            if progress.done >= gathered.items() {
                return Ok(());
            }
        }
    }

    async fn request(
        &self,
        gathered: &Gathered,
        progress: &Progress,
    ) -> Result<(Request, u64), CodecError> {
        let whole = progress.done == 0 && progress.piece == 0 && !progress.singly;
        let (frame, items) = if whole {
            (gathered.frame(self.codec).await?, gathered.items())
        } else {
            let (plain, items) = gathered.piece(self.key.signal, progress)?;
            (request::compress(plain, self.codec).await, items)
        };
        let request = Request {
            signal: self.key.signal,
            frame,
            items,
            tenant: self.key.tenant.clone(),
            metadata: gathered.first().metadata.clone(),
        };
        Ok((request, items))
    }

    fn apply(&self, verdict: Verdict, items: u64, progress: &mut Progress) -> Result<(), Setback> {
        let component = &self.component;
        match verdict {
            Verdict::Delivered => settle(progress, items, ""),
            Verdict::Partial { rejected, message } => {
                tracing::warn!(%component, rejected, "backend refused a part: {message}");
                let rejected = rejected.min(items);
                settle(progress, items - rejected, "");
                settle(progress, rejected, "partial_success");
            }
            Verdict::TooLarge { message } if items <= 1 => {
                tracing::error!(%component, "backend finds a single item too large: {message}");
                settle(progress, items, "too_large");
            }
            Verdict::TooLarge { .. } => progress.piece = items.div_ceil(2),
            Verdict::Refused { reason, message } => {
                tracing::error!(%component, items, reason, "backend refused for good: {message}");
                settle(progress, items, reason);
            }
            Verdict::Retry { after, message } => {
                return Err(Setback {
                    after,
                    paused: false,
                    message,
                });
            }
            Verdict::Pause { message } => {
                return Err(Setback {
                    after: None,
                    paused: true,
                    message,
                });
            }
        }
        Ok(())
    }
}

/// Counts items as done; with a reason, as dropped.
fn settle(progress: &mut Progress, items: u64, reason: &'static str) {
    progress.done += items;
    if !reason.is_empty() && items > 0 {
        progress.dropped += items;
        progress.reason = reason;
    }
}
