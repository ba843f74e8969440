//! The process's memory budget: bytes are reserved before they are read, and given back on drop.
//!
//! Nothing waits for a collector or measures the heap after the fact: a request that does not fit
//! is refused before a byte of it is decompressed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// A number of bytes shared by all that is in flight.
#[derive(Clone, Debug)]
pub struct MemoryBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    limit: AtomicU64,
    used: AtomicU64,
}

impl MemoryBudget {
    /// A budget of this many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        let shared = Shared {
            limit: AtomicU64::new(limit_bytes),
            used: AtomicU64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Takes bytes out of the budget until the reservation is dropped.
    ///
    /// # Errors
    /// If fewer are free; nothing is taken then.
    pub fn reserve(&self, bytes: u64) -> Result<Reservation, Exhausted> {
        self.take(bytes)?;
        Ok(Reservation {
            budget: self.clone(),
            bytes,
        })
    }

    /// Bytes that may be used in all.
    pub fn limit(&self) -> u64 {
        self.shared.limit.load(Ordering::Relaxed)
    }

    /// Changes the bound; what is reserved stays reserved.
    pub fn set_limit(&self, limit_bytes: u64) {
        self.shared.limit.store(limit_bytes, Ordering::Relaxed);
    }

    /// Bytes reserved at this moment.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: u64) -> Result<(), Exhausted> {
        let limit = self.limit();
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= limit);
        self.shared
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .map(|_| ())
            .map_err(|used| Exhausted {
                wanted: bytes,
                free: limit.saturating_sub(used),
            })
    }
}

/// The wish did not fit into what is left of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// Bytes asked for.
    pub wanted: u64,
    /// Bytes that were free.
    pub free: u64,
}

impl std::fmt::Display for Exhausted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { wanted, free } = self;
        write!(
            formatter,
            "memory budget is used up: {wanted} bytes wanted, {free} free"
        )
    }
}

impl std::error::Error for Exhausted {}

/// A share of the budget, given back when dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: MemoryBudget,
    bytes: u64,
}

impl Reservation {
    /// Takes more bytes into the same reservation.
    ///
    /// # Errors
    /// If they are not free; the reservation stays as it was.
    pub fn grow(&mut self, bytes: u64) -> Result<(), Exhausted> {
        self.budget.take(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives all but this many bytes back.
    pub fn shrink_to(&mut self, bytes: u64) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.bytes -= surplus;
        self.budget
            .shared
            .used
            .fetch_sub(surplus, Ordering::Relaxed);
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_reserved_comes_back() {
        let budget = MemoryBudget::new(100);
        let mut first = budget.reserve(60).unwrap();
        assert_eq!(
            budget.reserve(41).unwrap_err(),
            Exhausted {
                wanted: 41,
                free: 40
            }
        );
        first.grow(40).unwrap();
        assert!(first.grow(1).is_err());
        first.shrink_to(10);
        assert_eq!((first.bytes(), budget.used()), (10, 10));
        drop(first);
        assert_eq!(budget.used(), 0);
        assert!(budget.reserve(u64::MAX).is_err());
    }
}
