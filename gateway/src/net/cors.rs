//! Cross-origin requests from browsers, by the rules of the Fetch standard.
//!
//! Origins are answered by name and never by `*`, because browsers that send credentials ignore
//! the star.

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS,
        ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
        ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};

/// Headers that a browser may always send.
const ALWAYS_ALLOWED: [&str; 4] = [
    "accept",
    "accept-language",
    "content-type",
    "content-language",
];

/// The only method that carries telemetry, and those that browsers need no permission for.
const METHODS: [&str; 3] = ["GET", "POST", "HEAD"];

const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What pages of other origins may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<Pattern>,
    headers: Vec<String>,
    any_header: bool,
    exposed: Option<HeaderValue>,
    max_age: Option<HeaderValue>,
}

/// An origin, in which one `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern {
    head: String,
    tail: Option<String>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        let text = text.to_ascii_lowercase();
        match text.split_once('*') {
            None => Self {
                head: text,
                tail: None,
            },
            Some((head, tail)) => Self {
                head: head.to_owned(),
                tail: Some(tail.to_owned()),
            },
        }
    }

    fn matches(&self, origin: &str) -> bool {
        match &self.tail {
            None => self.head == origin,
            Some(tail) => {
                origin.len() >= self.head.len() + tail.len()
                    && origin.starts_with(&self.head)
                    && origin.ends_with(tail)
            }
        }
    }
}

impl Cors {
    /// Rules for the origins given; with none, pages of other origins may do nothing.
    ///
    /// # Errors
    /// If an exposed header's name is none.
    pub fn new(
        origins: &[String],
        headers: &[String],
        exposed: &[String],
        max_age_seconds: u64,
    ) -> Result<Self, String> {
        for name in exposed.iter().chain(headers) {
            if name != "*" && HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(format!("{name:?} is not the name of a header"));
            }
        }
        // As in the Collector, a list replaces the default.
        let requested = ["X-Requested-With".to_owned()];
        let headers = if headers.is_empty() {
            &requested[..]
        } else {
            headers
        };
        let exposed = (!exposed.is_empty()).then(|| HeaderValue::try_from(exposed.join(", ")));
        Ok(Self {
            origins: origins.iter().map(|origin| Pattern::new(origin)).collect(),
            any_header: headers.iter().any(|name| name == "*"),
            headers: headers
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            exposed: exposed.transpose().map_err(|error| error.to_string())?,
            max_age: (max_age_seconds > 0).then(|| HeaderValue::from(max_age_seconds)),
        })
    }

    /// The answer to a preflight, if the request is one and pages of other origins are served.
    pub fn preflight(
        &self,
        method: &Method,
        request: &HeaderMap,
    ) -> Option<(StatusCode, HeaderMap)> {
        let wanted = request.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        if self.origins.is_empty() || method != Method::OPTIONS {
            return None;
        }
        let mut answer = HeaderMap::new();
        answer.insert(
            VARY,
            HeaderValue::from_static(
                "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
            ),
        );
        let requested = request.get(ACCESS_CONTROL_REQUEST_HEADERS);
        let methods = METHODS
            .iter()
            .find(|method| wanted.as_bytes() == method.as_bytes());
        if let (Some(origin), Some(method), true) = (
            self.allowed(request),
            methods,
            self.allows_headers(requested),
        ) {
            answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            answer.insert(
                ACCESS_CONTROL_ALLOW_METHODS,
                HeaderValue::from_static(method),
            );
            answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            if let Some(requested) = requested {
                answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
            }
            if let Some(max_age) = &self.max_age {
                answer.insert(ACCESS_CONTROL_MAX_AGE, max_age.clone());
            }
        }
        Some((StatusCode::NO_CONTENT, answer))
    }

    /// Adds to an answer what lets the page that asked read it.
    pub fn decorate(&self, request: &HeaderMap, answer: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        answer.append(VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.allowed(request) else {
            return;
        };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        if let Some(exposed) = &self.exposed {
            answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
    }

    fn allowed<'a>(&self, request: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = request.get(ORIGIN)?;
        let text = origin.to_str().ok()?.to_ascii_lowercase();
        self.origins
            .iter()
            .any(|pattern| pattern.matches(&text))
            .then_some(origin)
    }

    fn allows_headers(&self, requested: Option<&HeaderValue>) -> bool {
        let Some(requested) = requested else {
            return true;
        };
        let Ok(names) = requested.to_str() else {
            return false;
        };
        self.any_header
            || names
                .split(',')
                .map(|name| name.trim().to_ascii_lowercase())
                .all(|name| ALWAYS_ALLOWED.contains(&name.as_str()) || self.headers.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], headers: &[&str]) -> Cors {
        let owned = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        Cors::new(&owned(origins), &owned(headers), &owned(&["X-Trace"]), 600).unwrap()
    }

    fn request(origin: &str, method: &str, headers: &str) -> HeaderMap {
        let mut request = HeaderMap::new();
        request.insert(ORIGIN, origin.parse().unwrap());
        request.insert(ACCESS_CONTROL_REQUEST_METHOD, method.parse().unwrap());
        if !headers.is_empty() {
            request.insert(ACCESS_CONTROL_REQUEST_HEADERS, headers.parse().unwrap());
        }
        request
    }

    type Names = &'static [&'static str];

    #[test]
    fn preflights_are_allowed_by_origin_method_and_header() {
        let cases: [(Names, Names, &str, &str, &str, bool); 10] = [
            (
                &["https://a.example"],
                &[],
                "https://a.example",
                "POST",
                "",
                true,
            ),
            (
                &["https://a.example"],
                &[],
                "https://A.example",
                "POST",
                "",
                true,
            ),
            (
                &["https://a.example"],
                &[],
                "https://b.example",
                "POST",
                "",
                false,
            ),
            (
                &["https://*.example"],
                &[],
                "https://b.example",
                "POST",
                "content-type",
                true,
            ),
            (
                &["https://*.example"],
                &[],
                "https://.evil",
                "POST",
                "",
                false,
            ),
            (&["*"], &[], "https://b.example", "DELETE", "", false),
            (
                &["*"],
                &[],
                "https://b.example",
                "POST",
                "x-requested-with",
                true,
            ),
            (
                &["*"],
                &["X-Key"],
                "https://b.example",
                "POST",
                "x-requested-with",
                false,
            ),
            (
                &["*"],
                &["X-Key"],
                "https://b.example",
                "POST",
                "x-key, Accept",
                true,
            ),
            (
                &["*"],
                &["*"],
                "https://b.example",
                "POST",
                "anything",
                true,
            ),
        ];
        for (origins, headers, origin, method, asked, allowed) in cases {
            let request = request(origin, method, asked);
            let cors = cors(origins, headers);
            let (status, answer) = cors.preflight(&Method::OPTIONS, &request).unwrap();
            assert_eq!(status, StatusCode::NO_CONTENT);
            let got = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN);
            assert_eq!(
                got.is_some(),
                allowed,
                "{origins:?} {headers:?} {origin} {method} {asked}"
            );
            assert!(got.is_none_or(|got| got == origin));
            assert_eq!(answer.get(ACCESS_CONTROL_MAX_AGE).is_some(), allowed);
        }
    }

    #[test]
    fn without_origins_nothing_is_a_preflight() {
        let request = request("https://a.example", "POST", "");
        assert_eq!(cors(&[], &[]).preflight(&Method::OPTIONS, &request), None);
        assert_eq!(cors(&["*"], &[]).preflight(&Method::POST, &request), None);
        assert_eq!(
            cors(&["*"], &[]).preflight(&Method::OPTIONS, &HeaderMap::new()),
            None
        );
    }

    #[test]
    fn answers_name_the_origin_that_asked() {
        let mut answer = HeaderMap::new();
        let request = request("https://a.example", "POST", "");
        cors(&["*"], &[]).decorate(&request, &mut answer);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "https://a.example");
        assert_eq!(answer[ACCESS_CONTROL_EXPOSE_HEADERS], "X-Trace");
        let mut other = HeaderMap::new();
        cors(&["https://b.example"], &[]).decorate(&request, &mut other);
        assert_eq!(other.get(ACCESS_CONTROL_ALLOW_ORIGIN), None);
        assert_eq!(other[VARY], "Origin");
    }
}
