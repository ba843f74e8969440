//! Whose data a batch is, and which of its sender's headers go with it.

use std::{fmt, sync::Arc};

/// Longest tenant name accepted, in bytes: the bound of Mimir, Loki and Tempo.
const TENANT_LENGTH_MAX: usize = 150;

/// The name of a tenant, or none for single-tenant use.
///
/// The accepted names are those of Grafana's backends: up to 150 of letters, digits and
/// `!-_.*'()`, but not `.` or `..`, which could be taken for paths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Option<Arc<str>>);

impl Tenant {
    /// Checks a name that came from outside; the empty name is no tenant.
    ///
    /// # Errors
    /// If the name is too long, has other characters than those allowed, or is `.` or `..`.
    pub fn new(name: &str) -> Result<Self, InvalidTenant> {
        if name.is_empty() {
            return Ok(Self(None));
        }
        if name.len() > TENANT_LENGTH_MAX {
            return Err(InvalidTenant::TooLong(name.len()));
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!-_.*'()".contains(&byte);
        if let Some(position) = name.bytes().position(|byte| !allowed(byte)) {
            return Err(InvalidTenant::Character(position));
        }
        if name == "." || name == ".." {
            return Err(InvalidTenant::Path);
        }
        Ok(Self(Some(name.into())))
    }

    /// The name, empty where there is no tenant.
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a name cannot be a tenant. The name itself is not repeated: it may be hostile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidTenant {
    /// Longer than 150 bytes.
    TooLong(usize),
    /// A character outside the allowed set, at this byte.
    Character(usize),
    /// `.` or `..`.
    Path,
}

impl fmt::Display for InvalidTenant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => write!(
                formatter,
                "tenant name has {length} bytes, at most {TENANT_LENGTH_MAX} are allowed"
            ),
            Self::Character(position) => write!(
                formatter,
                "tenant name has a character at byte {position} that is not a letter, a digit or \
                 one of !-_.*'()"
            ),
            Self::Path => formatter.write_str("tenant name must not be \".\" or \"..\""),
        }
    }
}

impl std::error::Error for InvalidTenant {}

/// Headers kept with a batch: lower-case names, each with its values in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Metadata(Option<Arc<[(String, String)]>>);

impl Metadata {
    /// Keeps the given pairs; names are made lower-case.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let pairs: Vec<_> = pairs
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        if pairs.is_empty() {
            Self(None)
        } else {
            Self(Some(pairs.into()))
        }
    }

    /// The values of a header, in the order in which they came; the name's case does not matter.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|pairs| pairs.iter())
            .map(|(name, value)| (&**name, &**value))
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Only the headers named.
    pub fn only(&self, names: &[String]) -> Self {
        if self.is_empty() || names.is_empty() {
            return Self::default();
        }
        let named = |key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key));
        let pairs = self.iter().filter(|(name, _)| named(name));
        Self::new(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_grafanas_backends_accept() {
        for name in ["", "team-a", "a_b.c!*'()", &"x".repeat(150)] {
            assert_eq!(
                Tenant::new(name).map(|tenant| tenant.as_str().to_owned()),
                Ok(name.into())
            );
        }
        assert_eq!(Tenant::new("."), Err(InvalidTenant::Path));
        assert_eq!(Tenant::new(".."), Err(InvalidTenant::Path));
        assert_eq!(Tenant::new("a|b"), Err(InvalidTenant::Character(1)));
        assert_eq!(Tenant::new("a/../b"), Err(InvalidTenant::Character(1)));
        assert_eq!(Tenant::new("ä"), Err(InvalidTenant::Character(0)));
        assert_eq!(
            Tenant::new(&"x".repeat(151)),
            Err(InvalidTenant::TooLong(151))
        );
    }

    #[test]
    fn metadata_is_found_whatever_the_case_of_its_name() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let metadata = Metadata::new([pair("X-Scope-OrgID", "a"), pair("other", "b")]);
        assert_eq!(metadata.values("x-scope-orgid").collect::<Vec<_>>(), ["a"]);
        let kept = metadata.only(&["X-SCOPE-ORGID".to_owned()]);
        assert_eq!(kept.iter().collect::<Vec<_>>(), [("x-scope-orgid", "a")]);
        assert!(metadata.only(&["absent".to_owned()]).is_empty());
    }
}
