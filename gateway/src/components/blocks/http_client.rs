//! The arguments of Prometheus's HTTP client: who is asked how, as `discovery.http` and
//! `prometheus.scrape` have them.
//!
//! Files with passwords and tokens are read for each request, as in Alloy, so that a changed one counts
//! at once.

mod authorization;
mod client;
mod credential;
mod oauth2;
mod tls;

pub use authorization::{Authorization, BasicAuth};
pub use client::HttpClient;
pub use oauth2::{OAuth2, url};
pub use tls::TlsConfig;

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use syntax::Secret;

use crate::net::{client::Settings, dial, proxy::Proxy, tls::ClientTls};

/// How requests are sent, and in whose name.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct HttpClientArguments {
    /// Token that is sent as `Authorization: Bearer`.
    #[attr]
    pub bearer_token: Option<Secret>,
    /// Path of a file with that token, read for each request.
    #[attr(file, default)]
    pub bearer_token_file: String,
    /// Whether HTTP/2 is offered to servers with TLS.
    #[attr(default = true)]
    pub enable_http2: bool,
    /// Whether redirects are followed, at most ten. Credentials and `http_headers` go to no other host.
    #[attr(default = true)]
    pub follow_redirects: bool,
    /// Headers of each request.
    #[attr(default)]
    pub http_headers: BTreeMap<String, Vec<Secret>>,
    /// Addresses, networks and domains that are asked without the proxy, with commas between them.
    #[attr(default)]
    pub no_proxy: String,
    /// Headers for the proxy when a tunnel is asked for.
    #[attr(default)]
    pub proxy_connect_header: BTreeMap<String, Vec<Secret>>,
    /// Whether the proxy is the one that `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say.
    #[attr(default = false)]
    pub proxy_from_environment: bool,
    /// Proxy for all requests, `http://host:port`.
    #[attr(default)]
    pub proxy_url: String,
    /// An `Authorization` header of any type.
    #[block]
    pub authorization: Option<Authorization>,
    /// Name and password.
    #[block]
    pub basic_auth: Option<BasicAuth>,
    /// A token that is fetched with client credentials.
    #[block]
    pub oauth2: Option<OAuth2>,
    /// Whom to trust, and which certificate to show.
    #[block]
    pub tls_config: Option<TlsConfig>,
}

/// The proxy arguments, which `oauth2` has too.
#[derive(Clone, Copy, Debug)]
struct ProxyArguments<'a> {
    url: &'a str,
    no_proxy: &'a str,
    from_environment: bool,
    headers: &'a BTreeMap<String, Vec<Secret>>,
}

/// What is wrong with an argument: its name, and a sentence.
type Wrong = (&'static str, String);

impl HttpClientArguments {
    fn check(&self) -> Result<(), Wrong> {
        let given = [
            ("authorization", self.authorization.is_some()),
            ("basic_auth", self.basic_auth.is_some()),
            ("bearer_token", self.bearer_token.is_some()),
            ("bearer_token_file", !self.bearer_token_file.is_empty()),
            ("oauth2", self.oauth2.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given);
        if let (Some((first, _)), Some((second, _))) = (given.next(), given.next()) {
            return Err((
                second,
                format!("and {first} are both set, keep one of them"),
            ));
        }
        self.proxy().check()?;
        headers("http_headers", &self.http_headers).map(drop)
    }

    fn proxy(&self) -> ProxyArguments<'_> {
        ProxyArguments {
            url: &self.proxy_url,
            no_proxy: &self.no_proxy,
            from_environment: self.proxy_from_environment,
            headers: &self.proxy_connect_header,
        }
    }
}

impl ProxyArguments<'_> {
    fn check(&self) -> Result<(), Wrong> {
        let without =
            |argument, needs: &str| Err((argument, format!("has no effect without {needs}")));
        if self.from_environment && !self.url.is_empty() {
            return Err((
                "proxy_url",
                "and proxy_from_environment are both set, keep one of them".to_owned(),
            ));
        }
        if self.from_environment && !self.no_proxy.is_empty() {
            return Err((
                "no_proxy",
                "and proxy_from_environment are both set: NO_PROXY is what counts then".to_owned(),
            ));
        }
        if self.url.is_empty() && !self.no_proxy.is_empty() {
            return without("no_proxy", "proxy_url");
        }
        if self.url.is_empty() && !self.from_environment && !self.headers.is_empty() {
            return without(
                "proxy_connect_header",
                "proxy_url or proxy_from_environment",
            );
        }
        headers("proxy_connect_header", self.headers).map(drop)
    }

    fn proxy(&self) -> Result<Proxy, String> {
        match (self.url, self.from_environment) {
            ("", true) => Ok(Proxy::from_environment()),
            ("", false) => Ok(Proxy::none()),
            (url, _) => Proxy::explicit_except(url, self.no_proxy),
        }
    }
}

/// Settings for a client with these proxies and this TLS.
fn settings(
    proxy: ProxyArguments<'_>,
    tls: Option<&TlsConfig>,
    http2: bool,
) -> Result<Settings, String> {
    let protocols: &[&str] = if http2 {
        &["h2", "http/1.1"]
    } else {
        &["http/1.1"]
    };
    let proxy_headers = headers("proxy_connect_header", proxy.headers);
    Ok(Settings {
        dial: dial::Settings {
            tls: client_tls(tls, protocols)?,
            proxy: Some(proxy.proxy()?),
            proxy_headers: proxy_headers.map_err(|(argument, why)| format!("{argument} {why}"))?,
            server_name: tls.and_then(TlsConfig::server_name),
            ..dial::Settings::default()
        },
        idle_per_host: IDLE_PER_HOST,
        idle_timeout: Some(IDLE_TIMEOUT),
        ping_interval: None,
        ping_timeout: IDLE_TIMEOUT,
        cookies: false,
    })
}

/// TLS for the servers that speak it. Without a block it is the system's authorities that count, and
/// where there are none only servers without TLS can be asked.
fn client_tls(
    tls: Option<&TlsConfig>,
    protocols: &'static [&'static str],
) -> Result<Option<Arc<ClientTls>>, String> {
    match tls {
        Some(tls) => tls.client(protocols).map(Some),
        None => Ok(TlsConfig::default().client(protocols).ok()),
    }
}

/// Idle connections kept for each host: requests to one host follow each other.
const IDLE_PER_HOST: usize = 2;

/// How long an idle connection is kept: as long as Prometheus keeps it, longer than most intervals.
const IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(300);

/// Headers that the client writes by itself, and which would contradict it.
const RESERVED: [HeaderName; 5] = [
    header::AUTHORIZATION,
    header::CONTENT_LENGTH,
    header::CONNECTION,
    header::TRANSFER_ENCODING,
    header::PROXY_AUTHORIZATION,
];

/// The headers of an argument; their values are never shown.
fn headers(
    argument: &'static str,
    given: &BTreeMap<String, Vec<Secret>>,
) -> Result<HeaderMap, Wrong> {
    let mut headers = HeaderMap::new();
    for (name, values) in given {
        let wrong = |why: &str| (argument, format!("has {name:?}, {why}"));
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| wrong("which is no name of a header"))?;
        if argument == "http_headers" && RESERVED.contains(&header) {
            return Err(wrong(
                "which the client writes itself: use the blocks for it",
            ));
        }
        for value in values {
            let mut value = HeaderValue::from_str(value.expose())
                .map_err(|_| wrong("whose value cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.append(header.clone(), value);
        }
    }
    Ok(headers)
}
