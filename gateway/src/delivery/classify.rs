//! What a backend's answer means for the data: the tables of OTLP, and where we leave them.
//!
//! OTLP allows a client to drop what is answered with 500, 408, `UNKNOWN` or `INTERNAL`. A gateway
//! has acknowledged that data, and such answers are mostly a backend's own passing trouble, so they
//! are retried with the usual back-off; an operator who wants an end to that sets
//! `max_elapsed_time`. Answers about us rather than about the data (credentials, path, method,
//! encoding) pause the destination. Only what names the data as bad is refused.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use protos::{Signal, response::PartialSuccess, status};
use tonic::Code;

use super::{
    Verdict,
    letter::{WORDS_BYTES_MAX, words},
};

/// The longest that a backend can send us away for. Whoever says a year means "not now".
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Texts with which gRPC servers in Go, C++, Java, .NET and Rust, and HTTP servers in Go, say that
/// the message was too long, under a code or status that also means other things.
const TOO_LARGE_WORDS: [&str; 6] = [
    "larger than",
    "length too large",
    "exceeds maximum size",
    "exceeds the maximum configured message size",
    "request body too large",
    "message too large",
];

/// The verdict on a gRPC call's status or, if it went well, on its answer's message.
pub fn grpc(result: Result<&[u8], &tonic::Status>) -> Verdict {
    let status = match result {
        Ok(message) => return success(PartialSuccess::decode(message).unwrap_or_default()),
        Err(status) => status,
    };
    let words = words(status.message());
    let message = format!("gRPC status {:?}: {words}", status.code());
    let details = status::Status::decode(status.details()).unwrap_or_default();
    let after = details.delay().map(|delay| delay.min(RETRY_AFTER_MAX));
    match status.code() {
        Code::ResourceExhausted | Code::OutOfRange if after.is_none() && is_size(&words) => {
            Verdict::TooLarge { message }
        }
        // RESOURCE_EXHAUSTED without RetryInfo is final by OTLP, but Tempo has a switch that leaves
        // RetryInfo out of what is nothing but a rate limit.
        Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unavailable
        | Code::DataLoss
        | Code::ResourceExhausted
        | Code::Unknown
        | Code::Internal => Verdict::Retry { after, message },
        Code::Unauthenticated | Code::PermissionDenied | Code::NotFound | Code::Unimplemented => {
            Verdict::Pause { message }
        }
        Code::InvalidArgument => Verdict::Refused {
            reason: "invalid",
            message,
        },
        Code::AlreadyExists | Code::FailedPrecondition | Code::Ok => Verdict::Refused {
            reason: "refused",
            message,
        },
    }
}

/// The verdict on the answer to an OTLP request over HTTP.
pub fn http(signal: Signal, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Verdict {
    if status.is_success() {
        return http_success(signal, headers, body);
    }
    let words = http_words(headers, body);
    let message = match words.as_str() {
        "" => format!("HTTP status {status}"),
        words => format!("HTTP status {status}: {words}"),
    };
    let after = retry_after(headers, SystemTime::now());
    match status.as_u16() {
        413 => Verdict::TooLarge { message },
        400 if is_size(&words) => Verdict::TooLarge { message },
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 506..=599 => Verdict::Retry { after, message },
        // A redirect would carry data and credentials to a place that nobody configured.
        300..=399 | 401..=407 | 410 | 411 | 414 | 415 | 421 | 426 | 431 | 501 | 505 => {
            Verdict::Pause { message }
        }
        400 => Verdict::Refused {
            reason: "invalid",
            message,
        },
        _ => Verdict::Refused {
            reason: "refused",
            message,
        },
    }
}

fn http_success(signal: Signal, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let content_type = content_type(headers);
    if content_type.starts_with("text/html") {
        // A login page or a portal answers 200 to everything and keeps nothing.
        let message = "the endpoint answered with a web page, so it is no OTLP server".to_owned();
        return Verdict::Pause { message };
    }
    let partial = match content_type {
        "application/x-protobuf" => PartialSuccess::decode(body).ok(),
        "application/json" => PartialSuccess::decode_json(signal, body).ok(),
        _ => None,
    };
    success(partial.unwrap_or_default())
}

fn success(partial: PartialSuccess) -> Verdict {
    let message = words(&partial.message);
    match u64::try_from(partial.rejected) {
        Ok(rejected) if rejected > 0 => Verdict::Partial { rejected, message },
        _ => {
            if !message.is_empty() {
                tracing::warn!("backend took everything, with a warning: {message}");
            }
            Verdict::Delivered
        }
    }
}

/// What an HTTP answer says in its body: a `Status`, or text.
fn http_words(headers: &HeaderMap, body: &[u8]) -> String {
    let said = match content_type(headers) {
        "application/x-protobuf" => status::Status::decode(body).ok(),
        "application/json" => status::Status::decode_json(body).ok(),
        _ => None,
    };
    match said {
        Some(status) if !status.message.is_empty() => words(&status.message),
        _ => words(&String::from_utf8_lossy(
            &body[..body.len().min(4 * WORDS_BYTES_MAX)],
        )),
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim()
}

fn is_size(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    TOO_LARGE_WORDS.iter().any(|text| words.contains(text))
}

/// `Retry-After`: seconds or a date, brought into [0, 1 h]. What is neither is as if it were absent.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let delay = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = digits.parse().unwrap_or(u64::MAX);
        if value.starts_with('-') {
            Duration::ZERO
        } else {
            Duration::from_secs(seconds)
        }
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(now).unwrap_or_default()
    };
    Some(delay.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn name(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Delivered => "delivered",
            Verdict::Partial { .. } => "partial",
            Verdict::Retry { .. } => "retry",
            Verdict::TooLarge { .. } => "too large",
            Verdict::Refused { reason, .. } => reason,
            Verdict::Pause { .. } => "pause",
        }
    }

    #[test]
    fn every_grpc_code_has_its_verdict() {
        for (code, text, verdict) in [
            (Code::Cancelled, "", "retry"),
            (Code::Unknown, "", "retry"),
            (Code::InvalidArgument, "", "invalid"),
            (Code::DeadlineExceeded, "", "retry"),
            (Code::NotFound, "", "pause"),
            (Code::AlreadyExists, "", "refused"),
            (Code::PermissionDenied, "", "pause"),
            (
                Code::ResourceExhausted,
                "ingestion rate limit exceeded",
                "retry",
            ),
            (Code::FailedPrecondition, "TRACE_TOO_LARGE", "refused"),
            (Code::Aborted, "", "retry"),
            (Code::OutOfRange, "", "retry"),
            (Code::Unimplemented, "unknown service", "pause"),
            (Code::Internal, "", "retry"),
            (Code::Unavailable, "", "retry"),
            (Code::DataLoss, "", "retry"),
            (Code::Unauthenticated, "", "pause"),
            // Go, C++, Java, .NET, Rust.
            (
                Code::ResourceExhausted,
                "grpc: received message larger than max (9 vs. 4)",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "SERVER: Received message larger than max",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "gRPC message exceeds maximum size 4: 9",
                "too large",
            ),
            (
                Code::ResourceExhausted,
                "Received message exceeds the maximum configured message size.",
                "too large",
            ),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 9",
                "too large",
            ),
            // The size of something else than the message.
            (
                Code::InvalidArgument,
                "attribute larger than 2048",
                "invalid",
            ),
        ] {
            let status = tonic::Status::new(code, text);
            assert_eq!(name(&grpc(Err(&status))), verdict, "{code:?} {text}");
        }
    }

    #[test]
    fn retry_info_is_honoured_and_clamped() {
        for (delay, after) in [(7, 7), (3600, 3600), (1_000_000_000, 3600), (0, 0)] {
            let details = status::Status::new(8, "").retry_after(Duration::from_secs(delay));
            let text = "request larger than the limit";
            let status =
                tonic::Status::with_details(Code::ResourceExhausted, text, details.encode());
            let Verdict::Retry { after: found, .. } = grpc(Err(&status)) else {
                panic!()
            };
            assert_eq!(found, Some(Duration::from_secs(after)));
        }
    }

    /// The verdict on an answer about traces.
    fn on(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Verdict {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
        http(
            Signal::Traces,
            StatusCode::from_u16(status).unwrap(),
            &headers,
            body.as_ref(),
        )
    }

    #[test]
    fn every_http_status_has_its_verdict() {
        let mut table = vec![
            (200, "delivered"),
            (202, "delivered"),
            (204, "delivered"),
            (301, "pause"),
            (304, "pause"),
            (307, "pause"),
            (400, "invalid"),
            (401, "pause"),
            (402, "pause"),
            (403, "pause"),
            (404, "pause"),
            (405, "pause"),
            (407, "pause"),
            (408, "retry"),
            (409, "refused"),
            (410, "pause"),
            (413, "too large"),
            (415, "pause"),
            (418, "refused"),
            (421, "pause"),
            (422, "refused"),
            (425, "retry"),
            (429, "retry"),
            (431, "pause"),
            (501, "pause"),
            (505, "pause"),
        ];
        table.extend([500, 502, 503, 504, 507, 520, 524, 599].map(|status| (status, "retry")));
        for (status, verdict) in table {
            assert_eq!(name(&on(status, "text/plain", "")), verdict, "{status}");
        }
        let go = on(400, "text/plain", "http: request body too large\n");
        assert_eq!(name(&go), "too large");
        assert_eq!(
            name(&on(200, "text/html; charset=utf-8", "<html>")),
            "pause"
        );
    }

    #[test]
    fn partial_success_counts_what_was_rejected() {
        let encode = |rejected, message: &str| {
            PartialSuccess {
                rejected,
                message: message.to_owned(),
            }
            .encode()
        };
        for (body, verdict) in [
            (
                encode(3, "no"),
                Verdict::Partial {
                    rejected: 3,
                    message: "no".into(),
                },
            ),
            (encode(0, "deprecated"), Verdict::Delivered),
            (encode(-1, ""), Verdict::Delivered),
            (Bytes::new(), Verdict::Delivered),
            (Bytes::from_static(b"\xff\xff"), Verdict::Delivered),
        ] {
            assert_eq!(grpc(Ok(&body)), verdict);
            assert_eq!(on(200, "application/x-protobuf", body), verdict);
        }
        let json = r#"{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}"#;
        let verdict = Verdict::Partial {
            rejected: 2,
            message: "no".into(),
        };
        assert_eq!(on(200, "application/json", json), verdict);
    }

    #[test]
    fn a_backends_words_are_kept_within_bounds() {
        let Verdict::Refused { message, .. } = on(
            400,
            "text/plain",
            format!("a\nb\x1b[31m{}", "x".repeat(9999)),
        ) else {
            panic!()
        };
        assert!(
            message.starts_with("HTTP status 400 Bad Request: a\\nb\\u{1b}[31mxxx"),
            "{message}"
        );
        assert!(message.len() < WORDS_BYTES_MAX + 50 && !message.contains('\x1b'));
        let status = status::Status::new(3, "bad span").encode();
        let Verdict::Refused { message, .. } = on(400, "application/x-protobuf", status) else {
            panic!()
        };
        assert_eq!(message, "HTTP status 400 Bad Request: bad span");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_within_an_hour() {
        let now = httpdate::parse_http_date("Thu, 01 Jan 2026 00:00:00 GMT").unwrap();
        for (value, seconds) in [
            ("5", Some(5)),
            (" 5 ", Some(5)),
            ("-5", Some(0)),
            ("1000000000", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Thu, 01 Jan 2026 00:00:30 GMT", Some(30)),
            ("Wed, 31 Dec 2025 00:00:00 GMT", Some(0)),
            ("Fri, 01 Jan 2027 00:00:00 GMT", Some(3600)),
            ("soon", None),
            ("1.5", None),
            ("-", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(retry_after(&headers, now), expected, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
