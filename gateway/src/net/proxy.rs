//! Which proxy a connection goes through: the one an argument names, or the environment's.
//!
//! The two differ on purpose, as they do in Go: a proxy named in the configuration takes every
//! request, one from the environment leaves out `NO_PROXY` and this machine itself.

use std::net::IpAddr;

use http::{HeaderValue, Uri, uri::Scheme};
use hyper_util::client::proxy::matcher::Matcher;

/// The rule by which a destination gets its proxy.
#[derive(Debug)]
pub struct Proxy {
    matcher: Matcher,
    from_environment: bool,
}

impl Proxy {
    /// No proxy for any destination.
    pub fn none() -> Self {
        Self {
            matcher: Matcher::builder().build(),
            from_environment: false,
        }
    }

    /// The proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (or in lower case), never for
    /// loopback addresses.
    pub fn from_environment() -> Self {
        Self {
            matcher: Matcher::from_env(),
            from_environment: true,
        }
    }

    /// One proxy for every destination, `http://user:password@host:port`.
    ///
    /// # Errors
    /// If the address is not that of an HTTP proxy. It is not repeated in full: it may hold a
    /// password.
    pub fn explicit(address: &str) -> Result<Self, String> {
        let uri: Uri = address
            .parse()
            .map_err(|error| format!("proxy_url is not a URL ({error}): write http://host:port"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") {
            return Err(format!(
                "proxy_url has the scheme {scheme:?}: only proxies that speak HTTP are supported, \
                 write http://host:port"
            ));
        }
        Ok(Self {
            matcher: Matcher::builder().all(address).build(),
            from_environment: false,
        })
    }

    /// The same for every destination but those in `except`: addresses, networks and domains, with
    /// commas between them.
    ///
    /// # Errors
    /// As [`explicit`](Self::explicit).
    pub fn explicit_except(address: &str, except: &str) -> Result<Self, String> {
        Self::explicit(address)?;
        Ok(Self {
            matcher: Matcher::builder().all(address).no(except).build(),
            from_environment: false,
        })
    }

    /// The proxy for this destination, if there is one.
    pub fn route(&self, destination: &Uri) -> Option<Route> {
        if self.from_environment && is_this_machine(destination) {
            return None;
        }
        let intercept = self.matcher.intercept(destination)?;
        // A proxy from the environment may name a scheme that is not ours (SOCKS): such a one is
        // an error when it is dialled, not silently left out.
        Some(Route {
            address: intercept.uri().clone(),
            authorization: intercept.basic_auth().cloned(),
        })
    }

    /// The proxy through which a tunnel to this destination goes. As in other gRPC clients it is
    /// the one for `https`, encrypted or not: what it sees is a tunnel in either case.
    pub fn tunnel(&self, destination: &Uri) -> Option<Route> {
        let mut parts = destination.clone().into_parts();
        parts.scheme = Some(Scheme::HTTPS);
        self.route(&Uri::from_parts(parts).ok()?)
    }
}

/// A proxy that a connection goes through.
#[derive(Clone, Debug)]
pub struct Route {
    /// Where the proxy listens.
    pub address: Uri,
    /// What it wants in `Proxy-Authorization`; marked sensitive.
    pub authorization: Option<HeaderValue>,
}

impl Route {
    /// Whether the proxy is asked to pass single requests on, rather than to open a tunnel.
    ///
    /// Plain HTTP is passed on: many proxies allow `CONNECT` to port 443 only.
    pub fn forwards(destination: &Uri) -> bool {
        destination.scheme() == Some(&Scheme::HTTP)
    }
}

fn is_this_machine(destination: &Uri) -> bool {
    let host = destination.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_proxy_takes_every_destination_and_keeps_its_password_to_itself() {
        let proxy = Proxy::explicit("http://me:pass@proxy:3128").unwrap();
        for destination in [
            "http://localhost:1/",
            "https://[::1]/",
            "https://tempo.example",
        ] {
            let route = proxy.route(&destination.parse().unwrap()).unwrap();
            assert_eq!(route.address, "http://proxy:3128/");
            assert_eq!(route.authorization.as_ref().unwrap(), "Basic bWU6cGFzcw==");
            assert!(!format!("{route:?}").contains("bWU6"));
        }
        assert!(
            Proxy::none()
                .route(&"https://tempo".parse().unwrap())
                .is_none()
        );
    }

    #[test]
    fn what_is_not_an_http_proxy_is_refused_by_name() {
        for address in [
            "socks5://proxy:1080",
            "proxy:3128",
            "ftp://proxy",
            "http://",
            "",
        ] {
            let error = Proxy::explicit(address).unwrap_err();
            assert!(error.contains("http://host:port"), "{address}: {error}");
        }
    }

    #[test]
    fn a_tunnel_goes_through_the_proxy_for_https() {
        let matcher = Matcher::builder()
            .https("http://secure:1")
            .http("http://plain:1")
            .build();
        let proxy = Proxy {
            matcher,
            from_environment: true,
        };
        let destination = "http://tempo:4317/".parse().unwrap();
        assert_eq!(
            proxy.tunnel(&destination).unwrap().address,
            "http://secure:1/"
        );
        assert_eq!(
            proxy.route(&destination).unwrap().address,
            "http://plain:1/"
        );
    }

    #[test]
    fn a_proxy_of_the_environment_is_not_asked_for_this_machine() {
        let matcher = Matcher::builder()
            .all("http://proxy:3128")
            .no("inside.example")
            .build();
        let proxy = Proxy {
            matcher,
            from_environment: true,
        };
        let is_proxied = |uri: &str| proxy.route(&uri.parse().unwrap()).is_some();
        assert!(is_proxied("https://outside.example"));
        for direct in [
            "http://localhost",
            "https://127.0.0.9:1",
            "http://[::1]:1",
            "http://a.inside.example",
        ] {
            assert!(!is_proxied(direct), "{direct}");
        }
    }
}
