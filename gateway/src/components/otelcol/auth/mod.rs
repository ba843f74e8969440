//! Components that say who we are, or find out who a client is.

pub mod basic;
pub mod bearer;
pub mod headers;

use http::{HeaderMap, HeaderName};

use crate::batch::{Refusal, RefusalKind};

/// The refusal of a client that did not say who it is, or not credibly. It does not say which, so
/// that nobody learns whether a name exists.
fn unauthenticated() -> Refusal {
    Refusal {
        kind: RefusalKind::Unauthenticated,
        reason: "unauthenticated",
        message: "credentials are missing or wrong".into(),
    }
}

/// The credentials that follow a scheme in a header; the scheme's case does not matter.
fn credentials<'a>(headers: &'a HeaderMap, name: &HeaderName, scheme: &str) -> Option<&'a str> {
    let value = headers.get(name)?.to_str().ok()?;
    if scheme.is_empty() {
        return Some(value);
    }
    let (head, tail) = value.split_once(' ')?;
    head.eq_ignore_ascii_case(scheme).then(|| tail.trim_start())
}

/// Compares secrets in a time that depends on their lengths only.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let differences = one.iter().zip(other).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && std::hint::black_box(differences) == 0
}
