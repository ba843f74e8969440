//! The names of compression in exporters' arguments.
//!
//! Snappy is two formats under one name: HTTP's is a block and gRPC's a stream, so the name alone
//! does not say what goes on the wire.

use crate::batch::Codec;

/// How requests are compressed.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// RFC 1952.
    #[keyword("gzip")]
    Gzip,
    /// RFC 1950, sent under its registered name `deflate`.
    #[keyword("zlib")]
    Zlib,
    /// RFC 1950.
    #[keyword("deflate")]
    Deflate,
    /// Snappy.
    #[keyword("snappy")]
    Snappy,
    /// RFC 8878.
    #[keyword("zstd")]
    Zstd,
    /// None.
    #[keyword("none")]
    None,
    /// None.
    #[keyword("")]
    Empty,
}

impl Compression {
    /// The codec of HTTP bodies.
    pub fn for_http(self) -> Codec {
        match self {
            Self::Gzip => Codec::Gzip,
            Self::Zlib | Self::Deflate => Codec::Deflate,
            Self::Snappy => Codec::Snappy,
            Self::Zstd => Codec::Zstd,
            Self::None | Self::Empty => Codec::Identity,
        }
    }

    /// The codec of gRPC messages.
    ///
    /// # Errors
    /// If gRPC servers have no such codec; Alloy finds out when it starts the exporter.
    pub fn for_grpc(self) -> Result<Codec, String> {
        match self {
            Self::Zlib | Self::Deflate => Err("compression \"zlib\" and \"deflate\" are not \
                                               understood by gRPC servers: use \"gzip\", \
                                               \"zstd\", \"snappy\" or \"none\""
                .to_owned()),
            Self::Snappy => Ok(Codec::SnappyFramed),
            other => Ok(other.for_http()),
        }
    }

    /// Checks a level against the codec's own scale.
    ///
    /// # Errors
    /// If the codec has no levels, or not this one.
    pub fn check_level(self, level: i64) -> Result<i32, String> {
        let levels = match self {
            Self::Gzip | Self::Zlib | Self::Deflate => 0..=9,
            Self::Zstd => 1..=22,
            Self::Snappy | Self::None | Self::Empty => {
                return Err(
                    "compression_params.level needs a compression that has levels: \
                            \"gzip\", \"zlib\", \"deflate\" or \"zstd\""
                        .to_owned(),
                );
            }
        };
        match i32::try_from(level) {
            // The Collector's own word for "the codec's default".
            Ok(-1) if self != Self::Zstd => Ok(6),
            Ok(level) if levels.contains(&level) => Ok(level),
            _ => Err(format!(
                "compression_params.level = {level} is outside of {} to {}",
                levels.start(),
                levels.end()
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_has_its_own_codecs() {
        assert_eq!(Compression::Snappy.for_http(), Codec::Snappy);
        assert_eq!(Compression::Snappy.for_grpc(), Ok(Codec::SnappyFramed));
        assert_eq!(Compression::Zlib.for_http(), Codec::Deflate);
        assert!(
            Compression::Zlib
                .for_grpc()
                .unwrap_err()
                .contains("use \"gzip\"")
        );
        assert_eq!(Compression::Empty.for_grpc(), Ok(Codec::Identity));
    }

    #[test]
    fn a_level_must_be_on_its_codecs_scale() {
        for (compression, level, expected) in [
            (Compression::Gzip, 9, Some(9)),
            (Compression::Gzip, -1, Some(6)),
            (Compression::Gzip, 10, None),
            (Compression::Zstd, 22, Some(22)),
            (Compression::Zstd, -1, None),
            (Compression::Zstd, i64::MAX, None),
            (Compression::Snappy, 1, None),
            (Compression::None, 0, None),
        ] {
            assert_eq!(
                compression.check_level(level).ok(),
                expected,
                "{compression:?} {level}"
            );
        }
    }
}
