//! What an exporter has to know: how to make one attempt, and what the answer means.

use std::{future::Future, pin::Pin, time::Duration};

use protos::Signal;

use crate::batch::{Frame, Metadata, Tenant};

/// An attempt under way.
pub type SendFuture<'a> = Pin<Box<dyn Future<Output = Verdict> + Send + 'a>>;

/// A backend.
pub trait Destination: Send + Sync + 'static {
    /// Makes one attempt to deliver the request. Never retries: when, how often and in what pieces
    /// is decided by the sender.
    fn send(&self, request: Request) -> SendFuture<'_>;
}

/// A request, ready for the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which of the three messages it is.
    pub signal: Signal,
    /// The body in the codec that the destination asked for.
    pub frame: Frame,
    /// Log records, data points or spans in it.
    pub items: u64,
    /// Whose data it is.
    pub tenant: Tenant,
    /// The client's headers that the destination asked for.
    pub metadata: Metadata,
}

/// What a backend's answer means for the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The backend has it.
    Delivered,
    /// The backend has it, but for some items that it refuses for good.
    Partial {
        /// How many it refused.
        rejected: u64,
        /// Its words.
        message: String,
    },
    /// Not now.
    Retry {
        /// When the backend wants to hear of it again, if it said so.
        after: Option<Duration>,
        /// Its words.
        message: String,
    },
    /// Not in one piece.
    TooLarge {
        /// The backend's words.
        message: String,
    },
    /// Never.
    Refused {
        /// A name for counting: `invalid`, `unsupported`, ...
        reason: &'static str,
        /// The backend's words.
        message: String,
    },
    /// The backend will take nothing from us until an operator acts: wrong credentials, wrong path.
    Pause {
        /// The backend's words.
        message: String,
    },
}
