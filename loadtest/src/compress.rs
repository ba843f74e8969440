//! The content encodings of OTLP that the generator writes and the backends read.

use std::{
    fmt,
    io::{Read, Write},
    str::FromStr,
};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};

use crate::{Error, error::Context};

/// The most that a body may become: what OTLP's specification recommends servers to accept.
pub const BODY_BYTES_MAX: usize = 64 << 20;

/// Gzip's level: the default of the SDKs' and Collectors' libraries.
const GZIP_LEVEL: u32 = 6;

/// Zstandard's level: the default of its library.
const ZSTD_LEVEL: i32 = 3;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// One gzip member.
    Gzip,
    /// One Zstandard frame.
    Zstd,
}

impl Encoding {
    /// The name in `content-encoding` and `grpc-encoding`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// `body` in this encoding.
    pub fn compress(self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let doing = || format!("compress with {self}");
        match self {
            Self::Identity => Ok(body.to_vec()),
            Self::Gzip => {
                let room = Vec::with_capacity(body.len() / 3);
                let mut encoder = GzEncoder::new(room, Compression::new(GZIP_LEVEL));
                encoder.write_all(body).context(doing)?;
                encoder.finish().context(doing)
            }
            Self::Zstd => zstd::bulk::compress(body, ZSTD_LEVEL).context(doing),
        }
    }

    /// What `body` is without this encoding, at most [`BODY_BYTES_MAX`].
    ///
    /// A gzip body of several members is refused: most receivers read only the first, and what
    /// they would lose must not look delivered here.
    pub fn decompress(self, body: &[u8]) -> Result<Vec<u8>, Error> {
        let doing = || format!("decompress {self}");
        let mut out = Vec::with_capacity((body.len() * 4).min(BODY_BYTES_MAX));
        match self {
            Self::Identity => out.extend_from_slice(body),
            Self::Gzip => {
                let mut decoder = GzDecoder::new(body).take(BODY_BYTES_MAX as u64 + 1);
                decoder.read_to_end(&mut out).context(doing)?;
                if !decoder.into_inner().into_inner().is_empty() && out.len() <= BODY_BYTES_MAX {
                    return Err(Error::new("gzip body has more than one member"));
                }
            }
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(body).context(doing)?;
                decoder
                    .take(BODY_BYTES_MAX as u64 + 1)
                    .read_to_end(&mut out)
                    .context(doing)?;
            }
        }
        if out.len() > BODY_BYTES_MAX {
            return Err(Error::new(format!(
                "body is over {BODY_BYTES_MAX} bytes uncompressed"
            )));
        }
        Ok(out)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "identity" | "none" | "" => Ok(Self::Identity),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => Err(Error::new(format!(
                "unknown encoding {text:?}, expected none, gzip or zstd"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back() {
        let body: Vec<u8> = (0..10_000u32).flat_map(|n| (n * n).to_le_bytes()).collect();
        for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Zstd] {
            let compressed = encoding.compress(&body).unwrap();
            assert_eq!(
                encoding.decompress(&compressed).unwrap(),
                body,
                "{encoding}"
            );
            if encoding != Encoding::Identity {
                assert!(
                    encoding
                        .decompress(&compressed[..compressed.len() / 2])
                        .is_err()
                );
            }
        }
    }

    #[test]
    fn bombs_and_second_members_are_refused() {
        let zeros = vec![0; BODY_BYTES_MAX + 1];
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let bomb = encoding.compress(&zeros).unwrap();
            assert!(encoding.decompress(&bomb).is_err(), "{encoding}");
        }
        let mut two = Encoding::Gzip.compress(b"one").unwrap();
        two.extend(Encoding::Gzip.compress(b"two").unwrap());
        assert!(Encoding::Gzip.decompress(&two).is_err());
    }
}
