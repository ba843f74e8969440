//! What a backend can be told to do wrong.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

use crate::{Error, client::Protocol, rpc::code, units};

/// A backend's behaviour.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// None: it takes everything.
    Healthy,
    /// Its listener is closed and its connections are reset.
    Down,
    /// It accepts connections only to reset them at once.
    RefuseConnections,
    /// It reads requests and never answers.
    Hang,
    /// It answers after a delay.
    Slow(Duration),
    /// It answers with a status and takes nothing.
    Refuse(Refusal),
    /// It resets the connection instead of answering, and has taken nothing.
    Reset,
    /// It takes the request and resets the connection instead of answering.
    LoseResponse,
    /// It takes the request and resets the connection in the middle of the answer.
    ResetMidResponse,
    /// It takes the request except for its last items, and says so.
    PartialSuccess {
        /// How many items of each request are rejected.
        rejected: u64,
    },
}

/// A status to answer with, in the words of either protocol.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub http: u16,
    /// The gRPC status.
    pub grpc: i32,
    /// When to come back, if the answer says so.
    pub hint: Hint,
}

/// What a refusal says about coming back.
#[derive(Clone, Debug, PartialEq)]
pub enum Hint {
    /// Nothing.
    None,
    /// So many seconds, as `Retry-After` or RetryInfo; may be negative or absurd. HTTP's seconds
    /// are whole, so that a fraction is rounded up there.
    Seconds(f64),
    /// `Retry-After` as a date that far from now; over gRPC, RetryInfo with the same delay.
    Date(Duration),
    /// `Retry-After` with this text; over gRPC, no RetryInfo.
    Text(String),
}

impl Refusal {
    /// 429 and `RESOURCE_EXHAUSTED`: too much, for now if there is a hint.
    pub const fn throttled(hint: Hint) -> Self {
        Self {
            http: 429,
            grpc: code::RESOURCE_EXHAUSTED,
            hint,
        }
    }

    /// 503 and `UNAVAILABLE`.
    pub const fn unavailable(hint: Hint) -> Self {
        Self {
            http: 503,
            grpc: code::UNAVAILABLE,
            hint,
        }
    }

    /// The refusal that an HTTP status stands for, with the gRPC status that means the same.
    pub const fn of_http(http: u16, hint: Hint) -> Self {
        let grpc = match http {
            400 => code::INVALID_ARGUMENT,
            401 => code::UNAUTHENTICATED,
            404 => code::NOT_FOUND,
            413 | 429 => code::RESOURCE_EXHAUSTED,
            500 => code::INTERNAL,
            501 => code::UNIMPLEMENTED,
            502..=504 => code::UNAVAILABLE,
            _ => code::UNKNOWN,
        };
        Self { http, grpc, hint }
    }

    /// Whether the sender is told that these very items can never be taken. Being told that it may
    /// not, or not here (401, 403, 404), says nothing about the items: they stay owed.
    pub(super) fn excuses(&self, protocol: Protocol) -> bool {
        match protocol {
            Protocol::Http => !matches!(self.http, 401 | 403 | 404 | 429 | 502..=504),
            Protocol::Grpc => match self.grpc {
                code::RESOURCE_EXHAUSTED => self.retry_seconds().is_none(),
                code::CANCELLED
                | code::DEADLINE_EXCEEDED
                | code::ABORTED
                | code::OUT_OF_RANGE
                | code::UNAVAILABLE
                | code::DATA_LOSS
                | code::NOT_FOUND
                | code::PERMISSION_DENIED
                | code::UNAUTHENTICATED => false,
                _ => true,
            },
        }
    }

    /// The delay for RetryInfo.
    pub(super) fn retry_seconds(&self) -> Option<f64> {
        match self.hint {
            Hint::None | Hint::Text(_) => None,
            Hint::Seconds(seconds) => Some(seconds),
            Hint::Date(delay) => Some(delay.as_secs_f64()),
        }
    }

    /// The value of `Retry-After`.
    pub(super) fn retry_after(&self) -> Option<String> {
        match &self.hint {
            Hint::None => None,
            Hint::Seconds(seconds) => Some(format!("{:.0}", seconds.ceil())),
            Hint::Date(delay) => Some(httpdate::fmt_http_date(SystemTime::now() + *delay)),
            Hint::Text(text) => Some(text.clone()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Healthy => out.write_str("is healthy"),
            Self::Down => out.write_str("is down, its port closed"),
            Self::RefuseConnections => out.write_str("resets every new connection"),
            Self::Hang => out.write_str("does not answer"),
            Self::Slow(delay) => write!(out, "answers after {delay:?}"),
            Self::Refuse(refusal) => write!(
                out,
                "refuses everything (http {}, grpc {})",
                refusal.http, refusal.grpc
            ),
            Self::Reset => out.write_str("resets connections instead of answering"),
            Self::LoseResponse => out.write_str("takes requests and loses its answers"),
            Self::ResetMidResponse => out.write_str("takes requests and cuts its answers off"),
            Self::PartialSuccess { rejected } => {
                write!(out, "rejects {rejected} items of each request")
            }
        }
    }
}

impl FromStr for Fault {
    type Err = Error;

    /// Reads `down`, `slow:200ms`, `partial:3`, or a status with or without a delay: `503`,
    /// `429:2s`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let unknown = || {
            Error::new(format!(
                "unknown fault {text:?}, expected healthy, down, refuse-connections, hang, \
                 slow:<time>, reset, lose-response, reset-mid-response, partial:<items> or an \
                 HTTP status from 400 to 599 with an optional delay as in 429:2s"
            ))
        };
        match (name, argument) {
            ("healthy", None) => Ok(Self::Healthy),
            ("down", None) => Ok(Self::Down),
            ("refuse-connections", None) => Ok(Self::RefuseConnections),
            ("hang", None) => Ok(Self::Hang),
            ("slow", Some(delay)) => Ok(Self::Slow(units::duration(delay)?)),
            ("reset", None) => Ok(Self::Reset),
            ("lose-response", None) => Ok(Self::LoseResponse),
            ("reset-mid-response", None) => Ok(Self::ResetMidResponse),
            ("partial", Some(items)) => {
                let rejected = items.parse().map_err(|_| unknown())?;
                Ok(Self::PartialSuccess { rejected })
            }
            (status, delay) => {
                let status = status.parse().map_err(|_| unknown())?;
                if !(400..600).contains(&status) {
                    return Err(unknown());
                }
                let hint = match delay {
                    Some(delay) => Hint::Seconds(units::duration(delay)?.as_secs_f64()),
                    None => Hint::None,
                };
                Ok(Self::Refuse(Refusal::of_http(status, hint)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_from_words() {
        let cases = [
            ("down", Some(Fault::Down)),
            ("slow:200ms", Some(Fault::Slow(Duration::from_millis(200)))),
            ("partial:3", Some(Fault::PartialSuccess { rejected: 3 })),
            ("503", Some(Fault::Refuse(Refusal::unavailable(Hint::None)))),
            (
                "429:2s",
                Some(Fault::Refuse(Refusal::throttled(Hint::Seconds(2.0)))),
            ),
            ("slow", None),
            ("200", None),
            ("down:1s", None),
            ("sideways", None),
        ];
        for (text, expected) in cases {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn only_a_final_word_about_the_data_excuses() {
        let cases = [
            (Refusal::of_http(400, Hint::None), true, true),
            (Refusal::of_http(413, Hint::None), true, true),
            (Refusal::of_http(401, Hint::None), false, false),
            (Refusal::of_http(404, Hint::None), false, false),
            (Refusal::of_http(500, Hint::None), true, true),
            (Refusal::unavailable(Hint::None), false, false),
            (Refusal::throttled(Hint::Seconds(1.0)), false, false),
            (Refusal::throttled(Hint::None), false, true),
        ];
        for (refusal, http, grpc) in cases {
            assert_eq!(refusal.excuses(Protocol::Http), http, "{refusal:?}");
            assert_eq!(refusal.excuses(Protocol::Grpc), grpc, "{refusal:?}");
        }
    }
}
