//! Sends telemetry to a backend by OTLP over HTTP.
//!
//! A request that came in the codec that goes out leaves in the very frame in which it came, unless
//! `compression_params` asks for a level of its own.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use http_body_util::Full;
use protos::Signal;
use syntax::{ByteSize, OptionalSecret};
use tokio_util::sync::CancellationToken;

use super::{
    super::{ClientAuth, DebugMetrics, Handler},
    blocks::{
        ClientTlsBlock, Compression, RetryOnFailure, SendingQueue, buffer, header_map, limit,
    },
};
use crate::{
    batch::{Codec, Consumer, Frame},
    delivery::{Destination, Request, SendFuture, Sender, Settings, Verdict, classify},
    graph::{self, ConsumerHandle, Site},
    net::{
        client::{self, USER_AGENT},
        dial,
        proxy::Proxy,
    },
};

/// Where and how to send.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The form of messages: `proto` or `json`.
    #[attr(default = "proto")]
    pub encoding: Encoding,
    /// The URL for logs, if not `client.endpoint` and `/v1/logs`.
    #[attr(default)]
    pub logs_endpoint: String,
    /// The URL for metrics, if not `client.endpoint` and `/v1/metrics`.
    #[attr(default)]
    pub metrics_endpoint: String,
    /// The URL for traces, if not `client.endpoint` and `/v1/traces`.
    #[attr(default)]
    pub traces_endpoint: String,
    /// The backend.
    #[block]
    pub client: Client,
    /// What happens to requests that failed.
    #[block(default)]
    pub retry_on_failure: RetryOnFailure,
    /// How requests wait.
    #[block(default)]
    pub sending_queue: SendingQueue,
    /// Metrics of the exporter about itself.
    #[block(default)]
    pub debug_metrics: DebugMetrics,
}

/// The form of a message.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protobuf.
    #[keyword("proto")]
    Proto,
    /// JSON, made for each attempt from the protobuf that is kept.
    #[keyword("json")]
    Json,
}

/// The connection to the backend. Redirects are never followed.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Client {
    /// The URL before `/v1/logs`, `/v1/metrics` and `/v1/traces`; may be empty when each signal has
    /// a URL of its own.
    #[attr]
    pub endpoint: String,
    /// A handler of an `otelcol.auth` component that says who we are.
    #[attr]
    pub auth: Option<Handler>,
    /// How requests are compressed: `gzip`, `zlib`, `deflate`, `snappy`, `zstd` or `none`.
    #[attr(default = "gzip")]
    pub compression: Compression,
    /// Whether each request has a connection of its own.
    #[attr(default = false)]
    pub disable_keep_alives: bool,
    /// Whether HTTP/2 is offered to servers that are reached by TLS.
    #[attr(default = true)]
    pub force_attempt_http2: bool,
    /// Headers that every request carries. `Host` may be set; it is sent by HTTP/1.1 then.
    #[attr(default)]
    pub headers: BTreeMap<String, OptionalSecret>,
    /// How long the answer to an HTTP/2 ping may take before the connection is closed.
    #[attr(default = "15s")]
    pub http2_ping_timeout: Duration,
    /// Silence on an HTTP/2 connection after which it is pinged; `"0s"` is never.
    #[attr(default = "0s")]
    pub http2_read_idle_timeout: Duration,
    /// How long an idle connection is kept; `"0s"` is for ever.
    #[attr(default = "90s")]
    pub idle_conn_timeout: Duration,
    /// Connections that may exist to each host, dialled, busy and idle ones; 0 is no bound.
    #[attr(default = 0)]
    pub max_conns_per_host: u64,
    /// Idle connections kept to all hosts; 0 is no bound. Each host has an equal share.
    #[attr(default = 100)]
    pub max_idle_conns: u64,
    /// Idle connections kept to each host; 0 is no bound but `max_idle_conns` (in Alloy: 2, which
    /// makes the ten consumers of a queue open connections all the time).
    #[attr(default = 0)]
    pub max_idle_conns_per_host: u64,
    /// The HTTP proxy for all requests. When it is not set, `HTTP_PROXY`, `HTTPS_PROXY` and
    /// `NO_PROXY` of the environment are honoured.
    #[attr(default)]
    pub proxy_url: String,
    /// Bytes read from a connection at once. When it is 0 or not set, the protocol decides.
    #[attr]
    pub read_buffer_size: Option<ByteSize>,
    /// How long one attempt may take; `"0s"` is for ever.
    #[attr(default = "30s")]
    pub timeout: Duration,
    /// Bytes gathered before they are written. When it is not set, a request is written at once,
    /// without the copy that the 512 KiB of Alloy cost.
    #[attr]
    pub write_buffer_size: Option<ByteSize>,
    /// The level of compression.
    #[block]
    pub compression_params: Option<CompressionParams>,
    /// Cookies, for load balancers that use them to keep a client on one instance.
    #[block]
    pub cookies: Option<Cookies>,
    /// Encryption of `https` URLs.
    #[block(default)]
    pub tls: ClientTlsBlock,
}

/// The level of compression.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct CompressionParams {
    /// On the codec's own scale: 0 to 9, or 1 to 22 for `zstd`. A request is then compressed anew
    /// for each attempt, even if it came compressed.
    #[attr]
    pub level: i64,
}

/// What becomes of the cookies that the backend sets.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Cookies {
    /// Whether they are kept and sent back.
    #[attr(default = false)]
    pub enabled: bool,
}

/// What others can refer to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// Takes logs, metrics and traces.
    #[attr]
    pub input: ConsumerHandle,
}

/// A sender with an HTTP backend.
pub struct Component {
    site: Site,
    sender: Arc<Sender>,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = Exports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let backend = Backend::new(&arguments)?;
        let settings = Settings {
            queue: arguments.sending_queue.settings(),
            retry: arguments.retry_on_failure.settings(),
            codec: backend.asks_for(),
            context_keys: backend
                .auth
                .as_ref()
                .map_or_else(Vec::new, |auth| auth.context_keys()),
        };
        let sender = Arc::new(Sender::new(site.clone(), settings, Arc::new(backend)));
        Ok(Self { site, sender })
    }

    fn exports(&self) -> Exports {
        Exports {
            input: ConsumerHandle(self.site.input()),
        }
    }

    fn consumer(self: &Arc<Self>) -> Option<Arc<dyn Consumer>> {
        Some(self.sender.clone())
    }

    async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<(), String> {
        self.sender.run(stop).await
    }
}

/// Bodies above this size are made on a thread that may take its time.
const OFFLOAD_BYTES_MIN: usize = 32 << 10;

/// How long the answer to a ping may take when nothing is set, as in Alloy.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// One attempt at an HTTP backend.
pub struct Backend {
    client: client::Client,
    urls: [Uri; 3],
    form: Form,
    headers: HeaderMap,
    auth: Option<Arc<dyn ClientAuth>>,
    timeout: Duration,
}

/// How the body of a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Form {
    encoding: Encoding,
    codec: Codec,
    level: Option<i32>,
}

impl Backend {
    /// A backend that nothing has been sent to yet.
    ///
    /// # Errors
    /// A sentence that names the argument at fault.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        let block = &arguments.client;
        let url = |signal| url(arguments, signal);
        let urls = [
            url(Signal::Logs)?,
            url(Signal::Metrics)?,
            url(Signal::Traces)?,
        ];
        let level = |params: &CompressionParams| block.compression.check_level(params.level);
        let headers = header_map(&block.headers)?;
        Ok(Self {
            client: client::Client::new(block.settings(&urls, &headers)?),
            urls,
            form: Form {
                encoding: arguments.encoding,
                codec: block.compression.for_http(),
                level: block.compression_params.as_ref().map(level).transpose()?,
            },
            headers,
            auth: block.auth.as_ref().map(Handler::client).transpose()?,
            timeout: limit(block.timeout),
        })
    }

    /// The codec in which this backend wants its requests: what goes out, where nothing is left to
    /// be done to it.
    fn asks_for(&self) -> Codec {
        if self.form.is_passed_on() {
            self.form.codec
        } else {
            Codec::Identity
        }
    }

    async fn attempt(&self, request: Request) -> Verdict {
        let mut headers = self.headers.clone();
        if let Some(auth) = &self.auth
            && let Err(message) = auth.apply(&request.metadata, &mut headers)
        {
            return Verdict::Retry {
                after: None,
                message,
            };
        }
        let (signal, frame) = (request.signal, request.frame);
        let frame = match self.form.of(signal, frame).await {
            Ok(frame) => frame,
            Err(verdict) => return verdict,
        };
        self.form.describe(frame.codec, &mut headers);
        let mut request = http::Request::new(Full::new(frame.bytes));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.urls[index(signal)].clone();
        *request.headers_mut() = headers;
        match self.client.send(request, self.timeout).await {
            Ok(answer) => classify::http(signal, answer.status, &answer.headers, &answer.body),
            Err(fault) => Verdict::Retry {
                after: None,
                message: fault.to_string(),
            },
        }
    }
}

impl Destination for Backend {
    fn send(&self, request: Request) -> SendFuture<'_> {
        Box::pin(self.attempt(request))
    }
}

impl Form {
    /// Whether the bytes in the log are those on the wire.
    fn is_passed_on(self) -> bool {
        self.encoding == Encoding::Proto && self.level.is_none()
    }

    /// The frame in this form.
    async fn of(self, signal: Signal, frame: Frame) -> Result<Frame, Verdict> {
        if self.is_passed_on() {
            return Ok(frame);
        }
        let made = if frame.bytes.len() < OFFLOAD_BYTES_MIN {
            Ok(self.make(signal, &frame))
        } else {
            tokio::task::spawn_blocking(move || self.make(signal, &frame)).await
        };
        match made {
            Ok(Ok(frame)) => Ok(frame),
            Ok(Err(message)) => Err(Verdict::Refused {
                reason: "unreadable",
                message,
            }),
            // The process ends, and the request is for its next run.
            Err(error) => Err(Verdict::Retry {
                after: None,
                message: error.to_string(),
            }),
        }
    }

    fn make(self, signal: Signal, frame: &Frame) -> Result<Frame, String> {
        let plain = frame.codec.decompress(&frame.bytes, frame.plain_length);
        let plain = plain.map_err(|error| error.to_string())?;
        let message = match self.encoding {
            Encoding::Proto => plain,
            Encoding::Json => protos::json::from_protobuf(signal, &plain)
                .map_err(|error| format!("cannot write the request as JSON: {error}"))?
                .into(),
        };
        let bytes = match (self.codec, self.level) {
            (codec, None) => codec.compress(&message),
            (codec, Some(level)) => codec.compress_at(&message, level),
        };
        Ok(Frame {
            codec: self.codec,
            bytes,
            plain_length: message.len() as u64,
        })
    }

    /// The headers that belong to the body, whatever the operator has set.
    fn describe(self, codec: Codec, headers: &mut HeaderMap) {
        let content_type = match self.encoding {
            Encoding::Proto => "application/x-protobuf",
            Encoding::Json => "application/json",
        };
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::CONTENT_ENCODING);
        if let Some(name) = codec.content_encoding() {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(name));
        }
        let agent = HeaderValue::from_static(USER_AGENT);
        headers.entry(header::USER_AGENT).or_insert(agent);
    }
}

impl Client {
    fn settings(&self, urls: &[Uri; 3], headers: &HeaderMap) -> Result<client::Settings, String> {
        let is_encrypted = urls.iter().any(|url| url.scheme_str() == Some("https"));
        let wants_http2 = self.force_attempt_http2 && !headers.contains_key(header::HOST);
        let protocols: &[&str] = if wants_http2 {
            &["h2", "http/1.1"]
        } else {
            &["http/1.1"]
        };
        let proxy = match self.proxy_url.as_str() {
            "" => Proxy::from_environment(),
            url => Proxy::explicit(url).map_err(|error| format!("client: {error}"))?,
        };
        // A proxy may be reached by TLS although no backend is.
        let needs_tls = is_encrypted || self.proxy_url.starts_with("https:");
        let duration = |time: Duration| Some(time).filter(|time| !time.is_zero());
        let buffer = |argument, size: Option<ByteSize>| buffer(argument, size.unwrap_or_default());
        Ok(client::Settings {
            dial: dial::Settings {
                tls: if needs_tls {
                    Some(self.tls.client(protocols)?)
                } else {
                    None
                },
                proxy: Some(proxy),
                server_name: self.tls.server_name(),
                connections_per_host: usize::try_from(self.max_conns_per_host)
                    .unwrap_or(usize::MAX),
                read_buffer_bytes: buffer("read_buffer_size", self.read_buffer_size)?,
                write_buffer_bytes: buffer("write_buffer_size", self.write_buffer_size)?,
                ..dial::Settings::default()
            },
            idle_per_host: self.idle_per_host(urls),
            idle_timeout: duration(self.idle_conn_timeout),
            ping_interval: duration(self.http2_read_idle_timeout),
            ping_timeout: duration(self.http2_ping_timeout).unwrap_or(PING_TIMEOUT),
            cookies: self.cookies.as_ref().is_some_and(|cookies| cookies.enabled),
        })
    }

    /// The bound on all idle connections, shared out among the hosts that there are.
    fn idle_per_host(&self, urls: &[Uri; 3]) -> usize {
        if self.disable_keep_alives {
            return 0;
        }
        let mut hosts: Vec<_> = urls
            .iter()
            .map(|url| (url.scheme_str(), url.authority()))
            .collect();
        hosts.sort_by_key(|(scheme, host)| (*scheme, host.map(|host| host.as_str())));
        hosts.dedup();
        let bound = |limit: u64| if limit == 0 { u64::MAX } else { limit };
        let share = (bound(self.max_idle_conns) / hosts.len() as u64).max(1);
        usize::try_from(share.min(bound(self.max_idle_conns_per_host))).unwrap_or(usize::MAX)
    }
}

fn index(signal: Signal) -> usize {
    match signal {
        Signal::Logs => 0,
        Signal::Metrics => 1,
        Signal::Traces => 2,
    }
}

/// Where a signal goes: to its own URL as it stands, or to a path below the common one.
fn url(arguments: &Arguments, signal: Signal) -> Result<Uri, String> {
    let own = match signal {
        Signal::Logs => &arguments.logs_endpoint,
        Signal::Metrics => &arguments.metrics_endpoint,
        Signal::Traces => &arguments.traces_endpoint,
    };
    let common = &arguments.client.endpoint;
    let (argument, text) = match (own.as_str(), common.as_str()) {
        ("", "") => return Err(format!("set client.endpoint or {signal}_endpoint")),
        ("", common) => {
            let slash = if common.ends_with('/') { "" } else { "/" };
            (
                "client.endpoint".to_owned(),
                format!("{common}{slash}v1/{signal}"),
            )
        }
        (own, _) => (format!("{signal}_endpoint"), own.to_owned()),
    };
    let fault = |why: &str| format!("{argument} {why}: write http://host:port or https://host");
    let uri: Uri = text.parse().map_err(|_| fault("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(fault("has no scheme that is supported"));
    }
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        // It would be shown wherever the URL is.
        return Err(fault(
            "holds a user's name, which belongs into otelcol.auth.basic",
        ));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(fault("lacks the host"));
    }
    Ok(uri)
}
