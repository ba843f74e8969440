//! The HTTP client of every exporter: one attempt, one answer.
//!
//! It never follows a redirect: data and credentials go where the operator said and nowhere else.
//! What a backend sends back is bounded in size and in time before it is looked at.

use std::{error::Error, fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::{
    client::legacy,
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::timeout;

use super::{
    cookies::Jar,
    dial::{self, Dialer, sentence},
    proxy::Route,
};

/// The name under which every request is sent.
pub const USER_AGENT: &str = concat!("Corten/", env!("CARGO_PKG_VERSION"));

/// Bytes of an answer that are read: what OTLP asks of clients. An answer to an export says at most
/// how many items were rejected and why.
pub const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// Bytes of an answer's header that are read; servers commonly allow 8 to 16 KiB in a request.
pub(super) const HEADER_BYTES_MAX: u32 = 64 << 10;

/// Bytes that a server may send on a connection or stream before it hears from us: answers are
/// small, and this is memory that a backend can make us hold.
pub(super) const WINDOW_BYTES: u32 = 1 << 20;

/// How a client keeps its connections.
#[derive(Debug)]
pub struct Settings {
    /// How connections are opened.
    pub dial: dial::Settings,
    /// Idle connections kept for each host; 0 closes a connection after each request.
    pub idle_per_host: usize,
    /// How long an idle connection is kept.
    pub idle_timeout: Option<Duration>,
    /// Silence on an HTTP/2 connection after which it is pinged.
    pub ping_interval: Option<Duration>,
    /// How long a ping may go unanswered before the connection is closed.
    pub ping_timeout: Duration,
    /// Whether cookies are kept and sent back.
    pub cookies: bool,
}

/// A client for a handful of hosts. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<Dialer, Full<Bytes>>,
    dialer: Dialer,
    jar: Option<Arc<Jar>>,
}

/// What a backend answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, cut after [`RESPONSE_BYTES_MAX`].
    pub body: Bytes,
}

/// Why there is no answer: a sentence. Whether the backend took the request is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(pub String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Error for NoAnswer {}

impl Client {
    /// A client that has opened nothing yet.
    pub fn new(settings: Settings) -> Self {
        let dialer = Dialer::new(settings.dial);
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(settings.idle_timeout)
            .pool_max_idle_per_host(settings.idle_per_host)
            .http1_max_buf_size(HEADER_BYTES_MAX as usize)
            .http2_max_header_list_size(HEADER_BYTES_MAX)
            .http2_initial_stream_window_size(WINDOW_BYTES)
            .http2_initial_connection_window_size(WINDOW_BYTES)
            .http2_keep_alive_interval(settings.ping_interval)
            .http2_keep_alive_timeout(settings.ping_timeout)
            .http2_keep_alive_while_idle(true);
        let inner = builder.build(dialer.clone());
        Self {
            inner,
            dialer,
            jar: settings.cookies.then(Arc::default),
        }
    }

    /// Sends a request once and reads the answer, all of it within `limit`.
    ///
    /// # Errors
    /// If no answer came, or not in time.
    pub async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        limit: Duration,
    ) -> Result<Answer, NoAnswer> {
        let uri = request.uri().clone();
        let headers = request.headers_mut();
        if let Some(cookies) = self.jar.as_ref().and_then(|jar| jar.header(&uri)) {
            headers.append(header::COOKIE, cookies);
        }
        let Ok(result) = timeout(limit, self.exchange(request)).await else {
            let host = uri.authority().map_or("", |authority| authority.as_str());
            return Err(NoAnswer(format!("{host} did not answer within {limit:?}")));
        };
        let answer = result?;
        if let Some(jar) = &self.jar {
            jar.keep(&uri, &answer.headers);
        }
        Ok(answer)
    }

    /// Sends a request once and gives back what answers, with its body still to come. Neither time nor
    /// body are bounded: that is up to the caller.
    ///
    /// # Errors
    /// If no answer came.
    pub async fn open(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoAnswer> {
        let uri = request.uri().clone();
        if Route::forwards(&uri)
            && let Some(authorization) = self
                .dialer
                .route(&uri)
                .and_then(|route| route.authorization)
        {
            let headers = request.headers_mut();
            headers.insert(header::PROXY_AUTHORIZATION, authorization);
        }
        let response = self.inner.request(request).await;
        response.map_err(|error| match error.source() {
            // The dialler's own sentence needs no words before it.
            Some(cause) if error.is_connect() => NoAnswer(cause.to_string()),
            _ => NoAnswer(sentence(error)),
        })
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let response = self.open(request).await?;
        let (head, body) = response.into_parts();
        let body = read(body).await.map_err(|error| {
            NoAnswer(format!(
                "the answer broke off after its header: {}",
                sentence(error)
            ))
        })?;
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }
}

/// Reads a body up to the limit.
async fn read<B>(mut body: B) -> Result<Bytes, B::Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut bytes = BytesMut::new();
    while bytes.len() < RESPONSE_BYTES_MAX
        && let Some(frame) = body.frame().await
    {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
    }
    bytes.truncate(RESPONSE_BYTES_MAX);
    Ok(bytes.freeze())
}
