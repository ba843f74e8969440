//! Keeps web pages away from the admin server: a browser on the operator's machine can reach
//! loopback, and any page it shows can make it try.
//!
//! Browsers say where a request comes from, but not always: an image's address is fetched without
//! Origin, and Sec-Fetch-Site is left out where the server is neither loopback nor HTTPS. So what
//! changes something is taken by POST alone there, for which every browser sends Origin.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::Request,
    http::{
        HeaderName, StatusCode,
        header::{HOST, ORIGIN},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};

/// Where a browser says how the page that made a request relates to us.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a GET may reload the configuration, as with Alloy: only where no page can make a browser
/// send one unnoticed.
pub(super) fn may_reload_by_get(listen: SocketAddr) -> bool {
    listen.ip().is_loopback()
}

/// Refuses requests that a foreign page made, and, on loopback, those for a name that is not ours:
/// a name that an attacker points to 127.0.0.1.
pub(super) async fn check(listen: SocketAddr, request: Request, next: Next) -> Response {
    match refusal(listen, &request) {
        None => next.run(request).await,
        Some(reason) => (StatusCode::FORBIDDEN, format!("refused: {reason}\n")).into_response(),
    }
}

fn refusal(listen: SocketAddr, request: &Request) -> Option<&'static str> {
    let text = |name| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let host = text(HOST).or_else(|| {
        request
            .uri()
            .authority()
            .map(|authority| authority.as_str())
    });
    match (text(ORIGIN), host) {
        _ if text(SEC_FETCH_SITE)
            .is_some_and(|site| matches!(site, "cross-site" | "same-site")) =>
        {
            Some("a page of another site made this request (Sec-Fetch-Site)")
        }
        (Some(origin), host) if !same_origin(origin, host) => Some("cross-origin request"),
        (_, Some(host)) if listen.ip().is_loopback() && !is_loopback_name(host) => {
            Some("the Host header does not name this machine's loopback address")
        }
        _ => None,
    }
}

fn same_origin(origin: &str, host: Option<&str>) -> bool {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == host
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_loopback_are_ours_there() {
        for host in [
            "localhost",
            "localhost:12345",
            "127.0.0.1:1",
            "127.9.9.9",
            "[::1]:12345",
        ] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in [
            "evil.example:12345",
            "10.0.0.1",
            "localhost.evil.example",
            "",
        ] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }

    #[test]
    fn what_a_foreign_page_asks_for_is_refused() {
        let (loopback, open) = ("127.0.0.1:12345", "0.0.0.0:12345");
        for (listen, name, value, refused) in [
            (loopback, "sec-fetch-site", "cross-site", true),
            (loopback, "sec-fetch-site", "same-site", true),
            (loopback, "sec-fetch-site", "same-origin", false),
            (loopback, "sec-fetch-site", "none", false),
            (loopback, "origin", "http://evil.example", true),
            (loopback, "origin", "http://127.0.0.1:12345", false),
            (open, "sec-fetch-site", "cross-site", true),
            (open, "origin", "http://evil.example", true),
            (open, "user-agent", "curl", false),
        ] {
            let request = Request::builder()
                .header(HOST, loopback)
                .header(name, value)
                .body(axum::body::Body::empty())
                .unwrap();
            let found = refusal(listen.parse().unwrap(), &request);
            assert_eq!(
                found.is_some(),
                refused,
                "{listen} {name} {value}: {found:?}"
            );
        }
    }

    #[test]
    fn a_get_reloads_on_loopback_alone() {
        for (listen, may) in [
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("0.0.0.0:1", false),
            ("[::]:1", false),
            ("10.0.0.1:1", false),
        ] {
            assert_eq!(may_reload_by_get(listen.parse().unwrap()), may, "{listen}");
        }
    }

    #[test]
    fn a_page_of_ours_is_not_foreign() {
        assert!(same_origin(
            "http://127.0.0.1:12345",
            Some("127.0.0.1:12345")
        ));
        assert!(!same_origin("http://evil.example", Some("127.0.0.1:12345")));
        assert!(!same_origin("null", Some("127.0.0.1:12345")));
    }
}
