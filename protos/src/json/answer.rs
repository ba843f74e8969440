//! What servers answer, in JSON: partial success, and the status of a refusal.

use std::fmt::Write;
use std::time::Duration;

use base64::Engine;
use bytes::Bytes;

use super::error::JsonError;
use super::parser::Parser;
use super::scalar::{self, BASE64};
use super::{read, write};
use crate::response::PartialSuccess;
use crate::schema::Name;
use crate::status::{Detail, Status};
use crate::{Budget, Signal};

impl PartialSuccess {
    /// The response to a request of `signal` in JSON; `{}` when there is nothing to say.
    pub fn encode_json(&self, signal: Signal) -> String {
        write::message(Name::response(signal), &self.encode())
    }

    /// Reads a response to a request of `signal` in JSON.
    ///
    /// # Errors
    ///
    /// When it is no such response.
    pub fn decode_json(signal: Signal, json: &[u8]) -> Result<Self, JsonError> {
        let encoded = read::message(Name::response(signal), json, &Budget::default())?;
        // What the reader writes is well formed.
        Ok(Self::decode(&encoded).unwrap_or_default())
    }
}

impl Status {
    /// The status in JSON. A detail of a type that has no JSON form here is given as its bytes in
    /// base64, under `value`.
    pub fn encode_json(&self) -> String {
        let mut out = String::with_capacity(self.message.len() + 64);
        // Writing to a String cannot fail, here and below.
        let _ = write!(out, "{{\"code\":{},\"message\":", self.code);
        write::text(&mut out, &self.message);
        for (index, detail) in self.details.iter().enumerate() {
            out.push_str(if index == 0 { ",\"details\":[" } else { "," });
            detail.write_json(&mut out);
        }
        out.push_str(if self.details.is_empty() { "}" } else { "]}" });
        out
    }

    /// Reads a status in JSON.
    ///
    /// # Errors
    ///
    /// When it is no status.
    pub fn decode_json(json: &[u8]) -> Result<Self, JsonError> {
        let mut parser = Parser::new(json)?;
        let mut status = Self::default();
        members(&mut parser, |parser, key| {
            match key {
                "code" => {
                    let (low, high) = (i32::MIN.into(), i32::MAX.into());
                    status.code = scalar::integer(parser, low, high, "a status code")? as i32;
                }
                "message" => status.message = scalar::text(parser)?.into_owned(),
                "details" => {
                    parser.open(b'[', "a list")?;
                    let mut first = true;
                    while parser.element(first)? {
                        status.details.push(Detail::read_json(parser)?);
                        first = false;
                    }
                }
                _ => parser.skip()?,
            }
            Ok(())
        })?;
        parser.end().map(|()| status)
    }
}

impl Detail {
    fn write_json(&self, out: &mut String) {
        out.push_str("{\"@type\":");
        write::text(out, &self.type_url);
        match self.delay() {
            Some(delay) => {
                out.push_str(",\"retryDelay\":\"");
                let _ = write!(out, "{}", delay.as_secs());
                match delay.subsec_nanos() {
                    0 => {}
                    nanos if nanos % 1_000_000 == 0 => {
                        let _ = write!(out, ".{:03}", nanos / 1_000_000);
                    }
                    nanos => {
                        let _ = write!(out, ".{nanos:09}");
                    }
                }
                out.push_str("s\"}");
            }
            None => {
                out.push_str(",\"value\":\"");
                BASE64.encode_string(&self.value, out);
                out.push_str("\"}");
            }
        }
    }

    fn read_json(parser: &mut Parser<'_>) -> Result<Self, JsonError> {
        let mut detail = Self {
            type_url: String::new(),
            value: Bytes::new(),
        };
        let mut delay = None;
        members(parser, |parser, key| {
            match key {
                "@type" => detail.type_url = scalar::text(parser)?.into_owned(),
                "retryDelay" => delay = duration(&scalar::text(parser)?),
                // Only bytes are bytes: another type's member may have the same name.
                "value" if parser.peek() == Some(b'"') => {
                    let text = parser.string()?;
                    detail.value = BASE64.decode(text.as_bytes()).unwrap_or_default().into();
                }
                _ => parser.skip()?,
            }
            Ok(())
        })?;
        match delay {
            Some(delay) if detail.is_retry_info() => {
                let value = Self::retry_after(delay).value;
                Ok(Self { value, ..detail })
            }
            _ => Ok(detail),
        }
    }
}

/// Reads a `Duration` in protobuf's JSON: seconds with up to nine decimals, and an `s`. A negative one
/// is none, and what is no duration asks for nothing.
fn duration(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?;
    if seconds.starts_with('-') {
        return Some(Duration::ZERO);
    }
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let nanos = format!("{fraction:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

/// Takes an object, asking `take` to take each value that is not `null`.
fn members(
    parser: &mut Parser<'_>,
    mut take: impl FnMut(&mut Parser<'_>, &str) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    parser.open(b'{', "an object")?;
    let mut first = true;
    while let Some(key) = parser.key(first)? {
        first = false;
        if !parser.null()? {
            take(parser, &key)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::RETRY_INFO;

    #[test]
    fn partial_success_has_a_name_for_each_signal() {
        let partial = PartialSuccess {
            rejected: 3,
            message: "too \"old\"".to_owned(),
        };
        for (signal, json) in [
            (
                Signal::Logs,
                r#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too \"old\""}}"#,
            ),
            (
                Signal::Metrics,
                r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"too \"old\""}}"#,
            ),
            (
                Signal::Traces,
                r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too \"old\""}}"#,
            ),
        ] {
            assert_eq!(partial.encode_json(signal), json);
            assert_eq!(
                PartialSuccess::decode_json(signal, json.as_bytes()),
                Ok(partial.clone())
            );
            assert_eq!(PartialSuccess::default().encode_json(signal), "{}");
        }
        for json in [
            "{}",
            r#"{"partialSuccess":{}}"#,
            r#"{"partialSuccess":null,"more":[1]}"#,
        ] {
            let partial = PartialSuccess::decode_json(Signal::Logs, json.as_bytes()).unwrap();
            assert!(partial.is_empty());
        }
        assert!(PartialSuccess::decode_json(Signal::Logs, b"<html>").is_err());
    }

    #[test]
    fn a_status_is_read_back() {
        let mut status = Status::new(8, "queue is full").retry_after(Duration::from_millis(1500));
        status.details.push(Detail {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".to_owned(),
            value: Bytes::from_static(b"\x0a\x01x"),
        });
        let json = status.encode_json();
        assert_eq!(
            json,
            r#"{"code":8,"message":"queue is full","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"1.500s"},{"@type":"type.googleapis.com/google.rpc.ErrorInfo","value":"CgF4"}]}"#
        );
        assert_eq!(Status::decode_json(json.as_bytes()), Ok(status));
        assert_eq!(
            Status::new(3, "").encode_json(),
            r#"{"code":3,"message":""}"#
        );
    }

    #[test]
    fn delays_of_other_servers() {
        for (delay, expected) in [
            ("1s", Some(Duration::from_secs(1))),
            ("0.25s", Some(Duration::from_millis(250))),
            ("3.000000001s", Some(Duration::new(3, 1))),
            ("-1.5s", Some(Duration::ZERO)),
            ("1", None),
            ("s", None),
            ("1.s", None),
            ("+1s", None),
            ("99999999999999999999s", None),
            ("1.0000000001s", None),
        ] {
            let json =
                format!(r#"{{"details":[{{"retryDelay":"{delay}","@type":"{RETRY_INFO}"}}]}}"#);
            let status = Status::decode_json(json.as_bytes()).unwrap();
            assert_eq!(status.delay(), expected, "{delay}");
        }
    }

    #[test]
    fn other_details_are_passed_over() {
        let json = br#" {"code": "7", "details": [{"@type": "x/y.Z", "value": {"a": 1}, "b": 2}], "error": 1}"#;
        let status = Status::decode_json(json).unwrap();
        assert_eq!((status.code, status.delay()), (7, None));
        assert_eq!(status.details[0].type_url, "x/y.Z");
    }
}
