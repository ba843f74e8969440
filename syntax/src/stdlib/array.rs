//! Functions over arrays.

use std::collections::HashMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::Call;
use crate::function::{Arguments, Function, FunctionError};
use crate::value::{Number, Object, Value};

pub(super) fn namespace() -> Value {
    super::namespace([
        (
            "concat",
            Function::with_arity("array.concat", 0, None, concat),
        ),
        (
            "combine_maps",
            Function::with_arity("array.combine_maps", 3, Some(4), combine_maps),
        ),
        ("group_by", Function::new("array.group_by", 3, group_by)),
    ])
}

pub(super) fn coalesce() -> Function {
    Function::with_arity("coalesce", 0, None, |arguments| {
        let values = arguments.values();
        let found = values
            .iter()
            .find(|value| !is_empty(value))
            .or(values.last());
        Ok(found.cloned().unwrap_or_default())
    })
}

/// Whether it is the empty value of its type.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(Number::Int(value)) => *value == 0,
        Value::Number(Number::Uint(value)) => *value == 0,
        Value::Number(Number::Float(value)) => *value == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Secret(secret) => secret.expose().is_empty(),
        Value::OptionalSecret(secret) => !secret.is_secret && secret.expose().is_empty(),
        Value::Capsule(capsule) => capsule.to_object().is_some_and(|object| object.is_empty()),
        Value::Function(_) | Value::Unknown => false,
    }
}

pub(super) fn concat(arguments: &Arguments<'_>) -> Call {
    if let [only] = arguments.values() {
        array(arguments, 0)?;
        return Ok(only.clone());
    }
    let mut all = Vec::new();
    for index in 0..arguments.values().len() {
        all.extend(array(arguments, index)?.iter().cloned());
    }
    Ok(Value::array(all))
}

/// Joins objects of two lists that agree in the given keys; the right one's fields win.
fn combine_maps(arguments: &Arguments<'_>) -> Call {
    let (left, right) = (objects(arguments, 0)?, objects(arguments, 1)?);
    let keys = texts(arguments, 2)?;
    if keys.is_empty() {
        return Err(FunctionError::argument(
            2,
            "should name at least one key to join by",
        ));
    }
    let keep_left = match arguments.values().get(3) {
        Some(Value::Bool(keep)) => *keep,
        Some(other) => {
            let message = format!("should be bool, got {}", other.describe());
            return Err(FunctionError::argument(3, message));
        }
        None => false,
    };
    let all: Vec<usize> = (0..right.len()).collect();
    // Thousands of targets are joined with thousands: most pairs are never looked at.
    let by_text = by_text(&right, &keys[0]);
    let mut joined = Vec::new();
    for (a, original) in left.iter().zip(array(arguments, 0)?.iter()) {
        let candidates = match (a.get(&keys[0]), &by_text) {
            (Some(Value::String(text)), Some(by_text)) if !keep_left => {
                by_text.get(text).map_or(&[][..], Vec::as_slice)
            }
            _ => &all,
        };
        arguments.budget().take_steps(candidates.len())?;
        for b in candidates.iter().map(|index| &right[*index]) {
            let agree = |key: &Arc<str>| match (a.get(key), b.get(key)) {
                (Some(a), Some(b)) => a.equals(b),
                _ => false,
            };
            if keys.iter().all(agree) {
                arguments.budget().take_steps(a.len() + b.len())?;
                let fields = a.iter().chain(b);
                let fields = fields.map(|(key, value)| (key.clone(), value.clone()));
                joined.push(Value::Object(fields.collect()));
            } else if keep_left {
                // Once for each right object that does not match: Alloy's behaviour.
                joined.push(original.clone());
            }
        }
    }
    Ok(Value::array(joined))
}

/// Where the objects are that have a text in a key; `None` if one has something else there, since
/// that may equal a text as well.
fn by_text(objects: &[Object], key: &str) -> Option<HashMap<Arc<str>, Vec<usize>>> {
    let mut found: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
    for (index, object) in objects.iter().enumerate() {
        match object.get(key) {
            Some(Value::String(text)) => found.entry(Arc::clone(text)).or_default().push(index),
            Some(_) => return None,
            None => {}
        }
    }
    Some(found)
}

/// Groups objects by the text of a key, in the order in which the texts are first seen.
fn group_by(arguments: &Arguments<'_>) -> Call {
    let list = objects(arguments, 0)?;
    let Value::String(key) = &arguments.values()[1] else {
        let message = format!("should be string, got {}", arguments.values()[1].describe());
        return Err(FunctionError::argument(1, message));
    };
    let Value::Bool(drop_missing) = &arguments.values()[2] else {
        let message = format!("should be bool, got {}", arguments.values()[2].describe());
        return Err(FunctionError::argument(2, message));
    };
    let mut groups: IndexMap<Arc<str>, Vec<Value>> = IndexMap::new();
    for (index, object) in list.into_iter().enumerate() {
        let group = match object.get(key) {
            Some(Value::String(text)) => Arc::clone(text),
            Some(other) => {
                let found = other.describe();
                let message = format!("[{index}].{key} should be string, got {found}");
                return Err(FunctionError::argument(0, message));
            }
            None if *drop_missing => continue,
            None => "".into(),
        };
        groups.entry(group).or_default().push(Value::Object(object));
    }
    let groups = groups.into_iter().map(|(text, items)| {
        let items = ("items".to_owned(), Value::array(items));
        Value::object([(key.to_string(), Value::String(text)), items])
    });
    Ok(Value::array(groups))
}

fn array<'a>(
    arguments: &'a Arguments<'_>,
    index: usize,
) -> Result<&'a Arc<Vec<Value>>, FunctionError> {
    match &arguments.values()[index] {
        Value::Array(values) => Ok(values),
        other => {
            let message = format!("should be array, got {}", other.describe());
            Err(FunctionError::argument(index, message))
        }
    }
}

/// The elements of an array that are texts and nothing else: here a number becomes none.
fn texts(arguments: &Arguments<'_>, index: usize) -> Result<Vec<Arc<str>>, FunctionError> {
    let values = array(arguments, index)?.iter().enumerate();
    let text = |(at, value): (usize, &Value)| match value {
        Value::String(text) => Ok(Arc::clone(text)),
        other => {
            let message = format!("[{at}] should be string, got {}", other.describe());
            Err(FunctionError::argument(index, message))
        }
    };
    values.map(text).collect()
}

/// The elements of an array as objects, or as what their capsules can be seen as.
fn objects(arguments: &Arguments<'_>, index: usize) -> Result<Vec<Object>, FunctionError> {
    let values = array(arguments, index)?.iter().enumerate();
    let object = |(at, value): (usize, &Value)| {
        value.as_object().ok_or_else(|| {
            let message = format!("[{at}] should be object, got {}", value.describe());
            FunctionError::argument(index, message)
        })
    };
    values.map(object).collect()
}
