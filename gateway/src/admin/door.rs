//! Lets through what the gate lets through, and answers the rest.

use axum::{
    extract::Request,
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::net::gate::{Gate, Verdict};

/// What is sent to those who must say who they are, as Alloy says it.
const CHALLENGE: (HeaderName, HeaderValue) = (
    WWW_AUTHENTICATE,
    HeaderValue::from_static("Basic realm=\"Restricted\""),
);

/// When to ask again while the first configuration is loaded, in seconds.
const LOADED_AFTER: (HeaderName, HeaderValue) = (RETRY_AFTER, HeaderValue::from_static("1"));

pub(super) async fn check(gate: Gate, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    match gate.check(path, request.headers()) {
        Verdict::Pass => next.run(request).await,
        Verdict::NotConfigured => {
            let reason = "the first configuration is not loaded yet, and it may demand a user\n";
            (StatusCode::SERVICE_UNAVAILABLE, [LOADED_AFTER], reason).into_response()
        }
        Verdict::Unauthenticated => {
            tracing::info!(
                path,
                "an admin request was refused: it names no user, or a wrong one"
            );
            (StatusCode::UNAUTHORIZED, [CHALLENGE]).into_response()
        }
    }
}
