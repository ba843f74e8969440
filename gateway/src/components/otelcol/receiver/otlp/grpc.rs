//! OTLP over gRPC.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body::Body;
use hyper::body::Incoming;
use protos::{Signal, response::PartialSuccess};
use tonic::{Code, Status};
use tower::Service;

use super::{
    admission::{Admission, Arrival},
    identity::{Identification, Sender},
};
use crate::{
    batch::{Codec, Refusal, RefusalKind, Tenant},
    delivery::Accepted,
    net::{
        body::Pace,
        grpc::{self, Message, Reply},
    },
};

/// The encodings that a client may use, as it is told with a refusal.
const ENCODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,zstd,deflate,snappy,lz4");

/// The answer to a request that was taken whole: an empty message.
const SUCCESS: Bytes = Bytes::from_static(&[0; grpc::PREFIX]);

/// The three services of OTLP, each with its one method.
#[derive(Debug)]
pub(super) struct GrpcService {
    pub(super) admission: Admission,
    pub(super) identification: Identification,
    pub(super) message_max: u64,
    pub(super) plain_max: u64,
}

impl GrpcService {
    pub(super) fn into_service(
        self,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<Reply>,
        Error = Infallible,
        Future: Send,
    > + Clone {
        let this = Arc::new(self);
        tower::service_fn(move |request| {
            let this = this.clone();
            async move { Ok(this.answer(request).await) }
        })
    }

    async fn answer<B: Body<Data = Bytes> + Unpin>(&self, request: Request<B>) -> Response<Reply> {
        let (head, body) = request.into_parts();
        if head.method != Method::POST || !is_grpc(&head.headers) {
            let mut response = Response::new(Reply::default());
            *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return response;
        }
        let Some(signal) = signal_of(head.uri.path()) else {
            let message = format!("unknown method {}", grpc::shorten(head.uri.path()));
            return grpc::refuse(Status::unimplemented(message));
        };
        if let Some(reason) = self.admission.refuse_unrouted(signal) {
            let message = format!("unknown service {}: {reason}", service_of(head.uri.path()));
            return grpc::refuse(Status::unimplemented(message));
        }
        let call = self.call(signal, &head.headers, body);
        let result = match grpc::timeout(&head.headers) {
            Ok(None) => call.await,
            Ok(Some(timeout)) => match tokio::time::timeout(timeout, call).await {
                Ok(result) => result,
                Err(_) => Err(Status::deadline_exceeded(
                    "not durable before the call's deadline",
                )),
            },
            Err(error) => Err(grpc::invalid(&error.to_string())),
        };
        match result {
            Ok(accepted) => grpc::succeed(reply(accepted)),
            Err(status) => {
                let mut response = grpc::refuse(status);
                response
                    .headers_mut()
                    .insert(grpc::ACCEPT_ENCODING, ENCODINGS);
                response
            }
        }
    }

    async fn call<B: Body<Data = Bytes> + Unpin>(
        &self,
        signal: Signal,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Accepted, Status> {
        let refuse = |tenant: &Tenant, refusal| {
            let refusal = self.admission.refuse(signal, tenant, refusal);
            status(&refusal)
        };
        // What an unknown client says of its tenant is not to be believed.
        let sender = self
            .identification
            .identify(headers)
            .map_err(|refusal| refuse(&Tenant::default(), refusal))?;
        let (encoding, tenant) = (encoding(headers)?, sender.tenant.clone());
        let arrival = self
            .arrival(signal, sender, encoding, body)
            .await
            .map_err(|refusal| refuse(&tenant, refusal))?;
        self.admission
            .admit(arrival)
            .await
            .map_err(|refusal| status(&refusal))
    }

    /// Reads the message of a call.
    async fn arrival<B: Body<Data = Bytes> + Unpin>(
        &self,
        signal: Signal,
        sender: Sender,
        encoding: Codec,
        body: B,
    ) -> Result<Arrival, Refusal> {
        let mut share = self.admission.share();
        let message = {
            let mut pace = Pace::new(body, None);
            let mut admit = |bytes| share.take(bytes);
            grpc::read(&mut pace, self.message_max, &mut admit).await
        };
        let Message { compressed, bytes } = message.map_err(|error| match error {
            grpc::Error::Body(error) => share.unread(error),
            grpc::Error::Missing | grpc::Error::Malformed(_) => {
                Refusal::invalid("malformed", error.to_string())
            }
        })?;
        if compressed && encoding == Codec::Identity {
            let message = "message is compressed, and grpc-encoding does not say how";
            return Err(Refusal::invalid("malformed", message));
        }
        Ok(Arrival {
            signal,
            sender,
            codec: if compressed {
                encoding
            } else {
                Codec::Identity
            },
            body: bytes,
            is_json: false,
            plain_max: self.plain_max,
            share,
        })
    }
}

/// The service in the path of a method.
fn service_of(path: &str) -> &str {
    path.trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    let rest = content_type.strip_prefix(b"application/grpc");
    // With nothing behind it, or with protobuf named.
    rest.is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(b";") || rest.starts_with(b"+proto")
    })
}

fn signal_of(path: &str) -> Option<Signal> {
    match path {
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Some(Signal::Logs),
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Some(Signal::Metrics),
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Some(Signal::Traces),
        _ => None,
    }
}

fn encoding(headers: &HeaderMap) -> Result<Codec, Status> {
    let Some(value) = headers.get(grpc::ENCODING) else {
        return Ok(Codec::Identity);
    };
    value
        .to_str()
        .ok()
        .and_then(Codec::from_grpc_encoding)
        .ok_or_else(|| {
            Status::unimplemented(
                "grpc-encoding is not supported, grpc-accept-encoding says which are",
            )
        })
}

fn reply(accepted: Accepted) -> Bytes {
    if accepted == Accepted::default() {
        return SUCCESS;
    }
    let partial = partial_success(accepted);
    grpc::frame(&Message {
        compressed: false,
        bytes: partial.encode(),
    })
}

/// What a client is told of the items that were refused for good.
pub(super) fn partial_success(accepted: Accepted) -> PartialSuccess {
    PartialSuccess {
        rejected: i64::try_from(accepted.rejected).unwrap_or(i64::MAX),
        message: accepted
            .message
            .map(|text| grpc::shorten(&text).to_owned())
            .unwrap_or_default(),
    }
}

/// A refusal in gRPC's words.
fn status(refusal: &Refusal) -> Status {
    let message = &refusal.message;
    match refusal.kind {
        RefusalKind::Unavailable { retry_after } => {
            grpc::retry(Code::Unavailable, message, retry_after)
        }
        RefusalKind::Throttled { retry_after } => {
            grpc::retry(Code::ResourceExhausted, message, retry_after)
        }
        RefusalKind::Invalid => grpc::invalid(message),
        RefusalKind::TooLarge => Status::resource_exhausted(grpc::shorten(message)),
        RefusalKind::Unauthenticated => Status::unauthenticated(grpc::shorten(message)),
        RefusalKind::Denied => Status::permission_denied(grpc::shorten(message)),
    }
}
