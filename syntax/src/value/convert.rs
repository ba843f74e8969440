//! Values into Rust types and back.
//!
//! Conversion happens here only, where a value is assigned: numbers and texts become each other,
//! null becomes the empty value of any type. Operators convert nothing.

use std::fmt;

use super::{CapsuleValue, Value};
use crate::suggest;

/// A type that an argument can have.
pub trait FromValue: Sized {
    /// Makes it of a value.
    ///
    /// # Errors
    /// Says what is wrong with the value, or that it is unknown.
    fn from_value(value: &Value) -> Result<Self, ValueError>;

    /// The name of the type in the reference: `string`, `list(number)`.
    fn type_name() -> String;

    /// The words that it can be, if those are all.
    fn keywords() -> &'static [&'static str] {
        &[]
    }

    /// The value as it may be shown: where this type is a secret, it is hidden.
    fn shown(value: &Value) -> Value {
        value.clone()
    }
}

/// A type that a value can be made of.
pub trait ToValue {
    /// Makes a value of it.
    fn to_value(&self) -> Value;
}

/// Why a value cannot be converted.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueError {
    /// Where inside of the value it is: `[0].name`.
    path: Vec<Step>,
    reason: Reason,
}

/// A step into a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Element(usize),
    Field(String),
}

#[derive(Clone, Debug, PartialEq)]
enum Reason {
    Unknown,
    Message(String),
}

// === impl ValueError ===

impl ValueError {
    /// An error with a message, which follows the expression that it is about: "should be a
    /// number, got string".
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            path: Vec::new(),
            reason: Reason::Message(message.into()),
        }
    }

    /// The error for a value of the wrong type.
    pub fn expected(wanted: &str, value: &Value) -> Self {
        match value {
            Value::Unknown => Self::unknown(),
            value => Self::new(format!("should be {wanted}, got {}", value.describe())),
        }
    }

    /// The error, which is no mistake, for a value that is not known.
    pub(crate) fn unknown() -> Self {
        Self {
            path: Vec::new(),
            reason: Reason::Unknown,
        }
    }

    /// The error for a word that is none of those there are.
    pub fn not_one_of(word: &str, words: &[&str]) -> Self {
        let listed: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
        let help = suggest::nearest(word, words.iter().copied());
        let help = help
            .map(|word| format!("; did you mean {word:?}?"))
            .unwrap_or_default();
        Self::new(format!(
            "should be one of {}, got {word:?}{help}",
            listed.join(", ")
        ))
    }

    /// Whether the value is only unknown, which is no mistake.
    pub fn is_unknown(&self) -> bool {
        self.reason == Reason::Unknown
    }

    /// The message, without the place.
    pub fn message(&self) -> &str {
        match &self.reason {
            Reason::Unknown => "is not known",
            Reason::Message(message) => message,
        }
    }

    /// Says that the error is in an element of a list.
    #[must_use]
    pub fn in_element(mut self, index: usize) -> Self {
        self.path.insert(0, Step::Element(index));
        self
    }

    /// Says that the error is in a field.
    #[must_use]
    pub fn in_field(mut self, name: &str) -> Self {
        self.path.insert(0, Step::Field(name.to_owned()));
        self
    }

    pub(crate) fn path(&self) -> &[Step] {
        &self.path
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.path {
            match step {
                Step::Element(index) => write!(f, "[{index}]")?,
                Step::Field(name) => write!(f, ".{name}")?,
            }
        }
        if !self.path.is_empty() {
            f.write_str(" ")?;
        }
        f.write_str(self.message())
    }
}

impl std::error::Error for ValueError {}

/// Takes a handle of a known type out of a capsule: what `FromValue` of a handle calls.
///
/// # Errors
/// Names the type that was wanted if the value holds another.
pub fn from_capsule<'a, T: CapsuleValue>(
    value: &'a Value,
    wanted: &str,
) -> Result<&'a T, ValueError> {
    let handle = match value {
        Value::Capsule(capsule) => capsule.downcast_ref::<T>(),
        _ => None,
    };
    handle.ok_or_else(|| match value {
        Value::Capsule(capsule) if capsule.is_unknown() && capsule.type_name() == wanted => {
            ValueError::unknown()
        }
        _ => ValueError::expected(&format!("capsule({wanted})"), value),
    })
}
