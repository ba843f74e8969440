//! How much: records, items and bytes, counted together because no limit looks at one alone.
//!
//! Arithmetic saturates. The numbers come back from disk, and a damaged one must show as a wrong
//! figure in a report, not as a panic in the thread that owns the log.

use std::ops::{Add, AddAssign, Sub, SubAssign};

/// An amount of data in a queue, a stream or the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records: one for each append.
    pub records: u64,
    /// Items, as the appender counted them (spans, log lines, data points, ...).
    pub items: u64,
    /// Bytes as stored: payload, attributes and the record's header.
    pub bytes: u64,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_add(other.records),
            items: self.items.saturating_add(other.items),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            records: self.records.saturating_sub(other.records),
            items: self.items.saturating_sub(other.items),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Counts {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}
