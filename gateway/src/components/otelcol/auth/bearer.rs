//! Authenticates by a bearer token: adds it to requests, or demands it of clients.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use syntax::Secret;

use super::super::{
    DebugMetrics,
    handler::{ClientAuth, Handler, HandlerExports, Identity, ServerAuth},
};
use crate::{
    batch::{Metadata, Refusal},
    graph::{self, Site},
};

/// The token and the way it is sent.
#[derive(syntax::Arguments, Clone, Debug, PartialEq)]
pub struct Arguments {
    /// The token.
    #[attr]
    token: Secret,
    /// The header, or gRPC metadata key, that carries it.
    #[attr(default = "Authorization")]
    header: String,
    /// The word in front of the token; empty for the token alone.
    #[attr(default = "Bearer")]
    scheme: String,
    /// Metrics of the component.
    #[block]
    debug_metrics: Option<DebugMetrics>,
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
        let token = Arc::new(Token::new(&arguments)?);
        let handler = Handler::auth(site.id(), Some(token.clone()), Some(token));
        Ok(Self { handler })
    }

    fn exports(&self) -> HandlerExports {
        HandlerExports {
            handler: self.handler.clone(),
        }
    }
}

struct Token {
    header: HeaderName,
    scheme: String,
    token: Secret,
    value: HeaderValue,
}

impl Token {
    fn new(arguments: &Arguments) -> Result<Self, String> {
        let Arguments {
            token,
            header,
            scheme,
            ..
        } = arguments;
        if token.expose().is_empty() {
            return Err("token is empty".to_owned());
        }
        let name = HeaderName::from_bytes(header.as_bytes())
            .map_err(|_| format!("header {header:?} is not the name of a header"))?;
        let text = format!("{scheme} {}", token.expose());
        // A token read from a file ends with a line break more often than not.
        let mut value = HeaderValue::from_str(text.trim()).map_err(|_| {
            "token has a character that cannot be sent in a header, such as a line break".to_owned()
        })?;
        value.set_sensitive(true);
        let token = Secret::new(token.expose().trim());
        Ok(Self {
            header: name,
            scheme: scheme.clone(),
            token,
            value,
        })
    }
}

impl ClientAuth for Token {
    fn apply(&self, _metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), String> {
        headers.insert(self.header.clone(), self.value.clone());
        Ok(())
    }

    fn is_secret(&self) -> bool {
        true
    }
}

impl ServerAuth for Token {
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, Refusal> {
        let sent = super::credentials(headers, &self.header, &self.scheme);
        let known = |sent: &str| super::equal(sent.as_bytes(), self.token.expose().as_bytes());
        if sent.is_some_and(known) {
            Ok(Identity::new())
        } else {
            Err(super::unauthenticated())
        }
    }

    fn challenge(&self) -> &str {
        "Bearer"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(token: &str, header: &str, scheme: &str) -> Result<Token, String> {
        Token::new(&Arguments {
            token: Secret::new(token),
            header: header.to_owned(),
            scheme: scheme.to_owned(),
            debug_metrics: None,
        })
    }

    #[test]
    fn what_a_client_adds_a_server_knows() {
        for (header, scheme, sent) in [
            ("Authorization", "Bearer", "Bearer sesame"),
            ("X-Key", "", "sesame"),
            ("X-Key", "Custom", "Custom sesame"),
        ] {
            let ours = token("sesame\n", header, scheme).unwrap();
            let mut headers = HeaderMap::new();
            ours.apply(&Metadata::default(), &mut headers).unwrap();
            assert_eq!(headers[header], sent);
            assert!(headers[header].is_sensitive());
            assert_eq!(ours.authenticate(&headers), Ok(Identity::new()));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let ours = token("sesame", "Authorization", "Bearer").unwrap();
        assert!(ours.authenticate(&HeaderMap::new()).is_err());
        for value in [
            "",
            "sesame",
            "Basic sesame",
            "Bearer",
            "Bearer sesam",
            "Bearer sesame2",
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("authorization", value.parse().unwrap());
            assert_eq!(
                ours.authenticate(&headers),
                Err(super::super::unauthenticated()),
                "{value}"
            );
        }
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "bEARER  sesame".parse().unwrap());
        assert!(ours.authenticate(&headers).is_ok(), "a scheme has no case");
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_being_shown() {
        for (secret, header) in [
            ("", "Authorization"),
            ("a\nb", "Authorization"),
            ("a", "a b"),
        ] {
            let refusal = token(secret, header, "Bearer").err().unwrap();
            assert!(!refusal.contains("a\nb"), "{refusal}");
        }
    }
}
