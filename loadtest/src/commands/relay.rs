//! `loadtest relay`: the least that a gateway can do. It keeps nothing, so that it answers only
//! when every backend has answered, and is lossless by being useless in an outage. Scenarios are
//! tried on it, and benchmarks may compare with it.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use clap::Args;
use futures::{future::join_all, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, Empty, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use loadtest::{
    BODY_BYTES_MAX, Encoding, Error, Signal,
    client::{Answer, Client, Prepared, Protocol, TENANT_HEADER, Target},
    generate::HEADROOM,
};
use tokio::net::TcpListener;

/// How many tenants get connections of their own; the rest are refused.
const TENANTS_MAX: usize = 1000;

type Body = UnsyncBoxBody<Bytes, Infallible>;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where to take OTLP, over gRPC and HTTP alike; may be repeated.
    #[arg(long, required = true)]
    listen: Vec<SocketAddr>,
    /// Where to pass it on over gRPC, as host:port; may be repeated.
    #[arg(long)]
    to_grpc: Vec<String>,
    /// Where to pass it on over HTTP, as host:port; may be repeated.
    #[arg(long)]
    to_http: Vec<String>,
}

impl Arguments {
    pub(crate) async fn run(self) -> Result<bool, Error> {
        let relay = Arc::new(Relay {
            to: [
                (Protocol::Grpc, self.to_grpc),
                (Protocol::Http, self.to_http),
            ],
            clients: Mutex::default(),
        });
        for address in self.listen {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| Error::new(format!("listen on {address}: {error}")))?;
            tokio::spawn(serve(Arc::clone(&relay), listener));
        }
        let mut terminated =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .map_err(|error| Error::new(format!("wait for SIGTERM: {error}")))?;
        tokio::select! {
            _ = terminated.recv() => Ok(true),
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map(|()| true).map_err(|error| Error::new(format!("wait: {error}")))
            }
        }
    }
}

struct Relay {
    to: [(Protocol, Vec<String>); 2],
    /// One client to each backend for each tenant.
    clients: Mutex<HashMap<Option<String>, Arc<Vec<Client>>>>,
}

async fn serve(relay: Arc<Relay>, listener: TcpListener) {
    loop {
        // The errors of accept are those of the connection that would have been: take the next.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        // Without this small answers wait for the peer's delayed acknowledgement.
        drop(stream.set_nodelay(true));
        let relay = Arc::clone(&relay);
        let service = service_fn(move |request| {
            let relay = Arc::clone(&relay);
            async move { Ok::<_, Infallible>(relay.answer(request).await) }
        });
        tokio::spawn(async move {
            let server = auto::Builder::new(TokioExecutor::new());
            // How a connection ends is the sender's concern.
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

impl Relay {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let grpc = request
            .headers()
            .get("content-type")
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        // INVALID_ARGUMENT and UNAVAILABLE.
        let bad = || respond(grpc, StatusCode::BAD_REQUEST, 3);
        let unavailable = || respond(grpc, StatusCode::SERVICE_UNAVAILABLE, 14);
        let Some(signal) = Signal::of_path(request.uri().path()) else {
            return bad();
        };
        let text = |name: &str| Some(request.headers().get(name)?.to_str().ok()?.to_string());
        let encoding = text(if grpc {
            "grpc-encoding"
        } else {
            "content-encoding"
        });
        let Ok(encoding) = encoding.unwrap_or_default().parse() else {
            return bad();
        };
        let Some(clients) = self.clients(text(TENANT_HEADER)) else {
            return unavailable();
        };
        let body = Limited::new(request.into_body(), BODY_BYTES_MAX + HEADROOM)
            .collect()
            .await;
        let Ok(body) = body else { return bad() };
        let Some(request) = prepare(signal, encoding, grpc, &body.to_bytes()) else {
            return bad();
        };
        let answers = join_all(clients.iter().map(|client| client.send(&request))).await;
        if answers
            .iter()
            .any(|answer| matches!(answer, Answer::Refused { .. }))
        {
            return bad();
        }
        if answers
            .iter()
            .all(|answer| *answer == Answer::Acked { rejected: 0 })
        {
            return respond(grpc, StatusCode::OK, 0);
        }
        unavailable()
    }

    fn clients(&self, tenant: Option<String>) -> Option<Arc<Vec<Client>>> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if !clients.contains_key(&tenant) && clients.len() >= TENANTS_MAX {
            return None;
        }
        let make = || {
            let targets = self.to.iter().flat_map(|(protocol, addresses)| {
                addresses
                    .iter()
                    .map(|address| Target::new(*protocol, address))
            });
            Arc::new(
                targets
                    .map(|to| Client::new(to.as_tenant(tenant.as_deref())))
                    .collect(),
            )
        };
        Some(Arc::clone(
            clients.entry(tenant.clone()).or_insert_with(make),
        ))
    }
}

/// The request as it came, ready to be sent on.
fn prepare(signal: Signal, encoding: Encoding, grpc: bool, body: &[u8]) -> Option<Prepared> {
    let (encoding, body) = match (grpc, body.first()) {
        (false, _) => (encoding, body),
        (true, Some(0)) => (Encoding::Identity, body.get(HEADROOM..)?),
        (true, Some(1)) => (encoding, body.get(HEADROOM..)?),
        (true, _) => return None,
    };
    Prepared::encoded(signal, encoding, body).ok()
}

fn respond(grpc: bool, status: StatusCode, code: u16) -> Response<Body> {
    if !grpc {
        let mut response = Response::new(Empty::new().boxed_unsync());
        *response.status_mut() = status;
        return response;
    }
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from(code));
    let message = (code == 0).then(|| Frame::data(Bytes::from_static(&[0; HEADROOM])));
    let frames = message
        .into_iter()
        .chain([Frame::trailers(trailers)])
        .map(Ok);
    let mut response = Response::new(StreamBody::new(stream::iter(frames)).boxed_unsync());
    let content_type = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert("content-type", content_type);
    response
}
