//! What expressions evaluate to.
//!
//! Values are cheap to clone: a discovery component may export ten thousand targets, and each of
//! its users holds them. Secrets are values of their own, not texts with a mark, so that nothing
//! shows one by forgetting to look.

mod capsule;
mod collection;
mod convert;
mod number;
mod object;
mod operator;
mod scalar;
mod secret;
mod show;
mod text;

use std::fmt;
use std::sync::Arc;

pub use capsule::{Capsule, CapsuleValue};
pub(crate) use convert::Step;
pub use convert::{FromValue, ToValue, ValueError, from_capsule};
pub use number::Number;
pub use object::Object;
pub(crate) use operator::{binary, unary};
pub use secret::{OptionalSecret, Secret};

use crate::function::Function;

/// A value.
#[derive(Clone, Default)]
pub enum Value {
    /// Nothing; where a type is wanted, its empty value.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    String(Arc<str>),
    /// A list of values of any types.
    Array(Arc<Vec<Self>>),
    /// Values by name.
    Object(Object),
    /// Something to call.
    Function(Function),
    /// A live handle that only components look into.
    Capsule(Capsule),
    /// A text that is never shown.
    Secret(Secret),
    /// A text that may be a secret.
    OptionalSecret(OptionalSecret),
    /// A value that is not known yet, when a configuration is checked without running it. What is
    /// made of it is unknown too, and it fits every type.
    Unknown,
}

// === impl Value ===

impl Value {
    /// Makes an array.
    pub fn array(values: impl IntoIterator<Item = Self>) -> Self {
        Self::Array(Arc::new(values.into_iter().collect()))
    }

    /// Makes an object of names and values.
    pub fn object<K: Into<String>>(fields: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(
            fields
                .into_iter()
                .map(|(key, value)| (key.into(), value))
                .collect(),
        )
    }

    /// Makes a capsule.
    pub fn capsule(value: impl CapsuleValue) -> Self {
        Self::Capsule(Capsule::new(Arc::new(value)))
    }

    /// A value of which only the type is known, by the name that [`FromValue::type_name`] gives it.
    /// Of a handle that much is kept, so that one of the wrong kind is found; all else is
    /// [`Value::Unknown`].
    pub fn unknown_of(type_name: &'static str) -> Self {
        let handle = type_name.strip_prefix("capsule(");
        match handle.and_then(|name| name.strip_suffix(')')) {
            Some(name) => Self::Capsule(Capsule::unknown(name)),
            None => Self::Unknown,
        }
    }

    /// The name of its type, as messages say it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
            Self::Function(_) => "function",
            Self::Capsule(_) | Self::Secret(_) | Self::OptionalSecret(_) => "capsule",
            Self::Unknown => "unknown",
        }
    }

    /// The type's name, and for a capsule what is in it: `capsule(otelcol.Consumer)`.
    pub fn describe(&self) -> String {
        match self {
            Self::Capsule(capsule) => format!("capsule({})", capsule.type_name()),
            Self::Secret(_) => "a secret".to_owned(),
            Self::OptionalSecret(secret) if secret.is_secret => "a secret".to_owned(),
            Self::OptionalSecret(_) => "string".to_owned(),
            other => other.type_name().to_owned(),
        }
    }

    /// Whether it, or anything inside it, is unknown.
    pub fn has_unknown(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Capsule(capsule) => capsule.is_unknown(),
            Self::Array(values) => values.iter().any(Self::has_unknown),
            Self::Object(object) => object.values().any(Self::has_unknown),
            _ => false,
        }
    }

    /// The object it is, or that its capsule can be seen as.
    pub fn as_object(&self) -> Option<Object> {
        match self {
            Self::Object(object) => Some(object.clone()),
            Self::Capsule(capsule) => capsule.to_object(),
            _ => None,
        }
    }

    /// Whether both are equal by the language's rules: numbers by value, values of different types
    /// never, functions never.
    pub fn equals(&self, other: &Self) -> bool {
        operator::equal(self, other)
    }
}

impl PartialEq for Value {
    /// As [`Value::equals`], except that the unknown equals itself: it tells whether arguments or
    /// exports changed.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Unknown, Self::Unknown) => true,
            _ => self.equals(other),
        }
    }
}

impl fmt::Display for Value {
    /// As it would be written in a source, with secrets hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show::value(f, self, 0)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Number(Number::Int(value))
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Number(Number::Uint(value))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(Number::Float(value))
    }
}
