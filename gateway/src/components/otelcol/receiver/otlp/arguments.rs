//! What stands in the receiver's block: Alloy's arguments, and a block for the tenant.

use std::{net::SocketAddr, str::FromStr, time::Duration};

use http::HeaderName;
use syntax::ByteSize;

use super::super::super::{DebugMetrics, Handler, Output, ServerTlsBlock};
use crate::{
    batch::Codec,
    net::{
        Address,
        cors::Cors as CorsRules,
        pings::Policy,
        server::{Limits, Versions},
    },
};

/// Size limit of gRPC messages where the argument is zero: that of gRPC itself.
const GRPC_MESSAGE_SIZE: u64 = 4 << 20;

/// Size limit of HTTP bodies where the argument is zero: that of the Collector.
const HTTP_BODY_SIZE: u64 = 20 << 20;

/// Size limit of what comes out of a compressed body, unless a larger one may come in: what the
/// specification of OTLP recommends.
const PLAIN_SIZE: u64 = 64 << 20;

/// The servers, and where the data goes.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Arguments {
    /// The gRPC server; without this block there is none.
    #[block]
    pub grpc: Option<Grpc>,
    /// The HTTP server; without this block there is none.
    #[block]
    pub http: Option<Http>,
    /// Where the tenant's name comes from. Without this block it is the header `X-Scope-OrgID` of
    /// servers with `include_metadata = true`, and nobody has a tenant elsewhere.
    #[block]
    pub tenant: Option<Tenant>,
    /// Where the data goes.
    #[block]
    pub output: Output,
    /// Metrics of the component.
    #[block]
    pub debug_metrics: Option<DebugMetrics>,
}

/// Where the tenant's name comes from. Corten's own block.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Tenant {
    /// The header, or gRPC metadata key, with the name.
    #[attr(default = "X-Scope-OrgID")]
    pub header: String,
}

/// The gRPC server.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Grpc {
    /// The handler of an `otelcol.auth` component that lets clients in.
    #[attr]
    pub auth: Option<Handler>,
    /// `host:port` to listen on.
    #[attr(default = "0.0.0.0:4317")]
    pub endpoint: String,
    /// Whether the metadata of requests stays with their data, for components downstream.
    #[attr(default = false)]
    pub include_metadata: bool,
    /// Calls in progress on one connection; zero is 256.
    #[attr(default = 0)]
    pub max_concurrent_streams: u32,
    /// Largest message taken, as it is on the wire. What comes out of a compressed one may have
    /// 64 MiB, or this where it is more.
    #[attr(default = "4MiB")]
    pub max_recv_msg_size: ByteSize,
    /// Read buffer of each connection. Without it the buffer grows with the frames that come, which
    /// is as fast and takes no memory while nothing comes.
    #[attr]
    pub read_buffer_size: Option<ByteSize>,
    /// `tcp`, or `unix` where `endpoint` is the path of a socket.
    #[attr(default = "tcp")]
    pub transport: String,
    /// Bytes of answers that may wait for one client.
    #[attr]
    pub write_buffer_size: Option<ByteSize>,
    /// How connections are kept and closed.
    #[block(default)]
    pub keepalive: Keepalive,
    /// How connections are encrypted; without this block they are not.
    #[block]
    pub tls: Option<ServerTlsBlock>,
}

/// How connections are kept and closed.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Keepalive {
    /// What clients may do with pings. Without this block, anything.
    #[block]
    pub enforcement_policy: Option<EnforcementPolicy>,
    /// What the server does.
    #[block(default)]
    pub server_parameters: ServerParameters,
}

/// What clients may do with pings; the connections of others are closed.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct EnforcementPolicy {
    /// Least time between two pings.
    #[attr(default = "5m")]
    pub min_time: Duration,
    /// Whether a client may ping while it has no call in progress.
    #[attr(default = false)]
    pub permit_without_stream: bool,
}

/// How old connections become, and how they are checked.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct ServerParameters {
    /// Age at which a connection is asked to close, give or take a tenth; zero is any age.
    #[attr(default = "0s")]
    pub max_connection_age: Duration,
    /// Time for calls in progress after that; zero is as long as they take.
    #[attr(default = "0s")]
    pub max_connection_age_grace: Duration,
    /// How long a connection may be without a call; zero is for ever.
    #[attr(default = "0s")]
    pub max_connection_idle: Duration,
    /// How often a silent client is pinged.
    #[attr(default = "2h")]
    pub time: Duration,
    /// Time for its answer.
    #[attr(default = "20s")]
    pub timeout: Duration,
}

/// The HTTP server.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Http {
    /// The handler of an `otelcol.auth` component that lets clients in.
    #[attr]
    pub auth: Option<Handler>,
    /// Compressions that are taken; the empty name is none.
    #[attr(default = ["", "gzip", "zstd", "zlib", "snappy", "deflate", "lz4"])]
    pub compression_algorithms: Vec<String>,
    /// `host:port` to listen on.
    #[attr(default = "0.0.0.0:4318")]
    pub endpoint: String,
    /// How long a connection may be without a request; zero is for ever.
    #[attr(default = "1m")]
    pub idle_timeout: Duration,
    /// Whether the headers of requests stay with their data, for components downstream.
    #[attr(default = false)]
    pub include_metadata: bool,
    /// Whether a connection serves more than one request.
    #[attr(default = true)]
    pub keep_alives_enabled: bool,
    /// The path that takes logs.
    #[attr(default = "/v1/logs")]
    pub logs_url_path: String,
    /// Largest body taken, as it is on the wire. What comes out of a compressed one may have
    /// 64 MiB, or this where it is more.
    #[attr(default = "20MiB")]
    pub max_request_body_size: ByteSize,
    /// The path that takes metrics.
    #[attr(default = "/v1/metrics")]
    pub metrics_url_path: String,
    /// Time for the headers of a request.
    #[attr(default = "1m")]
    pub read_header_timeout: Duration,
    /// Time for the body of a request. When zero, a body may take any time as long as it does not
    /// stand still for 10 s and comes at 1 KiB/s or more.
    #[attr(default = "0s")]
    pub read_timeout: Duration,
    /// The path that takes traces.
    #[attr(default = "/v1/traces")]
    pub traces_url_path: String,
    /// Time for the answer, from the end of the request on; then the client is told to come back.
    /// Zero is any time.
    #[attr(default = "30s")]
    pub write_timeout: Duration,
    /// What pages of other origins may do; without this block, nothing.
    #[block]
    pub cors: Option<Cors>,
    /// How connections are encrypted; without this block they are not.
    #[block]
    pub tls: Option<ServerTlsBlock>,
}

/// What pages of other origins may do.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Cors {
    /// Headers that they may send, besides those that they always may; `*` is any.
    #[attr(default = ["X-Requested-With"])]
    pub allowed_headers: Vec<String>,
    /// Origins that may send; one `*` in each stands for any text.
    #[attr(default)]
    pub allowed_origins: Vec<String>,
    /// Headers of the answer that they may read.
    #[attr(default)]
    pub exposed_headers: Vec<String>,
    /// How long a browser may remember this, in seconds; zero leaves it to the browser.
    #[attr(default = 0)]
    pub max_age: u32,
}

type Wrong = (&'static str, String);

impl Arguments {
    fn check(&self) -> Result<(), String> {
        match (&self.grpc, &self.http) {
            (None, None) => Err("a receiver needs a grpc or an http block".to_owned()),
            (Some(grpc), Some(http)) if clash(&grpc.endpoint, &http.endpoint) => Err(format!(
                "grpc and http cannot both listen on {:?}, give one of them another endpoint",
                grpc.endpoint
            )),
            _ => Ok(()),
        }
    }
}

/// Whether two endpoints are the same fixed one; port 0 is another port each time.
fn clash(one: &str, other: &str) -> bool {
    one == other && !SocketAddr::from_str(one).is_ok_and(|address| address.port() == 0)
}

impl Tenant {
    fn check(&self) -> Result<(), Wrong> {
        let name = HeaderName::from_str(&self.header).map(|_| ());
        name.map_err(|_| {
            (
                "header",
                format!("is not the name of a header: {:?}", self.header),
            )
        })
    }
}

impl Grpc {
    fn check(&self) -> Result<(), Wrong> {
        self.address()
            .map(|_| ())
            .map_err(|error| ("endpoint", error))
    }

    /// Where to listen.
    pub fn address(&self) -> Result<Address, String> {
        Address::new(&self.transport, &self.endpoint)
    }

    /// Largest message on the wire, in bytes.
    pub fn message_max(&self) -> u64 {
        positive(self.max_recv_msg_size.bytes()).unwrap_or(GRPC_MESSAGE_SIZE)
    }

    /// Largest message after decompression, in bytes.
    pub fn plain_max(&self) -> u64 {
        self.message_max().max(PLAIN_SIZE)
    }

    /// What connections may do.
    pub fn limits(&self) -> Limits {
        let defaults = Limits::default();
        let parameters = &self.keepalive.server_parameters;
        let size = |size: Option<ByteSize>| {
            positive(size?.bytes()).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
        };
        Limits {
            concurrent_streams: match self.max_concurrent_streams {
                0 => defaults.concurrent_streams,
                streams => streams,
            },
            idle_timeout: some(parameters.max_connection_idle),
            age: some(parameters.max_connection_age),
            age_grace: some(parameters.max_connection_age_grace),
            ping_interval: some(parameters.time),
            ping_timeout: parameters.timeout,
            ping_policy: self
                .keepalive
                .enforcement_policy
                .as_ref()
                .map(|policy| Policy {
                    min_time: policy.min_time,
                    permit_without_stream: policy.permit_without_stream,
                }),
            read_buffer: size(self.read_buffer_size),
            write_buffer: size(self.write_buffer_size),
            ..defaults
        }
    }

    /// What it speaks.
    pub const VERSIONS: Versions = Versions::Http2;
}

impl Http {
    fn check(&self) -> Result<(), Wrong> {
        self.address().map_err(|error| ("endpoint", error))?;
        self.codecs()
            .map_err(|error| ("compression_algorithms", error))?;
        let paths = [
            ("logs_url_path", &self.logs_url_path),
            ("metrics_url_path", &self.metrics_url_path),
            ("traces_url_path", &self.traces_url_path),
        ];
        for (name, path) in paths {
            if path.is_empty() || path.contains(['?', '#', ' ']) {
                return Err((
                    name,
                    format!("is not a path such as \"/v1/logs\": {path:?}"),
                ));
            }
        }
        let same = |a: &String, b: &String| a.trim_start_matches('/') == b.trim_start_matches('/');
        if same(paths[0].1, paths[1].1) || same(paths[0].1, paths[2].1) {
            return Err((
                "logs_url_path",
                "is the path of another signal too".to_owned(),
            ));
        }
        if same(paths[1].1, paths[2].1) {
            return Err((
                "metrics_url_path",
                "is the path of another signal too".to_owned(),
            ));
        }
        Ok(())
    }

    /// Where to listen.
    pub fn address(&self) -> Result<Address, String> {
        Address::new("tcp", &self.endpoint)
    }

    /// The compressions that are taken.
    pub fn codecs(&self) -> Result<Vec<Codec>, String> {
        let codec = |name: &String| {
            Codec::from_content_encoding(name).ok_or_else(|| {
                format!(
                    "{name:?} is not supported, use some of \"\", \"gzip\", \"zstd\", \"zlib\", \
                     \"deflate\", \"snappy\", \"x-snappy-framed\" and \"lz4\""
                )
            })
        };
        self.compression_algorithms.iter().map(codec).collect()
    }

    /// Largest body on the wire, in bytes.
    pub fn body_max(&self) -> u64 {
        positive(self.max_request_body_size.bytes()).unwrap_or(HTTP_BODY_SIZE)
    }

    /// Largest body after decompression, in bytes.
    pub fn plain_max(&self) -> u64 {
        self.body_max().max(PLAIN_SIZE)
    }

    /// What connections may do.
    pub fn limits(&self) -> Limits {
        let defaults = Limits::default();
        Limits {
            header_timeout: some(self.read_header_timeout).unwrap_or(defaults.header_timeout),
            idle_timeout: some(self.idle_timeout),
            keep_alive: self.keep_alives_enabled,
            ..defaults
        }
    }

    /// What it speaks.
    pub const VERSIONS: Versions = Versions::All;
}

impl Cors {
    fn check(&self) -> Result<(), String> {
        self.rules().map(|_| ())
    }

    /// The rules of the block.
    pub fn rules(&self) -> Result<CorsRules, String> {
        let Self {
            allowed_origins,
            allowed_headers,
            exposed_headers,
            max_age,
        } = self;
        CorsRules::new(
            allowed_origins,
            allowed_headers,
            exposed_headers,
            (*max_age).into(),
        )
    }
}

/// A duration that is not zero.
fn some(duration: Duration) -> Option<Duration> {
    Some(duration).filter(|duration| !duration.is_zero())
}

fn positive(number: u64) -> Option<u64> {
    Some(number).filter(|number| *number > 0)
}
