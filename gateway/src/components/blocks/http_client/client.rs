//! Sends requests as the arguments say: credentials, headers, redirects.

use std::{fmt, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header, uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{HttpClientArguments, authorization::Scheme, headers, settings};
use crate::net::client::{Client, USER_AGENT};

/// Redirects that are followed, as many as Prometheus follows.
const REDIRECTS_MAX: usize = 10;

/// A client for what targets and sources of targets expose. Cheap to clone.
#[derive(Clone)]
pub struct HttpClient {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    scheme: Scheme,
    headers: HeaderMap,
    follow_redirects: bool,
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("HttpClient")
    }
}

impl HttpClient {
    /// A client that has opened nothing yet.
    ///
    /// # Errors
    /// If a file that the arguments name cannot be read, or does not hold what it should.
    pub fn new(arguments: &HttpClientArguments) -> Result<Self, String> {
        let settings = settings(
            arguments.proxy(),
            arguments.tls_config.as_ref(),
            arguments.enable_http2,
        )?;
        let shared = Shared {
            client: Client::new(settings),
            scheme: Scheme::new(arguments)?,
            headers: headers("http_headers", &arguments.http_headers)
                .map_err(|(argument, why)| format!("{argument} {why}"))?,
            follow_redirects: arguments.follow_redirects,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Asks for `url` and gives back what answers, with its body still to come. The caller bounds the
    /// time.
    ///
    /// # Errors
    /// If nothing answers, or there are no credentials to ask with.
    pub async fn get(&self, url: &Uri, headers: &HeaderMap) -> Result<Response<Incoming>, String> {
        self.ask(Method::GET, url, headers, Bytes::new()).await
    }

    async fn ask(
        &self,
        mut method: Method,
        url: &Uri,
        headers: &HeaderMap,
        mut body: Bytes,
    ) -> Result<Response<Incoming>, String> {
        let mut url = url.clone();
        let first = url.clone();
        for _ in 0..=REDIRECTS_MAX {
            // Whoever is redirected to is given nothing that was meant for another host.
            let is_trusted = is_same_site(&first, &url);
            let parts = (method.clone(), body.clone());
            let request = self.request(parts, &url, headers, is_trusted).await?;
            let response = self.shared.client.open(request).await;
            let response = response.map_err(|error| error.to_string())?;
            if response.status() == StatusCode::UNAUTHORIZED {
                self.shared.scheme.refused();
            }
            match location(&url, &response) {
                Some(next) if self.shared.follow_redirects => {
                    url = next?;
                    if !matches!(response.status().as_u16(), 307 | 308) {
                        (method, body) = (Method::GET, Bytes::new());
                    }
                }
                _ => return Ok(response),
            }
        }
        Err(format!("{first} redirects more than {REDIRECTS_MAX} times"))
    }

    /// Asks for `url` and reads the answer, all of it within `limit` and `bytes_max`.
    ///
    /// # Errors
    /// If nothing answers in time, or with too much.
    pub async fn get_whole(
        &self,
        url: &Uri,
        headers: &HeaderMap,
        limit: Duration,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, String> {
        let asked = self.get(url, headers);
        whole(asked, url, limit, bytes_max).await
    }

    /// Sends a body to `url` and reads the answer, all of it within `limit` and `bytes_max`.
    ///
    /// # Errors
    /// As [`HttpClient::get_whole`].
    pub async fn post_whole(
        &self,
        url: &Uri,
        headers: &HeaderMap,
        body: Bytes,
        limit: Duration,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, String> {
        let asked = self.ask(Method::POST, url, headers, body);
        whole(asked, url, limit, bytes_max).await
    }

    /// Sends a request of any method and reads the answer, all of it within `limit` and `bytes_max`.
    ///
    /// # Errors
    /// As [`HttpClient::get_whole`].
    pub async fn send_whole(
        &self,
        request: Request<Bytes>,
        limit: Duration,
        bytes_max: usize,
    ) -> Result<Response<Bytes>, String> {
        let (head, body) = request.into_parts();
        let asked = self.ask(head.method, &head.uri, &head.headers, body);
        whole(asked, &head.uri, limit, bytes_max).await
    }

    async fn request(
        &self,
        (method, body): (Method, Bytes),
        url: &Uri,
        headers: &HeaderMap,
        is_trusted: bool,
    ) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(url.clone())
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let all = request.headers_mut();
        all.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        all.extend(headers.clone());
        if is_trusted {
            for (name, value) in &self.shared.headers {
                all.append(name.clone(), value.clone());
            }
            if let Some(value) = self.shared.scheme.header().await? {
                all.insert(header::AUTHORIZATION, value);
            }
        }
        Ok(request)
    }
}

/// An answer with its body, all of it within `limit` and `bytes_max`.
async fn whole(
    asked: impl Future<Output = Result<Response<Incoming>, String>>,
    url: &Uri,
    limit: Duration,
    bytes_max: usize,
) -> Result<Response<Bytes>, String> {
    let work = async {
        let response = asked.await?;
        let (head, mut body) = response.into_parts();
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| format!("the answer of {url} broke off: {error}"))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > bytes_max {
                return Err(format!("{url} answers with more than {bytes_max} bytes"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Response::from_parts(head, bytes.freeze()))
    };
    match timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(format!("{url} did not answer within {limit:?}")),
    }
}

/// Whether both URLs are of one host and port, and the second is not less safe.
fn is_same_site(first: &Uri, other: &Uri) -> bool {
    let place = |uri: &Uri| {
        let is_safe = uri.scheme() == Some(&uri::Scheme::HTTPS);
        let port = uri.port_u16().unwrap_or(if is_safe { 443 } else { 80 });
        (uri.host().map(str::to_ascii_lowercase), port, is_safe)
    };
    place(first) == place(other)
}

/// Where an answer redirects to.
fn location(url: &Uri, response: &Response<Incoming>) -> Option<Result<Uri, String>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let place = response
        .headers()
        .get(header::LOCATION)
        .filter(|_| is_redirect)?;
    let place = place.to_str().unwrap_or_default();
    Some(resolve(url, place).ok_or_else(|| format!("{url} redirects to what is no URL")))
}

/// The URL that `place` is, seen from `url`.
fn resolve(url: &Uri, place: &str) -> Option<Uri> {
    // What is behind # is the client's own business.
    let place = place.split('#').next().unwrap_or_default();
    let scheme = url.scheme_str()?;
    let authority = url.authority()?;
    let absolute = match place {
        _ if place.contains("://") => place.to_owned(),
        _ if place.starts_with("//") => format!("{scheme}:{place}"),
        _ if place.starts_with('/') => format!("{scheme}://{authority}{place}"),
        _ if place.starts_with('?') || place.is_empty() => {
            format!("{scheme}://{authority}{}{place}", url.path())
        }
        _ => {
            let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{place}")
        }
    };
    let next: Uri = absolute.parse().ok()?;
    let is_web = matches!(next.scheme_str(), Some("http" | "https"));
    (is_web && next.host().is_some()).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved_as_browsers_do() {
        let url: Uri = "http://a:1/b/c?d".parse().unwrap();
        let table = [
            ("https://x/y", Some("https://x/y")),
            ("//x/y", Some("http://x/y")),
            ("/y?z#f", Some("http://a:1/y?z")),
            ("y", Some("http://a:1/b/y")),
            ("?q", Some("http://a:1/b/c?q")),
            ("ftp://x/", None),
            ("http://", None),
        ];
        for (place, expected) in table {
            let found = resolve(&url, place).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), expected, "{place}");
        }
    }

    #[test]
    fn only_the_same_host_port_and_scheme_are_trusted() {
        let first: Uri = "https://a/x".parse().unwrap();
        for (other, same) in [
            ("https://A:443/y", true),
            ("https://a:8443/y", false),
            ("http://a/y", false),
            ("https://sub.a/y", false),
        ] {
            assert_eq!(
                is_same_site(&first, &other.parse().unwrap()),
                same,
                "{other}"
            );
        }
    }
}
