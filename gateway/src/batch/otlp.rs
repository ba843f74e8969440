//! An OTLP request: the bytes that came in, until somebody edits it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use protos::Signal;

use super::{Codec, CodecError};

/// An encoded `Export{Logs,Metrics,Trace}ServiceRequest` as it was, or is to be, on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// How `bytes` are compressed.
    pub codec: Codec,
    /// The body.
    pub bytes: Bytes,
    /// Length of the body uncompressed, in bytes.
    pub plain_length: u64,
}

/// A checked OTLP request of one signal.
///
/// Whoever makes one has walked the body once (`protos::check`), so that readers need not fear it.
#[derive(Clone, Debug)]
pub struct Otlp {
    signal: Signal,
    items: u64,
    frame: Frame,
    plain: Arc<OnceLock<Bytes>>,
}

impl Otlp {
    /// A request that came compressed or not, with its uncompressed bytes if they are at hand.
    pub fn new(signal: Signal, items: u64, frame: Frame, plain: Option<Bytes>) -> Self {
        let cell = OnceLock::new();
        if let Some(plain) = plain {
            let _ = cell.set(plain);
        }
        Self {
            signal,
            items,
            frame,
            plain: Arc::new(cell),
        }
    }

    /// A request that is not compressed.
    pub fn plain(signal: Signal, items: u64, bytes: Bytes) -> Self {
        let plain_length = bytes.len() as u64;
        let frame = Frame {
            codec: Codec::Identity,
            bytes,
            plain_length,
        };
        Self::new(signal, items, frame, None)
    }

    /// Which of the three request messages it is.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// Log records, data points or spans in it.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The request as it came in.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The uncompressed message; a compressed one is inflated at the first call only.
    ///
    /// # Errors
    /// If the frame cannot be inflated, which cannot happen to a frame that was checked.
    pub fn bytes(&self) -> Result<Bytes, CodecError> {
        if self.frame.codec == Codec::Identity {
            return Ok(self.frame.bytes.clone());
        }
        if let Some(plain) = self.plain.get() {
            return Ok(plain.clone());
        }
        let plain = self
            .frame
            .codec
            .decompress(&self.frame.bytes, self.frame.plain_length)?;
        Ok(self.plain.get_or_init(|| plain).clone())
    }
}
