//! An export over HTTP/1.1.

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;

use super::{Answer, Prepared, RESPONSE_BYTES_MAX, TENANT_HEADER, Target};
use crate::Encoding;

pub(super) async fn exchange(
    sender: &mut SendRequest<Full<Bytes>>,
    target: &Target,
    prepared: &Prepared,
) -> Answer {
    let mut request = Request::post(prepared.signal.http_path())
        .header(header::HOST, &target.address)
        .header(header::CONTENT_TYPE, "application/x-protobuf");
    if prepared.encoding != Encoding::Identity {
        request = request.header(header::CONTENT_ENCODING, prepared.encoding.as_str());
    }
    if let Some(tenant) = &target.tenant {
        request = request.header(TENANT_HEADER, tenant);
    }
    let request = match request.body(Full::new(prepared.body())) {
        Ok(request) => request,
        Err(error) => {
            return Answer::Refused {
                why: format!("build the request: {error}"),
            };
        }
    };
    // Another task drives the connection and may not have seen yet that the last exchange is over.
    if let Err(error) = sender.ready().await {
        let why = format!("await the connection: {error}");
        return Answer::Retryable {
            delay: None,
            why,
            sent: false,
        };
    }
    let response = match sender.send_request(request).await {
        Ok(response) => response,
        Err(error) => {
            return Answer::Lost {
                why: format!("await the response: {error}"),
            };
        }
    };
    let (head, body) = response.into_parts();
    match Limited::new(body, RESPONSE_BYTES_MAX).collect().await {
        Ok(body) => Answer::of_http(head.status.as_u16(), &head.headers, &body.to_bytes()),
        Err(error) => Answer::Lost {
            why: format!("read the response: {error}"),
        },
    }
}
