//! The few messages around an export: its response, and `google.rpc.Status` with a retry delay.

use std::time::Duration;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost::Message;

/// gRPC status codes that matter here.
pub(crate) mod code {
    pub(crate) const CANCELLED: i32 = 1;
    pub(crate) const UNKNOWN: i32 = 2;
    pub(crate) const INVALID_ARGUMENT: i32 = 3;
    pub(crate) const DEADLINE_EXCEEDED: i32 = 4;
    pub(crate) const NOT_FOUND: i32 = 5;
    pub(crate) const PERMISSION_DENIED: i32 = 7;
    pub(crate) const RESOURCE_EXHAUSTED: i32 = 8;
    pub(crate) const ABORTED: i32 = 10;
    pub(crate) const OUT_OF_RANGE: i32 = 11;
    pub(crate) const UNIMPLEMENTED: i32 = 12;
    pub(crate) const INTERNAL: i32 = 13;
    pub(crate) const UNAVAILABLE: i32 = 14;
    pub(crate) const DATA_LOSS: i32 = 15;
    pub(crate) const UNAUTHENTICATED: i32 = 16;
}

/// gRPC's binary headers come with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// `Export*ServiceResponse`: the same message for each signal.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// How many items were rejected for good, and why.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(crate) details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<ProtoDuration>,
}

#[derive(Clone, PartialEq, Message)]
struct ProtoDuration {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Status {
    /// A status that asks to come back after `seconds`, which may be as absurd as a test wants.
    pub(crate) fn new(code: i32, message: &str, retry_seconds: Option<f64>) -> Self {
        let details = retry_seconds.map(|seconds| {
            let delay = ProtoDuration {
                seconds: seconds.trunc() as i64,
                nanos: (seconds.fract() * 1e9) as i32,
            };
            let value = RetryInfo {
                retry_delay: Some(delay),
            }
            .encode_to_vec();
            Any {
                type_url: RETRY_INFO.into(),
                value,
            }
        });
        Self {
            code,
            message: message.into(),
            details: details.into_iter().collect(),
        }
    }

    /// The delay that the status asks for, if any; a negative one is none at all.
    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let info = self
            .details
            .iter()
            .find(|detail| detail.type_url == RETRY_INFO)?;
        let delay = RetryInfo::decode(&*info.value)
            .ok()?
            .retry_delay
            .unwrap_or_default();
        let (seconds, nanos) = (u64::try_from(delay.seconds), u32::try_from(delay.nanos));
        Some(Duration::new(
            seconds.unwrap_or(0),
            nanos.unwrap_or(0).min(999_999_999),
        ))
    }

    /// As the header `grpc-status-details-bin` carries it.
    pub(crate) fn to_header(&self) -> String {
        BASE64.encode(self.encode_to_vec())
    }

    /// From that header.
    pub(crate) fn from_header(header: &[u8]) -> Option<Self> {
        Self::decode(&*BASE64.decode(header).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_survives_the_header() {
        let cases = [
            (None, None),
            (Some(0.25), Some(Duration::from_millis(250))),
            (Some(0.0), Some(Duration::ZERO)),
            (Some(-3.0), Some(Duration::ZERO)),
            (Some(1e9), Some(Duration::from_secs(1_000_000_000))),
        ];
        for (seconds, delay) in cases {
            let status = Status::new(code::RESOURCE_EXHAUSTED, "later", seconds);
            let header = status.to_header();
            let read = Status::from_header(header.as_bytes()).unwrap();
            assert_eq!(read, status);
            assert_eq!(read.retry_delay(), delay, "{seconds:?}");
        }
        assert_eq!(Status::from_header(b"not base64!"), None);
    }
}
