//! Values into Rust types and back.
//!
//! Conversion happens here only, where a value is assigned: numbers and texts become each other,
//! null becomes the empty value of any type. Operators convert nothing.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::suggest;

use super::{CapsuleValue, Number, Object, OptionalSecret, Secret, Value};

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
            Value::Unknown => Self {
                path: Vec::new(),
                reason: Reason::Unknown,
            },
            value => Self::new(format!("should be {wanted}, got {}", value.describe())),
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

// === texts, booleans, any value ===

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Self::Unknown => Err(ValueError::expected("a value", value)),
            value => Ok(value.clone()),
        }
    }

    fn type_name() -> String {
        "any".to_owned()
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::new()),
            Value::String(text) => Ok(text.to_string()),
            Value::Number(number) => Ok(number.to_string()),
            Value::OptionalSecret(secret) if !secret.is_secret => Ok(secret.expose().to_owned()),
            Value::Secret(_) | Value::OptionalSecret(_) => Err(ValueError::new(
                "is a secret, which may not become a plain string (convert.nonsensitive does it \
                 on purpose)",
            )),
            other => Err(ValueError::expected("string", other)),
        }
    }

    fn type_name() -> String {
        "string".to_owned()
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(false),
            Value::Bool(value) => Ok(*value),
            other => Err(ValueError::expected("bool", other)),
        }
    }

    fn type_name() -> String {
        "bool".to_owned()
    }
}

impl FromValue for Secret {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self::new(&**text)),
            Value::Secret(secret) => Ok(secret.clone()),
            Value::OptionalSecret(secret) => Ok(Self::new(secret.expose())),
            other => Err(ValueError::expected("secret or string", other)),
        }
    }

    fn type_name() -> String {
        "secret".to_owned()
    }
}

impl FromValue for OptionalSecret {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::String(text) => Ok(Self::plain(&**text)),
            Value::Secret(secret) => Ok(Self::secret(secret.expose())),
            Value::OptionalSecret(secret) => Ok(secret.clone()),
            other => Err(ValueError::expected("secret or string", other)),
        }
    }

    fn type_name() -> String {
        "secret or string".to_owned()
    }
}

// === numbers ===

impl FromValue for Number {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let text: &str = match value {
            Value::Null => return Ok(Self::Int(0)),
            Value::Number(number) => return Ok(*number),
            Value::String(text) => text,
            Value::OptionalSecret(secret) if !secret.is_secret => secret.expose(),
            other => return Err(ValueError::expected("number", other)),
        };
        let number = if text.starts_with('-') {
            text.parse().ok().map(Self::Int)
        } else if text.contains(['.', 'e', 'E']) {
            text.parse().ok().map(Self::Float)
        } else {
            text.parse().ok().map(Self::Uint)
        };
        number.ok_or_else(|| ValueError::new("should be number, got a string that is none"))
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl FromValue for $type {
            fn from_value(value: &Value) -> Result<Self, ValueError> {
                let number = Number::from_value(value)?;
                number.whole().and_then(|whole| Self::try_from(whole).ok()).ok_or_else(|| {
                    let (min, max) = (Self::MIN, Self::MAX);
                    ValueError::new(format!("should be from {min} to {max}, got {number}"))
                })
            }

            fn type_name() -> String {
                "number".to_owned()
            }
        }

        impl ToValue for $type {
            fn to_value(&self) -> Value {
                match i64::try_from(*self) {
                    Ok(value) => value.into(),
                    // Only what is beyond the signed numbers comes here.
                    Err(_) => (*self as u64).into(),
                }
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl FromValue for f64 {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Number::from_value(value).map(Number::to_f64)
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

impl FromValue for f32 {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Number::from_value(value).map(|number| number.to_f64() as Self)
    }

    fn type_name() -> String {
        "number".to_owned()
    }
}

// === collections ===

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(None),
            value => T::from_value(value).map(Some),
        }
    }

    fn type_name() -> String {
        T::type_name()
    }

    fn keywords() -> &'static [&'static str] {
        T::keywords()
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        let values = match value {
            Value::Null => return Ok(Self::new()),
            Value::Array(values) => values,
            other => return Err(ValueError::expected("array", other)),
        };
        let element =
            |(index, value)| T::from_value(value).map_err(|e: ValueError| e.in_element(index));
        values.iter().enumerate().map(element).collect()
    }

    fn type_name() -> String {
        format!("list({})", T::type_name())
    }

    fn keywords() -> &'static [&'static str] {
        T::keywords()
    }
}

impl<T: FromValue> FromValue for Arc<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        T::from_value(value).map(Self::new)
    }

    fn type_name() -> String {
        T::type_name()
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        T::from_value(value).map(Self::new)
    }

    fn type_name() -> String {
        T::type_name()
    }
}

impl FromValue for Object {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Null => Ok(Self::default()),
            value => value
                .as_object()
                .ok_or_else(|| ValueError::expected("object", value)),
        }
    }

    fn type_name() -> String {
        "map(any)".to_owned()
    }
}

/// The fields of an object, each converted.
fn fields<T: FromValue, M: FromIterator<(String, T)>>(value: &Value) -> Result<M, ValueError> {
    let object = Object::from_value(value)?;
    let field = |(name, value): (&String, &Value)| match T::from_value(value) {
        Ok(value) => Ok((name.clone(), value)),
        Err(error) => Err(error.in_field(name)),
    };
    object.iter().map(field).collect()
}

fn map_name<T: FromValue>() -> String {
    format!("map({})", T::type_name())
}

impl<T: FromValue> FromValue for BTreeMap<String, T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        fields(value)
    }

    fn type_name() -> String {
        map_name::<T>()
    }
}

impl<T: FromValue, S: BuildHasher + Default> FromValue for HashMap<String, T, S> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        fields(value)
    }

    fn type_name() -> String {
        map_name::<T>()
    }
}

impl<T: FromValue> FromValue for IndexMap<String, T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        fields(value)
    }

    fn type_name() -> String {
        map_name::<T>()
    }
}

// === to values ===

impl ToValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl ToValue for str {
    fn to_value(&self) -> Value {
        self.into()
    }
}

impl ToValue for String {
    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

impl ToValue for bool {
    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ToValue for f64 {
    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl ToValue for Number {
    fn to_value(&self) -> Value {
        Value::Number(*self)
    }
}

impl ToValue for Secret {
    fn to_value(&self) -> Value {
        Value::Secret(self.clone())
    }
}

impl ToValue for OptionalSecret {
    fn to_value(&self) -> Value {
        Value::OptionalSecret(self.clone())
    }
}

impl ToValue for Object {
    fn to_value(&self) -> Value {
        Value::Object(self.clone())
    }
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue + ?Sized> ToValue for Arc<T> {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

impl<T: ToValue> ToValue for [T] {
    fn to_value(&self) -> Value {
        Value::array(self.iter().map(ToValue::to_value))
    }
}

impl<T: ToValue> ToValue for Vec<T> {
    fn to_value(&self) -> Value {
        self.as_slice().to_value()
    }
}

impl<T: ToValue> ToValue for BTreeMap<String, T> {
    fn to_value(&self) -> Value {
        Value::object(self.iter().map(|(key, value)| (key, value.to_value())))
    }
}

impl<T: ToValue> ToValue for IndexMap<String, T> {
    fn to_value(&self) -> Value {
        Value::object(self.iter().map(|(key, value)| (key, value.to_value())))
    }
}

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
    handle.ok_or_else(|| ValueError::expected(&format!("capsule({wanted})"), value))
}
