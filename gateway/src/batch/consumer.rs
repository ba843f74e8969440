//! The hop: how one component hands a batch to the next.
//!
//! A hop does not write. It returns what the destinations want written (`Staged`), and the source
//! at the head of the pipeline commits all of it in one atomic group before it answers its client.
//! So a fan-out is all or nothing: a client that must retry leaves no half-delivered batch behind.

use std::{borrow::Cow, fmt, future::Future, pin::Pin, time::Duration};

use super::Batch;

/// What a hop returns while it works.
pub type ConsumeFuture<'a> = Pin<Box<dyn Future<Output = Result<Staged, Refusal>> + Send + 'a>>;

/// Something that takes batches: a processor, an exporter, a port in front of one.
pub trait Consumer: Send + Sync + 'static {
    /// Takes the batch through everything downstream.
    ///
    /// # Errors
    /// If any destination cannot take it; nothing is written then.
    fn consume(&self, batch: Batch) -> ConsumeFuture<'_>;
}

/// What must be durable before the client may be answered.
#[derive(Debug, Default)]
pub struct Staged {
    /// Records, each with the queue of a destination that the batch reached.
    pub appends: Vec<(wal::Queue, wal::Record)>,
    /// Whether the client waits for room where a queue is full, instead of being sent away.
    pub waits_for_room: bool,
    /// Items that a component on the way refused for good while taking the others.
    pub rejected: u64,
    /// Why, in words for the client; of several reasons, the first.
    pub rejection: Option<String>,
}

impl Staged {
    /// Nothing to write: the batch has already arrived, or was dropped and counted.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// One record for one queue.
    pub fn append(queue: wal::Queue, record: wal::Record) -> Self {
        Self {
            appends: vec![(queue, record)],
            ..Self::default()
        }
    }

    /// Adds what another branch of a fan-out wants written.
    pub fn merge(&mut self, other: Self) {
        self.appends.extend(other.appends);
        self.waits_for_room |= other.waits_for_room;
        self.rejected = self.rejected.max(other.rejected);
        self.rejection = self.rejection.take().or(other.rejection);
    }
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Whether a later attempt can succeed.
    pub kind: RefusalKind,
    /// A name for counting: `memory`, `queue_full`, `malformed`, ...
    pub reason: &'static str,
    /// A sentence for a person.
    pub message: Cow<'static, str>,
}

/// What the client should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The node cannot take it now: gRPC `UNAVAILABLE`, HTTP 503.
    Unavailable { retry_after: Duration },
    /// The client or its tenant sends too much: gRPC `RESOURCE_EXHAUSTED`, HTTP 429.
    Throttled { retry_after: Duration },
    /// It can never succeed: gRPC `INVALID_ARGUMENT`, HTTP 400.
    Invalid,
    /// It is too large and must be cut: gRPC `RESOURCE_EXHAUSTED` without delay, HTTP 413.
    TooLarge,
    /// The sender is not who it must be: gRPC `UNAUTHENTICATED`, HTTP 401.
    Unauthenticated,
    /// The sender may not do this: gRPC `PERMISSION_DENIED`, HTTP 403.
    Denied,
}

impl Refusal {
    /// How long a client is told to wait when nothing better is known: long enough for a queue to
    /// move, short enough that the client's own queue does not overflow.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// A refusal that a later attempt can overcome.
    pub fn unavailable(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let kind = RefusalKind::Unavailable {
            retry_after: Self::RETRY_AFTER,
        };
        Self {
            kind,
            reason,
            message: message.into(),
        }
    }

    /// A refusal of what can never be taken.
    pub fn invalid(reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind: RefusalKind::Invalid,
            reason,
            message: message.into(),
        }
    }

    /// Whether the client should try again.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            RefusalKind::Unavailable { .. } | RefusalKind::Throttled { .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
