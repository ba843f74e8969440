//! The type of a scalar: YAML 1.2's, with the octal numbers and underscores of 1.1. `yes` and `on`
//! are texts.

use base64::Engine;

use super::compose::Scalar;
use super::timestamp;
use crate::stdlib::encoding::BASE64;
use crate::value::{Number, Value};

/// The value of a scalar.
pub(super) fn resolve(scalar: &Scalar) -> Result<Value, String> {
    let text = scalar.text.as_str();
    let found = match scalar.tag.as_deref() {
        None if !scalar.plain => return Ok(text.into()),
        None => return Ok(untagged(text, true).1),
        Some("!!str") => return Ok(text.into()),
        Some("!!binary") => return binary(text),
        Some("!!timestamp") => untagged(text, true),
        Some("!!bool" | "!!int" | "!!float" | "!!null") => untagged(text, false),
        // A tag of somebody's own.
        Some(_) => return Ok(text.into()),
    };
    let tag = scalar.tag.as_deref().unwrap_or_default();
    match found {
        (kind, value) if kind == tag => Ok(value),
        ("!!int", Value::Number(Number::Int(int))) if tag == "!!float" => Ok((int as f64).into()),
        _ => Err(format!("{text:?} is no {tag}")),
    }
}

/// The kind and the value of a text without quotes and tag.
fn untagged(text: &str, times: bool) -> (&'static str, Value) {
    match text {
        "true" | "True" | "TRUE" => return ("!!bool", true.into()),
        "false" | "False" | "FALSE" => return ("!!bool", false.into()),
        "" | "~" | "null" | "Null" | "NULL" => return ("!!null", Value::Null),
        ".nan" | ".NaN" | ".NAN" => return ("!!float", f64::NAN.into()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return ("!!float", f64::INFINITY.into());
        }
        "-.inf" | "-.Inf" | "-.INF" => return ("!!float", f64::NEG_INFINITY.into()),
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') => float(text).map(|float| ("!!float", float)),
        Some(b'+' | b'-' | b'0'..=b'9') => {
            if let Some(time) = timestamp::normal(text).filter(|_| times) {
                return ("!!timestamp", time.into());
            }
            let plain = text.replace('_', "");
            let int = whole(&plain).map(|int| ("!!int", int));
            int.or_else(|| float(&plain).map(|float| ("!!float", float)))
        }
        _ => None,
    };
    number.map_or_else(
        || ("!!str", text.into()),
        |(kind, number)| (kind, Value::Number(number)),
    )
}

/// A whole number in any of Go's bases; a leading zero means octal.
fn whole(text: &str) -> Option<Number> {
    let (sign, magnitude) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("+", &text[1..]),
        _ => ("", text),
    };
    let prefix = magnitude.get(..2).unwrap_or_default();
    let (digits, radix) = match prefix {
        "0x" | "0X" => (&magnitude[2..], 16),
        "0o" | "0O" => (&magnitude[2..], 8),
        "0b" | "0B" => (&magnitude[2..], 2),
        _ if magnitude.len() > 1 && magnitude.starts_with('0') => (&magnitude[1..], 8),
        _ => (magnitude, 10),
    };
    // The standard library would take another sign here.
    if !digits.starts_with(|ch: char| ch.is_ascii_alphanumeric()) {
        return None;
    }
    let signed = match sign {
        "-" => i64::from_str_radix(&format!("-{digits}"), radix),
        _ => i64::from_str_radix(digits, radix),
    };
    let unsigned = || u64::from_str_radix(digits, radix).ok().map(Number::Uint);
    signed.ok().map(Number::Int).or_else(|| match sign {
        "" => unsigned(),
        _ => None,
    })
}

/// Digits with a point or an exponent; none if that is more than a float holds.
fn float(text: &str) -> Option<Number> {
    let plain = |ch: char| ch.is_ascii_digit() || matches!(ch, '.' | 'e' | 'E' | '+' | '-');
    let value = text.parse::<f64>().ok()?;
    (text.chars().all(plain) && value.is_finite()).then_some(Number::Float(value))
}

fn binary(text: &str) -> Result<Value, String> {
    let text = text.replace(['\n', '\r'], "");
    let bytes = BASE64
        .decode(text)
        .map_err(|_| "the !!binary value is no base64".to_owned())?;
    let text = String::from_utf8(bytes);
    text.map(Value::from)
        .map_err(|_| "the !!binary value holds bytes that are not UTF-8 text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, tag: Option<&str>, plain: bool) -> Result<String, String> {
        let scalar = Scalar::new(text.to_owned(), tag.map(str::to_owned), plain);
        resolve(&scalar).map(|value| value.to_string())
    }

    #[test]
    fn plain_scalars_have_the_type_that_they_look_like() {
        let table = [
            ("", "null"),
            ("~", "null"),
            ("Null", "null"),
            ("nUll", "\"nUll\""),
            ("true", "true"),
            ("TRUE", "true"),
            ("yes", "\"yes\""),
            ("on", "\"on\""),
            ("n", "\"n\""),
            ("12", "12"),
            ("+12", "12"),
            ("-12", "-12"),
            ("010", "8"),
            ("0o10", "8"),
            ("-0o7", "-7"),
            ("08", "8"),
            ("0x1F", "31"),
            ("-0x10", "-16"),
            ("0b101", "5"),
            ("0b2", "\"0b2\""),
            ("0x", "\"0x\""),
            ("--1", "\"--1\""),
            ("-", "\"-\""),
            ("1_000", "1000"),
            ("0_1", "1"),
            ("1_0.5", "10.5"),
            ("1.5e3", "1500"),
            ("1.", "1"),
            (".5", "0.5"),
            ("+.5", "0.5"),
            (".", "\".\""),
            ("._5", "\"._5\""),
            ("1e400", "\"1e400\""),
            (".inf", "+Inf"),
            ("-.INF", "-Inf"),
            ("inf", "\"inf\""),
            ("+nan", "\"+nan\""),
            ("1:30", "\"1:30\""),
            ("9223372036854775808", "9223372036854775808"),
            ("18446744073709551616", "18446744073709552000"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("2001-12-14", "\"2001-12-14T00:00:00Z\""),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text, None, true).as_deref(), Ok(expected), "{text}");
            let quoted = shown(text, None, false);
            assert_eq!(quoted, Ok(format!("{text:?}")), "{text}");
        }
    }

    #[test]
    fn a_tag_is_obeyed_or_refused() {
        let table = [
            ("1", "!!str", Some("\"1\"")),
            ("1", "tag:yaml.org,2002:str", Some("\"1\"")),
            ("1", "!!int", Some("1")),
            ("1", "!!float", Some("1")),
            ("1.5", "!!int", None),
            ("yes", "!!bool", None),
            ("", "!!null", Some("null")),
            ("aGVs\nbG8=", "!!binary", Some("\"hello\"")),
            ("/w==", "!!binary", None),
            (
                "2001-12-14",
                "!!timestamp",
                Some("\"2001-12-14T00:00:00Z\""),
            ),
            ("2001-12-14", "!!int", None),
            ("1", "!own", Some("\"1\"")),
            ("1", "!", Some("1")),
        ];
        for (text, tag, expected) in table {
            let found = shown(text, Some(tag), true).ok();
            assert_eq!(found.as_deref(), expected, "{tag} {text}");
        }
    }
}
