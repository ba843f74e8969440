//! The `headers` argument of clients.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use syntax::value::OptionalSecret;

/// Headers that belong to a connection or a body and are written by the protocol; one that is set by
/// hand would contradict what is sent.
const RESERVED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that every request carries, checked. Values are marked sensitive: many are credentials.
///
/// # Errors
/// A sentence that names the header, never its value.
pub fn header_map(headers: &BTreeMap<String, OptionalSecret>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let fault = |what: &str| format!("headers: {what} of {name:?} cannot be sent over HTTP");
        let key: HeaderName = name.parse().map_err(|_| fault("the name"))?;
        if RESERVED.contains(&key.as_str()) || key.as_str().starts_with("grpc-") {
            return Err(format!(
                "headers: {name:?} is written by the protocol itself: remove it"
            ));
        }
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| fault("the value"))?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}
