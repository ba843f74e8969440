//! JSON into values and back.

mod reader;

use std::fmt::Write;

pub(super) use reader::{Numbers, parse};

use crate::value::{Number, Value};

/// A value as JSON.
pub(super) struct Printed {
    pub(super) text: String,
    /// Whether there is a secret in it.
    pub(super) secret: bool,
}

/// Prints a value as Go's encoder does: keys sorted, and `<`, `>` and `&` escaped.
pub(super) fn print(value: &Value, bytes_max: usize) -> Result<Printed, String> {
    let mut printed = Printed {
        text: String::new(),
        secret: false,
    };
    write(&mut printed, value, bytes_max, 0)?;
    Ok(printed)
}

/// How deep a value may be nested. What comes from a source or from JSON is never deeper.
const DEPTH_MAX: usize = 256;

fn write(
    printed: &mut Printed,
    value: &Value,
    bytes_max: usize,
    depth: usize,
) -> Result<(), String> {
    let out = &mut printed.text;
    if out.len() > bytes_max {
        return Err("is too large as JSON (limit: text)".to_owned());
    }
    if depth > DEPTH_MAX {
        return Err(format!(
            "is nested too deeply (limit: nesting, {DEPTH_MAX})"
        ));
    }
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(Number::Float(value)) => float(out, *value)?,
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => string(out, text),
        Value::Secret(text) => {
            string(out, text.expose());
            printed.secret = true;
        }
        Value::OptionalSecret(text) => {
            string(out, text.expose());
            printed.secret |= text.is_secret;
        }
        Value::Array(values) => {
            out.push('[');
            for (index, element) in values.iter().enumerate() {
                if index > 0 {
                    printed.text.push(',');
                }
                write(printed, element, bytes_max, depth + 1)?;
            }
            printed.text.push(']');
        }
        other => match other.as_object() {
            Some(object) => {
                let mut fields: Vec<_> = object.iter().collect();
                fields.sort_by_key(|(key, _)| *key);
                out.push('{');
                for (index, (key, element)) in fields.into_iter().enumerate() {
                    if index > 0 {
                        printed.text.push(',');
                    }
                    string(&mut printed.text, key);
                    printed.text.push(':');
                    write(printed, element, bytes_max, depth + 1)?;
                }
                printed.text.push('}');
            }
            None => return Err(format!("holds {}, which JSON cannot", other.describe())),
        },
    }
    Ok(())
}

fn float(out: &mut String, value: f64) -> Result<(), String> {
    if !value.is_finite() {
        return Err(format!("holds {value}, which JSON cannot"));
    }
    let magnitude = value.abs();
    // Go switches to an exponent where JavaScript does.
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        match text.split_once("e-") {
            Some((digits, exponent)) => out.push_str(&format!("{digits}e-{exponent}")),
            None => out.push_str(&text.replace('e', "e+")),
        }
    } else {
        out.push_str(&value.to_string());
    }
    Ok(())
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for ch in text.chars() {
        match ch {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", ch as u32);
            }
            ch => out.push(ch),
        }
    }
    out.push('"');
}
