//! What a request may cost, and what one was found to hold.
//!
//! A limit on bytes is not enough: an empty sub-message takes two bytes on the wire and up to 264 in
//! memory, so that 64 MiB (65 kB of gzip) would decode into 8.6 GiB. Elements are counted while the
//! bytes are still bytes.

/// Sub-messages allowed in a request. Honest traffic has one for each eight bytes at the densest
/// (short attributes), so a body at the customary limit of 20 MiB holds 2.6 million.
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

    /// The levels that may be entered.
    pub(crate) fn levels(&self) -> usize {
        self.depth.min(NESTING) as usize
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            elements: ELEMENTS,
            depth: NESTING,
            heap: HEAP,
        }
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
    /// doubling.
    pub heap_estimate: u64,
    /// `ResourceLogs`, `ResourceMetrics` or `ResourceSpans`.
    pub resources: u32,
}
