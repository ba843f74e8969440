//! A pull parser for JSON: the caller says what it wants next.
//!
//! Texts are borrowed from the input unless they have escapes. Nothing is built of what is skipped.

use std::borrow::Cow;
use std::str;

use super::error::{JsonError, Problem};

/// Levels of objects and lists in what is skipped. A field that nobody knows has no better claim to
/// depth than the known ones.
const SKIP_LEVELS: u32 = 100;

pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    pub(super) fn new(json: &'a [u8]) -> Result<Self, JsonError> {
        let text = str::from_utf8(json)
            .map_err(|error| JsonError::new(error.valid_up_to(), Problem::Utf8))?;
        Ok(Self { text, at: 0 })
    }

    pub(super) fn offset(&self) -> usize {
        self.at
    }

    /// The first byte of what comes next, behind white space.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let space = rest
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += space.count();
        self.text.as_bytes().get(self.at).copied()
    }

    /// Takes the byte that must come next.
    pub(super) fn expect(&mut self, byte: u8, name: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.error(Problem::Syntax(name)));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes the `{` or `[` of a value that must be an object or a list.
    pub(super) fn open(&mut self, byte: u8, name: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(byte) {
            return Err(self.error(Problem::Type(name)));
        }
        self.at += 1;
        Ok(())
    }

    /// The key of the next member of an object, or its end. `first` says that none came before.
    pub(super) fn key(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, JsonError> {
        if !self.more(b'}', first, "a comma or the end of the object")? {
            return Ok(None);
        }
        if self.peek() != Some(b'"') {
            return Err(self.error(Problem::Syntax("a name")));
        }
        let key = self.string()?;
        self.expect(b':', "a colon")?;
        Ok(Some(key))
    }

    /// Whether a list goes on. `first` says that no element came before.
    pub(super) fn element(&mut self, first: bool) -> Result<bool, JsonError> {
        self.more(b']', first, "a comma or the end of the list")
    }

    fn more(&mut self, end: u8, first: bool, name: &'static str) -> Result<bool, JsonError> {
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ if first => Ok(true),
            _ => self.expect(b',', name).map(|()| true),
        }
    }

    /// Takes a `null`, if that is what comes next.
    pub(super) fn null(&mut self) -> Result<bool, JsonError> {
        if self.peek() != Some(b'n') {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    /// Takes a `true` or a `false`, if that is what comes next.
    pub(super) fn bool(&mut self) -> Result<Option<bool>, JsonError> {
        match self.peek() {
            Some(b't') => self.word("true").map(|()| Some(true)),
            Some(b'f') => self.word("false").map(|()| Some(false)),
            _ => Ok(None),
        }
    }

    fn word(&mut self, word: &'static str) -> Result<(), JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.error(Problem::Syntax("a value")));
        }
        self.at += word.len();
        Ok(())
    }

    /// Takes a number, as its text.
    pub(super) fn number(&mut self) -> Result<&'a str, JsonError> {
        self.peek();
        let start = self.at;
        let len = number_len(&self.text.as_bytes()[start..])
            .ok_or_else(|| self.error(Problem::Syntax("a value")))?;
        self.at += len;
        Ok(&self.text[start..self.at])
    }

    /// Takes a text, whose quote comes next.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"', "a text")?;
        let start = self.at;
        let plain = self.plain();
        if self.text.as_bytes().get(self.at) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        self.at = start;
        self.escaped().map(Cow::Owned)
    }

    /// Takes what can be taken as it is.
    fn plain(&mut self) -> &'a str {
        let start = self.at;
        let rest = &self.text.as_bytes()[start..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        self.at += rest.iter().position(special).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn escaped(&mut self) -> Result<String, JsonError> {
        let mut string = String::new();
        loop {
            string.push_str(self.plain());
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.push(self.escape()?),
                _ => return Err(self.error(Problem::Syntax("the end of the text"))),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let error = self.error(Problem::Syntax("an escape sequence"));
        let letter = self.text.as_bytes().get(self.at + 1).copied();
        let char = match letter {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode().ok_or(error),
            _ => return Err(error),
        };
        self.at += 2;
        Ok(char)
    }

    /// Takes `\uXXXX`, or two of them that are the halves of one character.
    fn unicode(&mut self) -> Option<char> {
        let first = self.code_unit()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        let second = self.code_unit()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn code_unit(&mut self) -> Option<u32> {
        let escape = self.text.as_bytes().get(self.at..self.at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        let unit = digits.iter().try_fold(0, |unit, &digit| {
            Some(unit << 4 | char::from(digit).to_digit(16)?)
        })?;
        self.at += 6;
        Some(unit)
    }

    /// Takes any value and forgets it.
    pub(super) fn skip(&mut self) -> Result<(), JsonError> {
        self.skip_within(SKIP_LEVELS)
    }

    fn skip_within(&mut self, levels: u32) -> Result<(), JsonError> {
        let open = self.peek();
        if matches!(open, Some(b'{' | b'[')) && levels == 0 {
            return Err(self.error(Problem::Depth(SKIP_LEVELS)));
        }
        match open {
            Some(b'{') => {
                self.at += 1;
                let mut first = true;
                while self.key(first)?.is_some() {
                    self.skip_within(levels - 1)?;
                    first = false;
                }
            }
            Some(b'[') => {
                self.at += 1;
                let mut first = true;
                while self.element(first)? {
                    self.skip_within(levels - 1)?;
                    first = false;
                }
            }
            Some(b'"') => {
                self.string()?;
            }
            Some(b't' | b'f') => {
                self.bool()?;
            }
            Some(b'n') => {
                self.null()?;
            }
            _ => {
                self.number()?;
            }
        }
        Ok(())
    }

    /// Makes sure that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error(Problem::Syntax("the end"))),
        }
    }

    pub(super) fn error(&self, problem: Problem) -> JsonError {
        JsonError::new(self.at, problem)
    }
}

/// The length of the number that `text` begins with, by JSON's grammar.
pub(super) fn number_len(text: &[u8]) -> Option<usize> {
    let digits = |at: usize| {
        let rest = text.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    match digits(at) {
        0 => return None,
        len if len > 1 && text[at] == b'0' => return None,
        len => at += len,
    }
    if text.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return None,
            len => at += 1 + len,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return None,
            len => at += 1 + sign + len,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(json: &str) -> Result<String, JsonError> {
        let mut parser = Parser::new(json.as_bytes())?;
        let string = parser.string()?.into_owned();
        parser.end().map(|()| string)
    }

    #[test]
    fn escapes_are_read() {
        for (json, expected) in [
            (r#""""#, ""),
            (r#" "plain é" "#, "plain é"),
            (r#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"),
            (r#""\u00e9\uD83E\udd80\u0000""#, "é🦀\0"),
        ] {
            assert_eq!(string(json).as_deref(), Ok(expected), "{json}");
        }
    }

    #[test]
    fn broken_texts_are_refused() {
        for json in [
            "",
            "\"",
            "\"a",
            "\"\\\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\udc00\"",
            "\"a\nb\"",
            "\"\\u+123\"",
            "\"\\ué12\"",
            "\"a\" b",
        ] {
            assert!(string(json).is_err(), "{json}");
        }
        assert!(Parser::new(b"\"\xff\"").is_err());
    }

    #[test]
    fn numbers_follow_the_grammar() {
        for (text, len) in [
            ("0", 1),
            ("-0", 2),
            ("10", 2),
            ("1.5", 3),
            ("1e5", 3),
            ("-1.50E+10,", 9),
            ("12]", 2),
        ] {
            assert_eq!(number_len(text.as_bytes()), Some(len), "{text}");
        }
        for text in ["", "-", "01", "-01", "1.", ".5", "1e", "1e+", "+1", "NaN"] {
            assert_eq!(number_len(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn anything_can_be_skipped() {
        for json in [
            r#"{"a":[1,{"b":null},[]],"c":{}}"#,
            "[]",
            "true",
            "-1e3",
            r#" "x" "#,
        ] {
            let mut parser = Parser::new(json.as_bytes()).unwrap();
            parser.skip().unwrap();
            parser.end().unwrap();
        }
        for json in [
            "",
            "[1 2]",
            "[1,]",
            "{\"a\" 1}",
            "{a:1}",
            "{\"a\":1,}",
            "nul",
            "tru",
            "[",
            "{",
        ] {
            let mut parser = Parser::new(json.as_bytes()).unwrap();
            assert!(parser.skip().is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        let error = Parser::new(deep.as_bytes()).unwrap().skip().unwrap_err();
        assert_eq!(error.problem(), Problem::Depth(SKIP_LEVELS));
    }
}
