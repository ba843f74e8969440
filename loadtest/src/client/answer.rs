//! What an answer means to whoever sent the request, by the tables of the OTLP specification.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use prost::Message;

use crate::rpc::{ExportResponse, Status, code};

/// The longest delay that a server is believed to mean.
const DELAY_MAX: Duration = Duration::from_secs(3600);

/// The outcome of sending a request once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Taken, except for `rejected` items, which must not be sent again.
    Acked {
        /// Items rejected by a partial success.
        rejected: u64,
    },
    /// Not taken now: to be sent again after the delay, or after the client's own backoff.
    Retryable {
        /// What the server asked for.
        delay: Option<Duration>,
        /// The status, for people.
        why: String,
        /// Whether a server said so; false if no connection could be opened.
        sent: bool,
    },
    /// Never to be sent again.
    Refused {
        /// The status, for people.
        why: String,
    },
    /// It was sent and no answer came: it may have been taken.
    Lost {
        /// What broke.
        why: String,
    },
}

impl Answer {
    /// A gRPC status with whatever details it came with.
    pub(super) fn of_grpc(status: i32, headers: &HeaderMap, body: &[u8]) -> Self {
        if status == 0 {
            return Self::of_response(body);
        }
        let delay = headers
            .get("grpc-status-details-bin")
            .and_then(|header| Status::from_header(header.as_bytes()))
            .and_then(|status| status.retry_delay())
            .map(|delay| delay.min(DELAY_MAX));
        let message = headers
            .get("grpc-message")
            .and_then(|text| text.to_str().ok());
        let why = format!("grpc status {status} {}", message.unwrap_or_default());
        let retryable = match status {
            code::CANCELLED
            | code::DEADLINE_EXCEEDED
            | code::ABORTED
            | code::OUT_OF_RANGE
            | code::UNAVAILABLE
            | code::DATA_LOSS => true,
            code::RESOURCE_EXHAUSTED => delay.is_some(),
            _ => false,
        };
        if retryable {
            Self::Retryable {
                delay,
                why,
                sent: true,
            }
        } else {
            Self::Refused { why }
        }
    }

    /// An HTTP status.
    pub(super) fn of_http(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        match status {
            200..=299 => Self::of_response(body),
            429 | 502 | 503 | 504 => Self::Retryable {
                delay: headers
                    .get("retry-after")
                    .and_then(|text| retry_after(text.to_str().ok()?)),
                why: format!("http status {status}"),
                sent: true,
            },
            _ => Self::Refused {
                why: format!("http status {status}"),
            },
        }
    }

    fn of_response(body: &[u8]) -> Self {
        match ExportResponse::decode(body) {
            Ok(response) => {
                let rejected = response
                    .partial_success
                    .map_or(0, |partial| partial.rejected);
                Self::Acked {
                    rejected: u64::try_from(rejected).unwrap_or(0),
                }
            }
            Err(_) => Self::Lost {
                why: "the response does not decode".into(),
            },
        }
    }
}

/// Seconds or an HTTP date; what is neither is no delay, and what is past is none to wait for.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse::<f64>() {
        let seconds = seconds.clamp(0.0, DELAY_MAX.as_secs_f64());
        return seconds
            .is_finite()
            .then(|| Duration::from_secs_f64(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(
        date.duration_since(SystemTime::now())
            .unwrap_or_default()
            .min(DELAY_MAX),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(answer: &Answer) -> (&'static str, Option<u64>) {
        match answer {
            Answer::Acked { rejected } => ("acked", Some(*rejected)),
            Answer::Retryable { delay, .. } => ("retry", delay.map(|delay| delay.as_secs())),
            Answer::Refused { .. } => ("refused", None),
            Answer::Lost { .. } => ("lost", None),
        }
    }

    #[test]
    fn http_statuses_mean_what_the_specification_says() {
        let cases = [
            (200, None, ("acked", Some(0))),
            (429, None, ("retry", None)),
            (429, Some("7"), ("retry", Some(7))),
            (502, None, ("retry", None)),
            (503, Some("-5"), ("retry", Some(0))),
            (503, Some("999999999999"), ("retry", Some(3600))),
            (
                503,
                Some("Fri, 01 Jan 2100 00:00:00 GMT"),
                ("retry", Some(3600)),
            ),
            (
                503,
                Some("Thu, 01 Jan 1970 00:00:00 GMT"),
                ("retry", Some(0)),
            ),
            (503, Some("soon"), ("retry", None)),
            (504, None, ("retry", None)),
            (400, None, ("refused", None)),
            (401, None, ("refused", None)),
            (404, None, ("refused", None)),
            (408, None, ("refused", None)),
            (413, None, ("refused", None)),
            (500, None, ("refused", None)),
        ];
        for (status, after, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(after) = after {
                headers.insert("retry-after", after.parse().unwrap());
            }
            let answer = Answer::of_http(status, &headers, &[]);
            assert_eq!(kind(&answer), expected, "{status} {after:?}");
        }
    }

    #[test]
    fn grpc_statuses_mean_what_the_specification_says() {
        for status in 0..=16 {
            for delay in [None, Some(2.0)] {
                let mut headers = HeaderMap::new();
                let header = Status::new(status, "", delay).to_header();
                headers.insert("grpc-status-details-bin", header.parse().unwrap());
                let expected = match status {
                    0 => ("acked", Some(0)),
                    1 | 4 | 10 | 11 | 14 | 15 => ("retry", delay.map(|_| 2)),
                    8 if delay.is_some() => ("retry", Some(2)),
                    _ => ("refused", None),
                };
                let answer = Answer::of_grpc(status, &headers, &[]);
                assert_eq!(kind(&answer), expected, "{status} {delay:?}");
            }
        }
    }
}
