//! JSON as text into values.
//!
//! Alloy reads JSON with two libraries, and they differ in what they make of numbers. Both are
//! lenient where a text has half of a surrogate pair: it becomes the replacement character.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::stdlib::DATA_NESTING_MAX;
use crate::value::{Number, Object, Value};

/// The most digits behind the point that `json_path` still reads as a number.
const FRACTION_DIGITS_MAX: usize = 17;

/// The largest exponent that `json_path` still reads as a number.
const EXPONENT_MAX: u64 = 1022;

/// What numbers become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Numbers {
    /// Floats, as `from_json` has it. What is too large for one is an error.
    Floats,
    /// Whole numbers and floats, as `json_path` has it. What is too large for either is a text,
    /// so that a long identifier keeps all of its digits.
    Exact,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    numbers: Numbers,
    nesting: usize,
}

/// Reads a text that is one value. An empty text is null for `json_path`.
pub(in super::super) fn parse(text: &str, numbers: Numbers) -> Result<Value, String> {
    let mut reader = Reader {
        text,
        at: 0,
        numbers,
        nesting: 0,
    };
    if numbers == Numbers::Exact {
        reader.eat("\u{feff}");
    }
    reader.blanks();
    if numbers == Numbers::Exact && reader.peek().is_none() {
        return Ok(Value::Null);
    }
    let value = reader.value()?;
    reader.blanks();
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.expected("the end of the text")),
    }
}

impl Reader<'_> {
    fn value(&mut self) -> Result<Value, String> {
        match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::from),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.eat("true") => Ok(true.into()),
            _ if self.eat("false") => Ok(false.into()),
            _ if self.eat("null") => Ok(Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn object(&mut self) -> Result<Value, String> {
        let mut fields = IndexMap::new();
        self.list(b'}', |reader| {
            if reader.peek() != Some(b'"') {
                return Err(reader.expected("the name of a field in double quotes"));
            }
            let name = reader.string()?;
            reader.blanks();
            if !reader.eat(":") {
                return Err(reader.expected("`:`"));
            }
            reader.blanks();
            let value = reader.value()?;
            // The last one of a name wins, as in Go.
            fields.insert(name, value);
            Ok(())
        })?;
        Ok(Value::Object(fields.into_iter().collect::<Object>()))
    }

    fn array(&mut self) -> Result<Value, String> {
        let mut values = Vec::new();
        self.list(b']', |reader| {
            values.push(reader.value()?);
            Ok(())
        })?;
        Ok(Value::Array(Arc::new(values)))
    }

    /// Elements with commas between, from the opening bracket to the closing one.
    fn list(
        &mut self,
        close: u8,
        mut element: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        self.nesting += 1;
        if self.nesting > DATA_NESTING_MAX {
            return Err(format!(
                "is nested too deeply to be read as JSON (limit: nesting, {DATA_NESTING_MAX} levels)"
            ));
        }
        self.at += 1;
        self.blanks();
        let mut first = true;
        while self.peek() != Some(close) {
            if !first && !self.eat(",") {
                let close = char::from(close);
                return Err(self.expected(&format!("`,` or `{close}`")));
            }
            first = false;
            self.blanks();
            element(self)?;
            self.blanks();
        }
        self.at += 1;
        self.nesting -= 1;
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest
                .find(|ch: char| matches!(ch, '"' | '\\' | '\0'..='\u{1f}'))
                .unwrap_or(rest.len());
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return Err(self.expected("an escape for a control character")),
                None => return Err(self.expected("`\"`")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, String> {
        let ch = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.expected("an escape that JSON has")),
        };
        self.at += 2;
        Ok(ch)
    }

    fn unicode(&mut self) -> Result<char, String> {
        let code = self
            .code()
            .ok_or_else(|| self.expected("four hexadecimal digits"))?;
        self.at += 6;
        let (high, low) = (0xd800..0xdc00, 0xdc00..0xe000);
        let second = self.code().filter(|second| low.contains(second));
        if let Some(second) = second.filter(|_| high.contains(&code)) {
            self.at += 6;
            let code = 0x1_0000 + ((code - high.start) << 10) + (second - low.start);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    /// The code of a `\uXXXX` that stands here.
    fn code(&self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 6)?.strip_prefix("\\u")?;
        let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| plain)
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        self.eat("-");
        if !self.eat("0") && self.digits() == 0 {
            return Err(self.expected("a digit"));
        }
        let whole = self.at;
        let mut fraction = 0;
        let point = self.eat(".");
        if point {
            fraction = self.digits();
            if fraction == 0 && self.numbers == Numbers::Floats {
                return Err(self.expected("a digit"));
            }
        }
        let mut exponent = 0;
        if self.eat("e") || self.eat("E") {
            let _sign = self.eat("+") || self.eat("-");
            let digits = self.at;
            if self.digits() == 0 {
                return Err(self.expected("a digit"));
            }
            exponent = self.text[digits..self.at].parse().unwrap_or(u64::MAX);
        }
        let text = &self.text[start..self.at];
        let float = text.parse::<f64>().unwrap_or(f64::NAN);
        if self.numbers == Numbers::Floats {
            return match float.is_finite() {
                true => Ok(float.into()),
                false => Err(format!("holds the number {text}, which is too large")),
            };
        }
        let int = self.text[start..whole].parse::<i64>();
        Ok(match int {
            Ok(int) if fraction == 0 && exponent == 0 => int.into(),
            Ok(_) if fraction <= FRACTION_DIGITS_MAX && exponent <= EXPONENT_MAX => {
                Value::Number(Number::Float(float))
            }
            _ => text.into(),
        })
    }

    fn digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.text[self.at..].starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// The error for what stands here.
    fn expected(&self, wanted: &str) -> String {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|ch| *ch != '\n').count() + 1;
        let found = match self.text[self.at..].chars().next() {
            Some(ch) => format!("{ch:?}"),
            None => "the end of the text".to_owned(),
        };
        format!("is not JSON: expected {wanted}, found {found} at line {line}, column {column}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_dialects_read_what_is_json() {
        let table = [
            ("null", "null", "null"),
            (" [1, 2.5,\n-3] ", "[1, 2.5, -3]", "[1, 2.5, -3]"),
            (
                r#"{"b":1,"a":{"c":[]},"b":2}"#,
                "{ b = 2, a = { c = [] } }",
                "",
            ),
            (r#""\"\\\/\b\f\n\r\t\u00e9""#, r#""\"\\/\b\f\n\r\té""#, ""),
            (r#""\ud83d\ude00""#, "\"😀\"", ""),
            (r#""\ud83d""#, "\"\u{fffd}\"", ""),
            (r#""\ud83d\u0041\udc00""#, "\"\u{fffd}A\u{fffd}\"", ""),
            (
                "18446744073709551615",
                "18446744073709552000",
                "\"18446744073709551615\"",
            ),
            (
                "0.123456789012345678",
                "0.12345678901234568",
                "\"0.123456789012345678\"",
            ),
            ("1e2", "100", ""),
            ("9007199254740993", "9007199254740992", "9007199254740993"),
        ];
        for (text, floats, exact) in table {
            let shown = |numbers| parse(text, numbers).map(|value| value.to_string());
            assert_eq!(shown(Numbers::Floats).as_deref(), Ok(floats), "{text}");
            let exact = if exact.is_empty() { floats } else { exact };
            assert_eq!(shown(Numbers::Exact).as_deref(), Ok(exact), "{text}");
        }
        for text in ["", " ", "1.", "1e400", "\u{feff}1"] {
            assert!(parse(text, Numbers::Floats).is_err(), "{text}");
            assert!(parse(text, Numbers::Exact).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused_at_its_place() {
        let table = [
            ("[1,]", "expected a value, found ']' at line 1, column 4"),
            (
                "[1 2]",
                "expected `,` or `]`, found '2' at line 1, column 4",
            ),
            ("{\n\"é\" 1}", "expected `:`, found '1' at line 2, column 5"),
            ("{a:1}", "the name of a field in double quotes, found 'a'"),
            (
                "{\"a\":1,}",
                "the name of a field in double quotes, found '}'",
            ),
            ("01", "expected the end of the text, found '1'"),
            ("-", "expected a digit"),
            ("1e", "expected a digit"),
            ("\"a", "expected `\"`, found the end of the text"),
            ("\"\t\"", "an escape for a control character"),
            ("\"\\q\"", "an escape that JSON has"),
            ("\"\\u+123\"", "four hexadecimal digits"),
            ("nul", "expected a value, found 'n'"),
            ("[[", "expected a value, found the end of the text"),
        ];
        for (text, expected) in table {
            for numbers in [Numbers::Floats, Numbers::Exact] {
                let error = parse(text, numbers).expect_err(text);
                assert!(error.contains(expected), "{text}: {error}");
            }
        }
        let deep = "[".repeat(100_000);
        let error = parse(&deep, Numbers::Floats).expect_err("too deep");
        assert!(error.contains("limit: nesting, 128"), "{error}");
    }
}
