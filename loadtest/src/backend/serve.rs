//! One request to a backend, from its headers to its answer or its fault.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{
    BodyExt, Full, LengthLimitError, Limited, StreamBody, combinators::UnsyncBoxBody,
};
use hyper::body::Incoming;
use prost::Message;
use tokio::{sync::Notify, time::sleep};

use super::{Fault, Hint, Refusal, Shared};
use crate::{
    Encoding, Signal,
    client::{Protocol, TENANT_HEADER},
    compress::BODY_BYTES_MAX,
    delivery::Delivery,
    generate::HEADROOM,
    rpc::{ExportResponse, PartialSuccess, Status, code},
};

/// How long after the first part of an answer its connection is reset: long enough to be sent.
const MID_RESPONSE: Duration = Duration::from_millis(20);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Answers a request as the backend's fault of the moment wants it.
pub(super) async fn serve(
    shared: Arc<Shared>,
    abort: Arc<Notify>,
    request: Request<Incoming>,
) -> Response<Body> {
    let protocol = shared.options.protocol;
    let Some(signal) = Signal::of_path(request.uri().path()) else {
        let grpc = code::UNIMPLEMENTED;
        return refusal(
            protocol,
            &Refusal {
                http: 404,
                grpc,
                hint: Hint::None,
            },
        );
    };
    let tenant = request.headers().get(TENANT_HEADER);
    let tenant = tenant
        .and_then(|value| value.to_str().ok())
        .map(String::from);
    let delivery = match receive(&shared, signal, request).await {
        Ok(delivery) => delivery,
        Err(Unread::Gone) => std::future::pending().await,
        Err(Unread::Bad(refused)) => {
            shared.counters.undecodable.add(1);
            if let Some(destination) = &shared.options.destination {
                destination.undecodable();
            }
            return refusal(protocol, &refused);
        }
    };
    let counters = &shared.counters;
    match shared.next_fault() {
        // A connection may carry one more request on the way down.
        Fault::Down | Fault::RefuseConnections | Fault::Reset => {
            abort.notify_one();
            std::future::pending().await
        }
        Fault::Healthy => accept(&shared, signal, tenant.as_deref(), delivery, 0),
        Fault::Slow(delay) => {
            counters.slowed.add(1);
            sleep(delay).await;
            accept(&shared, signal, tenant.as_deref(), delivery, 0)
        }
        Fault::Hang => {
            counters.hung.add(1);
            std::future::pending().await
        }
        Fault::Refuse(refused) => {
            counters.refused.add(1);
            if let Some(destination) = &shared.options.destination
                && refused.excuses(protocol)
            {
                destination.refuse(signal, &delivery);
            }
            refusal(protocol, &refused)
        }
        Fault::LoseResponse => {
            counters.responses_lost.add(1);
            drop(accept(&shared, signal, tenant.as_deref(), delivery, 0));
            abort.notify_one();
            std::future::pending().await
        }
        Fault::ResetMidResponse => {
            counters.responses_lost.add(1);
            cut(
                accept(&shared, signal, tenant.as_deref(), delivery, 0),
                abort,
            )
        }
        Fault::PartialSuccess { rejected } => {
            counters.partial.add(1);
            accept(&shared, signal, tenant.as_deref(), delivery, rejected)
        }
    }
}

/// Why there is nothing to deliver.
enum Unread {
    /// The sender left before its request was complete, which is not the request's fault.
    Gone,
    /// The request is bad data, and is refused like this.
    Bad(Refusal),
}

/// Reads, inflates and checks a request's body.
async fn receive(
    shared: &Shared,
    signal: Signal,
    request: Request<Incoming>,
) -> Result<Delivery, Unread> {
    let (head, body) = request.into_parts();
    let bad = || Unread::Bad(Refusal::of_http(400, Hint::None));
    let grpc = shared.options.protocol == Protocol::Grpc;
    let content_type = if grpc {
        "application/grpc"
    } else {
        "application/x-protobuf"
    };
    if !text(&head.headers, header::CONTENT_TYPE.as_str()).starts_with(content_type) {
        let grpc = code::INVALID_ARGUMENT;
        return Err(Unread::Bad(Refusal {
            http: 415,
            grpc,
            hint: Hint::None,
        }));
    }
    let body = match Limited::new(body, BODY_BYTES_MAX + HEADROOM)
        .collect()
        .await
    {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Err(Unread::Bad(Refusal::of_http(413, Hint::None)));
        }
        Err(_) => return Err(Unread::Gone),
    };
    shared.note_request(body.len());
    let name = if grpc {
        "grpc-encoding"
    } else {
        "content-encoding"
    };
    let encoding: Encoding = text(&head.headers, name).parse().map_err(|_| bad())?;
    let (encoding, body) = if grpc {
        unframe(encoding, &body).ok_or_else(bad)?
    } else {
        (encoding, body)
    };
    let read = |body: &[u8]| Delivery::read(signal, body, shared.options.check);
    if encoding == Encoding::Identity {
        return read(&body).map_err(|_| bad());
    }
    shared.counters.compressed.add(1);
    read(&encoding.decompress(&body).map_err(|_| bad())?).map_err(|_| bad())
}

/// The body in a gRPC frame, and how it is encoded; none if it is not one whole frame.
fn unframe(encoding: Encoding, frame: &Bytes) -> Option<(Encoding, Bytes)> {
    let header = frame.get(..HEADROOM)?;
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]);
    if length as usize != frame.len() - HEADROOM {
        return None;
    }
    match header[0] {
        0 => Some((Encoding::Identity, frame.slice(HEADROOM..))),
        1 => Some((encoding, frame.slice(HEADROOM..))),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Takes a delivery, except for its last `rejected` items, and answers so.
fn accept(
    shared: &Shared,
    signal: Signal,
    tenant: Option<&str>,
    mut delivery: Delivery,
    rejected: u64,
) -> Response<Body> {
    let refused = delivery.split_off(rejected);
    shared.counters.items.add(delivery.items);
    if let Some(destination) = &shared.options.destination {
        destination.accept(signal, tenant, &delivery);
        destination.refuse(signal, &refused);
    }
    let partial_success = (refused.items > 0).then(|| PartialSuccess {
        rejected: refused.items as i64,
        error_message: "rejected on demand".into(),
    });
    success(shared.options.protocol, &ExportResponse { partial_success })
}

fn success(protocol: Protocol, response: &ExportResponse) -> Response<Body> {
    match protocol {
        Protocol::Http => answer("application/x-protobuf", full(response.encode_to_vec())),
        Protocol::Grpc => {
            let mut frame = BytesMut::with_capacity(HEADROOM + response.encoded_len());
            frame.put_u8(0);
            frame.put_u32(response.encoded_len() as u32);
            frame.put_slice(&response.encode_to_vec());
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", HeaderValue::from_static("0"));
            let frames = [Frame::data(frame.freeze()), Frame::trailers(trailers)];
            let body = StreamBody::new(stream::iter(frames.map(Ok)));
            answer("application/grpc", body.boxed_unsync())
        }
    }
}

fn refusal(protocol: Protocol, refused: &Refusal) -> Response<Body> {
    let seconds = refused.retry_seconds();
    let status = Status::new(refused.grpc, "refused on demand", seconds);
    match protocol {
        Protocol::Http => {
            let mut response = answer("application/x-protobuf", full(status.encode_to_vec()));
            *response.status_mut() =
                StatusCode::from_u16(refused.http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            insert(&mut response, "retry-after", refused.retry_after());
            response
        }
        Protocol::Grpc => {
            let mut response = answer("application/grpc", full(Vec::new()));
            insert(&mut response, "grpc-status", Some(refused.grpc.to_string()));
            insert(&mut response, "grpc-message", Some(status.message.clone()));
            let details = seconds.is_some().then(|| status.to_header());
            insert(&mut response, "grpc-status-details-bin", details);
            response
        }
    }
}

fn insert(response: &mut Response<Body>, name: &'static str, value: Option<String>) {
    if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(name, value);
    }
}

fn answer(content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn full(bytes: Vec<u8>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// The head of a response and one byte of its body, and then the end of the connection.
fn cut(response: Response<Body>, abort: Arc<Notify>) -> Response<Body> {
    let first = stream::iter([Ok(Frame::data(Bytes::from_static(&[0])))]);
    let never = async move {
        sleep(MID_RESPONSE).await;
        abort.notify_one();
        std::future::pending().await
    };
    let (head, _) = response.into_parts();
    let body = StreamBody::new(first.chain(never.into_stream()));
    Response::from_parts(head, body.boxed_unsync())
}
