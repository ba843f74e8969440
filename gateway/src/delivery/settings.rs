//! How a destination wants its queue and its retries.

use std::time::Duration;

use crate::batch::Codec;

/// What an exporter's arguments say about delivery.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The queue; without one, each batch is sent while its client waits.
    pub queue: Option<QueueSettings>,
    /// What happens after an attempt that failed.
    pub retry: Retry,
    /// How bodies are compressed on the wire.
    pub codec: Codec,
    /// Headers of the client that the destination's requests need.
    pub context_keys: Vec<String>,
}

/// The queue in front of a destination.
#[derive(Clone, Debug)]
pub struct QueueSettings {
    /// How much it may hold, beyond the budget of the whole log.
    pub size: QueueSize,
    /// How many requests may be under way at once.
    pub consumers: usize,
    /// Whether a client waits for room instead of being told to come back.
    pub block_on_overflow: bool,
    /// How requests are merged when no `otelcol.processor.batch` says it.
    pub merging: Option<crate::batch::Merging>,
}

impl Default for QueueSettings {
    /// As the Collector's: ten requests at once, and nobody waits for room.
    fn default() -> Self {
        let size = QueueSize::Unbounded;
        Self {
            size,
            consumers: 10,
            block_on_overflow: false,
            merging: None,
        }
    }
}

/// The bound of a queue, in one of the Collector's three sizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueSize {
    /// Only the budget of the whole log bounds it.
    Unbounded,
    /// Accepted requests.
    Requests(u64),
    /// Log records, data points or spans.
    Items(u64),
    /// Bytes as stored.
    Bytes(u64),
}

/// Backoff between attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// Whether there is a second attempt at all.
    pub enabled: bool,
    /// The first pause.
    pub initial: Duration,
    /// The longest pause.
    pub max: Duration,
    /// By how much each pause is longer than the last.
    pub multiplier: f64,
    /// By how much of itself a pause may be shorter or longer, so that nodes do not retry in step.
    pub randomization: f64,
    /// After how long data is given up and counted as dropped; none is never.
    pub max_elapsed: Option<Duration>,
}

impl Retry {
    /// The pause after this many failures in a row.
    pub(super) fn pause(&self, failures: u32, random: f64) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let base = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        let base = base.min(self.max.as_secs_f64());
        let spread = base * self.randomization.clamp(0.0, 1.0);
        Duration::from_secs_f64((base - spread + 2.0 * spread * random).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound() {
        let retry = Retry {
            enabled: true,
            initial: Duration::from_secs(5),
            max: Duration::from_secs(30),
            multiplier: 1.5,
            randomization: 0.5,
            max_elapsed: None,
        };
        let middle = |failures| retry.pause(failures, 0.5).as_secs_f64();
        assert_eq!([1, 2, 3].map(middle), [5.0, 7.5, 11.25]);
        assert_eq!([9, u32::MAX].map(middle), [30.0, 30.0]);
        assert_eq!(retry.pause(1, 0.0), Duration::from_millis(2500));
        assert_eq!(retry.pause(1, 1.0), Duration::from_millis(7500));
    }
}
