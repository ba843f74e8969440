//! Who sent a request: authentication, the tenant, and what is kept of its headers.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::super::super::ServerAuth;
use crate::batch::{Metadata, Refusal, Tenant};

/// The header with the tenant's name in Mimir, Loki and Tempo.
pub(super) const TENANT_HEADER: HeaderName = HeaderName::from_static("x-scope-orgid");

/// How one server finds out who its clients are.
pub(super) struct Identification {
    pub(super) auth: Option<Arc<dyn ServerAuth>>,
    pub(super) include_metadata: bool,
    /// Where the tenant's name stands, if clients may say it.
    pub(super) tenant: Option<HeaderName>,
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sender {
    pub(super) tenant: Tenant,
    pub(super) metadata: Metadata,
}

impl Identification {
    /// Looks at the headers of a request.
    pub(super) fn identify(&self, headers: &HeaderMap) -> Result<Sender, Refusal> {
        let mut pairs = match &self.auth {
            Some(auth) => auth.authenticate(headers)?,
            None => Vec::new(),
        };
        let (tenant, name) = self.tenant(headers)?;
        if self.include_metadata {
            let texts = headers.iter().filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            });
            pairs.extend(texts);
        } else if let Some(name) = name {
            pairs.push((name.as_str().to_owned(), tenant.as_str().to_owned()));
        }
        Ok(Sender {
            tenant,
            metadata: Metadata::new(pairs),
        })
    }

    /// The tenant, and the header that named it.
    fn tenant(&self, headers: &HeaderMap) -> Result<(Tenant, Option<&HeaderName>), Refusal> {
        let Some(name) = &self.tenant else {
            return Ok((Tenant::default(), None));
        };
        let mut values = headers.get_all(name).iter();
        let Some(value) = values.next() else {
            return Ok((Tenant::default(), None));
        };
        if values.next().is_some() {
            let message = format!("header {name} is there more than once");
            return Err(Refusal::invalid("tenant", message));
        }
        let text = value.to_str().map_err(|_| {
            Refusal::invalid(
                "tenant",
                format!("header {name} has characters beyond ASCII"),
            )
        })?;
        let tenant = Tenant::new(text)
            .map_err(|error| Refusal::invalid("tenant", format!("header {name}: {error}")))?;
        Ok((tenant, Some(name)))
    }
}

impl std::fmt::Debug for Identification {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Identification")
            .field("tenant", &self.tenant)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        pairs.collect()
    }

    fn of(include_metadata: bool, tenant: Option<HeaderName>) -> Identification {
        Identification {
            auth: None,
            include_metadata,
            tenant,
        }
    }

    #[test]
    fn nothing_a_client_says_names_its_tenant_unless_it_may() {
        let sent = headers(&[("x-scope-orgid", "a"), ("x-tenant", "b")]);
        assert_eq!(of(false, None).identify(&sent), Ok(Sender::default()));
        let sender = of(true, Some(TENANT_HEADER)).identify(&sent).unwrap();
        assert_eq!(sender.tenant.as_str(), "a");
        assert_eq!(
            sender.metadata.values("X-Tenant").collect::<Vec<_>>(),
            ["b"]
        );
        let own = HeaderName::from_static("x-tenant");
        let sender = of(false, Some(own)).identify(&sent).unwrap();
        assert_eq!(sender.tenant.as_str(), "b");
        assert_eq!(
            sender.metadata.iter().collect::<Vec<_>>(),
            [("x-tenant", "b")]
        );
    }

    #[test]
    fn bad_names_are_refused() {
        let rule = of(false, Some(TENANT_HEADER));
        for value in ["a|b", "..", "a/b", &"x".repeat(151)] {
            let refusal = rule
                .identify(&headers(&[("x-scope-orgid", value)]))
                .unwrap_err();
            assert_eq!((refusal.reason, refusal.is_retryable()), ("tenant", false));
        }
        let mut twice = headers(&[("x-scope-orgid", "a")]);
        twice.append(TENANT_HEADER, "b".parse().unwrap());
        assert!(rule.identify(&twice).is_err());
        assert_eq!(rule.identify(&HeaderMap::new()), Ok(Sender::default()));
    }
}
