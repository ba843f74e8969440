//! A value as text in the language's own form, for messages and for the status page.

use std::fmt;

use super::Value;
use crate::lexer::is_identifier;
use crate::literal::quote;

/// How many levels are shown; a value is data from outside and may be deep.
const DEPTH_MAX: usize = 32;

pub(super) fn value(f: &mut fmt::Formatter<'_>, value: &Value, depth: usize) -> fmt::Result {
    if depth > DEPTH_MAX {
        return f.write_str("...");
    }
    match value {
        Value::Null => f.write_str("null"),
        Value::Bool(value) => write!(f, "{value}"),
        Value::Number(number) => write!(f, "{number}"),
        Value::String(text) => f.write_str(&quote(text)),
        Value::Array(values) => {
            f.write_str("[")?;
            for (index, element) in values.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                self::value(f, element, depth + 1)?;
            }
            f.write_str("]")
        }
        Value::Object(object) if object.is_empty() => f.write_str("{}"),
        Value::Object(object) => {
            f.write_str("{ ")?;
            for (index, (key, element)) in object.iter().enumerate() {
                if index > 0 {
                    f.write_str(", ")?;
                }
                match is_identifier(key) {
                    true => f.write_str(key)?,
                    false => f.write_str(&quote(key))?,
                }
                f.write_str(" = ")?;
                self::value(f, element, depth + 1)?;
            }
            f.write_str(" }")
        }
        Value::Function(_) => f.write_str("(function)"),
        Value::Capsule(capsule) => write!(f, "({})", capsule.type_name()),
        Value::Secret(_) => f.write_str("(secret)"),
        Value::OptionalSecret(secret) if secret.is_secret => f.write_str("(secret)"),
        Value::OptionalSecret(secret) => f.write_str(&quote(secret.expose())),
        Value::Unknown => f.write_str("(unknown)"),
    }
}
