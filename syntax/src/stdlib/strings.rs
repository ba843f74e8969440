//! Functions over texts.

use super::{Call, format};
use crate::function::{Arguments, Function, FunctionError};
use crate::value::Value;

pub(super) fn namespace() -> Value {
    let one = |name: &str, convert: fn(&str) -> String| {
        Function::new(format!("string.{name}"), 1, move |arguments| {
            let text: String = arguments.get(0)?;
            arguments.text(convert(&text))
        })
    };
    let two = |name: &str, convert: fn(&str, &str) -> String| {
        Function::new(format!("string.{name}"), 2, move |arguments| {
            let (text, other): (String, String) = (arguments.get(0)?, arguments.get(1)?);
            arguments.text(convert(&text, &other))
        })
    };
    super::namespace([
        (
            "format",
            Function::with_arity("string.format", 1, None, format::format),
        ),
        ("join", Function::new("string.join", 2, join)),
        ("replace", Function::new("string.replace", 3, replace)),
        ("split", Function::new("string.split", 2, split)),
        (
            "to_lower",
            one("to_lower", |text| text.chars().map(lower).collect()),
        ),
        (
            "to_upper",
            one("to_upper", |text| text.chars().map(upper).collect()),
        ),
        (
            "trim",
            two("trim", |text, set| {
                text.trim_matches(|ch| set.contains(ch)).to_owned()
            }),
        ),
        (
            "trim_prefix",
            two("trim_prefix", |text, prefix| {
                text.strip_prefix(prefix).unwrap_or(text).to_owned()
            }),
        ),
        (
            "trim_suffix",
            two("trim_suffix", |text, suffix| {
                text.strip_suffix(suffix).unwrap_or(text).to_owned()
            }),
        ),
        (
            "trim_space",
            one("trim_space", |text| text.trim().to_owned()),
        ),
    ])
}

fn join(arguments: &Arguments<'_>) -> Call {
    let parts: Vec<String> = arguments.get(0)?;
    let separator: String = arguments.get(1)?;
    let length = parts.iter().map(String::len).sum::<usize>();
    let length = length.saturating_add(separator.len().saturating_mul(parts.len()));
    room_for(arguments, length)?;
    arguments.text(parts.join(&separator))
}

fn replace(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    let (old, new): (String, String) = (arguments.get(1)?, arguments.get(2)?);
    let found = text.matches(old.as_str()).count();
    room_for(
        arguments,
        text.len().saturating_add(found.saturating_mul(new.len())),
    )?;
    arguments.text(text.replace(&old, &new))
}

fn split(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    let separator: String = arguments.get(1)?;
    arguments.budget().take_text(text.len())?;
    arguments
        .budget()
        .take_steps(text.len() / separator.len().max(1))?;
    if separator.is_empty() {
        return Ok(Value::array(text.chars().map(|ch| ch.to_string().into())));
    }
    Ok(Value::array(text.split(&separator).map(Value::from)))
}

/// Refuses to make a text that the budget has no room for, before it is made.
fn room_for(arguments: &Arguments<'_>, length: usize) -> Result<(), FunctionError> {
    match length > arguments.budget().text_left() {
        // Taking it fails, and names the limit.
        true => arguments
            .budget()
            .take_text(length)
            .map_err(FunctionError::from),
        false => Ok(()),
    }
}

/// One character becomes one, as in Go: what needs two stays as it is.
fn upper(ch: char) -> char {
    match ch {
        // The Greek letters with an iota below have one for themselves.
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
            char::from_u32(ch as u32 + 8).unwrap_or(ch)
        }
        '\u{1fb3}' => '\u{1fbc}',
        '\u{1fc3}' => '\u{1fcc}',
        '\u{1ff3}' => '\u{1ffc}',
        ch => single(ch.to_uppercase(), ch),
    }
}

fn lower(ch: char) -> char {
    match ch {
        // A capital I with a dot.
        '\u{130}' => 'i',
        ch => single(ch.to_lowercase(), ch),
    }
}

fn single(mut mapped: impl Iterator<Item = char>, otherwise: char) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(only), None) => only,
        _ => otherwise,
    }
}
