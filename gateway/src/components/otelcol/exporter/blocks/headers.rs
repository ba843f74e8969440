//! The `headers` argument of clients.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use syntax::value::OptionalSecret;

/// Headers that every request carries, checked. Values are marked sensitive: many are credentials.
///
/// # Errors
/// A sentence that names the header, never its value.
pub fn header_map(headers: &BTreeMap<String, OptionalSecret>) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let fault = |what: &str| format!("headers: {what} of {name:?} cannot be sent over HTTP");
        let key: HeaderName = name.parse().map_err(|_| fault("the name"))?;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| fault("the value"))?;
        value.set_sensitive(true);
        map.insert(key, value);
    }
    Ok(map)
}
