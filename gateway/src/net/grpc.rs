//! Unary gRPC on raw frames, for servers and clients.
//!
//! tonic decompresses a message and throws the frame away. Corten keeps it, to store and send it as
//! it came, so the five bytes in front of a message and the status behind it are handled here;
//! codes and details are tonic's types.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use http_body::{Body, Frame, SizeHint};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::body::{self, Admit, Pace};

/// The content type of every gRPC message.
pub const CONTENT_TYPE_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The header with a call's deadline.
pub const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// The header that says how messages are compressed.
pub const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// The header that says which compressed messages a side understands.
pub const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Bytes in front of each message: a flag for compression and a length of four bytes.
pub const PREFIX: usize = 5;

/// Longest status message sent, in bytes: headers are bounded on the other side too, and a
/// sentence is enough.
const MESSAGE_MAX: usize = 1024;

/// One message of a call, as it was on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Whether it is compressed as `grpc-encoding` says.
    pub compressed: bool,
    /// The message without its prefix.
    pub bytes: Bytes,
}

/// Why there is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The body could not be read, or the message's length is over the limit.
    Body(body::Error),
    /// The stream ended before the first message.
    Missing,
    /// The framing is broken.
    Malformed(&'static str),
}

impl From<body::Error> for Error {
    fn from(error: body::Error) -> Self {
        Self::Body(error)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Body(error) => error.fmt(formatter),
            Self::Missing => formatter.write_str("call has no message"),
            Self::Malformed(what) => formatter.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

// === messages ===

/// Puts the prefix in front of a message.
pub fn frame(message: &Message) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.bytes.len());
    framed.put_u8(u8::from(message.compressed));
    framed.put_u32(u32::try_from(message.bytes.len()).expect("no message reaches 4 GiB"));
    framed.put_slice(&message.bytes);
    framed.freeze()
}

/// Reads the one message of a unary call, and sees that no other follows.
///
/// # Errors
/// If there is none, or more than one, or it is larger than `limit`, or `admit` refuses its memory.
pub async fn read<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    limit: u64,
    admit: Admit<'_>,
) -> Result<Message, Error> {
    let (message, _) = read_with_trailers(body, limit, admit).await?;
    message.ok_or(Error::Missing)
}

async fn read_with_trailers<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    limit: u64,
    admit: Admit<'_>,
) -> Result<(Option<Message>, HeaderMap), Error> {
    let mut buffer = BytesMut::new();
    let mut expected: Option<(bool, usize)> = None;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await? {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().unwrap_or_default();
                continue;
            }
        };
        if buffer.is_empty() && data.len() >= PREFIX {
            let (compressed, length) = parse_prefix(&data, limit)?;
            admit(length as u64).map_err(body::Error::from)?;
            // The usual small message comes in one frame, and is not copied.
            if data.len() == PREFIX + length {
                let bytes = data.slice(PREFIX..);
                return finish(body, Message { compressed, bytes }).await;
            }
            expected = Some((compressed, length));
            buffer.reserve(PREFIX + length);
        }
        buffer.extend_from_slice(&data);
        if expected.is_none() && buffer.len() >= PREFIX {
            let (compressed, length) = parse_prefix(&buffer, limit)?;
            admit(length as u64).map_err(body::Error::from)?;
            buffer.reserve((PREFIX + length).saturating_sub(buffer.len()));
            expected = Some((compressed, length));
        }
        if expected.is_some_and(|(_, length)| buffer.len() > PREFIX + length) {
            return Err(MORE_THAN_ONE);
        }
    }
    match expected {
        Some((compressed, length)) if buffer.len() == PREFIX + length => {
            let bytes = buffer.freeze().slice(PREFIX..);
            Ok((Some(Message { compressed, bytes }), trailers))
        }
        None if buffer.is_empty() => Ok((None, trailers)),
        _ => Err(Error::Malformed("call ends in the middle of its message")),
    }
}

const MORE_THAN_ONE: Error = Error::Malformed("unary call has more than one message");

async fn finish<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
    message: Message,
) -> Result<(Option<Message>, HeaderMap), Error> {
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await? {
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(_) => return Err(MORE_THAN_ONE),
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    Ok((Some(message), trailers))
}

/// Reads the flag and the length in front of a message, and refuses the length before anything is
/// read for it.
fn parse_prefix(bytes: &[u8], limit: u64) -> Result<(bool, usize), Error> {
    let Some((&flag, rest)) = bytes.split_first() else {
        return Err(Error::Missing);
    };
    let Some((length, _)) = rest.split_first_chunk() else {
        return Err(Error::Missing);
    };
    let length = u32::from_be_bytes(*length);
    if u64::from(length) > limit {
        return Err(body::Error::TooLarge { limit }.into());
    }
    match flag {
        0 | 1 => Ok((flag == 1, length as usize)),
        _ => Err(Error::Malformed("message has an unknown compression flag")),
    }
}

// === the server's side ===

/// The body of an answer: at most one message, then the status.
#[derive(Debug, Default)]
pub struct Reply {
    message: Option<Bytes>,
    trailers: Option<HeaderMap>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let message = self.message.take().map(Frame::data);
        let frame = message.or_else(|| self.trailers.take().map(Frame::trailers));
        Poll::Ready(frame.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(
            self.message
                .as_ref()
                .map_or(0, |message| message.len() as u64),
        )
    }
}

/// Answers with a message that has its prefix already, so that equal answers are made once.
pub fn succeed(framed: Bytes) -> Response<Reply> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert(STATUS, HeaderValue::from_static("0"));
    let mut response = Response::new(Reply {
        message: Some(framed),
        trailers: Some(trailers),
    });
    response
        .headers_mut()
        .insert(CONTENT_TYPE, CONTENT_TYPE_GRPC);
    response
}

/// Answers with a status alone.
pub fn refuse(status: Status) -> Response<Reply> {
    status.into_http()
}

/// A status that tells the client to come back after a delay: `RetryInfo` is what makes clients
/// of OTLP retry `RESOURCE_EXHAUSTED`, and the only delay that they know.
pub fn retry(code: Code, message: &str, delay: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(delay));
    Status::with_error_details(code, shorten(message), details)
}

/// A status for a request that can never succeed.
pub fn invalid(message: &str) -> Status {
    let mut details = ErrorDetails::new();
    details.add_bad_request_violation("body", shorten(message));
    Status::with_error_details(Code::InvalidArgument, shorten(message), details)
}

/// Cuts a message at a character's border.
pub fn shorten(message: &str) -> &str {
    &message[..message.floor_char_boundary(MESSAGE_MAX)]
}

/// The time that the caller gives a call.
///
/// # Errors
/// If the header is not one to eight digits and a unit.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Error> {
    const INVALID: Error = Error::Malformed("grpc-timeout is not a number and a unit");
    let Some(value) = headers.get(TIMEOUT) else {
        return Ok(None);
    };
    let value = value.to_str().map_err(|_| INVALID)?;
    let (digits, unit) = value
        .split_at_checked(value.len().wrapping_sub(1))
        .ok_or(INVALID)?;
    let decimal = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u64 = if decimal {
        digits.parse().map_err(|_| INVALID)?
    } else {
        return Err(INVALID);
    };
    let timeout = match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return Err(INVALID),
    };
    Ok(Some(timeout))
}

// === the client's side ===

/// Reads the answer to a unary call: its message, or the status for which there is none.
///
/// # Errors
/// The server's status; where there is none, the one that gRPC derives from HTTP's; and
/// `UNAVAILABLE` where the answer breaks off. A message larger than `limit` is left empty.
pub async fn answer<B: Body<Data = Bytes> + Unpin>(
    response: Response<B>,
    limit: u64,
    timeout: Option<Duration>,
) -> Result<Message, Status> {
    let (head, body) = response.into_parts();
    if let Some(status) = Status::from_header_map(&head.headers) {
        return Err(if status.code() == Code::Ok {
            no_message()
        } else {
            status
        });
    }
    if head.status != StatusCode::OK {
        return Err(from_http(head.status));
    }
    // A server may say that it is at work long before it answers.
    let mut body = Pace::patient(body, timeout);
    let answer = match read_with_trailers(&mut body, limit, &mut |_| Ok(())).await {
        // Whether the call succeeded stands behind the message. A success whose words are lost is
        // one, for a second attempt would deliver the same again.
        Err(Error::Body(body::Error::TooLarge { limit })) => {
            tracing::warn!(
                limit,
                "an answer is larger than is read, its message is lost"
            );
            skip(&mut body).await
        }
        answer => answer,
    };
    match answer {
        Ok((message, trailers)) => match Status::from_header_map(&trailers) {
            Some(status) if status.code() == Code::Ok => message.ok_or_else(no_message),
            Some(status) => Err(status),
            None => Err(Status::unavailable("answer ended without a status")),
        },
        Err(error) => Err(Status::unavailable(format!(
            "cannot read the answer: {error}"
        ))),
    }
}

/// Leaves the rest of a message unread up to the trailers, and an empty one in its place.
async fn skip<B: Body<Data = Bytes> + Unpin>(
    body: &mut Pace<B>,
) -> Result<(Option<Message>, HeaderMap), Error> {
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await? {
        if let Ok(found) = frame.into_trailers() {
            trailers = found;
        }
    }
    let empty = Message {
        compressed: false,
        bytes: Bytes::new(),
    };
    Ok((Some(empty), trailers))
}

fn no_message() -> Status {
    Status::internal("server answered success without a message")
}

/// What a status of HTTP means where gRPC's is missing, as gRPC's own document has it.
fn from_http(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(
        code,
        format!("server answered HTTP {status} without a gRPC status"),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::batch::Exhausted;

    /// A body of the given frames.
    struct Frames(VecDeque<Frame<Bytes>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            Poll::Ready(self.0.pop_front().map(Ok))
        }
    }

    fn data(chunks: &[&[u8]]) -> Frames {
        Frames(
            chunks
                .iter()
                .map(|chunk| Frame::data(Bytes::copy_from_slice(chunk)))
                .collect(),
        )
    }

    async fn read_chunks(chunks: &[&[u8]], limit: u64) -> Result<Message, Error> {
        read(&mut Pace::new(data(chunks), None), limit, &mut |_| Ok(())).await
    }

    #[tokio::test]
    async fn a_message_is_read_however_it_is_cut() {
        for compressed in [false, true] {
            let message = Message {
                compressed,
                bytes: Bytes::from_static(b"hello"),
            };
            let framed = frame(&message);
            for cut in 0..=framed.len() {
                let (head, tail) = framed.split_at(cut);
                assert_eq!(
                    read_chunks(&[head, tail], 5).await,
                    Ok(message.clone()),
                    "{cut}"
                );
            }
            let bytes: Vec<_> = framed.chunks(1).collect();
            assert_eq!(read_chunks(&bytes, 5).await, Ok(message));
        }
        let empty = Message {
            compressed: false,
            bytes: Bytes::new(),
        };
        assert_eq!(read_chunks(&[&frame(&empty)], 0).await, Ok(empty));
    }

    #[tokio::test]
    async fn broken_framing_is_named() {
        let malformed = |what| Err(Error::Malformed(what));
        let cut = malformed("call ends in the middle of its message");
        assert_eq!(read_chunks(&[], 9).await, Err(Error::Missing));
        assert_eq!(read_chunks(&[b"\0\0\0"], 9).await, cut);
        assert_eq!(read_chunks(&[b"\0\0\0\0\x03ab"], 9).await, cut);
        assert_eq!(
            read_chunks(&[b"\x02\0\0\0\0"], 9).await,
            malformed("message has an unknown compression flag")
        );
        for chunks in [
            &[&b"\0\0\0\0\x01ab"[..]][..],
            &[b"\0\0\0\0\x01a", b"\0\0\0\0\0"],
        ] {
            assert_eq!(read_chunks(chunks, 9).await, Err(MORE_THAN_ONE));
        }
    }

    #[tokio::test]
    async fn a_length_is_refused_before_anything_is_taken_for_it() {
        let too_large = Err(Error::Body(body::Error::TooLarge { limit: 9 }));
        for chunks in [&[&b"\0\xff\xff\xff\xff"[..]][..], &[b"\0\0", b"\0\0\x0a"]] {
            let mut admit = |_| panic!("asked for memory");
            let answer = read(&mut Pace::new(data(chunks), None), 9, &mut admit).await;
            assert_eq!(answer, too_large);
        }
        let none = Exhausted { wanted: 2, free: 0 };
        let mut body = Pace::new(data(&[b"\0\0\0\0\x02ab"]), None);
        let answer = read(&mut body, 9, &mut |_| Err(none)).await;
        assert_eq!(answer, Err(Error::Body(body::Error::Exhausted(none))));
    }

    #[test]
    fn deadlines_are_read_in_all_units() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(TIMEOUT, value.parse().unwrap());
            timeout(&headers)
        };
        assert_eq!(timeout(&HeaderMap::new()), Ok(None));
        assert_eq!(read("2H"), Ok(Some(Duration::from_secs(7200))));
        assert_eq!(read("3M"), Ok(Some(Duration::from_secs(180))));
        assert_eq!(read("99999999S"), Ok(Some(Duration::from_secs(99_999_999))));
        assert_eq!(read("10m"), Ok(Some(Duration::from_millis(10))));
        assert_eq!(read("10u"), Ok(Some(Duration::from_micros(10))));
        assert_eq!(read("10n"), Ok(Some(Duration::from_nanos(10))));
        for invalid in ["", "S", "1", "1s", "+1S", "123456789S", "1.5S", "-1S"] {
            assert!(read(invalid).is_err(), "{invalid:?}");
        }
    }

    #[test]
    fn refusals_carry_their_details() {
        let status = retry(Code::ResourceExhausted, "full", Duration::from_secs(3));
        let info = status.get_details_retry_info().unwrap();
        assert_eq!(info.retry_delay, Some(Duration::from_secs(3)));
        let status = invalid("bad");
        assert_eq!(
            status
                .get_details_bad_request()
                .unwrap()
                .field_violations
                .len(),
            1
        );
        assert_eq!(shorten(&"ä".repeat(1000)).len(), MESSAGE_MAX);
    }

    async fn call(
        frames: Vec<Frame<Bytes>>,
        change: impl FnOnce(&mut Response<()>),
    ) -> (Code, Bytes) {
        let mut head = Response::new(());
        change(&mut head);
        let response = head.map(|()| Frames(frames.into()));
        match answer(response, 1024, None).await {
            Ok(message) => (Code::Ok, message.bytes),
            Err(status) => (status.code(), Bytes::new()),
        }
    }

    fn trailers(code: &'static str) -> Frame<Bytes> {
        let mut trailers = HeaderMap::new();
        trailers.insert(STATUS, HeaderValue::from_static(code));
        Frame::trailers(trailers)
    }

    #[tokio::test]
    async fn answers_are_a_message_or_a_status() {
        let message = || Frame::data(Bytes::from_static(b"\0\0\0\0\x02ab"));
        let ok = call(vec![message(), trailers("0")], |_| {}).await;
        assert_eq!(ok, (Code::Ok, Bytes::from_static(b"ab")));
        let late = call(vec![message(), trailers("14")], |_| {}).await;
        assert_eq!(late.0, Code::Unavailable);
        assert_eq!(call(vec![message()], |_| {}).await.0, Code::Unavailable);
        assert_eq!(call(vec![], |_| {}).await.0, Code::Unavailable);
        assert_eq!(
            call(vec![trailers("3")], |_| {}).await.0,
            Code::InvalidArgument
        );
        assert_eq!(call(vec![trailers("0")], |_| {}).await.0, Code::Internal);
        // Larger than is read: success and failure are told apart all the same.
        let large = || {
            let prefix = Frame::data(Bytes::from_static(b"\0\0\0\x04\x01ab"));
            [prefix, Frame::data(Bytes::from(vec![0; 1023]))].into_iter()
        };
        let with = |code| call(large().chain([trailers(code)]).collect(), |_| {});
        assert_eq!(with("0").await, (Code::Ok, Bytes::new()));
        assert_eq!(with("13").await.0, Code::Internal);
        let cut = call(large().collect(), |_| {}).await;
        assert_eq!(cut.0, Code::Unavailable);
        let alone = |head: &mut Response<()>| {
            head.headers_mut()
                .insert(STATUS, HeaderValue::from_static("8"));
        };
        assert_eq!(call(vec![], alone).await.0, Code::ResourceExhausted);
        for (status, code) in [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (503, Code::Unavailable),
            (500, Code::Unknown),
        ] {
            let http = |head: &mut Response<()>| {
                *head.status_mut() = StatusCode::from_u16(status).unwrap();
            };
            assert_eq!(call(vec![], http).await.0, code, "{status}");
        }
    }

    #[tokio::test]
    async fn a_reply_is_what_a_client_reads() {
        let framed = frame(&Message {
            compressed: false,
            bytes: Bytes::from_static(b"ab"),
        });
        let read = answer(succeed(framed), 1024, None).await.unwrap();
        assert_eq!(&read.bytes[..], b"ab");
        let refused = answer(refuse(invalid("no")), 1024, None).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (Code::InvalidArgument, "no")
        );
        assert!(refused.get_details_bad_request().is_some());
    }
}
