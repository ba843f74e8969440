//! Sends telemetry to a backend by OTLP over gRPC.
//!
//! A request that came in the codec that goes out leaves in the very frame in which it came.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::{HeaderMap, Uri, uri::PathAndQuery};
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
    batch::Consumer,
    delivery::{Destination, Request, SendFuture, Sender, Settings, Verdict, classify},
    graph::{self, ConsumerHandle, Site},
    net::{
        dial,
        grpc_client::{Call, Channel, Fault},
        peers::{self, Balancing, Pings},
        proxy::Proxy,
    },
};

/// Where and how to send.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// How long one attempt may take; `"0s"` is for ever.
    #[attr(default = "5s")]
    pub timeout: Duration,
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

/// The connection to the backend. `HTTPS_PROXY` and `NO_PROXY` of the environment are honoured.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Client {
    /// `host:port` of the backend.
    #[attr]
    pub endpoint: String,
    /// A handler of an `otelcol.auth` component that says who we are.
    #[attr]
    pub auth: Option<Handler>,
    /// What the backend is told it is called, if not `endpoint`.
    #[attr(default)]
    pub authority: String,
    /// Whether each address of the backend's name is used in turn or only the first that answers.
    #[attr(default = "round_robin")]
    pub balancer_name: Balancer,
    /// How requests are compressed: `gzip`, `zstd`, `snappy` or `none`.
    #[attr(default = "gzip")]
    pub compression: Compression,
    /// Headers that every request carries.
    #[attr(default)]
    pub headers: BTreeMap<String, OptionalSecret>,
    /// Bytes read from a connection at once. When it is not set, HTTP/2 decides.
    #[attr]
    pub read_buffer_size: Option<ByteSize>,
    /// Whether an attempt waits for a connection for as long as it may take, instead of failing
    /// when the first try to connect fails.
    #[attr(default = false)]
    pub wait_for_ready: bool,
    /// Bytes of a request that may wait for the backend to make room for them.
    #[attr(default = "512KiB")]
    pub write_buffer_size: ByteSize,
    /// Pings that find out whether a silent connection is dead.
    #[block]
    pub keepalive: Option<Keepalive>,
    /// Encryption.
    #[block(default)]
    pub tls: ClientTlsBlock,
}

/// Pings on a silent connection.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Keepalive {
    /// Silence after which the backend is pinged; at least 10 s, as in Alloy. `"0s"` is never.
    #[attr(default = "0s")]
    pub ping_wait: Duration,
    /// How long the answer to a ping may take before the connection is closed; `"0s"` is 20 s.
    #[attr(default = "0s")]
    pub ping_response_timeout: Duration,
    /// Whether connections without a request under way are pinged.
    #[attr(default = false)]
    pub ping_without_stream: bool,
}

/// How requests are spread over the addresses of a name.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancer {
    /// Each address in turn.
    #[keyword("round_robin")]
    RoundRobin,
    /// The first that can be reached.
    #[keyword("pick_first")]
    PickFirst,
}

/// What others can refer to.
#[derive(syntax::Exports, Clone, Debug)]
pub struct Exports {
    /// Takes logs, metrics and traces.
    #[attr]
    pub input: ConsumerHandle,
}

/// A sender with a gRPC backend.
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
            codec: arguments.client.compression.for_grpc()?,
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

/// The shortest interval of pings: below it, gRPC servers take a client for an attacker.
const PING_WAIT_MIN: Duration = Duration::from_secs(10);

/// How long the answer to a ping may take when nothing is set, as in gRPC.
const PING_RESPONSE_TIMEOUT: Duration = Duration::from_secs(20);

/// One attempt at a gRPC backend.
pub struct Backend {
    channel: Channel,
    headers: HeaderMap,
    auth: Option<Arc<dyn ClientAuth>>,
    timeout: Duration,
}

impl Backend {
    /// A backend that nothing has been sent to yet.
    ///
    /// # Errors
    /// A sentence that names the argument at fault.
    pub fn new(arguments: &Arguments) -> Result<Self, String> {
        let client = &arguments.client;
        let destination = destination(&client.endpoint, client.tls.insecure)?;
        let is_encrypted = destination.scheme_str() == Some("https");
        let auth = client.auth.as_ref().map(Handler::client).transpose()?;
        if auth.as_ref().is_some_and(|auth| auth.is_secret()) && !is_encrypted {
            return Err(
                "client.auth would send credentials unencrypted, which gRPC does not \
                        allow: remove tls.insecure, or use otelcol.exporter.otlphttp"
                    .to_owned(),
            );
        }
        let authority = match client.authority.as_str() {
            "" => None,
            name => Some(
                name.parse()
                    .map_err(|_| format!("client.authority: {name:?} is not the name of a host"))?,
            ),
        };
        let server_name = client.tls.server_name().or_else(|| {
            authority
                .as_ref()
                .map(|name: &http::uri::Authority| name.host().to_owned())
        });
        let settings = peers::Settings {
            destination,
            dial: dial::Settings {
                tls: if is_encrypted {
                    Some(client.tls.client(&["h2"])?)
                } else {
                    None
                },
                server_name,
                proxy: Some(Proxy::from_environment()),
                always_tunnel: true,
                read_buffer_bytes: buffer(
                    "read_buffer_size",
                    client.read_buffer_size.unwrap_or_default(),
                )?,
                ..dial::Settings::default()
            },
            balancing: match client.balancer_name {
                Balancer::RoundRobin => Balancing::RoundRobin,
                Balancer::PickFirst => Balancing::PickFirst,
            },
            pings: client.keepalive.as_ref().and_then(Keepalive::pings),
            send_buffer_bytes: buffer("write_buffer_size", client.write_buffer_size)?,
        };
        Ok(Self {
            channel: Channel::new(settings, authority, client.wait_for_ready),
            headers: header_map(&client.headers)?,
            auth,
            timeout: limit(arguments.timeout),
        })
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
        let call = Call {
            path: path(request.signal),
            codec: request.frame.codec,
            message: request.frame.bytes,
            headers,
            timeout: self.timeout,
        };
        match self.channel.unary(call).await {
            Ok(message) => classify::grpc(Ok(&message)),
            Err(Fault::Status(status)) => classify::grpc(Err(&status)),
            Err(Fault::NoAnswer(fault)) => Verdict::Retry {
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

impl Keepalive {
    fn pings(&self) -> Option<Pings> {
        let timeout = match self.ping_response_timeout {
            Duration::ZERO => PING_RESPONSE_TIMEOUT,
            timeout => timeout,
        };
        let interval = self.ping_wait.max(PING_WAIT_MIN);
        let pings = Pings {
            interval,
            timeout,
            while_idle: self.ping_without_stream,
        };
        (!self.ping_wait.is_zero()).then_some(pings)
    }
}

/// The method of a signal's service.
fn path(signal: Signal) -> PathAndQuery {
    PathAndQuery::from_static(match signal {
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    })
}

/// The address behind the forms in which gRPC endpoints are written. A scheme says more plainly
/// than `tls.insecure` whether the connection is encrypted, so it wins.
fn destination(endpoint: &str, insecure: bool) -> Result<Uri, String> {
    let fault = |why: &str| format!("client.endpoint: {endpoint:?} {why}: write host:port");
    let (scheme, rest) = match endpoint.split_once("://") {
        Some(("http", rest)) => ("http", rest),
        Some(("https", rest)) => ("https", rest),
        // Both resolve the name here; an authority before the name is another name server.
        Some(("dns" | "passthrough", rest)) => {
            let rest = rest.strip_prefix('/').unwrap_or(rest);
            (if insecure { "http" } else { "https" }, rest)
        }
        Some(_) => return Err(fault("has a scheme that is not supported")),
        None if endpoint.starts_with("unix:") => {
            return Err(fault("is a Unix socket, which is not supported"));
        }
        None => (if insecure { "http" } else { "https" }, endpoint),
    };
    let rest = rest.trim_end_matches('/');
    if rest.contains('/') {
        return Err(fault("has a path, and gRPC endpoints have none"));
    }
    let uri: Uri = format!("{scheme}://{rest}/")
        .parse()
        .map_err(|_| fault("is no address"))?;
    if uri.host().is_none_or(str::is_empty) || uri.port_u16().is_none() {
        return Err(fault("lacks the host or the port"));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_come_in_many_forms() {
        for (endpoint, insecure, expected) in [
            ("tempo:4317", false, Some("https://tempo:4317/")),
            ("tempo:4317", true, Some("http://tempo:4317/")),
            ("http://tempo:4317", false, Some("http://tempo:4317/")),
            ("https://tempo:4317/", true, Some("https://tempo:4317/")),
            ("dns:///tempo:4317", true, Some("http://tempo:4317/")),
            ("dns://tempo:4317", true, Some("http://tempo:4317/")),
            (
                "passthrough:///10.0.0.1:4317",
                false,
                Some("https://10.0.0.1:4317/"),
            ),
            ("[::1]:4317", true, Some("http://[::1]:4317/")),
            ("tempo", true, None),
            (":4317", true, None),
            ("tempo/tempo:4317", false, None),
            ("unix:///run/x", true, None),
            ("ftp://tempo:1", true, None),
            ("", true, None),
        ] {
            let found = destination(endpoint, insecure);
            match expected {
                Some(expected) => assert_eq!(found.unwrap(), expected, "{endpoint}"),
                None => assert!(
                    found.unwrap_err().ends_with("write host:port"),
                    "{endpoint}"
                ),
            }
        }
    }

    #[test]
    fn pings_are_off_unless_asked_for_and_never_too_frequent() {
        let keepalive = |wait: u64, answer: u64| Keepalive {
            ping_wait: Duration::from_secs(wait),
            ping_response_timeout: Duration::from_secs(answer),
            ping_without_stream: true,
        };
        assert_eq!(keepalive(0, 5).pings(), None);
        let pings = keepalive(1, 0).pings().unwrap();
        assert_eq!(
            (pings.interval, pings.timeout),
            (PING_WAIT_MIN, PING_RESPONSE_TIMEOUT)
        );
        let pings = keepalive(60, 5).pings().unwrap();
        assert_eq!((pings.interval.as_secs(), pings.timeout.as_secs()), (60, 5));
    }
}
