//! Functions that decode and encode texts.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{Call, json, yaml};
use crate::function::{Arguments, Function, FunctionError};
use crate::value::{Object, Secret, Value};

/// Like Go's decoder: bits behind the last byte may be anything.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// What a query must escape.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

pub(super) fn namespace() -> Value {
    super::namespace([
        (
            "from_json",
            Function::new("encoding.from_json", 1, from_json),
        ),
        (
            "from_yaml",
            Function::new("encoding.from_yaml", 1, from_yaml),
        ),
        (
            "from_base64",
            Function::new("encoding.from_base64", 1, |a| from_base64(a, &BASE64)),
        ),
        (
            "from_URLbase64",
            Function::new("encoding.from_URLbase64", 1, |a| {
                from_base64(a, &BASE64_URL)
            }),
        ),
        ("to_json", Function::new("encoding.to_json", 1, to_json)),
        (
            "to_base64",
            Function::new("encoding.to_base64", 1, |a| to_base64(a, &BASE64)),
        ),
        (
            "to_URLbase64",
            Function::new("encoding.to_URLbase64", 1, |a| to_base64(a, &BASE64_URL)),
        ),
        (
            "url_encode",
            Function::new("encoding.url_encode", 1, url_encode),
        ),
        (
            "url_decode",
            Function::new("encoding.url_decode", 1, url_decode),
        ),
    ])
}

fn from_json(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    arguments.budget().take_steps(text.len() / 2)?;
    json::parse(&text, json::Numbers::Floats).map_err(|error| FunctionError::argument(0, error))
}

fn from_yaml(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    arguments.budget().take_steps(text.len() / 2)?;
    yaml::parse(&text).map_err(|error| FunctionError::argument(0, error))
}

fn to_json(arguments: &Arguments<'_>) -> Call {
    let object: Object = match &arguments.values()[0] {
        Value::Null => return Err(FunctionError::argument(0, "should be object, got null")),
        _ => arguments.get(0)?,
    };
    let printed = json::print(&Value::Object(object), arguments.budget().text_left());
    let printed = printed.map_err(|error| FunctionError::argument(0, error))?;
    arguments.budget().take_text(printed.text.len())?;
    Ok(match printed.secret {
        true => Value::Secret(Secret::new(printed.text)),
        false => printed.text.into(),
    })
}

fn from_base64(arguments: &Arguments<'_>, engine: &GeneralPurpose) -> Call {
    let mut text: String = arguments.get(0)?;
    text.retain(|ch| ch != '\n' && ch != '\r');
    let bytes = engine
        .decode(&text)
        .map_err(|error| FunctionError::argument(0, format!("is not base64: {error}")))?;
    let decoded = String::from_utf8(bytes)
        .map_err(|_| FunctionError::argument(0, "holds bytes that are not UTF-8 text"))?;
    arguments.text(decoded)
}

fn to_base64(arguments: &Arguments<'_>, engine: &GeneralPurpose) -> Call {
    let text: String = arguments.get(0)?;
    arguments.text(engine.encode(text))
}

fn url_encode(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    arguments.text(
        utf8_percent_encode(&text, QUERY)
            .to_string()
            .replace("%20", "+"),
    )
}

fn url_decode(arguments: &Arguments<'_>) -> Call {
    let text: String = arguments.get(0)?;
    for (at, _) in text.match_indices('%') {
        let digits = text.as_bytes().get(at + 1..at + 3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            let shown: String = text[at..].chars().take(3).collect();
            return Err(FunctionError::argument(
                0,
                format!("has the invalid escape {shown:?}"),
            ));
        }
    }
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    let decoded =
        decoded.map_err(|_| FunctionError::argument(0, "holds bytes that are not UTF-8 text"))?;
    arguments.text(decoded.into_owned())
}
