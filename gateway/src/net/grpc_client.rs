//! Unary gRPC calls whose message is bytes, compressed or not, exactly as they are at hand.
//!
//! Not tonic's client: its codecs compress what they are given, and a request that came compressed
//! shall leave in the very frame in which it came.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{BufMut, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Request, Uri, Version, header,
    uri::{Authority, PathAndQuery},
};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::{
    client::{NoAnswer, RESPONSE_BYTES_MAX, USER_AGENT},
    dial::sentence,
    grpc,
    peers::{self, Peers},
};
use crate::batch::Codec;

/// Codecs in which an answer may come. Go servers answer in the request's own codec, asked or not.
const CODECS: &str = "identity,gzip,zstd,snappy,deflate";

/// Attempts to hand a call to a connection that turns out to be closing. Only calls of which
/// nothing was sent are handed on, so this is no retry.
const HAND_OVERS: usize = 3;

/// Pause between two attempts to connect of a call that waits for the backend to be ready.
const READY_PAUSE: Duration = Duration::from_millis(200);

/// A backend that is called by gRPC. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Channel {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    peers: Peers,
    base: Uri,
    wait_for_ready: bool,
}

/// One call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: PathAndQuery,
    /// How the message is compressed.
    pub codec: Codec,
    /// The encoded message.
    pub message: Bytes,
    /// Headers of the caller's own.
    pub headers: HeaderMap,
    /// How long it may take until the answer is here; the backend is told. `Duration::MAX` is for
    /// ever.
    pub timeout: Duration,
}

/// Why a call has no message to show for it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// What the backend said.
    Status(Box<Status>),
    /// It was not reached, or said nothing.
    NoAnswer(NoAnswer),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl Fault {
    fn no_answer(why: String) -> Self {
        Self::NoAnswer(NoAnswer(why))
    }
}

impl Channel {
    /// A channel that has opened nothing yet. `authority` is what the backend is told it is called,
    /// if that is not the destination. With `wait_for_ready` a call waits for a connection as long
    /// as it may take, instead of failing with the first attempt.
    pub fn new(
        settings: peers::Settings,
        authority: Option<Authority>,
        wait_for_ready: bool,
    ) -> Self {
        let mut parts = settings.destination.clone().into_parts();
        parts.authority = authority.or(parts.authority);
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let base = Uri::from_parts(parts).unwrap_or_else(|_| settings.destination.clone());
        let peers = Peers::new(settings);
        Self {
            shared: Arc::new(Shared {
                peers,
                base,
                wait_for_ready,
            }),
        }
    }

    /// Makes the call once and gives the answer's message.
    ///
    /// # Errors
    /// The backend's status, or why there is none.
    pub async fn unary(&self, call: Call) -> Result<Bytes, Fault> {
        let limit = call.timeout;
        timeout(limit, self.exchange(call))
            .await
            .unwrap_or_else(|_| {
                let host = self
                    .shared
                    .base
                    .authority()
                    .map_or("", |authority| authority.as_str());
                Err(Fault::no_answer(format!(
                    "{host} did not answer within {limit:?}"
                )))
            })
    }

    async fn exchange(&self, call: Call) -> Result<Bytes, Fault> {
        let mut request = self.request(call).map_err(Fault::no_answer)?;
        let mut hand_overs = 0;
        let (response, _lease) = loop {
            let mut lease = self.lease().await?;
            match lease.sender.try_send_request(request).await {
                Ok(response) => break (response, lease),
                Err(mut error) => match error.take_message() {
                    Some(unsent) if hand_overs < HAND_OVERS => request = unsent,
                    _ => return Err(Fault::no_answer(sentence(error.into_error()))),
                },
            }
            hand_overs += 1;
        };
        let encoding = response.headers().get(grpc::ENCODING).cloned();
        let message = grpc::answer(response, RESPONSE_BYTES_MAX as u64, None).await?;
        Ok(plain(message, encoding))
    }

    async fn lease(&self) -> Result<peers::Lease, Fault> {
        loop {
            match self.shared.peers.lease().await {
                Ok(lease) => return Ok(lease),
                Err(_) if self.shared.wait_for_ready => sleep(READY_PAUSE).await,
                Err(why) => return Err(Fault::no_answer(why)),
            }
        }
    }

    fn request(&self, call: Call) -> Result<Request<Message>, String> {
        let message = Message::new(call.codec, call.message)?;
        let mut parts = self.shared.base.clone().into_parts();
        parts.path_and_query = Some(call.path);
        let uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        let mut request = Request::new(message);
        *request.method_mut() = http::Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = call.headers;
        let headers = request.headers_mut();
        let agent = HeaderValue::from_static(USER_AGENT);
        headers.entry(header::USER_AGENT).or_insert(agent);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, grpc::CONTENT_TYPE_GRPC);
        headers.insert(grpc::ACCEPT_ENCODING, HeaderValue::from_static(CODECS));
        if call.timeout < Duration::MAX {
            headers.insert(grpc::TIMEOUT, timeout_header(call.timeout));
        }
        match call.codec.grpc_encoding() {
            Some("identity") => {}
            Some(name) => _ = headers.insert(grpc::ENCODING, HeaderValue::from_static(name)),
            None => return Err(format!("gRPC has no name for {}", call.codec)),
        }
        Ok(request)
    }
}

/// `grpc-timeout` has at most eight digits and a unit.
fn timeout_header(limit: Duration) -> HeaderValue {
    let milliseconds = limit.as_millis();
    let text = if milliseconds < 100_000_000 {
        format!("{milliseconds}m")
    } else {
        format!("{}S", limit.as_secs().min(99_999_999))
    };
    HeaderValue::from_str(&text).expect("digits and a letter make a header value")
}

/// An answer's message, inflated. What was asked for was done; if its words cannot be read, only
/// they are lost.
fn plain(message: grpc::Message, encoding: Option<HeaderValue>) -> Bytes {
    if !message.compressed {
        return message.bytes;
    }
    let name = encoding.as_ref().and_then(|value| value.to_str().ok());
    let codec = name.and_then(Codec::from_grpc_encoding);
    codec
        .and_then(|codec| {
            codec
                .decompress(&message.bytes, RESPONSE_BYTES_MAX as u64)
                .ok()
        })
        .unwrap_or_default()
}

// === impl Message ===

/// A request's body: five bytes of prefix, then the message, without joining them in memory.
#[derive(Debug)]
pub struct Message {
    prefix: Bytes,
    message: Bytes,
}

impl Message {
    fn new(codec: Codec, message: Bytes) -> Result<Self, String> {
        let length = u32::try_from(message.len());
        let length = length.map_err(|_| "a gRPC message cannot be longer than 4 GiB".to_owned())?;
        let mut prefix = BytesMut::with_capacity(grpc::PREFIX);
        prefix.put_u8(u8::from(codec != Codec::Identity));
        prefix.put_u32(length);
        Ok(Self {
            prefix: prefix.freeze(),
            message,
        })
    }
}

impl Body for Message {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let part = if this.prefix.is_empty() {
            &mut this.message
        } else {
            &mut this.prefix
        };
        let bytes = std::mem::take(part);
        Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.prefix.is_empty() && self.message.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.prefix.len() + self.message.len()) as u64)
    }
}
