//! Opens a connection to a backend: its address, the proxy before it, TLS, buffers, in this order.
//!
//! The number of connections is bounded here rather than in a pool: the permit lives in the
//! stream, so that dialling, busy and idle connections all count, and none escapes the count.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, Uri, uri::Scheme};
use hyper_util::{
    client::legacy::connect::{Connected, Connection, HttpConnector, proxy::Tunnel},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, BufWriter, ReadBuf},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tower::Service;

use super::{
    proxy::{Proxy, Route},
    tls::ClientTls,
};

/// How long an address, a proxy and a TLS handshake may take together. A backend that needs longer
/// is as good as down, and the sender's own back-off is the better place to wait.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle time after which the kernel asks whether the other side still exists, so that a host that
/// vanished behind a firewall is noticed.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// How long sent bytes may stay unacknowledged. Without it the kernel hopes for a quarter of an hour,
/// and every request in that time goes into a connection to a host that is gone.
#[cfg(target_os = "linux")]
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(20);

/// What a dialler must know about the connections it opens.
#[derive(Debug, Default)]
pub struct Settings {
    /// TLS for `https`; without it such a destination is refused.
    pub tls: Option<Arc<ClientTls>>,
    /// The proxies to go through.
    pub proxy: Option<Proxy>,
    /// Headers for the proxy when a tunnel is asked for.
    pub proxy_headers: HeaderMap,
    /// Whether plain HTTP goes through a tunnel of the proxy too, because it is not HTTP/1.1.
    pub always_tunnel: bool,
    /// The name that the server's certificate must carry, if it is not the destination's host.
    pub server_name: Option<String>,
    /// Connections that may exist at once to each host; 0 is no bound.
    pub connections_per_host: usize,
    /// Bytes read from a connection at once; 0 leaves it to the protocol.
    pub read_buffer_bytes: usize,
    /// Bytes gathered before they are written; 0 writes at once and copies nothing.
    pub write_buffer_bytes: usize,
}

/// Opens connections. Cheap to clone.
#[derive(Clone)]
pub struct Dialer {
    settings: Arc<Settings>,
    connector: HttpConnector,
    permits: Option<Arc<std::sync::Mutex<Permits>>>,
}

/// The permits of each host and port that was ever dialled: a client has a handful.
type Permits = std::collections::HashMap<String, Arc<Semaphore>>;

impl fmt::Debug for Dialer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Dialer")
            .field(&self.settings)
            .finish()
    }
}

/// Why there is no connection: a sentence that names the destination.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Error {
    pub(super) fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl Dialer {
    /// A dialler with these settings.
    pub fn new(settings: Settings) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_keepalive(Some(TCP_KEEPALIVE));
        #[cfg(target_os = "linux")]
        connector.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT));
        let permits = (settings.connections_per_host > 0).then(Arc::default);
        Self {
            settings: Arc::new(settings),
            connector,
            permits,
        }
    }

    /// The proxy that stands before this destination.
    pub fn route(&self, destination: &Uri) -> Option<Route> {
        let proxy = self.settings.proxy.as_ref()?;
        if self.settings.always_tunnel {
            proxy.tunnel(destination)
        } else {
            proxy.route(destination)
        }
    }

    /// Opens a connection to the destination, or to one of its addresses where it is known.
    ///
    /// # Errors
    /// If it cannot be reached in time or its certificate is not trusted.
    pub async fn dial(
        &self,
        destination: &Uri,
        address: Option<SocketAddr>,
    ) -> Result<Stream, Error> {
        let place = destination
            .authority()
            .map_or("", |authority| authority.as_str());
        match timeout(DIAL_TIMEOUT, self.connect(destination, address)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(cause)) => Err(Error(format!("cannot connect to {place}: {cause}"))),
            Err(_) => Err(Error(format!(
                "cannot connect to {place}: no connection within {} s",
                DIAL_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Waits until the host may have one more connection. The wait counts as part of dialling: the
    /// pool leaves dials behind that it no longer needs, and those must come to an end.
    async fn permit(&self, destination: &Uri) -> Option<OwnedSemaphorePermit> {
        let permits = self.permits.as_ref()?;
        let host = destination.authority()?.as_str().to_owned();
        let semaphore = {
            let mut permits = permits
                .lock()
                .expect("nothing panics while it holds the permits");
            let bound = self
                .settings
                .connections_per_host
                .min(Semaphore::MAX_PERMITS);
            let fresh = || Arc::new(Semaphore::new(bound));
            permits.entry(host).or_insert_with(fresh).clone()
        };
        semaphore.acquire_owned().await.ok()
    }

    async fn connect(
        &self,
        destination: &Uri,
        address: Option<SocketAddr>,
    ) -> Result<Stream, String> {
        let permit = self.permit(destination).await;
        let (io, is_proxied) = match (self.route(destination), address) {
            (Some(route), _) if Route::forwards(destination) && !self.settings.always_tunnel => {
                (self.reach_proxy(&route.address).await?, true)
            }
            (Some(route), _) => (self.tunnel(&route, destination).await?, false),
            (None, Some(address)) => {
                let uri = format!("http://{address}/").parse();
                let uri = uri.map_err(|_| format!("{address} is not an address to call"))?;
                (self.reach(&uri).await?, false)
            }
            (None, None) => (self.reach(destination).await?, false),
        };
        let (io, is_http2) = if destination.scheme() == Some(&Scheme::HTTPS) {
            let host = self.settings.server_name.as_deref().or(destination.host());
            let config = self.tls()?.config();
            encrypt(io, host.unwrap_or_default(), config).await?
        } else {
            (io, false)
        };
        Ok(Stream {
            io: self.buffer(io),
            is_http2,
            is_proxied,
            _permit: permit,
        })
    }

    fn tls(&self) -> Result<&ClientTls, String> {
        self.settings
            .tls
            .as_deref()
            .ok_or_else(|| "it wants TLS, which is not set up".to_owned())
    }

    async fn reach(&self, destination: &Uri) -> Result<Io, String> {
        let stream = self
            .connector
            .clone()
            .call(destination.clone())
            .await
            .map_err(sentence)?;
        Ok(Box::new(stream.into_inner()))
    }

    async fn reach_proxy(&self, proxy: &Uri) -> Result<Io, String> {
        let through = |cause: String| format!("proxy {proxy}: {cause}");
        match proxy.scheme_str() {
            Some("http") => self.reach(proxy).await.map_err(through),
            Some("https") => {
                let io = self.reach(proxy).await.map_err(through)?;
                // What is agreed with the proxy is HTTP/1.1, whatever the destination speaks.
                let mut config = (*self.tls()?.config()).clone();
                config.alpn_protocols.clear();
                let host = proxy.host().unwrap_or_default();
                let (io, _) = encrypt(io, host, Arc::new(config)).await.map_err(through)?;
                Ok(io)
            }
            _ => Err(format!(
                "proxy {proxy} does not speak HTTP, which is all that is supported"
            )),
        }
    }

    async fn tunnel(&self, route: &Route, destination: &Uri) -> Result<Io, String> {
        let this = self.clone();
        let reach = tower::service_fn(move |proxy: Uri| {
            let this = this.clone();
            async move { this.reach_proxy(&proxy).await.map(TokioIo::new) }
        });
        let mut tunnel = Tunnel::new(route.address.clone(), reach);
        if let Some(authorization) = &route.authorization {
            tunnel = tunnel.with_auth(authorization.clone());
        }
        if !self.settings.proxy_headers.is_empty() {
            tunnel = tunnel.with_headers(self.settings.proxy_headers.clone());
        }
        let opened = tunnel.call(destination.clone()).await;
        let io = opened.map_err(|error| format!("proxy {}: {}", route.address, sentence(error)))?;
        Ok(io.into_inner())
    }

    fn buffer(&self, io: Io) -> Io {
        let Settings {
            read_buffer_bytes,
            write_buffer_bytes,
            ..
        } = *self.settings;
        let io = match read_buffer_bytes {
            0 => io,
            bytes => Box::new(BufReader::with_capacity(bytes, io)),
        };
        match write_buffer_bytes {
            0 => io,
            bytes => Box::new(BufWriter::with_capacity(bytes, io)),
        }
    }
}

async fn encrypt(
    io: Io,
    host: &str,
    config: Arc<rustls::ClientConfig>,
) -> Result<(Io, bool), String> {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(name.to_owned())
        .map_err(|_| format!("{name:?} is not a name that a certificate can carry"))?;
    let stream = TlsConnector::from(config).connect(name, io).await;
    let stream = stream.map_err(|error| format!("TLS handshake: {error}"))?;
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok((Box::new(stream), is_http2))
}

/// The words of an error and of what caused it: a connector's own say only "tcp connect error".
pub(super) fn sentence(error: impl std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !words.contains(&next) {
            words = format!("{words}: {next}");
        }
        cause = error.source();
    }
    words
}

// === impl Service: how hyper's pool asks for a connection ===

impl Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, destination: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.dial(&destination, None).await.map(TokioIo::new) })
    }
}

// === impl Stream ===

trait ReadWrite: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> ReadWrite for T {}
type Io = Box<dyn ReadWrite>;

/// A connection, encrypted or not, direct or through a proxy.
pub struct Stream {
    io: Io,
    is_http2: bool,
    is_proxied: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Stream {
    /// Whether the TLS handshake agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.is_http2
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_proxied);
        if self.is_http2 {
            connected.negotiated_h2()
        } else {
            connected
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
