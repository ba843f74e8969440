//! Literals into values, and texts into quoted literals, by Go's rules.

use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;

use crate::value::Number;

/// Reads a number as it stands in a source: a leading zero means octal where all digits are
/// octal, and what does not fit 64 bits becomes a float. `None` if it is too large for a float.
pub(crate) fn number(text: &str) -> Option<Number> {
    let radix = if text.len() > 1 && text.starts_with('0') {
        8
    } else {
        10
    };
    if let Ok(value) = i64::from_str_radix(text, radix) {
        return Some(Number::Int(value));
    }
    if let Ok(value) = u64::from_str_radix(text, radix) {
        return Some(Number::Uint(value));
    }
    float(text).map(Number::Float)
}

/// Reads a number with a fraction or an exponent; `None` if it is too large.
pub(crate) fn float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Takes the quotes off a string and resolves its escapes.
///
/// # Errors
/// Says why not, if the literal is malformed or its bytes are not UTF-8.
pub(crate) fn unquote(literal: &str) -> Result<String, &'static str> {
    const MALFORMED: &str = "the string literal is malformed";
    if let Some(raw) = literal.strip_prefix('`') {
        let raw = raw.strip_suffix('`').ok_or(MALFORMED)?;
        return Ok(raw.replace('\r', ""));
    }
    let inner = literal
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let inner = inner.ok_or(MALFORMED)?;
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(ch) = chars.next() {
        if ch != '\\' {
            bytes.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = chars.next().ok_or(MALFORMED)?;
        let mut code = |digits: usize, base: u32| -> Option<u32> {
            let text = chars.as_str().get(..digits)?;
            let code = u32::from_str_radix(text, base).ok()?;
            chars.nth(digits - 1)?;
            Some(code)
        };
        let byte = match escape {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' => b'\\',
            '"' => b'"',
            'x' => code(2, 16).ok_or(MALFORMED)? as u8,
            'u' | 'U' => {
                let digits = if escape == 'u' { 4 } else { 8 };
                let ch = code(digits, 16).and_then(char::from_u32).ok_or(MALFORMED)?;
                bytes.extend_from_slice(ch.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            '0'..='7' => {
                let rest = code(2, 8).ok_or(MALFORMED)?;
                let first = escape.to_digit(8).ok_or(MALFORMED)?;
                u8::try_from(first * 64 + rest).map_err(|_| MALFORMED)?
            }
            _ => return Err(MALFORMED),
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).map_err(|_| "the string's bytes are not valid UTF-8")
}

/// Puts a text in double quotes, with escapes for what cannot stand there.
pub(crate) fn quote(text: &str) -> String {
    quote_unless(text, is_printable)
}

/// The same, with escapes for everything that is not ASCII.
pub(crate) fn quote_ascii(text: &str) -> String {
    quote_unless(text, |ch| ch.is_ascii() && is_printable(ch))
}

fn quote_unless(text: &str, printable: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for ch in text.chars() {
        match ch {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{07}' => out.push_str("\\a"),
            '\u{08}' => out.push_str("\\b"),
            '\u{0c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0b}' => out.push_str("\\v"),
            ch if printable(ch) => out.push(ch),
            // Writing to a string cannot fail.
            ch if (ch as u32) < 0x20 || ch as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", ch as u32);
            }
            ch if (ch as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", ch as u32);
            }
            ch => {
                let _ = write!(out, "\\U{:08x}", ch as u32);
            }
        }
    }
    out.push('"');
    out
}

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation, symbols and
/// the ASCII space.
fn is_printable(ch: char) -> bool {
    static PRINTABLE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[\p{L}\p{M}\p{N}\p{P}\p{S}]$").expect("the pattern is a constant")
    });
    match ch.is_ascii() {
        true => matches!(ch, ' '..='~'),
        false => PRINTABLE.is_match(ch.encode_utf8(&mut [0; 4])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        let table = [
            ("0", Some(Number::Int(0))),
            ("12", Some(Number::Int(12))),
            ("010", Some(Number::Int(8))),
            ("00", Some(Number::Int(0))),
            ("08", Some(Number::Float(8.0))),
            ("9223372036854775807", Some(Number::Int(i64::MAX))),
            ("9223372036854775808", Some(Number::Uint(1 << 63))),
            (
                "18446744073709551616",
                Some(Number::Float(18_446_744_073_709_551_616.0)),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(number(text), expected, "{text}");
        }
        assert_eq!(number(&"9".repeat(400)), None);
        assert_eq!(float("1."), Some(1.0));
        assert_eq!(float("1e400"), None);
    }

    #[test]
    fn quotes_come_off_and_go_on() {
        let table = [
            (r#""a\tb""#, "a\tb"),
            (r#""\"\\\a\v""#, "\"\\\u{7}\u{b}"),
            (r#""\u00e9\U0001F600\x41\101""#, "é😀AA"),
            (r#""\xc3\xa9""#, "é"),
            ("`a\r\nb\\n`", "a\nb\\n"),
            ("``", ""),
        ];
        for (literal, expected) in table {
            assert_eq!(unquote(literal).as_deref(), Ok(expected), "{literal}");
            assert_eq!(
                unquote(&quote(expected)).as_deref(),
                Ok(expected),
                "{literal}"
            );
        }
        assert!(unquote(r#""\xff""#).is_err_and(|why| why.contains("UTF-8")));
        assert_eq!(
            quote("é\u{a0}\u{200b}\u{7f}\u{1}\u{301}"),
            "\"é\\u00a0\\u200b\\x7f\\x01\u{301}\""
        );
    }
}
