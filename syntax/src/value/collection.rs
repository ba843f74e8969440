//! Lists, objects and values that may be missing, into Rust types and back.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::sync::Arc;

use indexmap::IndexMap;

use super::{FromValue, Object, ToValue, Value, ValueError};

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

    fn shown(value: &Value) -> Value {
        T::shown(value)
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
        all(values.iter().enumerate().map(element))
    }

    fn type_name() -> String {
        format!("list({})", T::type_name())
    }

    fn shown(value: &Value) -> Value {
        match value {
            Value::Array(values) => Value::array(values.iter().map(T::shown)),
            value => value.clone(),
        }
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

    fn shown(value: &Value) -> Value {
        T::shown(value)
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        T::from_value(value).map(Self::new)
    }

    fn type_name() -> String {
        T::type_name()
    }

    fn shown(value: &Value) -> Value {
        T::shown(value)
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
    all(object.iter().map(field))
}

/// All of them, or what is wrong with one: a mistake rather than what is only unknown.
fn all<T, C: FromIterator<T>>(
    results: impl Iterator<Item = Result<T, ValueError>>,
) -> Result<C, ValueError> {
    let mut unknown = None;
    let mut values = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) if error.is_unknown() => unknown = Some(error),
            Err(error) => return Err(error),
        }
    }
    match unknown {
        Some(error) => Err(error),
        None => Ok(values.into_iter().collect()),
    }
}

fn shown_fields<T: FromValue>(value: &Value) -> Value {
    match value.as_object() {
        Some(object) => Value::object(object.iter().map(|(key, value)| (key, T::shown(value)))),
        None => value.clone(),
    }
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

    fn shown(value: &Value) -> Value {
        shown_fields::<T>(value)
    }
}

impl<T: FromValue, S: BuildHasher + Default> FromValue for HashMap<String, T, S> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        fields(value)
    }

    fn type_name() -> String {
        map_name::<T>()
    }

    fn shown(value: &Value) -> Value {
        shown_fields::<T>(value)
    }
}

impl<T: FromValue> FromValue for IndexMap<String, T> {
    fn from_value(value: &Value) -> Result<Self, ValueError> {
        fields(value)
    }

    fn type_name() -> String {
        map_name::<T>()
    }

    fn shown(value: &Value) -> Value {
        shown_fields::<T>(value)
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

impl<T: ToValue + ?Sized> ToValue for Box<T> {
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

impl<T: ToValue, S> ToValue for HashMap<String, T, S> {
    /// Sorted by key, so that the same map is always the same value.
    fn to_value(&self) -> Value {
        let sorted: BTreeMap<&String, &T> = self.iter().collect();
        Value::object(
            sorted
                .into_iter()
                .map(|(key, value)| (key, value.to_value())),
        )
    }
}

impl<T: ToValue> ToValue for IndexMap<String, T> {
    fn to_value(&self) -> Value {
        Value::object(self.iter().map(|(key, value)| (key, value.to_value())))
    }
}
