//! What the log counts about itself: groups, bytes, the latency of the sync, and its health.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Buckets of the latency histogram: powers of two from 1 µs, so the last one begins at 8 s.
const BUCKETS: usize = 24;

/// A distribution of durations in powers of two of a microsecond.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// How many durations were below 2^n µs and not below the bound before it.
    pub buckets: [u64; BUCKETS],
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub sum: Duration,
}

impl Latency {
    /// The upper bound of bucket `index`.
    pub fn bound(index: usize) -> Duration {
        Duration::from_micros(1 << index.min(BUCKETS - 1))
    }

    /// The smallest bound that at least the share `quantile` (0 to 1) of durations lie below; zero
    /// when there were none.
    pub fn quantile(&self, quantile: f64) -> Duration {
        let wanted = (self.count as f64 * quantile.clamp(0.0, 1.0)).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && seen > 0 {
                return Self::bound(index);
            }
        }
        Duration::ZERO
    }
}

#[derive(Debug, Default)]
pub(crate) struct Meters {
    pub(crate) groups: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) bulk_bytes: AtomicU64,
    pub(crate) reopened: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) disk_reads: AtomicU64,
    sync: Mutex<Latency>,
    health: Mutex<Option<String>>,
}

impl Meters {
    pub(crate) fn add(counter: &AtomicU64, amount: u64) {
        counter.fetch_add(amount, Ordering::Relaxed);
    }

    pub(crate) fn synced(&self, took: Duration) {
        let micros = took.as_micros().min(u128::from(u64::MAX)) as u64;
        let bucket = (u64::BITS - micros.leading_zeros()) as usize;
        let mut sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        sync.buckets[bucket.min(BUCKETS - 1)] += 1;
        sync.count += 1;
        sync.sum += took;
    }

    pub(crate) fn latency(&self) -> Latency {
        self.sync
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is wrong, or nothing; a change is logged once.
    pub(crate) fn set_health(&self, health: Option<String>) {
        let mut slot = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if *slot == health {
            return;
        }
        match &health {
            Some(problem) => tracing::error!(problem = %problem, "the log cannot take new data"),
            None => tracing::info!("the log takes new data again"),
        }
        *slot = health;
    }

    pub(crate) fn health(&self) -> Option<String> {
        self.health
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_lies_below_the_bound_of_its_bucket() {
        let meters = Meters::default();
        for micros in [0, 1, 3, 500, 500, 500, 500, 500, 500, 100_000] {
            meters.synced(Duration::from_micros(micros));
        }
        let latency = meters.latency();
        assert_eq!(latency.count, 10);
        assert_eq!(latency.quantile(0.0), Duration::from_micros(1));
        assert_eq!(latency.quantile(0.5), Duration::from_micros(512));
        assert_eq!(latency.quantile(1.0), Duration::from_micros(131_072));
        assert_eq!(Latency::default().quantile(0.5), Duration::ZERO);
    }
}
