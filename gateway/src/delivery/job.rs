//! One request on its way: sent whole, or in pieces when the backend finds it too large or refuses
//! something in it.

use std::{num::NonZeroU64, sync::Arc};

use tokio::sync::Semaphore;

use super::{
    Destination, Request, Verdict,
    letter::Letter,
    progress::{Piece, Progress},
    request::Gathered,
};
use crate::batch::{Codec, CodecError, Frame, QueueKey};

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
        while let Some(piece) = progress.next(gathered.items()) {
            if piece.bad && halve(gathered, progress, &piece) {
                continue;
            }
            let frame = match self.frame(gathered, progress, &piece).await {
                Ok(Some(frame)) => frame,
                Ok(None) => continue,
                Err(error) => {
                    self.unreadable(gathered, progress, &piece, &error);
                    continue;
                }
            };
            let plain_bytes = frame.plain_length;
            let request = Request {
                signal: self.key.signal,
                frame,
                items: piece.items.end - piece.items.start,
                tenant: self.key.tenant.clone(),
                metadata: gathered.first().metadata.clone(),
            };
            let verdict = self.destination.send(request).await;
            self.apply(verdict, gathered, progress, &piece, plain_bytes)?;
        }
        Ok(())
    }

    /// The dead letters of a request that is done.
    ///
    /// # Errors
    /// If a record cannot be decompressed.
    pub(super) async fn letters(
        &self,
        gathered: &Gathered,
        progress: &Progress,
    ) -> Result<Vec<Letter>, CodecError> {
        let mut letters = Vec::new();
        for loss in progress.losses() {
            let Some(words) = &loss.words else { continue };
            // A letter is of one record, with what is known of that.
            for ((record, span), (position, _)) in gathered.spans().zip(&gathered.entries) {
                let start = loss.items.start.max(span.start);
                let end = loss.items.end.min(span.end);
                if start >= end {
                    continue;
                }
                let codec = record.frame.codec;
                letters.push(Letter {
                    key: self.key.clone(),
                    origin: position.sequence(),
                    first: start - span.start,
                    items: end - start,
                    reason: loss.reason.to_owned(),
                    words: words.clone(),
                    refused_at: std::time::SystemTime::now(),
                    accepted_at: record.accepted_at,
                    frame: gathered.frame_of(&(start..end), codec).await?,
                    metadata: record.metadata.clone(),
                    merging: record.merging,
                });
            }
        }
        Ok(letters)
    }

    /// The body of a piece; none if it was cut instead, because it is known to be too large.
    async fn frame(
        &self,
        gathered: &Gathered,
        progress: &mut Progress,
        piece: &Piece,
    ) -> Result<Option<Frame>, CodecError> {
        if let Some(bytes_max) = progress.bytes_max {
            let body = gathered.body(&piece.items)?;
            if body.len() as u64 > bytes_max.get() {
                let joints = gathered.joints(&piece.items, &body, bytes_max);
                if !joints.is_empty() {
                    progress.cut(&joints);
                    return Ok(None);
                }
            }
        }
        gathered.frame_of(&piece.items, self.codec).await.map(Some)
    }

    fn unreadable(
        &self,
        gathered: &Gathered,
        progress: &mut Progress,
        piece: &Piece,
        error: &CodecError,
    ) {
        match gathered.between_records(&piece.items) {
            Some(joint) => progress.cut(&[joint]),
            None => {
                tracing::error!(component = %self.component, "dropping a record: {error}");
                progress.lost("unreadable", None);
            }
        }
    }

    fn apply(
        &self,
        verdict: Verdict,
        gathered: &Gathered,
        progress: &mut Progress,
        piece: &Piece,
        plain_bytes: u64,
    ) -> Result<(), Setback> {
        let component = &self.component;
        match verdict {
            Verdict::Delivered => progress.delivered(),
            Verdict::Partial { rejected, message } => {
                tracing::warn!(%component, rejected, "backend refused a part: {message}");
                progress.partly(rejected, "partial_success");
            }
            Verdict::TooLarge { message } if piece.items.end - piece.items.start <= 1 => {
                progress.lost("too_large", Some(message));
            }
            Verdict::TooLarge { .. } => {
                let before = progress.bytes_max.map_or(plain_bytes, NonZeroU64::get);
                progress.bytes_max = NonZeroU64::new(smaller(before.min(plain_bytes)));
            }
            Verdict::Refused { reason, message } => {
                if !halve(gathered, progress, piece) {
                    progress.lost(reason, Some(message));
                }
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

/// The bytes that a piece may have when so many were too many: more than half, because what is around
/// the items is in each of the two pieces.
fn smaller(bytes: u64) -> u64 {
    (bytes / 2 + bytes / 8).max(1)
}

/// Cuts a piece in two to find what is refused in it; false if that cannot be done, or was done often
/// enough.
fn halve(gathered: &Gathered, progress: &mut Progress, piece: &Piece) -> bool {
    if !progress.may_halve(gathered.items()) {
        return false;
    }
    let middle = gathered.middle(&piece.items);
    if let Some(middle) = middle {
        progress.halve(middle);
    }
    middle.is_some()
}
