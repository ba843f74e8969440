//! An export over gRPC: one frame out, one frame and a status back.

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http2::SendRequest;

use super::{Answer, HEADROOM, Prepared, RESPONSE_BYTES_MAX, TENANT_HEADER, Target};
use crate::Encoding;

pub(super) async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    target: &Target,
    prepared: &Prepared,
) -> Answer {
    let uri = format!("http://{}{}", target.address, prepared.signal.grpc_path());
    let mut request = Request::post(uri)
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers");
    if prepared.encoding != Encoding::Identity {
        request = request.header("grpc-encoding", prepared.encoding.as_str());
    }
    if let Some(tenant) = &target.tenant {
        request = request.header(TENANT_HEADER, tenant);
    }
    let request = match request.body(Full::new(prepared.frame.clone())) {
        Ok(request) => request,
        Err(error) => {
            return Answer::Refused {
                why: format!("build the request: {error}"),
            };
        }
    };
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        Err(error) => {
            return Answer::Lost {
                why: format!("await the response: {error}"),
            };
        }
    };
    let (head, body) = response.into_parts();
    let body = match Limited::new(body, RESPONSE_BYTES_MAX).collect().await {
        Ok(body) => body,
        Err(error) => {
            return Answer::Lost {
                why: format!("read the response: {error}"),
            };
        }
    };
    let trailers = body.trailers().cloned().unwrap_or_default();
    let Some((status, headers)) = [&trailers, &head.headers]
        .into_iter()
        .find_map(|map| Some((status_of(map)?, map)))
    else {
        return Answer::Lost {
            why: format!("no grpc status, http status {}", head.status),
        };
    };
    let frame = body.to_bytes();
    Answer::of_grpc(status, headers, frame.get(HEADROOM..).unwrap_or_default())
}

fn status_of(headers: &HeaderMap) -> Option<i32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}
