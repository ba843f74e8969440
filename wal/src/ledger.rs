//! The account of a queue: what it took on, and what became of it.
//!
//! `accepted` grows when a group is committed, `delivered` and `dropped` when the queue's cursor
//! passes a record, and the amount still queued is computed from the streams' totals, which none of
//! them is derived from. So `accepted = delivered + dropped + queued` is a check and not a
//! definition.

use std::collections::BTreeMap;

use crate::window::{DAMAGED, Settled};

/// Reasons kept apart for a queue; later ones are counted together. A reason comes from a caller
/// and each is written to disk with every group.
pub const REASONS_MAX: usize = 32;

/// The longest reason kept, in bytes.
pub const REASON_BYTES_MAX: usize = 64;

/// The reason under which further reasons are counted.
const OTHER: &str = "other";

/// What became of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The destination has all of it.
    Delivered,
    /// The destination will never have any of it.
    Dropped {
        /// Why, as it is to appear in the ledger.
        reason: &'a str,
    },
    /// The destination took some. Items in neither number count as dropped.
    Partial {
        /// Items the destination has.
        delivered: u64,
        /// Items it refused for good.
        dropped: u64,
        /// Why, as it is to appear in the ledger.
        reason: &'a str,
    },
    /// Parts of it met with different ends. Items in none of these count as delivered.
    Mixed {
        /// Items that the destination will never have, with the reason of each part.
        dropped: &'a [(&'a str, u64)],
    },
}

/// Reasons, and how many items each explains.
pub(crate) type Dropped = Vec<(Box<str>, u64)>;

impl Outcome<'_> {
    /// Items delivered, and items dropped by reason; all together are always `items`.
    pub(crate) fn split(self, items: u64) -> (u64, Dropped) {
        let part = |reason: &str, count| match count {
            0 => Vec::new(),
            count => vec![(reason.into(), count)],
        };
        match self {
            Self::Delivered => (items, Vec::new()),
            Self::Dropped { reason } => (0, part(reason, items)),
            Self::Partial {
                delivered,
                dropped,
                reason,
            } => {
                let delivered = delivered.min(items.saturating_sub(dropped));
                (delivered, part(reason, items - delivered))
            }
            Self::Mixed { dropped } => {
                let (mut left, mut parts) = (items, Vec::with_capacity(dropped.len()));
                for (reason, count) in dropped {
                    let count = left.min(*count);
                    left -= count;
                    parts.extend(part(reason, count));
                }
                (left, parts)
            }
        }
    }
}

/// Items by what became of them. Persisted with the queue's cursor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    pub(crate) accepted: u64,
    pub(crate) delivered: u64,
    pub(crate) dropped: BTreeMap<Box<str>, u64>,
}

impl Ledger {
    /// Counts what became of a record.
    pub(crate) fn count(&mut self, settled: &Settled) {
        self.delivered += settled.delivered;
        for (reason, items) in &settled.dropped {
            self.drop_items(reason, *items);
        }
        self.drop_items(DAMAGED, settled.lost);
    }

    pub(crate) fn drop_items(&mut self, reason: &str, items: u64) {
        if items == 0 {
            return;
        }
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let reason = if end == 0 { OTHER } else { &reason[..end] };
        if let Some(count) = self.dropped.get_mut(reason) {
            *count = count.saturating_add(items);
            return;
        }
        let name = if self.dropped.len() < REASONS_MAX {
            reason
        } else {
            OTHER
        };
        let count = self.dropped.entry(name.into()).or_default();
        *count = count.saturating_add(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_always_adds_up() {
        for (outcome, expected) in [
            (Outcome::Delivered, (10, 0)),
            (Outcome::Dropped { reason: "r" }, (0, 10)),
            (
                Outcome::Partial {
                    delivered: 7,
                    dropped: 3,
                    reason: "r",
                },
                (7, 3),
            ),
            (
                Outcome::Partial {
                    delivered: 2,
                    dropped: 3,
                    reason: "r",
                },
                (2, 8),
            ),
            (
                Outcome::Partial {
                    delivered: 9,
                    dropped: 3,
                    reason: "r",
                },
                (7, 3),
            ),
            (
                Outcome::Partial {
                    delivered: 90,
                    dropped: 0,
                    reason: "r",
                },
                (10, 0),
            ),
            (
                Outcome::Partial {
                    delivered: 0,
                    dropped: 90,
                    reason: "r",
                },
                (0, 10),
            ),
            (
                Outcome::Mixed {
                    dropped: &[("r", 3), ("s", 4), ("t", 0)],
                },
                (3, 7),
            ),
            (
                Outcome::Mixed {
                    dropped: &[("r", 9), ("s", 9)],
                },
                (0, 10),
            ),
        ] {
            let (delivered, dropped) = outcome.split(10);
            let dropped = dropped.iter().map(|(_, items)| items).sum();
            assert_eq!((delivered, dropped), expected, "{outcome:?}");
        }
    }

    #[test]
    fn reasons_are_bounded_and_nothing_is_uncounted() {
        let mut ledger = Ledger::default();
        for number in 0..100 {
            ledger.drop_items(&format!("reason {number}"), 2);
        }
        ledger.drop_items(&"ä".repeat(100), 5);
        ledger.drop_items("", 1);
        assert_eq!(ledger.dropped.len(), REASONS_MAX + 1);
        assert_eq!(ledger.dropped.values().sum::<u64>(), 206);
    }
}
