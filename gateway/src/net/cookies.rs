//! The cookies of one backend: load balancers use them to keep a client on the same instance.
//!
//! A jar belongs to one client and so to one operator's choice of hosts; a cookie goes back only to
//! the very host that set it, whatever `Domain` it asks for.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use http::{HeaderMap, HeaderValue, Uri, header};
use tokio::time::Instant;

/// Cookies kept at once. A balancer sets one or two; a backend that sets more than this is told
/// nothing new.
const COOKIES_MAX: usize = 50;

/// Longest cookie kept, in bytes, as browsers do.
const COOKIE_BYTES_MAX: usize = 4096;

/// Cookies from earlier answers.
#[derive(Debug, Default)]
pub(super) struct Jar {
    cookies: Mutex<BTreeMap<Key, Cookie>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    host: String,
    path: String,
    name: String,
}

#[derive(Debug)]
struct Cookie {
    value: String,
    is_secure: bool,
    expires: Option<Instant>,
}

impl Jar {
    /// Keeps what an answer to a request for `uri` sets, and forgets what it takes back.
    pub(super) fn keep(&self, uri: &Uri, headers: &HeaderMap) {
        for line in headers.get_all(header::SET_COOKIE) {
            if line.len() <= COOKIE_BYTES_MAX
                && let Some((key, cookie)) = line.to_str().ok().and_then(|line| parse(uri, line))
            {
                let mut cookies = self.lock();
                let is_over = cookie.expires.is_some_and(|end| end <= Instant::now());
                if is_over {
                    cookies.remove(&key);
                } else if cookies.len() < COOKIES_MAX || cookies.contains_key(&key) {
                    cookies.insert(key, cookie);
                }
            }
        }
    }

    /// The `Cookie` header for a request to `uri`, if any cookie belongs there.
    pub(super) fn header(&self, uri: &Uri) -> Option<HeaderValue> {
        let now = Instant::now();
        let mut cookies = self.lock();
        cookies.retain(|_, cookie| cookie.expires.is_none_or(|end| end > now));
        let is_encrypted = uri.scheme_str() == Some("https");
        let belongs = |key: &Key, cookie: &Cookie| {
            Some(key.host.as_str()) == uri.host()
                && path_matches(&key.path, uri.path())
                && (is_encrypted || !cookie.is_secure)
        };
        let pairs: Vec<String> = cookies
            .iter()
            .filter(|(key, cookie)| belongs(key, cookie))
            .map(|(key, cookie)| format!("{}={}", key.name, cookie.value))
            .collect();
        let mut value = HeaderValue::from_str(&pairs.join("; "))
            .ok()
            .filter(|v| !v.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, Cookie>> {
        self.cookies
            .lock()
            .expect("nothing panics while it holds the cookies")
    }
}

fn parse(uri: &Uri, line: &str) -> Option<(Key, Cookie)> {
    let mut parts = line.split(';').map(str::trim);
    let (name, value) = parts.next()?.split_once('=')?;
    if name.trim().is_empty() {
        return None;
    }
    let default_path = uri.path().rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut key = Key {
        host: uri.host()?.to_owned(),
        path: if default_path.is_empty() {
            "/"
        } else {
            default_path
        }
        .to_owned(),
        name: name.trim().to_owned(),
    };
    let mut cookie = Cookie {
        value: value.trim().to_owned(),
        is_secure: false,
        expires: None,
    };
    let mut has_max_age = false;
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        match attribute.to_ascii_lowercase().as_str() {
            "path" if value.starts_with('/') => key.path = value.to_owned(),
            "secure" => cookie.is_secure = true,
            "max-age" => {
                // Beyond what a clock can hold, a cookie lives as long as the process.
                let seconds = value.parse::<i64>().ok()?;
                let age = Duration::from_secs(seconds.try_into().unwrap_or(0));
                cookie.expires = Instant::now().checked_add(age);
                has_max_age = true;
            }
            "expires" if !has_max_age => {
                if let Ok(date) = httpdate::parse_http_date(value) {
                    let left = date.duration_since(std::time::SystemTime::now());
                    cookie.expires = Instant::now().checked_add(left.unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    Some((key, cookie))
}

fn path_matches(cookie: &str, path: &str) -> bool {
    path.strip_prefix(cookie)
        .is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(lines: &[&str], uri: &str) -> Option<String> {
        let jar = Jar::default();
        for line in lines {
            let mut headers = HeaderMap::new();
            headers.insert(header::SET_COOKIE, line.parse().unwrap());
            jar.keep(&"https://backend/v1/logs".parse().unwrap(), &headers);
        }
        jar.header(&uri.parse().unwrap())
            .map(|value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_where_it_came_from_and_nowhere_else() {
        let to = "https://backend/v1/logs";
        for (line, uri, sent) in [
            ("lb=a; HttpOnly", to, Some("lb=a")),
            ("lb=a; Path=/", "https://backend/", Some("lb=a")),
            ("lb=a", "https://backend/v1", Some("lb=a")),
            ("lb=a", "https://backend/v10", None),
            ("lb=a", "https://other/v1/logs", None),
            ("lb=a; Domain=other", "https://other/v1/logs", None),
            ("lb=a; Secure", "http://backend/v1/logs", None),
            ("lb=a; Secure", to, Some("lb=a")),
            ("lb=a; Max-Age=0", to, None),
            (
                "lb=a; Max-Age=-5; Expires=Tue, 01 Jan 2999 00:00:00 GMT",
                to,
                None,
            ),
            ("lb=a; Expires=Thu, 01 Jan 1970 00:00:00 GMT", to, None),
            ("lb=a; Max-Age=9223372036854775807", to, Some("lb=a")),
            ("=a", to, None),
            ("no pair", to, None),
        ] {
            assert_eq!(after(&[line], uri).as_deref(), sent, "{line} for {uri}");
        }
        assert_eq!(after(&["lb=a", "lb=b", "x=1"], to).unwrap(), "lb=b; x=1");
        assert_eq!(after(&["lb=a", "lb=a; Max-Age=0"], to), None);
    }

    #[test]
    fn a_jar_does_not_grow_without_bound() {
        let lines: Vec<_> = (0..2 * COOKIES_MAX)
            .map(|number| format!("c{number}=x"))
            .collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let sent = after(&lines, "https://backend/v1/logs").unwrap();
        assert_eq!(sent.split("; ").count(), COOKIES_MAX);
        assert_eq!(
            after(
                &["c=1", &format!("d={}", "x".repeat(5000))],
                "https://backend/v1"
            ),
            Some("c=1".into())
        );
    }
}
