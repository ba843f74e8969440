//! Sets headers of requests: to fixed values, or to what the client sent with its data.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use syntax::OptionalSecret;

use super::super::{
    DebugMetrics,
    handler::{ClientAuth, Handler, HandlerExports, attribute_key},
};
use crate::{
    batch::Metadata,
    graph::{self, Site},
};

/// The headers, in the order in which they are set.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// A header to set.
    #[block(name = "header")]
    headers: Vec<Header>,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
}

/// A header, and exactly one place to take its value from.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
#[arguments(validate = Self::check)]
pub struct Header {
    /// The name of the header.
    #[attr]
    key: String,
    /// What is done with it.
    #[attr(default = Action::Upsert)]
    action: Action,
    /// What the receiver's `auth` found out about the client: `username`.
    #[attr]
    from_attribute: Option<String>,
    /// The header or gRPC metadata key of the client's own request, which the receiver keeps with
    /// `include_metadata = true`.
    #[attr]
    from_context: Option<String>,
    /// The value itself.
    #[attr]
    value: Option<OptionalSecret>,
}

/// What is done with a header.
#[derive(syntax::Keyword, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Adds it where it is missing.
    #[keyword("insert")]
    Insert,
    /// Changes it where it is there.
    #[keyword("update")]
    Update,
    /// Sets it.
    #[keyword("upsert")]
    Upsert,
    /// Takes it away.
    #[keyword("delete")]
    Delete,
}

impl Header {
    fn check(&self) -> Result<(), (&'static str, String)> {
        if HeaderName::from_bytes(self.key.as_bytes()).is_err() {
            return Err((
                "key",
                format!("is not the name of a header: {:?}", self.key),
            ));
        }
        let sources = [
            self.value.is_some(),
            self.from_context.is_some(),
            self.from_attribute.is_some(),
        ];
        match sources.iter().filter(|given| **given).count() {
            1 => {}
            0 => {
                let reason = "needs one of value, from_context and from_attribute";
                return Err(("key", reason.to_owned()));
            }
            _ => {
                let reason = "takes only one of value, from_context and from_attribute";
                return Err(("key", reason.to_owned()));
            }
        }
        match self.from_attribute.as_deref() {
            None | Some("username") => Ok(()),
            Some("raw") => Err((
                "from_attribute",
                "must not be \"raw\": the client's credentials would be written to disk with its \
                 data; use \"username\""
                    .to_owned(),
            )),
            Some(other) => Err((
                "from_attribute",
                format!("knows \"username\", which otelcol.auth.basic finds out, not {other:?}"),
            )),
        }
    }
}

/// Holds the handler.
#[derive(Debug)]
pub struct Component {
    handler: Handler,
}

impl graph::Component for Component {
    type Arguments = Arguments;
    type Exports = HandlerExports;

    fn build(arguments: Arguments, site: Site) -> Result<Self, String> {
        let setter = Setter::new(&arguments)?;
        Ok(Self {
            handler: Handler::auth(site.id(), Some(Arc::new(setter)), None),
        })
    }

    fn exports(&self) -> HandlerExports {
        HandlerExports {
            handler: self.handler.clone(),
        }
    }
}

struct Setter(Vec<Rule>);

struct Rule {
    name: HeaderName,
    action: Action,
    source: Source,
}

enum Source {
    Fixed(HeaderValue),
    Metadata(String),
}

impl Setter {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        arguments
            .headers
            .iter()
            .map(Rule::new)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl Rule {
    fn new(header: &Header) -> Result<Self, String> {
        let name = HeaderName::from_bytes(header.key.as_bytes())
            .map_err(|_| format!("{:?} is not the name of a header", header.key))?;
        let source = match (&header.value, &header.from_context, &header.from_attribute) {
            (Some(value), ..) => {
                let mut fixed = HeaderValue::from_str(value.expose()).map_err(|_| {
                    format!("the value of header {name} has a character that cannot be sent")
                })?;
                fixed.set_sensitive(value.is_secret);
                Source::Fixed(fixed)
            }
            (_, Some(key), _) => Source::Metadata(key.to_ascii_lowercase()),
            (_, _, attribute) => {
                Source::Metadata(attribute_key(attribute.as_deref().unwrap_or_default()))
            }
        };
        Ok(Self {
            name,
            action: header.action,
            source,
        })
    }

    fn value(&self, metadata: &Metadata) -> Result<HeaderValue, String> {
        match &self.source {
            Source::Fixed(value) => Ok(value.clone()),
            // Without a value the header is sent empty, as the Collector does: a backend that needs
            // a tenant then says so, and one that does not is not asked for another.
            Source::Metadata(key) => {
                HeaderValue::from_str(metadata.values(key).next().unwrap_or_default())
                    .map_err(|_| format!("metadata {key:?} has a character that cannot be sent"))
            }
        }
    }
}

impl ClientAuth for Setter {
    fn apply(&self, metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), String> {
        for rule in &self.0 {
            let there = headers
                .get(&rule.name)
                .is_some_and(|value| !value.is_empty());
            match rule.action {
                Action::Delete => {
                    headers.remove(&rule.name);
                }
                Action::Insert if there => {}
                Action::Update if !there => {}
                Action::Insert | Action::Update | Action::Upsert => {
                    headers.insert(rule.name.clone(), rule.value(metadata)?);
                }
            }
        }
        Ok(())
    }

    fn context_keys(&self) -> Vec<String> {
        let keys = self.0.iter().filter(|rule| rule.action != Action::Delete);
        keys.filter_map(|rule| match &rule.source {
            Source::Metadata(key) => Some(key.clone()),
            Source::Fixed(_) => None,
        })
        .collect()
    }

    fn is_secret(&self) -> bool {
        let secret =
            |source: &Source| matches!(source, Source::Fixed(value) if value.is_sensitive());
        self.0
            .iter()
            .any(|rule| rule.action != Action::Delete && secret(&rule.source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(key: &str, action: Action) -> Header {
        let (key, from_context) = (key.to_owned(), None);
        Header {
            key,
            action,
            from_attribute: None,
            from_context,
            value: None,
        }
    }

    fn setter(headers: impl IntoIterator<Item = Header>) -> Setter {
        let headers = headers.into_iter().collect();
        Setter::new(&Arguments {
            headers,
            debug_metrics: None,
        })
        .unwrap()
    }

    #[test]
    fn actions_look_at_what_is_there() {
        for (action, missing, present) in [
            (Action::Insert, Some("new"), Some("old")),
            (Action::Update, None, Some("new")),
            (Action::Upsert, Some("new"), Some("new")),
            (Action::Delete, None, None),
        ] {
            let value = Some(OptionalSecret::plain("new"));
            let setter = setter([Header {
                value,
                ..header("X-Key", action)
            }]);
            let set = |mut headers: HeaderMap| {
                setter.apply(&Metadata::default(), &mut headers).unwrap();
                headers
                    .get("x-key")
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            assert_eq!(set(HeaderMap::new()).as_deref(), missing, "{action:?}");
            let mut headers = HeaderMap::new();
            headers.insert("x-key", HeaderValue::from_static("old"));
            assert_eq!(set(headers).as_deref(), present, "{action:?}");
        }
    }

    #[test]
    fn values_come_from_the_clients_request() {
        let from_context = Some("Tenant-ID".to_owned());
        let from_attribute = Some("username".to_owned());
        let setter = setter([
            Header {
                from_context,
                ..header("X-Scope-OrgID", Action::Upsert)
            },
            Header {
                from_attribute,
                ..header("X-User", Action::Upsert)
            },
        ]);
        assert_eq!(setter.context_keys(), ["tenant-id", ":auth.username"]);
        assert!(!setter.is_secret());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let metadata = Metadata::new([pair("tenant-id", "a"), pair(":auth.username", "bob")]);
        let mut headers = HeaderMap::new();
        setter.apply(&metadata, &mut headers).unwrap();
        assert_eq!(
            (&headers["x-scope-orgid"], &headers["x-user"]),
            (
                &HeaderValue::from_static("a"),
                &HeaderValue::from_static("bob"),
            )
        );
        setter.apply(&Metadata::default(), &mut headers).unwrap();
        assert_eq!(headers["x-scope-orgid"], "");
    }

    #[test]
    fn a_header_has_one_source() {
        let text = |text: &str| Some(text.to_owned());
        let value = Some(OptionalSecret::secret("v"));
        let good = header("X-Key", Action::Upsert);
        assert_eq!(
            Header {
                value: value.clone(),
                ..good.clone()
            }
            .check(),
            Ok(())
        );
        for (bad, field) in [
            (good.clone(), "key"),
            (
                Header {
                    value,
                    from_context: text("c"),
                    ..good.clone()
                },
                "key",
            ),
            (
                Header {
                    from_attribute: text("raw"),
                    ..good.clone()
                },
                "from_attribute",
            ),
            (
                Header {
                    from_attribute: text("subject"),
                    ..good.clone()
                },
                "from_attribute",
            ),
            (
                Header {
                    key: "a b".to_owned(),
                    from_context: text("c"),
                    ..good
                },
                "key",
            ),
        ] {
            assert_eq!(bad.check().unwrap_err().0, field);
        }
    }
}
