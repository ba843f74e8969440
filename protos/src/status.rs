//! `google.rpc.Status`: how an OTLP server says no, over gRPC in `grpc-status-details-bin` and over
//! HTTP as the body.

use std::time::Duration;

use bytes::Bytes;

use crate::field::{Fields, Value};
use crate::{WireError, varint};

/// The type of the detail that says when to come back. Without it, OpenTelemetry Collectors drop the
/// data of a `RESOURCE_EXHAUSTED`.
pub const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// The longest delay that protobuf's `Duration` allows, in seconds: about 10,000 years.
const DELAY_SECONDS: u64 = 315_576_000_000;

/// Why a request was refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// The gRPC status code.
    pub code: i32,
    /// Why, for the developer who reads it.
    pub message: String,
    /// More, for programs.
    pub details: Vec<Detail>,
}

/// A message of a type that is named beside it (`google.protobuf.Any`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// The name of the type, after a prefix that ends with a slash.
    pub type_url: String,
    /// The encoded message.
    pub value: Bytes,
}

impl Detail {
    /// The detail that asks the client to wait for `delay`.
    pub fn retry_after(delay: Duration) -> Self {
        let mut duration = Vec::new();
        let seconds = delay.as_secs().min(DELAY_SECONDS);
        if seconds != 0 {
            duration.push(0x08);
            varint::write(&mut duration, seconds);
        }
        if delay.subsec_nanos() != 0 {
            duration.push(0x10);
            varint::write(&mut duration, u64::from(delay.subsec_nanos()));
        }
        let mut value = Vec::new();
        put_bytes(&mut value, 0x0a, &duration);
        Self {
            type_url: RETRY_INFO.to_owned(),
            value: value.into(),
        }
    }

    /// The delay, if this is the detail that has one. A negative delay is none.
    pub fn delay(&self) -> Option<Duration> {
        if !self.is_retry_info() {
            return None;
        }
        let duration = crate::field::bytes(&self.value, 1)?;
        let seconds = crate::field::varint(duration, 1) as i64;
        let nanos = crate::field::varint(duration, 2) as i32;
        Some(Duration::new(
            u64::try_from(seconds).unwrap_or(0),
            u32::try_from(nanos).unwrap_or(0).min(999_999_999),
        ))
    }

    /// Whether its type is that of a delay, whatever comes before the slash.
    pub(crate) fn is_retry_info(&self) -> bool {
        self.type_url.rsplit('/').next() == RETRY_INFO.rsplit('/').next()
    }

    fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut detail = Self {
            type_url: String::new(),
            value: Bytes::new(),
        };
        let mut fields = Fields::new(message);
        for field in fields.by_ref() {
            match (field.number, field.value) {
                (1, Value::Bytes(url)) => {
                    detail.type_url = String::from_utf8_lossy(url).into_owned();
                }
                (2, Value::Bytes(value)) => detail.value = Bytes::copy_from_slice(value),
                _ => {}
            }
        }
        fields.finish()?;
        Ok(detail)
    }
}

impl Status {
    /// A status without details.
    pub fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The same, asking the client to wait for `delay`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.details.push(Detail::retry_after(delay));
        self
    }

    /// How long the server asks to wait, if it does.
    pub fn delay(&self) -> Option<Duration> {
        self.details.iter().find_map(Detail::delay)
    }

    /// The encoded message.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(self.message.len() + 32);
        if self.code != 0 {
            out.push(0x08);
            // Protobuf writes a negative 32-bit number as the 64-bit one.
            varint::write(&mut out, i64::from(self.code) as u64);
        }
        put_bytes_unless_empty(&mut out, 0x12, self.message.as_bytes());
        for detail in &self.details {
            let mut any = Vec::with_capacity(detail.type_url.len() + detail.value.len() + 8);
            put_bytes_unless_empty(&mut any, 0x0a, detail.type_url.as_bytes());
            put_bytes_unless_empty(&mut any, 0x12, &detail.value);
            put_bytes(&mut out, 0x1a, &any);
        }
        out.into()
    }

    /// Reads an encoded status. What backends answer is theirs, so text that is not UTF-8 is mended
    /// instead of refused.
    ///
    /// # Errors
    ///
    /// When it is not a protobuf message at all.
    pub fn decode(message: &[u8]) -> Result<Self, WireError> {
        let mut status = Self::default();
        let mut fields = Fields::new(message);
        for field in fields.by_ref() {
            match (field.number, field.value) {
                (1, Value::Varint(code)) => status.code = code as i32,
                (2, Value::Bytes(text)) => {
                    status.message = String::from_utf8_lossy(text).into_owned();
                }
                (3, Value::Bytes(detail)) => status.details.push(Detail::decode(detail)?),
                _ => {}
            }
        }
        fields.finish()?;
        Ok(status)
    }
}

/// Appends a field of bytes.
fn put_bytes(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    out.push(key);
    varint::write(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_bytes_unless_empty(out: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        put_bytes(out, key, bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_back() {
        let status = Status::new(8, "queue is full").retry_after(Duration::from_millis(1500));
        let encoded = status.encode();
        // code 8; the message; a detail with the type and seconds 1, nanos 500,000,000.
        let mut expected = b"\x08\x08\x12\x0dqueue is full\x1a\x36\x0a\x28".to_vec();
        expected.extend_from_slice(RETRY_INFO.as_bytes());
        expected.extend_from_slice(b"\x12\x0a\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01");
        assert_eq!(encoded, expected);
        let decoded = Status::decode(&encoded).unwrap();
        assert_eq!(decoded, status);
        assert_eq!(decoded.delay(), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn delays_stay_within_what_a_duration_holds() {
        for (delay, read) in [
            (Duration::ZERO, Duration::ZERO),
            (Duration::new(0, 999_999_999), Duration::new(0, 999_999_999)),
            (
                Duration::from_secs(u64::MAX),
                Duration::from_secs(DELAY_SECONDS),
            ),
        ] {
            assert_eq!(Detail::retry_after(delay).delay(), Some(read));
        }
        let negative = Detail {
            type_url: "google.rpc.RetryInfo".to_owned(),
            value: Bytes::from_static(b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        };
        assert_eq!(negative.delay(), Some(Duration::ZERO));
    }

    #[test]
    fn other_details_have_no_delay() {
        let mut status = Status::new(-1, "");
        status.details.push(Detail {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: Bytes::from_static(b"\x0a\x01x"),
        });
        assert_eq!(status.delay(), None);
        assert_eq!(Status::decode(&status.encode()), Ok(status));
        assert!(Status::decode(b"upstream connect error").is_err());
    }
}
