//! `otelcol.Handler`: what `otelcol.auth` and `otelcol.storage` components export, for others to
//! take as an argument.

use std::{any::Any, fmt, sync::Arc};

use http::HeaderMap;
use syntax::{Capsule, CapsuleValue, FromValue, ToValue, Value, ValueError};

use crate::batch::{Metadata, Refusal};

/// Says to a backend who we are.
pub trait ClientAuth: Send + Sync + 'static {
    /// Puts credentials into the headers of a request that sends a batch with this metadata.
    ///
    /// # Errors
    /// Why there are no credentials at the moment; a later attempt may have them.
    fn apply(&self, metadata: &Metadata, headers: &mut HeaderMap) -> Result<(), String>;

    /// The metadata that `apply` looks at, which must stay with the batch through the log.
    fn context_keys(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether what `apply` adds must not be sent unencrypted.
    fn is_secret(&self) -> bool;
}

/// Finds out who a client is.
pub trait ServerAuth: Send + Sync + 'static {
    /// Looks at the headers of a request.
    ///
    /// # Errors
    /// `Unauthenticated` if they do not say who sent it.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Identity, Refusal>;

    /// The value of `WWW-Authenticate` for those who were refused.
    fn challenge(&self) -> &str;
}

/// What is known of an authenticated client, as metadata for the batch. Its names begin with a
/// colon, which no header's name can, so that no client can claim them.
pub type Identity = Vec<(String, String)>;

/// The name under which an authenticated client's attribute stays with the batch.
pub fn attribute_key(attribute: &str) -> String {
    format!(":auth.{attribute}")
}

/// A handler as a value of the language.
#[derive(Clone)]
pub struct Handler(Arc<Sides>);

struct Sides {
    component: Arc<str>,
    client: Option<Arc<dyn ClientAuth>>,
    server: Option<Arc<dyn ServerAuth>>,
    storage: bool,
}

impl Handler {
    /// The handler of an authentication component, with the sides that it has.
    pub fn auth(
        component: &Arc<str>,
        client: Option<Arc<dyn ClientAuth>>,
        server: Option<Arc<dyn ServerAuth>>,
    ) -> Self {
        Self(Arc::new(Sides {
            component: component.clone(),
            client,
            server,
            storage: false,
        }))
    }

    /// The handler of a storage component.
    pub fn of_storage(component: &Arc<str>) -> Self {
        let component = component.clone();
        Self(Arc::new(Sides {
            component,
            client: None,
            server: None,
            storage: true,
        }))
    }

    /// The side that an exporter needs.
    ///
    /// # Errors
    /// If the component has none.
    pub fn client(&self) -> Result<Arc<dyn ClientAuth>, String> {
        self.0
            .client
            .clone()
            .ok_or_else(|| self.lacks("client authentication"))
    }

    /// The side that a receiver needs.
    ///
    /// # Errors
    /// If the component has none.
    pub fn server(&self) -> Result<Arc<dyn ServerAuth>, String> {
        self.0
            .server
            .clone()
            .ok_or_else(|| self.lacks("server authentication"))
    }

    /// Checks that this is a storage.
    ///
    /// # Errors
    /// If it is not.
    pub fn storage(&self) -> Result<(), String> {
        if self.0.storage {
            Ok(())
        } else {
            Err(self.lacks("storage"))
        }
    }

    fn lacks(&self, what: &str) -> String {
        format!("{} does not support {what}", self.0.component)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Handler({})", self.0.component)
    }
}

impl PartialEq for Handler {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl CapsuleValue for Handler {
    fn type_name(&self) -> &'static str {
        "otelcol.Handler"
    }

    fn equals(&self, other: &dyn CapsuleValue) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

impl ToValue for Handler {
    fn to_value(&self) -> Value {
        Value::Capsule(Capsule::new(Arc::new(self.clone())))
    }
}

impl FromValue for Handler {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        syntax::value::from_capsule::<Self>(value, "otelcol.Handler").cloned()
    }

    fn type_name() -> String {
        "capsule(otelcol.Handler)".to_owned()
    }
}

/// What every component that is a handler exports.
#[derive(syntax::Exports, Clone, Debug)]
pub struct HandlerExports {
    /// Lets other components use it.
    #[attr]
    pub handler: Handler,
}
