//! One OTLP client: sends a request over gRPC or HTTP/1.1 and tells what the answer means.
//!
//! It speaks raw frames on hyper instead of using a gRPC library, so that a body is sent as it was
//! patched, and so that it costs little beside what it measures.

mod answer;
mod grpc;
mod http1;

use std::{fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, sync::Mutex, time::timeout};

pub use answer::Answer;

use crate::{Encoding, Error, Signal, error::Context, generate::HEADROOM};

/// The most that is read of a response; OTLP recommends the same limit to clients.
const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// HTTP/2 windows, large enough that a request of some hundred kilobytes never waits for one.
const WINDOW_BYTES: u32 = 4 << 20;

/// How long a connection may take to be opened.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The header that carries the tenant, also as gRPC metadata.
pub const TENANT_HEADER: &str = "x-scope-orgid";

/// A transport of OTLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// gRPC over HTTP/2, without TLS.
    Grpc,
    /// Protobuf bodies over HTTP/1.1.
    Http,
}

impl Protocol {
    /// Its name on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "grpc" => Ok(Self::Grpc),
            "http" => Ok(Self::Http),
            _ => Err(Error::new(format!(
                "unknown protocol {text:?}, expected grpc or http"
            ))),
        }
    }
}

/// Where requests go, and what they say besides their body.
#[derive(Clone, Debug)]
pub struct Target {
    /// The transport.
    pub protocol: Protocol,
    /// Host and port.
    pub address: String,
    /// The tenant to name, if any.
    pub tenant: Option<String>,
    /// How long an answer may take before it counts as lost.
    pub timeout: Duration,
}

impl Target {
    /// `address` without a tenant, with the SDKs' timeout of ten seconds.
    pub fn new(protocol: Protocol, address: impl Into<String>) -> Self {
        Self {
            protocol,
            address: address.into(),
            tenant: None,
            timeout: Duration::from_secs(10),
        }
    }

    /// The same, sending as `tenant`.
    pub fn as_tenant(self, tenant: Option<&str>) -> Self {
        Self {
            tenant: tenant.map(Into::into),
            ..self
        }
    }
}

/// A body that is ready for either transport; cloning it copies nothing.
#[derive(Clone, Debug)]
pub struct Prepared {
    signal: Signal,
    encoding: Encoding,
    /// The gRPC frame: a flag and four bytes of length, then the body.
    frame: Bytes,
}

impl Prepared {
    /// Encodes a body that [`HEADROOM`] bytes of any content stand in front of.
    pub fn new(signal: Signal, encoding: Encoding, mut request: Vec<u8>) -> Result<Self, Error> {
        if encoding != Encoding::Identity {
            let compressed = encoding.compress(&request[HEADROOM..])?;
            request.truncate(HEADROOM);
            request.extend_from_slice(&compressed);
        }
        Self::frame(signal, encoding, request)
    }

    /// A body that is encoded already.
    pub fn encoded(signal: Signal, encoding: Encoding, body: &[u8]) -> Result<Self, Error> {
        let mut request = Vec::with_capacity(HEADROOM + body.len());
        request.resize(HEADROOM, 0);
        request.extend_from_slice(body);
        Self::frame(signal, encoding, request)
    }

    fn frame(signal: Signal, encoding: Encoding, mut request: Vec<u8>) -> Result<Self, Error> {
        let length = u32::try_from(request.len() - HEADROOM)
            .context(|| "frame a body of over 4 GiB".into())?;
        request[0] = u8::from(encoding != Encoding::Identity);
        request[1..HEADROOM].copy_from_slice(&length.to_be_bytes());
        Ok(Self {
            signal,
            encoding,
            frame: request.into(),
        })
    }

    /// Bytes of the body, as encoded.
    pub fn len(&self) -> usize {
        self.frame.len() - HEADROOM
    }

    /// Whether the body is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn body(&self) -> Bytes {
        self.frame.slice(HEADROOM..)
    }
}

enum Link {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(hyper::client::conn::http2::SendRequest<Full<Bytes>>),
}

/// One connection to a target, opened when first needed and again whenever it broke.
///
/// Over gRPC any number of requests may be in flight on it; over HTTP/1.1 they take turns.
pub struct Client {
    target: Target,
    link: Mutex<Option<Link>>,
}

impl Client {
    /// A client that has not connected yet.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            link: Mutex::new(None),
        }
    }

    /// Sends a request once and waits for its answer.
    pub async fn send(&self, request: &Prepared) -> Answer {
        match timeout(self.target.timeout, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Answer::Lost {
                why: format!("no answer within {:?}", self.target.timeout),
            },
        }
    }

    async fn exchange(&self, request: &Prepared) -> Answer {
        let mut guard = self.link.lock().await;
        if !guard.as_ref().is_some_and(Link::usable) {
            *guard = None;
            match connect(&self.target).await {
                Ok(link) => *guard = Some(link),
                Err(error) => {
                    return Answer::Retryable {
                        delay: None,
                        why: error.to_string(),
                        sent: false,
                    };
                }
            }
        }
        match guard.take() {
            // A link that is not put back is closed: nothing else may be answered with what was
            // meant for this request.
            Some(Link::Http1(mut sender)) => {
                let answer = http1::exchange(&mut sender, &self.target, request).await;
                if !matches!(answer, Answer::Lost { .. }) {
                    *guard = Some(Link::Http1(sender));
                }
                answer
            }
            Some(Link::Http2(mut sender)) => {
                *guard = Some(Link::Http2(sender.clone()));
                drop(guard);
                grpc::exchange(&mut sender, &self.target, request).await
            }
            None => Answer::Lost {
                why: "the connection vanished".into(),
            },
        }
    }
}

impl Link {
    fn usable(&self) -> bool {
        match self {
            Self::Http1(sender) => !sender.is_closed(),
            Self::Http2(sender) => !sender.is_closed(),
        }
    }
}

async fn connect(target: &Target) -> Result<Link, Error> {
    let doing = || format!("connect to {}", target.address);
    let opening = TcpStream::connect(&target.address);
    let stream = timeout(CONNECT_TIMEOUT, opening)
        .await
        .context(doing)?
        .context(doing)?;
    stream.set_nodelay(true).context(doing)?;
    let io = TokioIo::new(stream);
    match target.protocol {
        Protocol::Http => {
            let (sender, connection) = hyper::client::conn::http1::handshake(io)
                .await
                .context(doing)?;
            // How the connection ends is seen by the request that it ends under.
            tokio::spawn(async move { drop(connection.await) });
            Ok(Link::Http1(sender))
        }
        Protocol::Grpc => {
            let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
                .initial_stream_window_size(WINDOW_BYTES)
                .initial_connection_window_size(WINDOW_BYTES)
                .max_send_buf_size(WINDOW_BYTES as usize)
                .handshake(io);
            let (sender, connection) = handshake.await.context(doing)?;
            tokio::spawn(async move { drop(connection.await) });
            Ok(Link::Http2(sender))
        }
    }
}
