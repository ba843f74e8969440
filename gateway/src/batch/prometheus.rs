//! Prometheus series: an encoded write request, in the one form that Corten keeps them in.

use bytes::Bytes;
use protos::prometheus::Written;

/// A request that was checked, or written by us: series with sorted labels, their samples, and what
/// their families are. See [`protos::prometheus`]; cloning copies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prometheus {
    body: Bytes,
    written: Written,
}

impl Prometheus {
    /// A request, and how much is in it.
    pub fn new(body: Bytes, written: Written) -> Self {
        Self { body, written }
    }

    /// The encoded request.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// How much is in it.
    pub fn written(&self) -> Written {
        self.written
    }

    /// Samples and histograms in it.
    pub fn items(&self) -> u64 {
        self.written.items()
    }
}
