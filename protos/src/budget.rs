//! What a request may cost, and what one was found to hold.
//!
//! A limit on bytes is not enough: an empty sub-message takes two bytes on the wire and up to 264 in
//! memory, so that 64 MiB (65 kB of gzip) would decode into 8.6 GiB. Elements are counted while the
//! bytes are still bytes.

/// The customary limit on the body of a request, for which the limits below are made.
const BODY: u64 = 20 * 1024 * 1024;

/// Sub-messages allowed in a request. Honest traffic has one for each eight bytes at the densest
/// (short attributes), so a body at the customary limit holds 2.6 million.
const ELEMENTS: u64 = 4 * 1024 * 1024;

/// Levels of messages within messages allowed, the request itself not counted. It is the limit of the
/// protobuf decoders in Rust, Java and C++: deeper bodies would be accepted here and refused there.
pub(crate) const NESTING: u32 = 100;

/// Bytes of memory that the decoded form may take by estimate. The densest honest 20 MiB takes about
/// 250 MiB; a body over this limit is made to hurt, or belongs in several requests.
const HEAP: u64 = 512 * 1024 * 1024;

/// The limits that [`check`](crate::check) and the JSON reader hold a request to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Sub-messages in the whole request, at every level.
    pub elements: u64,
    /// Levels of nesting below the request. More than 100 is taken as 100, which is where the
    /// decoders stop.
    pub depth: u32,
    /// Estimated bytes of the decoded form.
    pub heap: u64,
}

impl Budget {
    /// No limit but the nesting that decoders can take.
    pub const UNLIMITED: Self = Self {
        elements: u64::MAX,
        depth: NESTING,
        heap: u64::MAX,
    };

    /// The default for servers that take bodies of up to `bytes_max`: above the customary 20 MiB the
    /// limits grow with it, so that what the operator allows is not refused for being large.
    pub fn for_bodies(bytes_max: u64) -> Self {
        let times = bytes_max.div_ceil(BODY).max(1);
        Self {
            elements: ELEMENTS.saturating_mul(times),
            depth: NESTING,
            heap: HEAP.saturating_mul(times),
        }
    }

    /// The levels that may be entered.
    pub(crate) fn levels(&self) -> usize {
        self.depth.min(NESTING) as usize
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::for_bodies(BODY)
    }
}

/// What one walk over a request found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Log records, data points or spans.
    pub items: u64,
    /// Sub-messages and repeated strings, at every level.
    pub elements: u64,
    /// Bytes that the decoded form is expected to take: strings, and structs in vectors that grow by
    /// doubling, and those inside of others. It is up to four times that where lists are just full.
    pub heap_estimate: u64,
    /// `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`.
    pub resources: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_bodies_may_hold_more() {
        let budget = Budget::default();
        assert_eq!(Budget::for_bodies(0), budget);
        assert_eq!(Budget::for_bodies(4 * 1024 * 1024), budget);
        let larger = Budget::for_bodies(100 * 1024 * 1024);
        assert_eq!(
            (larger.elements, larger.heap),
            (5 * budget.elements, 5 * budget.heap)
        );
        assert_eq!(Budget::for_bodies(u64::MAX).heap, u64::MAX);
    }
}
