//! How a body is compressed, by the names that HTTP and gRPC have for it.
//!
//! A body that came compressed is stored and sent in the very frame in which it came, so a codec
//! here says exactly what the bytes are. Hence two kinds of snappy: HTTP's `snappy` is the block
//! format and gRPC's `snappy` the framed one, and neither side reads the other's.

mod compress;
mod inflate;

use std::{fmt, str::FromStr};

use bytes::Bytes;

use super::Exhausted;

/// First bytes of every framed snappy stream.
const SNAPPY_STREAM: &[u8] = b"\xff\x06\x00\x00sNaPpY";

/// A compression format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Not compressed.
    #[default]
    Identity,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
    /// RFC 1950, which HTTP calls `deflate` and OpenTelemetry also `zlib`.
    Deflate,
    /// Snappy's block format: the whole body at once, its length in front.
    Snappy,
    /// Snappy's framing format: a stream of checksummed blocks.
    SnappyFramed,
    /// LZ4's frame format.
    Lz4,
}

/// A body that was decompressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// The plain bytes.
    pub bytes: Bytes,
    /// Compressed members or frames that lay one behind the other. Receivers exist that read only
    /// the first, so a body with more than one must not be passed on as it is.
    pub members: u32,
}

impl Codec {
    /// Every codec, in the order in which a server offers them.
    pub const ALL: [Self; 7] = [
        Self::Identity,
        Self::Gzip,
        Self::Zstd,
        Self::Deflate,
        Self::Snappy,
        Self::SnappyFramed,
        Self::Lz4,
    ];

    /// The codec that an HTTP `Content-Encoding` names; none if it names no single one of ours.
    pub fn from_content_encoding(name: &str) -> Option<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" | "zlib" => Some(Self::Deflate),
            "snappy" => Some(Self::Snappy),
            "x-snappy-framed" => Some(Self::SnappyFramed),
            "lz4" => Some(Self::Lz4),
            _ => None,
        }
    }

    /// The codec that a gRPC `grpc-encoding` names.
    pub fn from_grpc_encoding(name: &str) -> Option<Self> {
        match name {
            "" | "identity" => Some(Self::Identity),
            "gzip" => Some(Self::Gzip),
            "zstd" => Some(Self::Zstd),
            "deflate" => Some(Self::Deflate),
            "snappy" => Some(Self::SnappyFramed),
            "lz4" => Some(Self::Lz4),
            _ => None,
        }
    }

    /// The `Content-Encoding` of a body in this codec; none where the header is left out.
    pub fn content_encoding(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            other => Some(other.as_str()),
        }
    }

    /// The `grpc-encoding` of a message in this codec; none where gRPC has no name for it.
    pub fn grpc_encoding(self) -> Option<&'static str> {
        match self {
            Self::Snappy => None,
            Self::SnappyFramed => Some("snappy"),
            other => Some(other.as_str()),
        }
    }

    /// A name of its own for each codec: that of HTTP, under which the log keeps it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Snappy => "snappy",
            Self::SnappyFramed => "x-snappy-framed",
            Self::Lz4 => "lz4",
        }
    }

    /// What the bytes really are: OpenTelemetry Collectors up to 2025 sent framed snappy to HTTP
    /// servers under the name of the block format.
    #[must_use]
    pub fn recognise(self, bytes: &[u8]) -> Self {
        match self {
            Self::Snappy if bytes.starts_with(SNAPPY_STREAM) => Self::SnappyFramed,
            other => other,
        }
    }

    /// Compresses at the level that suits a gateway: fast before small.
    pub fn compress(self, plain: &[u8]) -> Bytes {
        compress::compress(self, plain, None)
    }

    /// Compresses at a level of the codec's own scale; one outside of it is brought to its ends,
    /// and codecs without levels have only one.
    pub fn compress_at(self, plain: &[u8], level: i32) -> Bytes {
        compress::compress(self, plain, Some(level))
    }

    /// Decompresses to at most `limit` bytes.
    ///
    /// # Errors
    /// If the body is broken, or would become larger than the limit or than any honest body of its
    /// compressed size.
    pub fn decompress(self, body: &Bytes, limit: u64) -> Result<Bytes, CodecError> {
        self.inflate(body, limit, &mut |_| Ok(()))
            .map(|inflated| inflated.bytes)
    }

    /// Decompresses to at most `limit` bytes, asking `admit` for every byte of memory before it is
    /// taken.
    ///
    /// # Errors
    /// As [`Codec::decompress`], or if `admit` refuses.
    pub fn inflate(
        self,
        body: &Bytes,
        limit: u64,
        admit: &mut dyn FnMut(u64) -> Result<(), Exhausted>,
    ) -> Result<Inflated, CodecError> {
        inflate::inflate(self, body, limit, admit)
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Codec {
    type Err = UnknownCodec;

    fn from_str(name: &str) -> Result<Self, UnknownCodec> {
        Self::ALL
            .into_iter()
            .find(|codec| codec.as_str() == name)
            .ok_or(UnknownCodec)
    }
}

/// No codec has this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownCodec;

impl fmt::Display for UnknownCodec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("unknown compression, expected one of")?;
        Codec::ALL
            .iter()
            .try_for_each(|codec| write!(formatter, " {codec}"))
    }
}

impl std::error::Error for UnknownCodec {}

/// Why a body could not be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// It would become larger than this many bytes.
    TooLarge {
        /// The bound that was met.
        limit: u64,
    },
    /// It is not what it says it is.
    Corrupt {
        /// What it says it is.
        codec: Codec,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There is no memory for it now.
    Exhausted(Exhausted),
}

impl From<Exhausted> for CodecError {
    fn from(exhausted: Exhausted) -> Self {
        Self::Exhausted(exhausted)
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { limit } => {
                write!(
                    formatter,
                    "body is larger than {limit} bytes when decompressed"
                )
            }
            Self::Corrupt { codec, reason } => write!(formatter, "body is not {codec}: {reason}"),
            Self::Exhausted(exhausted) => exhausted.fmt(formatter),
        }
    }
}

impl std::error::Error for CodecError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text that compresses like telemetry does: much alike, never the same twice.
    fn sample(length: usize) -> Vec<u8> {
        let lines = (0_u32..).map(|n| format!("{n} level=info msg=\"request {}\"\n", n * 7919));
        let mut text = Vec::with_capacity(length + 64);
        for line in lines {
            text.extend_from_slice(line.as_bytes());
            if text.len() >= length {
                text.truncate(length);
                return text;
            }
        }
        text
    }

    fn compressing() -> impl Iterator<Item = Codec> {
        Codec::ALL
            .into_iter()
            .filter(|codec| *codec != Codec::Identity)
    }

    #[test]
    fn what_is_compressed_comes_back() {
        for codec in Codec::ALL {
            for length in [0, 1, 100, 65_536, 300_000] {
                let plain = sample(length);
                let packed = codec.compress(&plain);
                let unpacked = codec.decompress(&packed, length as u64);
                assert!(unpacked.as_deref() == Ok(&plain[..]), "{codec} {length}");
                assert!(length < 65_536 || codec == Codec::Identity || packed.len() < length / 2);
            }
        }
    }

    #[test]
    fn levels_are_those_of_the_codec() {
        let plain = sample(100_000);
        for codec in [Codec::Gzip, Codec::Zstd, Codec::Deflate] {
            let (fast, small) = (codec.compress_at(&plain, 1), codec.compress_at(&plain, 9));
            assert_ne!(small.len(), fast.len(), "{codec}");
            for level in [i32::MIN, i32::MAX] {
                let packed = codec.compress_at(&plain, level);
                let unpacked = codec.decompress(&packed, 100_000);
                assert!(unpacked.as_deref() == Ok(&plain[..]), "{codec} {level}");
            }
        }
    }

    #[test]
    fn a_limit_is_met_to_the_byte() {
        let plain = sample(200_000);
        for codec in Codec::ALL {
            let packed = codec.compress(&plain);
            assert!(codec.decompress(&packed, 200_000).is_ok(), "{codec}");
            let refused = codec.decompress(&packed, 199_999).map(|plain| plain.len());
            assert_eq!(
                refused,
                Err(CodecError::TooLarge { limit: 199_999 }),
                "{codec}"
            );
        }
    }

    #[test]
    fn bombs_are_defused_before_they_take_memory() {
        let zeros = vec![0; 64 << 20];
        for codec in compressing() {
            let bomb = codec.compress(&zeros);
            let mut taken = 0;
            let answer = codec.inflate(&bomb, 8 << 20, &mut |bytes| {
                taken += bytes;
                Ok(())
            });
            assert!(
                matches!(answer, Err(CodecError::TooLarge { .. })),
                "{codec}"
            );
            assert!(taken <= (8 << 20) + 1, "{codec} took {taken}");
        }
    }

    #[test]
    fn no_honest_body_shrinks_two_hundredfold() {
        let bomb = Codec::Gzip.compress_at(&vec![0; 32 << 20], 9);
        let length = Codec::Gzip
            .decompress(&bomb, 64 << 20)
            .map(|plain| plain.len());
        assert_eq!(
            length,
            Err(CodecError::TooLarge {
                limit: bomb.len() as u64 * 200
            })
        );
        let small = Codec::Gzip.compress_at(&vec![0; 1 << 20], 9);
        assert!(Codec::Gzip.decompress(&small, 64 << 20).is_ok());
    }

    #[test]
    fn memory_is_asked_for_before_it_is_taken() {
        for codec in compressing() {
            let packed = codec.compress(&sample(300_000));
            let none = Exhausted { wanted: 1, free: 0 };
            let answer = codec.inflate(&packed, 1 << 20, &mut |_| Err(none));
            assert_eq!(answer.err(), Some(CodecError::Exhausted(none)), "{codec}");
        }
    }

    #[test]
    fn truncated_and_damaged_bodies_are_refused_at_every_byte() {
        let plain = sample(3_000);
        for codec in compressing() {
            let packed = codec.compress(&plain);
            for end in 0..packed.len() {
                let answer = codec.decompress(&packed.slice(..end), 1 << 20);
                assert!(answer.as_deref() != Ok(&plain[..]), "{codec} cut at {end}");
                let may_be_empty = codec == Codec::SnappyFramed && end <= SNAPPY_STREAM.len();
                assert!(answer.is_err() || may_be_empty, "{codec} cut at {end}");
            }
            let mut damaged = packed.to_vec();
            let middle = damaged.len() / 2;
            damaged[middle] ^= 0x10;
            let answer = codec.decompress(&damaged.into(), 1 << 20);
            assert!(answer.as_deref() != Ok(&plain[..]), "{codec}");
        }
    }

    #[test]
    fn bytes_behind_the_end_are_refused() {
        for codec in compressing() {
            let mut packed = codec.compress(&sample(3_000)).to_vec();
            packed.extend_from_slice(b"GARBAGE");
            let answer = codec.decompress(&packed.into(), 1 << 20);
            assert!(matches!(answer, Err(CodecError::Corrupt { .. })), "{codec}");
        }
    }

    #[test]
    fn members_one_behind_the_other_are_read_and_counted() {
        let (first, second) = (sample(70_000), sample(9_000));
        for codec in [Codec::Gzip, Codec::Zstd, Codec::Lz4] {
            let packed = [codec.compress(&first), codec.compress(&second)].concat();
            let inflated = codec
                .inflate(&packed.into(), 1 << 20, &mut |_| Ok(()))
                .unwrap();
            assert_eq!(inflated.members, 2, "{codec}");
            assert!(
                inflated.bytes == [&first[..], &second[..]].concat(),
                "{codec}"
            );
        }
    }

    #[test]
    fn a_zstd_window_beyond_ours_is_refused() {
        // Magic number, no content size, window of 2^27 bytes, one raw block of a byte.
        let frame = b"\x28\xb5\x2f\xfd\x00\x88\x09\x00\x00x";
        let answer = Codec::Zstd.decompress(&Bytes::from_static(frame), 1 << 30);
        assert!(
            matches!(answer, Err(CodecError::Corrupt { .. })),
            "{answer:?}"
        );
    }

    #[test]
    fn names_lead_to_codecs_and_back() {
        for codec in Codec::ALL {
            assert_eq!(codec.as_str().parse(), Ok(codec));
            assert_eq!(Codec::from_content_encoding(codec.as_str()), Some(codec));
            if let Some(name) = codec.grpc_encoding() {
                assert_eq!(Codec::from_grpc_encoding(name), Some(codec));
            }
        }
        assert_eq!(Codec::from_content_encoding("zlib"), Some(Codec::Deflate));
        assert_eq!(Codec::from_content_encoding(" GZIP "), Some(Codec::Gzip));
        for unknown in ["br", "gzip, gzip", "*"] {
            assert_eq!(Codec::from_content_encoding(unknown), None);
            assert_eq!(Codec::from_grpc_encoding(unknown), None);
        }
        assert_eq!("br".parse::<Codec>(), Err(UnknownCodec));
    }

    #[test]
    fn framed_snappy_is_told_from_blocks() {
        let framed = Codec::SnappyFramed.compress(b"abc");
        assert_eq!(Codec::Snappy.recognise(&framed), Codec::SnappyFramed);
        let block = Codec::Snappy.compress(b"abc");
        assert_eq!(Codec::Snappy.recognise(&block), Codec::Snappy);
        assert_eq!(Codec::Gzip.recognise(&framed), Codec::Gzip);
    }
}
