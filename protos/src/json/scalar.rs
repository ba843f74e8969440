//! Numbers, ids and bytes: what a text or a number in JSON means for a field of each kind.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::error::{JsonError, Problem};
use super::parser::{Parser, number_len};

/// Padding is optional, as protobuf's JSON has it.
const CONFIG: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// What is written, and read unless the text has letters of the other one.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, CONFIG);

const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, CONFIG);

/// Takes a whole number between `low` and `high`, written as a number or as a text. It may be written
/// with a fraction or an exponent, if its value is whole.
pub(super) fn integer(
    parser: &mut Parser<'_>,
    low: i128,
    high: i128,
    name: &'static str,
) -> Result<i128, JsonError> {
    let quoted = parser.peek() == Some(b'"');
    let start = parser.offset();
    let text = match parser.peek() {
        Some(b'"') => parser.string()?,
        Some(b'-' | b'0'..=b'9') => parser.number()?.into(),
        _ => return Err(parser.error(Problem::Type(name))),
    };
    if quoted && number_len(text.as_bytes()) != Some(text.len()) {
        return Err(JsonError::new(start, Problem::Type(name)));
    }
    whole(&text)
        .filter(|value| (low..=high).contains(value))
        .ok_or_else(|| JsonError::new(start, Problem::Range(name)))
}

/// The value of a text in JSON's number grammar, if it is whole and at most 38 digits long.
fn whole(text: &str) -> Option<i128> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let kept = digits.trim_end_matches('0');
    if kept.is_empty() || kept == "-" {
        return Some(0);
    }
    let zeros = i64::try_from(digits.len() - kept.len()).ok()?;
    let shift = exponent.parse::<i64>().ok()?;
    let shift = shift
        .checked_add(zeros)?
        .checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let power = 10i128.checked_pow(u32::try_from(shift).ok()?)?;
    kept.parse::<i128>().ok()?.checked_mul(power)
}

/// Takes the number of an enum value.
pub(super) fn enumeration(parser: &mut Parser<'_>) -> Result<i32, JsonError> {
    if parser.peek() == Some(b'"') {
        return Err(parser.error(Problem::EnumName));
    }
    let value = integer(parser, i32::MIN.into(), i32::MAX.into(), "a 32-bit number")?;
    Ok(value as i32)
}

/// Takes a number with a fraction, or one of the texts for what is no number.
pub(super) fn double(parser: &mut Parser<'_>) -> Result<f64, JsonError> {
    const NAME: &str = "a number";
    let start = parser.peek().map_or(0, |_| parser.offset());
    let text = match parser.peek() {
        Some(b'"') => parser.string()?,
        Some(b'-' | b'0'..=b'9') => parser.number()?.into(),
        _ => return Err(parser.error(Problem::Type(NAME))),
    };
    match &*text {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(f64::INFINITY),
        "-Infinity" => return Ok(f64::NEG_INFINITY),
        _ => {}
    }
    if number_len(text.as_bytes()) != Some(text.len()) {
        return Err(JsonError::new(start, Problem::Type(NAME)));
    }
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(JsonError::new(start, Problem::Range("64 bits"))),
    }
}

/// Takes an id in hexadecimal.
pub(super) fn id(parser: &mut Parser<'_>) -> Result<Vec<u8>, JsonError> {
    let start = parser.offset();
    let text = text(parser)?;
    let error = || JsonError::new(start, Problem::Hex);
    if !text.len().is_multiple_of(2) {
        return Err(error());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect::<Option<_>>()
        .ok_or_else(error)
}

/// Takes bytes in base64, in either alphabet.
pub(super) fn bytes(parser: &mut Parser<'_>) -> Result<Vec<u8>, JsonError> {
    let start = parser.offset();
    let text = text(parser)?;
    let engine = if text.contains(['-', '_']) {
        &BASE64_URL
    } else {
        &BASE64
    };
    engine
        .decode(text.as_bytes())
        .map_err(|_| JsonError::new(start, Problem::Base64))
}

/// Takes a text.
pub(super) fn text<'a>(parser: &mut Parser<'a>) -> Result<std::borrow::Cow<'a, str>, JsonError> {
    if parser.peek() != Some(b'"') {
        return Err(parser.error(Problem::Type("a text")));
    }
    parser.string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parser(json: &str) -> Parser<'_> {
        Parser::new(json.as_bytes()).unwrap()
    }

    #[test]
    fn whole_numbers_in_every_form() {
        let u64 = |json| integer(&mut parser(json), 0, u64::MAX.into(), "a number");
        for (json, expected) in [
            ("0", 0),
            ("\"0\"", 0),
            ("-0", 0),
            ("1.0", 1),
            ("1.50e1", 15),
            ("0e999999999999", 0),
            ("1e3", 1000),
            ("\"12e-0\"", 12),
            ("1200e-2", 12),
            ("18446744073709551615", u64::MAX.into()),
            ("\"1.8446744073709551615e19\"", u64::MAX.into()),
        ] {
            assert_eq!(u64(json), Ok(expected), "{json}");
        }
        for (json, problem) in [
            ("-1", Problem::Range("a number")),
            ("18446744073709551616", Problem::Range("a number")),
            ("1.5", Problem::Range("a number")),
            ("1e99", Problem::Range("a number")),
            ("1e-9223372036854775808", Problem::Range("a number")),
            ("\"\"", Problem::Type("a number")),
            ("\" 1\"", Problem::Type("a number")),
            ("\"+1\"", Problem::Type("a number")),
            ("true", Problem::Type("a number")),
            ("{}", Problem::Type("a number")),
        ] {
            assert_eq!(u64(json).unwrap_err().problem(), problem, "{json}");
        }
    }

    #[test]
    fn doubles_and_what_is_no_number() {
        for (json, expected) in [
            ("1.5", 1.5),
            ("\"-2.5e-3\"", -0.0025),
            ("\"Infinity\"", f64::INFINITY),
            ("\"-Infinity\"", f64::NEG_INFINITY),
            ("7", 7.0),
            ("1e-999", 0.0),
        ] {
            assert_eq!(double(&mut parser(json)), Ok(expected), "{json}");
        }
        assert!(double(&mut parser("\"NaN\"")).unwrap().is_nan());
        for json in [
            "\"inf\"",
            "\"nan\"",
            "\"\"",
            "1e999",
            "\"0x1\"",
            "null",
            "true",
            "\"infinity\"",
        ] {
            assert!(double(&mut parser(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn ids_and_bytes() {
        assert_eq!(id(&mut parser("\"00fFA1\"")).unwrap(), [0, 0xff, 0xa1]);
        assert!(id(&mut parser("\"\"")).unwrap().is_empty());
        for json in ["\"0\"", "\"0g\"", "\"+1\"", "\"éé\"", "1"] {
            assert!(id(&mut parser(json)).is_err(), "{json}");
        }
        for json in ["\"+/8=\"", "\"-_8=\"", "\"+/8\"", "\"-_8\""] {
            assert_eq!(bytes(&mut parser(json)).unwrap(), [0xfb, 0xff], "{json}");
        }
        for json in ["\"+_8=\"", "\"a\"", "\"é\"", "[]"] {
            assert!(bytes(&mut parser(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn enums_have_no_names() {
        assert_eq!(enumeration(&mut parser("2")), Ok(2));
        let error = enumeration(&mut parser("\"SPAN_KIND_SERVER\"")).unwrap_err();
        assert_eq!(error.problem(), Problem::EnumName);
    }
}
