//! Accepting connections and serving HTTP/1 and HTTP/2 on them, within limits.
//!
//! hyper bounds the parts of a request; how long a connection may stay is decided by its watch, in
//! one place for both versions.

use std::{convert::Infallible, io, pin::pin, sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    sync::Semaphore,
    time::{sleep, sleep_until, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service;

use super::{
    activity::{Activity, Counted},
    listener::{Listener, Stream},
    pings::{Policed, Policy},
    tls::Encryption,
    watch::{FAR, FIRST_REQUEST, Verdict, Watch},
};

/// Open connections of one server: with all of them idle some hundred megabytes.
const CONNECTIONS: usize = 8192;

/// Time for the first request's headers, and for the TLS handshake before it.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Calls in progress on one HTTP/2 connection, where nothing else is said.
const CONCURRENT_STREAMS: u32 = 256;

/// Flow-control window of one stream: a large request goes out without waiting for the network's
/// round trip. It is filled only while a handler reads, against the memory budget.
const STREAM_WINDOW: u32 = 4 << 20;

/// Flow-control window of a connection: two streams at full speed.
const CONNECTION_WINDOW: u32 = 8 << 20;

/// Largest HTTP/2 frame taken: fewer wake-ups for large requests than the standard's 16 KiB.
const FRAME_SIZE: u32 = 64 << 10;

/// Headers of a request, decoded, in bytes: tokens and a few dozen fields.
const HEADER_LIST_SIZE: u32 = 16 << 10;

/// Header fields of a request over HTTP/1.
const HEADERS_MAX: usize = 100;

/// Streams that a client may open and reset before they are accepted (CVE-2023-44487).
const PENDING_RESETS: usize = 20;

/// Read buffer of an HTTP/1 connection at most, which also bounds its headers.
const HTTP1_BUFFER: usize = 64 << 10;

/// Pause after the system refused to give a connection: it is out of file handles or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The versions of HTTP that a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/1.1, and HTTP/2 where the client asks for it.
    All,
    /// HTTP/2 alone, for gRPC.
    Http2,
}

impl Versions {
    /// The names of the versions in the TLS handshake, best first.
    pub fn alpn(self) -> &'static [&'static str] {
        match self {
            Self::All => &["h2", "http/1.1"],
            Self::Http2 => &["h2"],
        }
    }
}

/// The limits of a server that its owner may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open connections.
    pub connections: usize,
    /// Time for a connection's first request to begin, and where only HTTP/2 is spoken for HTTP/2
    /// itself: gRPC clients connect ahead of their first call.
    pub header_timeout: Duration,
    /// How long a connection may be without a request; none is for ever.
    pub idle_timeout: Option<Duration>,
    /// How old a connection may become, give or take a tenth; none is any age.
    pub age: Option<Duration>,
    /// Time for requests in progress after that age; none is as long as they take.
    pub age_grace: Option<Duration>,
    /// Whether a connection serves more than one request.
    pub keep_alive: bool,
    /// Calls in progress on one HTTP/2 connection.
    pub concurrent_streams: u32,
    /// How often a silent HTTP/2 client is pinged; none is never.
    pub ping_interval: Option<Duration>,
    /// Time for the answer to a ping.
    pub ping_timeout: Duration,
    /// What HTTP/2 clients may do with pings of their own; none is anything.
    pub ping_policy: Option<Policy>,
    /// Read buffer beyond hyper's own, in bytes; none is no other buffer.
    pub read_buffer: Option<usize>,
    /// Bytes of answers that may wait for one HTTP/2 stream; none is hyper's number.
    pub write_buffer: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: CONNECTIONS,
            header_timeout: HEADER_TIMEOUT,
            idle_timeout: Some(Duration::from_secs(60)),
            age: None,
            age_grace: None,
            keep_alive: true,
            concurrent_streams: CONCURRENT_STREAMS,
            ping_interval: None,
            ping_timeout: Duration::from_secs(20),
            ping_policy: None,
            read_buffer: None,
            write_buffer: None,
        }
    }
}

/// A server before it listens.
#[derive(Debug)]
pub struct Server {
    /// What its connections may do.
    pub limits: Limits,
    /// What it speaks.
    pub versions: Versions,
    /// How it encrypts, if it does.
    pub tls: Encryption,
}

impl Server {
    /// Serves until told to stop; then accepts nothing more, lets requests in progress finish, and
    /// returns when the last connection has gone.
    pub async fn serve<S, B>(self, listener: Listener, service: S, stop: CancellationToken)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let this = Arc::new(self);
        let connections = TaskTracker::new();
        let permits = Arc::new(Semaphore::new(this.limits.connections));
        let mut full = false;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok(stream) => stream,
                // One connection that broke off while it waited says nothing of the next.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
                Err(error) => {
                    tracing::warn!(address = %listener.address(), %error, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                // Closed at once, so that a client tries elsewhere instead of waiting in a queue.
                if !std::mem::replace(&mut full, true) {
                    let limit = this.limits.connections;
                    tracing::warn!(address = %listener.address(), limit, "too many connections");
                }
                continue;
            };
            full = false;
            let connection = this
                .clone()
                .connection(stream, service.clone(), stop.child_token());
            connections.spawn(async move {
                connection.await;
                drop(permit);
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    async fn connection<S, B>(self: Arc<Self>, stream: Stream, service: S, stop: CancellationToken)
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
        S: Clone + Send + Sync + 'static,
        S::Future: Send,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let activity = Arc::new(Activity::new());
        let late = async {
            stop.cancelled().await;
            sleep(FIRST_REQUEST).await;
        };
        let opened = tokio::select! {
            opened = self.open(stream, &activity) => opened,
            () = late => None,
        };
        let Some(wire) = opened else {
            return;
        };
        let service = Counted::new(service, activity.clone());
        let builder = self.builder();
        let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), service));
        let mut watch = Watch::new(&self.limits, &activity);
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = stop.cancelled(), if !watch.is_stopping() => watch.stop(),
                () = sleep_until(watch.next()) => {}
            }
            match watch.verdict() {
                Verdict::Stay => {}
                Verdict::Leave => connection.as_mut().graceful_shutdown(),
                Verdict::Close => return,
            }
        }
    }

    /// Wraps a connection in what the settings ask for.
    async fn open(&self, stream: Stream, activity: &Arc<Activity>) -> Option<Box<dyn Wire>> {
        let mut wire: Box<dyn Wire> = match self.tls.config() {
            None => Box::new(stream),
            Some(tls) => {
                let handshake = TlsAcceptor::from(tls).accept(stream);
                match timeout(self.limits.header_timeout, handshake).await {
                    Ok(Ok(stream)) => Box::new(stream),
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "TLS handshake failed");
                        return None;
                    }
                    Err(_) => return None,
                }
            }
        };
        if self.versions == Versions::Http2 {
            let policy = self.limits.ping_policy;
            wire = Box::new(Policed::new(wire, policy, activity.clone()));
        }
        if let Some(capacity) = self.limits.read_buffer {
            wire = Box::new(BufReader::with_capacity(capacity, wire));
        }
        Some(wire)
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let limits = &self.limits;
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // hyper's timer for headers also runs while a connection idles, so it must not be shorter
        // than that; the first headers are the watch's.
        let idle = limits.idle_timeout.unwrap_or(FAR);
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(idle.max(limits.header_timeout))
            .keep_alive(limits.keep_alive)
            .max_headers(HEADERS_MAX)
            .max_buf_size(HTTP1_BUFFER);
        let mut http2 = builder.http2();
        http2
            .timer(TokioTimer::new())
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(FRAME_SIZE)
            .max_header_list_size(HEADER_LIST_SIZE)
            .max_concurrent_streams(limits.concurrent_streams)
            .max_pending_accept_reset_streams(PENDING_RESETS)
            .keep_alive_interval(limits.ping_interval)
            .keep_alive_timeout(limits.ping_timeout);
        if let Some(bytes) = limits.write_buffer {
            http2.max_send_buf_size(bytes);
        }
        match self.versions {
            Versions::All => builder,
            Versions::Http2 => builder.http2_only(),
        }
    }
}

/// A connection's bytes, encrypted or not.
trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Wire for S {}
