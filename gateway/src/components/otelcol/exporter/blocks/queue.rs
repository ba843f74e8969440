//! The `sending_queue` block.
//!
//! In Alloy it is a buffer in memory. Here every queue lives in the log, and the block says how much
//! of the log one destination may take and how it is emptied.

use std::time::Duration;

use crate::{
    batch::Merging,
    components::otelcol::Handler,
    delivery::{QueueSettings, QueueSize},
};

/// The most requests that may be under way at once to one backend: beyond it they wait for each
/// other in its accept queue instead of in the log.
const CONSUMERS_MAX: u64 = 10_000;

/// How batches wait for the backend, and how many are under way at once.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct SendingQueue {
    /// Whether a batch is answered for as soon as the log holds it. Without the queue each batch is
    /// sent while its client waits, and the client gets the backend's own answer.
    #[attr(default = true)]
    pub enabled: bool,
    /// Requests that may be under way at once.
    #[attr(default = 10)]
    pub num_consumers: u64,
    /// How much may wait for each signal and tenant, counted by `sizer`; above that, clients are
    /// told to come back. When it is not set, the budget of the log is the only bound (in Alloy:
    /// 1000 requests).
    #[attr]
    pub queue_size: Option<u64>,
    /// Whether a client waits for room in a full queue, for some seconds, before it is told to come
    /// back.
    #[attr(default = false)]
    pub block_on_overflow: bool,
    /// What `queue_size` counts: `requests`, `items` (log records, data points, spans) or `bytes`.
    #[attr(default = "requests")]
    pub sizer: Sizer,
    /// Whether a client is answered only when the backend has answered. The same as
    /// `enabled = false`.
    #[attr(default = false)]
    pub wait_for_result: bool,
    /// A handler of `otelcol.storage.file`. Queues are durable with and without it.
    #[attr]
    pub storage: Option<Handler>,
    /// How requests are merged; an `otelcol.processor.batch` before this exporter takes precedence.
    #[block]
    pub batch: Option<QueueBatch>,
}

/// A unit of queues.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizer {
    /// Accepted requests.
    #[keyword("requests")]
    Requests,
    /// Log records, data points or spans.
    #[keyword("items")]
    Items,
    /// Bytes as stored.
    #[keyword("bytes")]
    Bytes,
}

/// How requests are merged on their way out.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct QueueBatch {
    /// How long a request may wait for others to join it.
    #[attr(default = "200ms")]
    pub flush_timeout: Duration,
    /// Items at which a request is sent without waiting.
    #[attr(default = 2000)]
    pub min_size: u64,
    /// Items that a request must not exceed by merging; 0 is no bound.
    #[attr(default = 3000)]
    pub max_size: u64,
    /// What the sizes count. Only `items` is supported.
    #[attr(default = "items")]
    pub sizer: Sizer,
}

impl SendingQueue {
    /// What delivery is to do; none is to send while the client waits.
    pub fn settings(&self) -> Option<QueueSettings> {
        if !self.enabled || self.wait_for_result {
            return None;
        }
        let size = self
            .queue_size
            .map_or(QueueSize::Unbounded, |size| match self.sizer {
                Sizer::Requests => QueueSize::Requests(size),
                Sizer::Items => QueueSize::Items(size),
                Sizer::Bytes => QueueSize::Bytes(size),
            });
        Some(QueueSettings {
            size,
            consumers: usize::try_from(self.num_consumers).unwrap_or(usize::MAX),
            block_on_overflow: self.block_on_overflow,
            merging: self.batch.as_ref().map(QueueBatch::merging),
        })
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        if let Some(storage) = &self.storage {
            storage
                .storage()
                .map_err(|reason| ("storage", format!("cannot be used: {reason}")))?;
        }
        self.check_sizes()
            .map_err(|(field, reason)| (field, reason.to_owned()))
    }

    fn check_sizes(&self) -> Result<(), (&'static str, &'static str)> {
        if !self.enabled {
            return Ok(());
        }
        if self.wait_for_result && self.batch.is_some() {
            let reason = "and batch cannot be honoured together: a client that waits for the \
                          backend gets the answer to its own request";
            return Err(("wait_for_result", reason));
        }
        if !(1..=CONSUMERS_MAX).contains(&self.num_consumers) {
            return Err(("num_consumers", "must be between 1 and 10000"));
        }
        if self.queue_size == Some(0) {
            return Err(("queue_size", "must be greater than zero"));
        }
        if let (Some(size), Some(batch)) = (self.queue_size, &self.batch)
            && self.sizer == batch.sizer
            && batch.min_size > size
        {
            return Err(("queue_size", "must not be less than batch.min_size"));
        }
        Ok(())
    }
}

impl QueueBatch {
    fn merging(&self) -> Merging {
        Merging {
            items: self.min_size,
            items_max: self.max_size,
            wait_milliseconds: u64::try_from(self.flush_timeout.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.sizer != Sizer::Items {
            let reason = "must be \"items\": merging by bytes is not supported, and needs no \
                          setting, because requests are not merged beyond 2 MiB";
            return Err(("sizer", reason));
        }
        if self.flush_timeout.is_zero() {
            return Err(("flush_timeout", "must be positive"));
        }
        if self.max_size > 0 && self.max_size < self.min_size {
            return Err(("max_size", "must not be less than min_size"));
        }
        Ok(())
    }
}
