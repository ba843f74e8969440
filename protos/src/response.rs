//! What an OTLP server answers: all taken, or how much was not.
//!
//! The three response messages differ in names only, and the names are not on the wire. The empty
//! response of full success is zero bytes long.

use bytes::Bytes;

use crate::field::{Fields, Value};
use crate::{WireError, varint};

/// The encoded response that says that everything was taken.
pub const SUCCESS: Bytes = Bytes::new();

/// The answer to a request that was taken in part, or with a warning. Clients do not retry after it,
/// so what is counted here is lost to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Log records, data points or spans that were refused. With 0, `message` is a warning.
    pub rejected: i64,
    /// Why, for the developer who reads it.
    pub message: String,
}

impl PartialSuccess {
    /// Whether it says no more than [`SUCCESS`].
    pub fn is_empty(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }

    /// The encoded response with this in it; [`SUCCESS`] when there is nothing to say.
    pub fn encode(&self) -> Bytes {
        if self.is_empty() {
            return SUCCESS;
        }
        let mut content = Vec::with_capacity(self.message.len() + 16);
        if self.rejected != 0 {
            content.push(0x08);
            varint::write(&mut content, self.rejected as u64);
        }
        if !self.message.is_empty() {
            content.push(0x12);
            varint::write(&mut content, self.message.len() as u64);
            content.extend_from_slice(self.message.as_bytes());
        }
        let mut response =
            Vec::with_capacity(1 + varint::len(content.len() as u64) + content.len());
        response.push(0x0a);
        varint::write(&mut response, content.len() as u64);
        response.extend_from_slice(&content);
        response.into()
    }

    /// Reads an encoded response. What backends answer is theirs, so unknown fields are passed over,
    /// and text that is not UTF-8 is mended instead of refused: the data was taken either way.
    ///
    /// # Errors
    ///
    /// When it is not a protobuf message at all.
    pub fn decode(response: &[u8]) -> Result<Self, WireError> {
        let mut partial = Self::default();
        let mut outer = Fields::new(response);
        for content in outer.by_ref().filter(|field| field.number == 1) {
            let mut inner = Fields::new(content.value.bytes().unwrap_or_default());
            for field in inner.by_ref() {
                match (field.number, field.value) {
                    (1, Value::Varint(rejected)) => partial.rejected = rejected as i64,
                    (2, Value::Bytes(text)) => {
                        partial.message = String::from_utf8_lossy(text).into_owned();
                    }
                    _ => {}
                }
            }
            inner.finish()?;
        }
        outer.finish()?;
        Ok(partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::{
        ExportLogsPartialSuccess, ExportLogsServiceResponse, ExportMetricsPartialSuccess,
        ExportMetricsServiceResponse, ExportTracePartialSuccess, ExportTraceServiceResponse,
        Message,
    };

    /// What the three generated types make of the same answer.
    fn by_prost(rejected: i64, message: &str) -> [Vec<u8>; 3] {
        let error_message = message.to_owned();
        [
            ExportLogsServiceResponse {
                partial_success: Some(ExportLogsPartialSuccess {
                    rejected_log_records: rejected,
                    error_message: error_message.clone(),
                }),
            }
            .encode_to_vec(),
            ExportMetricsServiceResponse {
                partial_success: Some(ExportMetricsPartialSuccess {
                    rejected_data_points: rejected,
                    error_message: error_message.clone(),
                }),
            }
            .encode_to_vec(),
            ExportTraceServiceResponse {
                partial_success: Some(ExportTracePartialSuccess {
                    rejected_spans: rejected,
                    error_message,
                }),
            }
            .encode_to_vec(),
        ]
    }

    #[test]
    fn answers_are_those_of_every_signal() {
        for (rejected, message) in [(3, "too old"), (0, "warning"), (-1, ""), (i64::MAX, "é")] {
            let partial = PartialSuccess {
                rejected,
                message: message.to_owned(),
            };
            for encoded in by_prost(rejected, message) {
                assert_eq!(partial.encode(), encoded);
                assert_eq!(PartialSuccess::decode(&encoded), Ok(partial.clone()));
            }
        }
    }

    #[test]
    fn full_success_takes_no_bytes() {
        assert_eq!(PartialSuccess::default().encode(), SUCCESS);
        for response in [&[][..], &[0x0a, 0]] {
            assert!(PartialSuccess::decode(response).unwrap().is_empty());
        }
    }

    #[test]
    fn a_broken_answer_is_no_success() {
        for response in [&b"<html>"[..], &[0x0a, 5, 8], &[0x0a, 2, 0x12, 9]] {
            assert!(PartialSuccess::decode(response).is_err(), "{response:?}");
        }
    }

    #[test]
    fn a_message_in_another_encoding_is_mended() {
        let partial = PartialSuccess::decode(&[0x0a, 3, 0x12, 1, 0xe9]).unwrap();
        assert_eq!(partial.message, "\u{fffd}");
    }
}
